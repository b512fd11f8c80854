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

# controller.v. A position's bytes are written one a cycle, at most as many as an array has rows.
INSTRUCTION: Layout = (
    Field("op", 3),
    Field("barrier", 1),
    Field("first", 1),
    Field("returns", 1),
    Field("spacing", 11),
    Field("positions", 16),
    Field("out_width", 12),
    Field("stride_y", 8),
    Field("stride_x", 8),
    Field("width", 12),
    Field("height", 12),
    Field("stride_pitch", 20),
    Field("window_height", 12),
    Field("window_width", 12),
    Field("descriptor", 16),
    Field("route", 16),
    Field("row_tile", 16),
    Field("entries", 16),
    Field("maximum", 1),
    Field("multiplier", 15),
    Field("pool_shift", 5),
)

# output_sequencer.v
OUTPUT_INSTRUCTION: Layout = (
    Field("positions", 16),
    Field("last", 1),
    Field("keep", 1),
    Field("requantized", 1),
    Field("row_tile", 16),
    Field("residual", 16),
    Field("route", 16),
    Field("writes", 12),
    Field("out_width", 12),
    Field("stride_x", 8),
    Field("stride_pitch", 20),
)


def descriptor_layout(displacement_bits: int, address_bits: int) -> Layout:
    """A stream's descriptor, stream_bank.v."""
    return (
        Field("used", 1),
        Field("dy", displacement_bits, signed=True),
        Field("dx", displacement_bits, signed=True),
        Field("base", address_bits),
    )


def route_layout(source_bits: int, place_bits: int) -> Layout:
    """Where a byte is written, stream_bank.v."""
    return (
        Field("route_used", 1),
        Field("route_row", source_bits),
        Field("route_place", place_bits),
    )


def row_layout(accumulator_bits: int) -> Layout:
    """Output parameters of a row of the tiled accelerator, output_lane.v."""
    return (
        Field("residual_used_3", 1),
        Field("residual_shift_3", 5),
        Field("shift_3", 5),
        Field("highest_3", accumulator_bits, signed=True),
        Field("lowest_3", accumulator_bits, signed=True),
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
