"""Icarus runs the same netlist with yosys' own models of the cells: every net, every cycle."""

import shutil
import subprocess
import sys
from functools import partial

import numpy as np
import pytest

from systopack.hardware.array import Array
from systopack.synthesis.asic import map_array
from systopack.synthesis.gate_simulation import GateSimulation
from systopack.synthesis.liberty import BUNDLED, read_library
from systopack.synthesis.netlist import clock_nets
from systopack.synthesis.structural import MODULE, verilog_lines
from systopack.synthesis.workload import record_runs
from systopack.verification.array_bench import ArrayTile

ARRAY = Array(rows=2, columns=2, alpha=2, cell="bit-serial-compact", cells_per_stage=2)
# read_liberty gives no model of a clock gate: a latch and an AND.
CLOCK_GATES = """
module sky130_fd_sc_hd__dlclkp_1 (input CLK, GATE, output GCLK);
  reg open = 1'b0;
  always @* if (!CLK) open = GATE;
  assign GCLK = CLK & open;
endmodule
"""
MODELS = """
import sys
from functools import partial
from pyosys import libyosys
design = libyosys.Design()
libyosys.run_pass(f"read_liberty -ignore_miss_func -ignore_miss_data_latch {sys.argv[1]}", design)
libyosys.run_pass("write_verilog -noattr models.v", design)
"""


def random_tile(rng: np.random.Generator) -> ArrayTile:
    shape = (ARRAY.rows, ARRAY.columns)
    return ArrayTile(
        weights=rng.integers(-128, 128, shape),
        index=rng.integers(0, ARRAY.alpha, shape),
        words=rng.integers(-128, 128, (6, ARRAY.alpha, ARRAY.columns)),
        sums=rng.integers(-1000, 1000, (6, ARRAY.rows)),
    )


def bench(netlist, cycles: int, nets: list[str]) -> str:
    """Reads a line of input bits a cycle, prints a line of all nets just before the clock edge."""
    ports = [(name, len(bits)) for name, bits in netlist.inputs.items() if name != "clk"]
    width = sum(bits for _, bits in ports)
    declared = "".join(f"  reg [{bits - 1}:0] {name};\n" for name, bits in ports)
    outputs = [(name, len(bits)) for name, bits in netlist.outputs.items()]
    declared += "".join(f"  wire [{bits - 1}:0] {name};\n" for name, bits in outputs)
    names = ["clk", *(name for name, _ in (*ports, *outputs))]
    return (
        f"module bench;\n  reg clk = 0;\n{declared}"
        f"  reg [{width - 1}:0] lines[0:{cycles - 1}];\n  integer i;\n"
        f"  {MODULE} dut ({', '.join(f'.{name}({name})' for name in names)});\n"
        f'  initial begin\n    $readmemb("inputs.txt", lines);\n'
        f"    for (i = 0; i < {cycles}; i = i + 1) begin\n"
        f"      {{{', '.join(name for name, _ in ports)}}} = lines[i];\n"
        f'      #5 $display("%b", {{{", ".join(nets)}}});\n      clk = 1; #5 clk = 0;\n'
        "    end\n    $finish;\n  end\nendmodule\n"
    )


@pytest.mark.slow
def test_all_nets_do_the_same_in_icarus(tmp_path):
    if shutil.which("iverilog") is None:
        pytest.skip("needs iverilog")
    netlist = map_array(ARRAY, library=read_library())
    rng = np.random.default_rng(5)
    inputs = record_runs(ARRAY, [[random_tile(rng), random_tile(rng)]] * 64)
    activity = GateSimulation(netlist).run(inputs)

    ports = {
        int(net): f"{name}[{bit}]" if len(bits) > 1 else name
        for group in (netlist.outputs, netlist.inputs)
        for name, bits in group.items()
        for bit, net in enumerate(bits)
    }
    clocks = clock_nets(netlist)
    clocks[netlist.inputs["clk"]] = True
    used = {
        int(n) for item in netlist.instances.values() for nets in item.nets.values() for n in nets
    }
    watched = sorted(net for net in used if net > 1 and not clocks[net])
    names = [f"dut.{ports.get(net, f'n{net}')}" for net in watched]
    cycles = len(inputs["take"])
    bits = [
        np.asarray(inputs[name] & np.uint64(1), dtype=np.uint8)[:, ::-1]
        for name in netlist.inputs
        if name != "clk"
    ]
    lines = ["".join(map(str, row)) for row in np.concatenate(bits, axis=1).tolist()]
    (tmp_path / "inputs.txt").write_text("\n".join(lines) + "\n")
    (tmp_path / "design.v").write_text("".join(verilog_lines(netlist)))
    (tmp_path / "gates.v").write_text(CLOCK_GATES)
    (tmp_path / "bench.v").write_text(bench(netlist, cycles, names))
    run = partial(subprocess.run, cwd=tmp_path, check=True, capture_output=True, text=True)
    run([sys.executable, "-c", MODELS, str(BUNDLED)])
    models = (tmp_path / "models.v").read_text()
    for register in ("IQ", "_0_"):
        models = models.replace(f"reg {register};", f"reg {register} = 1'b0;")
    (tmp_path / "models.v").write_text(models)
    files = ["models.v", "gates.v", "design.v", "bench.v"]
    run(["iverilog", "-g2005", "-s", "bench", "-o", "bench", *files])
    out = run(["./bench"]).stdout.split()
    seen = np.array([list(line) for line in out if set(line) <= set("01xz")])
    assert seen.shape == (cycles, len(watched))
    assert set(np.unique(seen)) == {"0", "1"}
    ones = (seen == "1").sum(axis=0)
    # The first cycle is a change from 0.
    before = np.concatenate([np.full((1, len(watched)), "0"), seen[:-1]])
    toggles = (seen != before).sum(axis=0)
    assert np.array_equal(64 * ones, activity.ones[watched])
    assert np.array_equal(64 * toggles, activity.toggles[watched])
