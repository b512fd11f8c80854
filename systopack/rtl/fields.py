"""Layouts of the words in the accelerators' memories, most significant field first.

Every name and width is that of the Verilog that takes the word apart; a test holds them together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from systopack.errors import InvalidOptionError


class Field(NamedTuple):
    """A field of a memory word.

    Args:
        name: as in the Verilog.
        bits: its width.
        signed: two's complement.
    """

    name: str
    bits: int
    signed: bool = False

    @property
    def range(self) -> tuple[int, int]:
        """The lowest and the highest value it holds."""
        if self.signed:
            return -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1
        return 0, (1 << self.bits) - 1


Layout = tuple[Field, ...]

# visit_control.v
INSTRUCTION: Layout = (
    Field("op", 3),
    Field("barrier", 1),
    Field("gather", 1),
    Field("split", 1),
    Field("residual", 1),
    Field("pool_step", 1),
    Field("column_tiles", 12),
    Field("blocks", 12),
    Field("runs", 12),
    Field("last_runs", 12),
    Field("run_steps", 16),
    Field("last_run_steps", 16),
    Field("run_periods", 16),
    Field("last_run_periods", 16),
    Field("steps_per_period", 4),
    Field("step_cycles", 10),
    Field("slots", 12),
    Field("slot_first", 10),
    Field("slot_stop", 10),
    Field("load_words", 6),
    Field("residual_words", 4),
    Field("tail", 6),
    Field("lag", 6),
    Field("out_width", 12),
    Field("stride_x", 8),
    Field("width", 12),
    Field("run_pitch", 20),
    Field("block_pitch", 24),
    Field("limit", 24),
    Field("window_height", 12),
    Field("window_width", 12),
    Field("stride_pitch", 20),
    Field("streams", 16),
    Field("jobs", 16),
    Field("jobs_stride", 8),
    Field("weights", 20),
    Field("next_weights", 20),
    Field("window", 12),
    Field("entries", 16),
    Field("positions", 24),
    Field("residual_block_pitch", 24),
    Field("row_tile", 16),
)

# output_walk.v
OUTPUT_INSTRUCTION: Layout = (
    Field("column_tiles", 12),
    Field("blocks", 12),
    Field("steps", 24),
    Field("last_steps", 24),
    Field("keep", 1),
    Field("requantized", 1),
    Field("residual", 1),
    Field("bypass", 1),
    Field("split", 1),
    Field("write", 1),
    Field("gather", 1),
    Field("row_tile", 16),
    Field("final", 24),
    Field("pool", 2),
    Field("window_height", 12),
    Field("window_width", 12),
    Field("out_width", 12),
    Field("pooled_width", 12),
    Field("pooled_height", 12),
    Field("multiplier", 15),
    Field("pool_shift", 5),
    Field("stride_y", 8),
    Field("stride_x", 8),
    Field("top", 8),
    Field("left", 8),
    Field("height", 12),
    Field("width", 12),
)


def displacement_layout(dx_bits: int) -> Layout:
    """The displacements of an instruction, the first in the lowest bits."""
    return tuple(Field(f"dx_{i}", 13, signed=True) for i in reversed(range(1 << dx_bits)))


def stream_layout(slot_bits: int, bank_bits: int, phase_bits: int, dx_bits: int) -> Layout:
    """A stream's descriptor: which word it takes, where it begins, which columns it masks."""
    return (
        Field("used", 1),
        Field("slot", slot_bits),
        Field("bank", bank_bits),
        Field("o", 1 + phase_bits, signed=True),
        Field("dx", dx_bits),
    )


def job_layout(slot_bits: int, phase_bits: int, feature_bits: int, offset_bits: int) -> Layout:
    """An entry of a bank's table."""
    return (
        Field("residual", 1),
        Field("slot", slot_bits),
        Field("phase", phase_bits),
        Field("plane", feature_bits),
        Field("offset", offset_bits, signed=True),
    )


def row_layout(feature_bits: int, phase_bits: int, accumulator_bits: int, *, clips: bool) -> Layout:
    """Output parameters of a row, sum_lane.v; with limits where some layer clips."""
    limits = (
        Field("highest", accumulator_bits, signed=True),
        Field("lowest", accumulator_bits, signed=True),
    )
    return (
        Field("used", 1),
        Field("plane", feature_bits),
        Field("phase", phase_bits),
        Field("residual_used", 1),
        Field("residual_shift", 5),
        Field("rectified", 1),
        Field("shift", 5),
        Field("bias", accumulator_bits, signed=True),
        *(limits if clips else ()),
    )


def pipelined_row_layout(accumulator_bits: int) -> Layout:
    """Output parameters of a row of the layer-pipelined accelerator, pipe_lane.v."""
    return (
        Field("residual_used_1", 1),
        Field("residual_shift_1", 5),
        Field("requantized_1", 1),
        Field("shift_1", 5),
        Field("highest_1", accumulator_bits, signed=True),
        Field("lowest_1", accumulator_bits, signed=True),
        Field("bias_1", accumulator_bits, signed=True),
    )


def bits_of(layout: Layout) -> int:
    """Width of a whole word."""
    return sum(field.bits for field in layout)


def pack_fields(layout: Layout, values: Mapping[str, int] | Sequence[int], *, where: str) -> int:
    """One word from the values of all its fields.

    Args:
        values: by name, or in the order of the layout; exactly those of the layout.
        where: what the word belongs to, for the message: "Layer 'conv3'".

    Raises:
        InvalidOptionError: a value does not fit its field; nothing is ever cut off.
    """
    if not isinstance(values, Mapping):
        values = dict(zip((field.name for field in layout), values, strict=True))
    if len(values) != len(layout):
        raise KeyError(sorted(values))
    word = 0
    for field in layout:
        value = values[field.name]
        low, high = field.range
        if not low <= value <= high:
            raise InvalidOptionError(
                f"{where} needs '{field.name}' of {value} in the accelerator's tables, but that "
                f"field holds {low}..{high}; use a smaller layer or a larger array."
            )
        word = (word << field.bits) | (value & ((1 << field.bits) - 1))
    return word


def unpack_fields(layout: Layout, word: int) -> dict[str, int]:
    """The values of a word's fields by name."""
    values: dict[str, int] = {}
    for field in reversed(layout):
        value = word & ((1 << field.bits) - 1)
        values[field.name] = value - (1 << field.bits) if value > field.range[1] else value
        word >>= field.bits
    return dict(reversed(values.items()))
