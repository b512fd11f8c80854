"""`Array`: the checked description of a systolic array, one for model and hardware."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from systopack.errors import InvalidOptionError
from systopack.hardware.cells import Cell, cell_named

if TYPE_CHECKING:
    from systopack.network.network import PackedNetwork

ALPHA_RANGE = (1, 16)
WEIGHT_BITS_RANGE = (2, 8)
ACCUMULATORS = (16, 32)
_SIZE_LIMIT = 1024


@dataclass(frozen=True, kw_only=True)
class Array:
    """A weight-stationary systolic array (docs/method.md, section 1).

    Args:
        rows, columns: cells, 1..1024 each; a row accumulates one filter.
        alpha: input channels that a cell chooses from, 1..16; 1 means no multiplexer.
        accumulator_bits: 16 or 32; must be the network's.
        weight_bits: of a weight in a cell, 2..8, two's complement; fewer make cells and weight
            memory smaller, in the same cycles.
        cell: one of `cells.CELLS`.
        input_fanout: rows that share one input register, 1 (fully systolic) .. rows.
        cells_per_stage: cells that add to a partial sum in one cycle, 1 .. columns; more than 1
            with compact cells only; `bit-serial-compact` works in pairs where it is even.
        weight_buffers: weights that a cell holds. 2: the next tile's are loaded while the present
            one runs. 1: the next tile's come with its first words, cells_per_stage columns
            and all rows in a cycle; fewer flip-flops, wider weight memory.

    Raises:
        InvalidOptionError: a value is outside its range.
    """

    rows: int = 32
    columns: int = 32
    alpha: int = 8
    accumulator_bits: int = 32
    weight_bits: int = 8
    cell: str = "bit-serial"
    input_fanout: int = 1
    cells_per_stage: int = 1
    weight_buffers: int = 2

    def __post_init__(self) -> None:
        kind = self.cell_kind
        for name, low, high in (
            ("rows", 1, _SIZE_LIMIT),
            ("columns", 1, _SIZE_LIMIT),
            ("alpha", *ALPHA_RANGE),
            ("input_fanout", 1, self.rows),
            ("weight_bits", *WEIGHT_BITS_RANGE),
            ("cells_per_stage", 1, self.columns),
            ("weight_buffers", 1, 2),
        ):
            _check_integer(name, getattr(self, name), low, high)
        if self.accumulator_bits not in ACCUMULATORS:
            raise InvalidOptionError(
                f"accumulator_bits is {self.accumulator_bits}, but cells are built for 16 and 32 "
                "bits; give one of them."
            )
        if self.cells_per_stage > 1 and not kind.staged:
            raise InvalidOptionError(
                f"cells_per_stage is {self.cells_per_stage}, but '{self.cell}' cells have a "
                "register each; choose cell 'bit-serial-compact', 'bit-parallel-compact' or "
                "'power-of-two', or cells_per_stage 1."
            )

    @property
    def cell_kind(self) -> Cell:
        """The row of its cell in the registry."""
        return cell_named(self.cell)

    @property
    def word_cycles(self) -> int:
        """Word time: cycles between two successive words on one stream."""
        return self.cell_kind.word_cycles(self.accumulator_bits)

    @property
    def partial_sum_cycles(self) -> int:
        """Cycles that one partial sum takes to pass a point: 1, or its bits."""
        return self.cell_kind.partial_sum_cycles(self.accumulator_bits)

    @property
    def serial_cycles(self) -> int:
        """Cycles from a sum's first bit to the whole word: 0 where all bits come at once."""
        return 0 if self.cell_kind.sums == "parallel" else self.accumulator_bits

    @property
    def multiplexer_cycles(self) -> int:
        """Cycles of the multiplexer's register, where the cell has one."""
        return int(self.alpha > 1 and self.cell_kind.registered_multiplexer)

    @property
    def product_cycles(self) -> int:
        """Cycles of the register between products and partial sum, where the cell has one."""
        return int(self.cell_kind.registered_products)

    @property
    def cells_per_adder(self) -> int:
        """Cells whose products are added up before the partial sum.

        All of a stage where the cell says so; else pairs, if stages are even.
        """
        if self.cell_kind.whole_stages:
            return self.cells_per_stage
        return 2 if self.cell_kind.staged and self.cells_per_stage % 2 == 0 else 1

    @property
    def row_cycles(self) -> int:
        """Cycles in which a partial sum passes a row: its registers."""
        return (self.columns - 1) // self.cells_per_stage + 1

    @property
    def top_row_delay(self) -> int:
        """Cycles from the bottom row to the top row."""
        return (self.rows - 1) // self.input_fanout

    @property
    def latency_cycles(self) -> int:
        """Cycles from a word's first input bit to the first bit of its sums at the right edge."""
        waits = self.multiplexer_cycles + self.product_cycles
        return self.row_cycles + self.top_row_delay + waits

    @property
    def load_columns(self) -> int:
        """Columns whose weights enter in one cycle."""
        return self.cells_per_stage if self.weight_buffers == 1 else 1

    @property
    def load_cycles(self) -> int:
        """Cycles in which the weights of one tile enter, `load_columns` after another."""
        return -(-self.columns // self.load_columns)

    @property
    def first_load_cycles(self) -> int:
        """Cycles from a tile's first weight to its first word where no other tile runs."""
        return 1 if self.weight_buffers == 1 else self.load_cycles

    @property
    def swap_cycles(self) -> int:
        """Cycles after a tile's first word before the next tile's weights may start to enter.

        A cell swaps its weights when the tile's first word reaches it. The load visits the columns
        one after another, so it may follow that wave. With one weight per cell the next tile's
        weights come with its own wave: 0.
        """
        if self.weight_buffers == 1:
            return 0
        return 1 + self.multiplexer_cycles + self.top_row_delay

    @property
    def label(self) -> str:
        """Cell, size and alpha, then every other value that is not the default."""
        told = {"rows", "columns", "alpha", "cell"}
        others = [
            f"{field.name.replace('_', ' ')} {getattr(self, field.name)}"
            for field in fields(self)
            if field.name not in told and getattr(self, field.name) != field.default
        ]
        return ", ".join([f"{self.cell} {self.rows}x{self.columns} alpha {self.alpha}", *others])


def check_fits(network: PackedNetwork, array: Array) -> None:
    """Refuse a network whose groups, weights or accumulators the array's cells cannot hold.

    Raises:
        InvalidOptionError: naming the layer, the group or the weight, and the limit or the rule.
    """
    if network.accumulator_bits != array.accumulator_bits:
        raise InvalidOptionError(
            f"Network '{network.name}' accumulates in {network.accumulator_bits} bits, but the "
            f"array in {array.accumulator_bits}; choose accumulator_bits "
            f"{network.accumulator_bits}."
        )
    check_weights(network, array)
    largest = (1 << (array.weight_bits - 1)) - 1
    for layer in network.layers:
        for band in layer.matrix.bands:
            outside = band.values[(band.values > largest) | (band.values < -largest - 1)]
            if outside.size:
                raise InvalidOptionError(
                    f"Layer '{layer.name}' has a weight of {int(outside.flat[0])}, but the array's "
                    f"cells hold weights of {array.weight_bits} bits, {-largest - 1}..{largest}; "
                    f"choose more weight_bits, or 'systopack quantize --weight-bits "
                    f"{array.weight_bits}'."
                )
            for index, group in enumerate(band.groups):
                if len(group) > array.alpha:
                    raise InvalidOptionError(
                        f"Layer '{layer.name}': column group {index} has {len(group)} columns, "
                        f"but the array multiplexes at most alpha={array.alpha}; repack with "
                        f"--alpha {array.alpha}."
                    )


def check_weights(network: PackedNetwork, array: Array) -> None:
    """Refuse weights that cells without a multiplier cannot hold.

    Raises:
        InvalidOptionError: naming the layer, the weight and its place, and the rule.
    """
    if array.cell_kind.weights == "integers":
        return
    import numpy as np

    from systopack.packing.powers import is_power_of_two

    for layer in network.layers:
        if all(is_power_of_two(band.values).all() for band in layer.matrix.bands):
            continue
        weights = layer.matrix.to_dense()
        places = np.argwhere(~is_power_of_two(weights))
        row, column = places[0]
        raise InvalidOptionError(
            f"Layer '{layer.name}' has a weight of {int(weights[row, column])} in row {row}, "
            f"column {column} of its filter matrix, one of {len(places):,} that '{array.cell}' "
            "cells cannot hold: they have no multiplier and take 0 and plus or minus a power of "
            "two alone; quantize the model with --weights power-of-two or choose another cell."
        )


def _check_integer(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidOptionError(
            f"{name} is {value}, but an array needs a whole number from {low} to {high} there."
        )
