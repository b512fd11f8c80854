"""No command destroys an input, another command's record, or a file of somebody else."""

import json
import os

import numpy as np
import pytest
from safetensors.numpy import save_file

from systopack.cli.outputs import claim_folder
from systopack.errors import InvalidFileError, InvalidOptionError
from systopack.files import check_writable
from systopack.records import Record, read_record, record_path
from tests.cli.results import refused

READERS = [
    ("simulate",),
    ("evaluate",),
    ("verify",),
    ("energy",),
    ("report",),
]


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


@pytest.mark.parametrize("command", READERS, ids=lambda command: command[0])
def test_a_reader_never_replaces_its_network(run, network, tmp_path, command):
    before = contents(tmp_path)
    name, *options = command
    assert refused(run(name, network, "--out", network, *options), "net.spk")
    assert contents(tmp_path) == before


@pytest.mark.parametrize("link", [os.symlink, os.link], ids=["symbolic", "hard"])
@pytest.mark.parametrize(
    ("command", "name"),
    [("simulate", "link.json"), ("evaluate", "link.json"), ("verify", "link.json")],
)
def test_an_input_under_another_name_is_seen(run, network, tmp_path, command, name, link):
    link(network, tmp_path / name)
    before = network.read_bytes()
    assert refused(run(command, network, "--out", name), "also the input", "--out")
    assert network.read_bytes() == before


def test_weights_and_settings_are_inputs_too(run, tmp_path):
    save_file({"w": np.ones((2, 2), np.float32)}, "w.safetensors")
    (tmp_path / "s.toml").write_text("epochs = 1")
    os.symlink(tmp_path / "s.toml", tmp_path / "d.safetensors")
    before = contents(tmp_path)
    weights = ("--weights", "w.safetensors", "--out", "w.safetensors")
    for command in ("combine", "import"):
        assert refused(run(command, "lenet5-shift", *weights), "also the input 'w.safetensors'")
    config = ("--config", "s.toml", "--out", "d.safetensors")
    assert refused(run("train", "lenet5-shift", *config), "also the input 's.toml'")
    os.link("w.safetensors", "o.safetensors")
    same = ("w.safetensors", "--out", "o.safetensors")
    for command in ("combine", "pack", "export", "import"):
        assert refused(run(command, *same), "also the input")
    del before["d.safetensors"]
    assert {name: contents(tmp_path)[name] for name in before} == before


def test_records_are_named_after_file_and_command(tmp_path):
    cases = {
        ("packed.safetensors", "combine"): "packed.combine.json",
        ("packed.spk", "quantize"): "packed.quantize.json",
        ("dense.safetensors", "train"): "dense.train.json",
        ("w.packed.safetensors", "pack"): "w.packed.pack.json",
        ("packed.spk", "evaluate"): "packed.evaluate.json",
        ("packed.safetensors", "evaluate"): "packed.safetensors.evaluate.json",
        (".spk", "verify"): ".spk.verify.json",
    }
    for (name, command), record in cases.items():
        assert record_path(tmp_path / name, command) == tmp_path / record
    assert len(set(cases.values())) == len(cases)


def test_a_record_replaces_only_its_own_earlier_one(run, network, tmp_path):
    assert run("simulate", network)[0] == 0
    first = read_record("net.simulate.json")
    assert run("simulate", network, "--array", "8x8")[0] == 0
    assert read_record("net.simulate.json")["configuration"] != first["configuration"]
    Record(kind="evaluate", figures={}).write("other.json")
    (tmp_path / "mine.json").write_text('{"my": "notes"}')
    (tmp_path / "empty.json").write_text("")
    for name, words in (
        ("other", "a record of 'evaluate'"),
        ("mine", "no record"),
        ("empty", "no"),
    ):
        before = (tmp_path / f"{name}.json").read_bytes()
        assert refused(run("simulate", network, "--out", f"{name}.json"), f"{name}.json", words)
        assert (tmp_path / f"{name}.json").read_bytes() == before


def test_the_default_record_is_checked_before_work(run, network, tmp_path, monkeypatch):
    monkeypatch.setattr("systopack.data.open.open_data", lambda *_: pytest.fail("data were read"))
    (tmp_path / "net.evaluate.json").write_text("{}")
    assert refused(run("evaluate", network), "net.evaluate.json", "no record of systopack")
    (tmp_path / "net.verify.json").mkdir()
    assert refused(run("verify", network), "net.verify.json", "a folder")


@pytest.mark.parametrize(
    "command",
    [
        ("train", "lenet5-shift"),
        ("combine", "lenet5-shift"),
        ("quantize", "m.safetensors"),
        ("simulate", "net.spk"),
        ("evaluate", "net.spk"),
        ("verify", "net.spk"),
        ("report", "net.spk"),
        ("import", "lenet5-shift"),
    ],
    ids=lambda command: command[0],
)
def test_an_output_that_cannot_be_written_is_noticed_first(run, network, monkeypatch, command):
    monkeypatch.setattr("systopack.data.open.open_data", lambda *_: pytest.fail("data were read"))
    suffix = {"quantize": ".spk", "report": ".html"}.get(
        command[0], ".safetensors" if command[0] in ("train", "combine", "import") else ".json"
    )
    # A file stands where the folder should be; nobody, root included, can write into it.
    out = f"net.spk/out{suffix}"
    assert refused(run(*command, "--out", out), "net.spk/out", "cannot be written")
    assert refused(run(*command, "--out", "x" * 300 + suffix), "cannot be written")


def test_probing_leaves_nothing_and_makes_no_folder(tmp_path):
    check_writable(tmp_path / "a" / "b" / "c.json")
    check_writable(tmp_path / "a" / "b", folder=True)
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidFileError, match="is a file already"):
        check_writable(tmp_path / "file", folder=True)
    with pytest.raises(InvalidFileError, match="is a folder already"):
        check_writable(tmp_path)


def test_the_demo_keeps_files_of_others(run, tmp_path):
    (tmp_path / "packed.spk").write_text("mine")
    assert refused(run("demo", "--out", "."), "packed.spk", "no record of 'systopack demo'")
    assert (tmp_path / "packed.spk").read_text() == "mine"


def test_a_record_of_another_command_in_a_folder_stays(tmp_path):
    Record(kind="verify", figures={}).write(tmp_path / "demo.json")
    with pytest.raises(InvalidOptionError, match="a record of 'verify'"):
        claim_folder("demo", tmp_path, files=("packed.spk",))


RECORDS = {
    "not JSON": "{",
    "NaN": '{"record_version": 1, "kind": "a", "figures": {"x": NaN}}',
    "deep": "[" * 100_000,
    "text version": '{"record_version": "1"}',
    "true version": '{"record_version": true}',
    "list": "[]",
    "no figures": '{"record_version": 1, "kind": "a"}',
    "kind is a number": json.dumps(
        {"record_version": 1, "kind": 1, "figures": {}, "configuration": {}}
    ),
    "figures are a list": json.dumps(
        {"record_version": 1, "kind": "a", "figures": [], "configuration": {}}
    ),
    "huge": '{"record_version": 1, "kind": "a", "figures": {"x": 1e999}}',
    "escape": json.dumps({"record_version": 1, "kind": "a\x1b[2J", "figures": {}}),
    "surrogate": '{"record_version": 1, "kind": "a", "figures": {"\\ud800": 1}}',
}


@pytest.mark.parametrize("case", RECORDS)
def test_records_that_are_none(tmp_path, case):
    (tmp_path / "r.json").write_text(RECORDS[case])
    with pytest.raises(InvalidFileError, match="record"):
        read_record(tmp_path / "r.json")
