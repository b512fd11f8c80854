"""Runs of yosys: results, cache, and errors of one sentence."""

from importlib import metadata

import pytest

from systopack.errors import InvalidFileError
from systopack.synthesis.yosys import run_yosys

COUNTER = """
module counter #(parameter WIDTH = 4) (input wire clk, output reg [WIDTH-1:0] count);
    always @(posedge clk) count <= count + 1'b1;
endmodule
"""


@pytest.fixture
def counter(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source = tmp_path / "counter.v"
    source.write_text(COUNTER)
    return source


def run(source, **changes):
    settings = {
        "top": "counter",
        "sources": [source],
        "parameters": {"WIDTH": 6},
        "commands": ["synth -flatten", "tee -o stat.json stat -json"],
        "outputs": ["stat.json"],
    }
    return run_yosys(**(settings | changes))


def test_parameters_reach_the_design_and_the_second_run_comes_from_the_cache(counter):
    lines = []
    first = run(counter, on_line=lines.append)
    assert '"$_DFF_P_": 6' in first.text("stat.json")
    assert not first.cached
    assert any("SYNTH" in line for line in lines)
    second = run(counter)
    assert second.cached
    assert (second.log, second.files) == (first.log, first.files)


@pytest.mark.parametrize("damage", [b"", b"{}", None])
def test_a_damaged_entry_is_made_anew(counter, tmp_path, damage):
    first = run(counter)
    (entry,) = (tmp_path / "cache" / "systopack" / "yosys").glob("counter-*")
    if damage is None:
        (entry / "stat.json").unlink()
    else:
        (entry / "stat.json").write_bytes(damage)
    again = run(counter)
    assert not again.cached and again.files == first.files
    assert run(counter).cached


def test_changed_verilog_is_a_new_run(counter):
    run(counter)
    counter.write_text(COUNTER.replace("1'b1", "2'd2"))
    assert not run(counter).cached


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"top": "nothing"}, "nothing"),
        ({"commands": ["no_such_pass"]}, "no_such_pass"),
        ({"outputs": ["absent.v"]}, "absent.v"),
    ],
)
def test_what_yosys_refuses_is_one_sentence(counter, changes, words):
    with pytest.raises(InvalidFileError, match=words) as caught:
        run(counter, **changes)
    assert "\n" not in str(caught.value)


def test_a_missing_source_and_two_of_one_name(counter, tmp_path):
    with pytest.raises(InvalidFileError, match="cannot be read for synthesis"):
        run(tmp_path / "absent.v")
    with pytest.raises(InvalidFileError, match="the same name"):
        run(counter, inputs=[tmp_path / "other" / "counter.v"])


def test_a_run_that_takes_too_long_is_ended(counter):
    with pytest.raises(InvalidFileError, match=r"did not end within 0\.01 s"):
        run(counter, timeout_s=0.01)


def test_without_pyosys_the_message_says_how_to_install_it(counter, monkeypatch):
    def version(_):
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "version", version)
    with pytest.raises(InvalidFileError, match="pip install pyosys"):
        run(counter)
