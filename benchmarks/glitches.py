"""Energy of cells with the glitches that the simulator of gates leaves out.

    python benchmarks/glitches.py --library nangate45_typ.lib.gz --data ../shared/data/cifar10

Icarus runs the netlist of an array on a real tile of zoo:resnet20-cifar10 with a delay for every
gate: the median, over all gates of its kind, of what the library's tables say of each. A change
shorter than its gate's delay does not pass. All changes are counted, priced by the same power
model, and set beside the same run without delays. Needs `iverilog`. Writes glitches.json.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from systopack.data.open import open_data
from systopack.folders.working import WorkingFolder
from systopack.hardware.array import Array
from systopack.network.file import load
from systopack.network.packaged import network_file
from systopack.network.reference import quantize_images
from systopack.records import STORE, Record, sha256_of_file
from systopack.synthesis.asic import map_array
from systopack.synthesis.delays import propagate
from systopack.synthesis.gate_simulation import Counts, GateSimulation, Lanes
from systopack.synthesis.liberty import open_library
from systopack.synthesis.netlist import Netlist, clock_nets
from systopack.synthesis.power import energy
from systopack.synthesis.structural import MODULE, verilog_lines
from systopack.synthesis.workload import workload

NETWORK = Path("zoo:resnet20-cifar10")
FORMS = (
    ("bit-serial-compact", 8, 1, 8),
    ("bit-parallel-compact", 8, 1, 8),
    ("bit-parallel", 1, 2, 8),
)
_CLOCK_GATE = """
module CLKGATE_X1 (input CK, E, output GCK);
  reg open = 1'b0;
  always @* if (!CK) open = E;
  assign GCK = CK & open;
endmodule
"""
_MODELS = """
import sys
from pyosys import libyosys
design = libyosys.Design()
libyosys.run_pass(f"read_liberty -ignore_miss_func -ignore_miss_data_latch {sys.argv[1]}", design)
libyosys.run_pass("write_verilog -noattr models.v", design)
"""
_PERIOD_PS, _INPUTS_PS = 10_000, 100  # long enough for all to settle; inputs change like registers


def gate_delays_ps(netlist: Netlist) -> dict[str, int]:
    """Of each kind of gate, the median of output minus latest input."""
    found = propagate(netlist)
    arrival = (found.rise_ns + found.fall_ns) / 2
    delays = {}
    for name, item in netlist.instances.items():
        if item.cell.kind == "gate" and item.cell.inputs:
            last = np.max([arrival[item.nets[pin]] for pin in item.cell.inputs], axis=0)
            out = np.max(
                [arrival[item.nets[p]] for p in item.cell.outputs if p in item.nets], axis=0
            )
            delays[name] = max(1, round(1000 * float(np.median(out - last))))
    return delays


def delayed(models: str, delays: dict[str, int]) -> str:
    """The library's models, gates with delays, flip-flops 0 at first and a little later."""
    parts = re.split(r"(?m)^(?=module )", models)
    for place, part in enumerate(parts):
        name = re.match(r"module \\?(\S+?)\s*\(", part)
        delay = delays.get(name[1], _INPUTS_PS) if name else 0
        started = re.sub(r"\breg (IQ|_0_);", r"reg \1 = 1'b0;", part)
        parts[place] = re.sub(r"(?m)^(\s*assign )(?=\w+ = )", rf"\1#{delay} ", started)
    return "".join(parts)


def bench(netlist: Netlist, cycles: int) -> str:
    """A line of input bits for every cycle; all wires go to a file."""
    ports = [(name, len(bits)) for name, bits in netlist.inputs.items() if name != "clk"]
    outputs = [(name, len(bits)) for name, bits in netlist.outputs.items()]
    width = sum(bits for _, bits in ports)
    declared = "".join(f"  reg [{bits - 1}:0] {name} = 0;\n" for name, bits in ports)
    declared += "".join(f"  wire [{bits - 1}:0] {name};\n" for name, bits in outputs)
    names = ["clk", *(name for name, _ in (*ports, *outputs))]
    return (
        f"`timescale 1ps/1ps\nmodule bench;\n  reg clk = 0;\n{declared}"
        f"  reg [{width - 1}:0] lines[0:{cycles - 1}];\n  integer i;\n"
        f"  {MODULE} dut ({', '.join(f'.{name}({name})' for name in names)});\n"
        '  initial begin\n    $readmemb("inputs.txt", lines);\n'
        '    $dumpfile("all.vcd"); $dumpvars(1, dut);\n'
        f"    for (i = 0; i < {cycles}; i = i + 1) begin\n"
        f"      {{{', '.join(name for name, _ in ports)}}} = lines[i];\n"
        f"      #{_PERIOD_PS // 2} clk = 1; #{_INPUTS_PS} clk = 1;\n"
        f"      #{_PERIOD_PS // 2 - 2 * _INPUTS_PS} clk = 0; #{_INPUTS_PS} clk = 0;\n"
        "    end\n    $finish;\n  end\nendmodule\n"
    )


