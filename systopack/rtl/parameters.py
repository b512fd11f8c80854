"""From an `Array` to the parameters of the Verilog that builds it."""

from __future__ import annotations

from pathlib import Path

from systopack.hardware.array import Array
from systopack.hardware.cells import CELLS

VERILOG = Path(__file__).parent / "verilog"
LICENSE = Path(__file__).parent / "LICENSE.txt"
LICENSE_LINE = "// SPDX-License-Identifier: Apache-2.0\n"
ARRAY_SOURCES = (
    "delay_line.v",
    "skew.v",
    "row_skew.v",
    "masked_register.v",
    "weight_register.v",
    "load_skew.v",
    "multiplexer_row.v",
    *(file for cell in CELLS.values() for file in cell.verilog),
    "systolic_array.v",
)
TILED_SOURCES = (
    *ARRAY_SOURCES,
    "valid_line.v",
    "stream_rules.v",
    "image_rules.v",
    "weight_rules.v",
    "memory.v",
    "register_memory.v",
    "single_memory.v",
    "sum_deserializer.v",
    "position_walker.v",
    "requantize_stages.v",
    "feature_bank.v",
    "fetch_bank.v",
    "feature_memory.v",
    "image_words.v",
    "word_streams.v",
    "step_timing.v",
    "lane_operands.v",
    "array_sums.v",
    "clock_gate.v",
    "array_clock.v",
    "array_core.v",
    "row_mask.v",
    "stream_table.v",
    "visit_waits.v",
    "visit_control.v",
    "output_walk.v",
    "weight_ring.v",
    "tile_weights.v",
    "token_line.v",
    "lane_sums.v",
    "lane_pool.v",
    "lane_words.v",
    "sum_lane.v",
    "tiled_rules.v",
    "tiled_accelerator.v",
)
AXI_TILED_SOURCES = (
    *TILED_SOURCES,
    "axi_registers.v",
    "axi_streams.v",
    "axi_weights.v",
    "axi_tiled.v",
)
PIPELINED_SOURCES = (
    *ARRAY_SOURCES,
    "valid_line.v",
    "stream_rules.v",
    "image_rules.v",
    "memory.v",
    "register_memory.v",
    "requantize.v",
    "requantize_stages.v",
    "sum_deserializer.v",
    "sum_adder.v",
    "hold_register.v",
    "clock_gate.v",
    "array_clock.v",
    "pipe_control.v",
    "pipe_source.v",
    "pipe_issue.v",
    "pipe_window.v",
    "pipe_streams.v",
    "pipe_array.v",
    "pipe_lane.v",
    "pipe_pool.v",
    "pipe_results.v",
    "pipe_host.v",
)
AXI_PIPELINED_SOURCES = (
    *PIPELINED_SOURCES,
    "axi_registers.v",
    "axi_streams.v",
    "axi_pipelined.v",
)


def sources(names: tuple[str, ...] = ARRAY_SOURCES) -> list[Path]:
    """The Verilog files of the given names."""
    return [VERILOG / name for name in names]


def index_bits(array: Array) -> int:
    """Bits of a cell's channel index; 1 at least, since a port cannot be empty."""
    return bits_for(array.alpha)


def bits_for(count: int) -> int:
    """Bits that number `count` things from 0, at least 1."""
    return max(1, (count - 1).bit_length())


def sum_bits(array: Array) -> int:
    """Wires of one row's partial sums: byte lanes, 1, or the whole accumulator."""
    cell, bits = array.cell_kind, array.accumulator_bits
    return cell.lanes(bits) * cell.lane_wires(bits)


def array_parameters(array: Array) -> dict[str, int]:
    """The parameters of `systolic_array` that the others follow from."""
    return {
        "ROWS": array.rows,
        "COLUMNS": array.columns,
        "ALPHA": array.alpha,
        "ACCUMULATOR_BITS": array.accumulator_bits,
        "CELL": array.cell_kind.number,
        "INPUT_FANOUT": array.input_fanout,
        "CELL_WEIGHT_BITS": array.weight_bits,
        "CELLS_PER_STAGE": array.cells_per_stage,
        "WEIGHT_BUFFERS": array.weight_buffers,
    }
