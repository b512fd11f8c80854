"""An existing file is replaced only where the same command wrote exactly that content."""

import json
import os

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from safetensors.numpy import save_file

from systopack.cli.outputs import claim, claim_folder
from systopack.cli.references import referred_files
from systopack.errors import InvalidOptionError
from systopack.records import Record, sha256_of_file
from tests.cli.results import refused

WEIGHTS = {"w": np.eye(4, dtype=np.float32)}
COMMANDS = [
    ("train", "lenet5-shift", "o.safetensors"),
    ("combine", "lenet5-shift", "o.safetensors"),
    ("import", "lenet5-shift", "o.safetensors"),
    ("quantize", "m.safetensors", "o.spk"),
    ("export", "m.safetensors", "o.safetensors"),
    ("export", "m.safetensors", "--format", "onnx", "o.onnx"),
    ("pack", "m.npy", "o.safetensors"),
    ("report", "net.spk", "o.html"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: "-".join(command[::3]))
@pytest.mark.parametrize("other", [None, "train", "combine"])
def test_a_file_of_others_stays(run, network, tmp_path, monkeypatch, command, other):
    """With no record, or one of another command, or one of other content."""
    monkeypatch.setattr("systopack.data.open.open_data", lambda *_: pytest.fail("data were read"))
    *arguments, out = command
    (tmp_path / out).write_text("mine")
    if other:
        digest = "0" * 64 if other == command[0] else sha256_of_file(out)
        Record(kind=other, figures={}, outputs={out: digest}).write(f"o.{other}.json")
    error = (f"'{out}' exists", f"systopack {command[0]}", "another name", "--force")
    assert refused(run(*arguments, "--out", out), *error)
    assert (tmp_path / out).read_text() == "mine"


def test_a_command_replaces_what_it_wrote_until_it_is_changed(run, network, tmp_path):
    np.save("m.npy", np.eye(4))
    writing = (("pack", "m.npy", "--out", "o.safetensors"), ("report", network, "--out", "o.html"))
    for command in writing:
        assert run(*command)[0] == 0
        assert run(*command)[0] == 0
        with (tmp_path / command[-1]).open("ab") as stream:
            stream.write(b" ")
        assert refused(run(*command), f"'{command[-1]}' exists")


def test_a_trace_is_an_output_too(run, network, tmp_path):
    (tmp_path / "t.vcd").write_text("mine")
    assert refused(run("verify", network, "--trace", "t.vcd"), "'t.vcd' exists")


def test_the_parts_of_a_sharded_file_are_inputs(run, tmp_path):
    save_file(WEIGHTS, "a-1.safetensors")
    index = {"weight_map": {"w": "a-1.safetensors"}}
    (tmp_path / "a.safetensors.index.json").write_text(json.dumps(index))
    # Even where an earlier pack wrote the part.
    digest = sha256_of_file("a-1.safetensors")
    record = Record(kind="pack", figures={}, outputs={"a-1.safetensors": digest})
    record.write("a-1.pack.json")
    os.link("a-1.safetensors", "b.safetensors")
    for out in ("a-1.safetensors", "b.safetensors"):
        found = run("pack", "a.safetensors.index.json", "--out", out)
        assert refused(found, "also the input 'a-1.safetensors'")
    assert sha256_of_file("a-1.safetensors") == digest


def external_graph(path, location):
    tensor = helper.make_tensor("w", TensorProto.FLOAT, (4, 4), [0.0] * 16)
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    inner = helper.make_graph([], "inner", [], [], [tensor])
    node = helper.make_node("If", ["c"], ["y"], then_branch=inner)
    onnx.save(helper.make_model(helper.make_graph([node], "g", [], [])), path)


def test_weights_beside_a_graph_are_inputs(run, tmp_path):
    save_file(WEIGHTS, "w.safetensors")
    external_graph("net.onnx", "w.safetensors")
    digest = sha256_of_file("w.safetensors")
    for command in ("import", "combine"):
        Record(kind=command, figures={}, outputs={"w.safetensors": digest}).write(
            f"w.{command}.json"
        )
        found = run(command, "net.onnx", "--out", "w.safetensors")
        assert refused(found, "also the input 'w.safetensors'")
    assert sha256_of_file("w.safetensors") == digest


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"weight_map": 3}', b"[" * 100_000])
def test_damaged_inputs_refer_to_nothing(tmp_path, content):
    for name in ("a.safetensors.index.json", "a.onnx"):
        (tmp_path / name).write_bytes(content)
        assert referred_files(tmp_path / name) == ()


def test_folders_keep_what_their_record_does_not_name(run, network, tmp_path, monkeypatch):
    (tmp_path / "README.md").write_text("mine")
    for out in (".", "net.spk"):
        assert refused(run("rtl", network, "--out", out, "--array", "4x4"), out, "another")
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    assert refused(run("rtl", network, "--out", ".."), "'..' holds files", "another folder")
    assert refused(run("rtl", network, "--out", ""), "--out", "empty")
    assert refused(run("rtl", network, "--out="), "--out", "empty")
    monkeypatch.chdir(tmp_path)
    common = ("synthesize", "xilinx", network)
    assert refused(run(*common, "--out", "."), "'.' holds files")
    (tmp_path / "results.md").write_text("mine")
    Record(kind="reproduce", figures={}, outputs={}).write("reproduce.json")
    assert refused(run("reproduce", "--out", "."), "'results.md' exists")
    assert (tmp_path / "README.md").read_text() == "mine"


def test_a_folder_is_written_again(run, network, tmp_path):
    for _ in range(2):
        assert run("rtl", network, "--out", "r", "--array", "4x4")[0] == 0
    (tmp_path / "r" / "accelerator.v").write_text("edited")
    assert refused(run("rtl", network, "--out", "r"), "accelerator.v' was changed")


@pytest.mark.parametrize("name", ["x.json/", "x.json//", "x.json/."])
def test_a_file_with_a_slash_behind_it_is_refused(run, network, tmp_path, name):
    assert refused(run("simulate", network, "--out", name), "names a folder")
    assert refused(run("simulate", network, f"--out={name}"), "names a folder")
    assert not (tmp_path / "x.json").exists()


def test_records_name_every_file_of_a_folder(tmp_path):
    (tmp_path / "packed.spk").write_text("theirs")
    digest = sha256_of_file(tmp_path / "packed.spk")
    Record(kind="demo", figures={}, outputs={"packed.spk": digest}).write(tmp_path / "demo.json")
    claim_folder("demo", tmp_path, files=("packed.spk",))
    (tmp_path / "packed.spk").write_text("mine")
    with pytest.raises(InvalidOptionError, match="exists, and no record"):
        claim_folder("demo", tmp_path, files=("packed.spk",))
    with pytest.raises(InvalidOptionError, match="written twice"):
        claim("demo", outputs=[tmp_path / "a"], record=tmp_path / "a")