def timed_toggles(netlist: Netlist, inputs: dict[str, Lanes], liberty: str, warm_up: int) -> Counts:
    """Changes of every net in run 0, from cycle `warm_up` on."""
    cycles = len(inputs["take"])
    bits = [
        np.asarray(inputs[name] & np.uint64(1), dtype=np.uint8)[:, ::-1]
        for name in netlist.inputs
        if name != "clk"
    ]
    lines = ["".join(map(str, row)) for row in np.concatenate(bits, axis=1).tolist()]
    with WorkingFolder("glitches") as working:
        folder = Path(working)
        run = partial(subprocess.run, cwd=folder, check=True, capture_output=True, text=True)
        run([sys.executable, "-c", _MODELS, liberty])
        models = delayed((folder / "models.v").read_text(), gate_delays_ps(netlist))
        (folder / "models.v").write_text("`timescale 1ps/1ps\n" + models + _CLOCK_GATE)
        (folder / "inputs.txt").write_text("\n".join(lines) + "\n")
        (folder / "design.v").write_text("`timescale 1ps/1ps\n" + "".join(verilog_lines(netlist)))
        (folder / "bench.v").write_text(bench(netlist, cycles))
        run(["iverilog", "-g2005", "-s", "bench", "-o", "b", "models.v", "design.v", "bench.v"])
        run(["./b"])
        return _counted(folder / "all.vcd", netlist, _PERIOD_PS * warm_up, _PERIOD_PS * cycles)


def _counted(path: Path, netlist: Netlist, start_ps: int, stop_ps: int) -> Counts:
    """Changes from the clock edge in front of `start_ps` to the last edge."""
    ports = {
        f"{name}[{bit}]" if len(bits) > 1 else name: int(net)
        for group in (netlist.outputs, netlist.inputs)
        for name, bits in group.items()
        for bit, net in enumerate(bits)
    }
    code: dict[str, list[int]] = {}  # nets of each wire, highest bit first
    now = 0
    toggles = np.zeros(netlist.net_count, dtype=np.int64)
    held: dict[str, str] = {}
    with path.open() as file:
        for line in file:
            if line.startswith("$var"):
                _, _, size, symbol, name, *_ = line.split()
                if int(size) > 1 or f"{name}[0]" in ports:
                    code[symbol] = [ports[f"{name}[{k}]"] for k in reversed(range(int(size)))]
                else:
                    code[symbol] = [ports[name] if name in ports else int(name[1:])]
            elif line[0] == "#":
                now = int(line[1:])
            elif line[0] in "01xzb":
                value, symbol = line.split() if line[0] == "b" else (line[0], line[1:].strip())
                nets = code[symbol]
                value = value.lstrip("b").rjust(len(nets), "0")
                before = held.get(symbol, value)
                held[symbol] = value
                if start_ps - _PERIOD_PS // 2 <= now < stop_ps - _PERIOD_PS // 2:
                    for net, old, new in zip(nets, before, value, strict=True):
                        toggles[net] += old != new
    return toggles


def main() -> None:
    """Measure every form and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", required=True)
    parser.add_argument("--data", default="../shared/data/cifar10")
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--words", type=int, default=24)
    given = parser.parse_args()
    library = open_library(given.library)
    file = network_file(NETWORK)
    network = load(file)
    images = quantize_images(network, open_data(given.data).test_images[:4])
    figures: dict[str, dict[str, Any]] = {}
    for cell, stage, buffers, alpha in FORMS:
        array = Array(
            rows=given.rows,
            columns=8,
            alpha=alpha,
            cell=cell,
            input_fanout=given.rows,
            cells_per_stage=stage,
            weight_buffers=buffers,
        )
        netlist = map_array(array, library=library)
        work = workload(network, images, array=array, words=given.words, fold=True)
        one = {
            name: np.where(words & np.uint64(1), ~np.uint64(0), np.uint64(0))
            for name, words in work.inputs.items()
        }
        still = GateSimulation(netlist).run(one, warm_up=work.first_cycle)
        counted = timed_toggles(netlist, work.inputs, str(library.path.resolve()), work.first_cycle)
        scale = still.cycles // (work.cycles - work.first_cycle)
        moving = replace(still, toggles=scale * counted)
        delays, clocks = propagate(netlist), clock_nets(netlist)
        cells = array.rows * array.columns / array.word_cycles
        figures[array.label] = {
            "array": asdict(array),
            **{
                f"{name}_word_fj": {
                    part: value / cells
                    for part, value in asdict(
                        energy(netlist, activity, delays, period_ns=1.5)
                    ).items()
                }
                for name, activity in (("settled", still), ("glitching", moving))
            },
            "toggles_ratio": float(scale * counted.sum() / still.toggles.sum()),
            "nets_with_fewer": int(((scale * counted < still.toggles) & ~clocks).sum()),
        }
        print(array.label, figures[array.label], flush=True)
    Record(
        kind="glitches",
        figures=figures,
        configuration={"library": library.name, "words": given.words, "network": str(NETWORK)},
        seed=0,
        inputs={library.path.name: sha256_of_file(library.path), "network": sha256_of_file(file)},
    ).write(STORE / "glitches.json")


if __name__ == "__main__":
    main()
