"""Built simulations: found again, and never loaded where they are damaged or foreign."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

from systopack.folders.cache import private_folder
from systopack.verification.bench import Bench, Port

ADDER = """
module adder (input wire clk, input wire [7:0] a, input wire [7:0] b, output reg [7:0] sum);
    always @(posedge clk) sum <= a + b;
endmodule
"""


def run_adder(source):
    bench = Bench(
        top="adder",
        sources=[source],
        parameters={},
        inputs=[Port(name="a", bits=8), Port(name="b", bits=8)],
        outputs=[Port(name="sum", bits=8)],
    )
    bits = np.unpackbits(np.array([[5], [7]], np.uint8), axis=1, bitorder="little")
    out = bench.run({"a": bits, "b": bits})["sum"]
    return int(np.packbits(out[1], bitorder="little")[0])


@pytest.fixture
def adder(tmp_path, monkeypatch):
    source = tmp_path / "adder.v"
    source.write_text(ADDER)
    run_adder(source)  # Verilator's own objects, which take long, are kept from now on
    known = [path for path in private_folder("verilator").glob("verilated*") if path.is_dir()]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for entry in known:
        shutil.copytree(entry, private_folder("verilator") / entry.name)
    return source


def test_a_truncated_library_is_made_anew_instead_of_killing_the_process(adder):
    assert run_adder(adder) == 10
    (entry,) = private_folder("verilator").glob("adder-*")
    library = entry / "model.so"
    whole = library.read_bytes()
    library.unlink()  # another file: the loaded one stays as it is
    library.write_bytes(whole[: len(whole) // 2])
    code = (
        "from pathlib import Path\nfrom tests.verify.test_verilator import run_adder\n"
        f"print(run_adder(Path({str(adder)!r})))\n"
    )
    for _ in range(2):
        found = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        assert (found.returncode, found.stdout) == (0, "10\n"), found.stderr
    assert list(private_folder("work").iterdir()) == []


def test_the_library_of_another_design_is_not_executed(adder):
    other = adder.with_name("other.v")
    other.write_text(ADDER.replace("a + b", "a - b"))
    assert run_adder(other) == 0
    (foreign,) = private_folder("verilator").glob("adder-*")
    foreign = foreign.rename(foreign.with_name("foreign"))
    assert run_adder(adder) == 10
    (entry,) = private_folder("verilator").glob("adder-*")
    shutil.rmtree(entry)
    shutil.copytree(foreign, entry)
    assert run_adder(adder) == 10
