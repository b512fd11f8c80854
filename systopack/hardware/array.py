"""`Array`: the checked description of a systolic array, one for model and hardware."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from systopack.errors import InvalidOptionError
from systopack.network.network import PackedNetwork

Cell = Literal["mx", "il", "bl", "bit-parallel"]
INPUT_BITS = 8
ALPHA_RANGE = (1, 16)
WEIGHT_BITS_RANGE = (2, 8)
SUB_BANKS = (1, 2, 4)
_SIZE_LIMIT = 1024


@dataclass(frozen=True, kw_only=True)
class Array:
    """A weight-stationary systolic array (METHOD section 1).

    Args:
        rows, columns: cells, 1..1024 each; a row accumulates one filter.
        alpha: input channels a cell chooses from, 1..16; 1 means no multiplexer.
        accumulator_bits: 16, 24 or 32; must be the network's.
        cell: "mx" (interleaved bit-serial with multiplexer), "il" (the same without, alpha 1),
            "bl" (balanced bit-serial) or "bit-parallel".
        input_fanout: rows that share one input register, 1 (fully systolic) .. rows.
        load_rows: rows that receive a weight in one cycle of the weight load; None: all.
        weight_bits: of a weight in a cell, 2..8, two's complement; fewer make cells and weight
            memory smaller, in the same cycles.
        compact: "mx" or "il" cells with the fewest flip-flops, for silicon: less area and energy
            at a lower clock, and no register behind the multiplexer.
        cells_per_stage: compact cells that add to a partial sum in one cycle, 1 .. columns.
        cells_per_accumulator: compact cells that add their products up in one accumulator before
            the partial sum, 1 or 2; divides cells_per_stage.
        weight_buffers: weights that a cell holds. 2: the next tile's are loaded while the present
            one runs. 1: the next tile's come with its first words, cells_per_stage columns
            and all rows in a cycle; fewer flip-flops, wider weight memory.
        sub_banks: memories that an activation bank of the tiled accelerator is made of, 1, 2 or 4;
            each takes a byte a cycle, so that layers with many rows in one bank wait less.

    Raises:
        InvalidOptionError: a value is outside its range.
    """

    rows: int = 32
    columns: int = 32
    alpha: int = 8
    accumulator_bits: int = 32
    cell: Cell = "mx"
    input_fanout: int = 1
    load_rows: int | None = None
    weight_bits: int = 8
    compact: bool = False
    cells_per_stage: int = 1
    cells_per_accumulator: int = 1
    weight_buffers: int = 2
    sub_banks: int = 1

    def __post_init__(self) -> None:
        for name, low, high in (
            ("rows", 1, _SIZE_LIMIT),
            ("columns", 1, _SIZE_LIMIT),
            ("alpha", *ALPHA_RANGE),
            ("input_fanout", 1, self.rows),
            ("weight_bits", *WEIGHT_BITS_RANGE),
            ("cells_per_stage", 1, self.columns),
            ("cells_per_accumulator", 1, 2),
            ("weight_buffers", 1, 2),
        ):
            _check_integer(name, getattr(self, name), low, high)
        if self.load_rows is not None:
            _check_integer("load_rows", self.load_rows, 1, self.rows)
        if self.accumulator_bits not in (16, 24, 32):
            raise InvalidOptionError(
                f"accumulator_bits is {self.accumulator_bits}, but cells are built for 16, 24 "
                "and 32 bits; give one of them."
            )
        if self.sub_banks not in SUB_BANKS:
            raise InvalidOptionError(
                f"sub_banks is {self.sub_banks}, but a bank is made of 1, 2 or 4 memories; give "
                "one of them."
            )
        if self.cell not in get_args(Cell):
            raise InvalidOptionError(
                f"cell is '{self.cell}', but it must be one of {', '.join(get_args(Cell))}."
            )
        if self.cell == "il" and self.alpha != 1:
            raise InvalidOptionError(
                f"alpha is {self.alpha}, but an 'il' cell has no multiplexer; choose cell 'mx' "
                "or alpha 1."
            )

        if self.compact and self.cell not in ("mx", "il"):
            raise InvalidOptionError(
                f"cell is '{self.cell}', but only 'mx' and 'il' cells can be compact; choose one "
                "of them, or leave compact out."
            )
        if self.cells_per_stage > 1 and not self.compact:
            raise InvalidOptionError(
                f"cells_per_stage is {self.cells_per_stage}, but only compact cells share "
                "their sums' registers; make the array compact, or choose 1."
            )
        if self.cells_per_stage % self.cells_per_accumulator:
            raise InvalidOptionError(
                f"cells_per_accumulator is {self.cells_per_accumulator}, but it must divide "
                f"cells_per_stage, which is {self.cells_per_stage}; choose an even "
                "number there, or 1 here."
            )
        if self.weight_buffers == 1 and self.load_blocks > 1:
            raise InvalidOptionError(
                f"load_rows is {self.load_rows}, but with weight_buffers 1 the weights of all "
                f"{self.rows} rows come at once; leave load_rows out, or choose weight_buffers 2."
            )

    @property
    def word_cycles(self) -> int:
        """Word time: cycles between two successive words on one stream (METHOD)."""
        if self.cell == "bit-parallel":
            return 1
        return self.accumulator_bits if self.cell == "bl" else INPUT_BITS

    @property
    def partial_sum_cycles(self) -> int:
        """Cycles that one partial sum takes to pass a point: 1, or its bits."""
        return 1 if self.cell == "bit-parallel" else self.accumulator_bits

    @property
    def multiplexer_cycles(self) -> int:
        """Cycles of the registered multiplexer's output: 1; without multiplexer, or compact, 0."""
        return 1 if self.alpha > 1 and not self.compact else 0

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
        return self.row_cycles + self.top_row_delay + self.multiplexer_cycles

    @property
    def load_cycles(self) -> int:
        """Cycles in which the weights of one tile enter, `load_columns` after another."""
        return -(-self.columns // self.load_columns) * self.load_blocks

    @property
    def load_columns(self) -> int:
        """Columns whose weights enter in one cycle."""
        return self.cells_per_stage if self.weight_buffers == 1 else 1

    @property
    def first_load_cycles(self) -> int:
        """Cycles from a tile's first weight to its first word where no other tile runs."""
        return 1 if self.weight_buffers == 1 else self.load_cycles

    @property
    def load_blocks(self) -> int:
        """Blocks of rows that are loaded one after another."""
        return -(-self.rows // (self.load_rows or self.rows))

    @property
    def swap_cycles(self) -> int:
        """Cycles after a tile's first word before the next tile's weights may start to enter.

        A cell takes its weight over when the tile's first word reaches it. The load visits the
        columns of one block of rows after another, so it may follow that wave. With one weight in
        a cell the next tile's weights come with its own wave: 0.
        """
        if self.weight_buffers == 1:
            return 0
        block = self.load_rows or self.rows
        waits = (min(index * block + block, self.rows) - 1 for index in range(self.load_blocks))
        return max(
            1,
            1
            + self.multiplexer_cycles
            + max(
                last // self.input_fanout - index * self.columns for index, last in enumerate(waits)
            ),
        )

    @property
    def name(self) -> str:
        """A short name, for instance 'mx 32x32 alpha 8'."""
        compact = " compact" if self.compact else ""
        return f"{self.cell}{compact} {self.rows}x{self.columns} alpha {self.alpha}"

    @property
    def details(self) -> str:
        """The name and all else that tells its cells and registers from others."""
        shared = (
            f"{self.cells_per_stage} columns a sum register",
            f"{self.cells_per_accumulator} an accumulator",
            f"{self.input_fanout} rows an input register",
            f"{self.weight_buffers} weights a cell of {self.weight_bits} bits",
        )
        return f"{self.name}, {', '.join(shared)}"


def check_pipelined(network: PackedNetwork, array: Array) -> None:
    """Refuse what the layer-pipelined accelerator cannot be built with.

    Raises:
        InvalidOptionError: the array is compact or holds one weight, or `check_fits` refuses it.
    """
    if array.weight_buffers == 1:
        raise InvalidOptionError(
            "weight_buffers is 1, but on the layer-pipelined accelerator weights do not come with "
            "the words; choose 2, or the tiled organisation."
        )
    if array.compact:
        raise InvalidOptionError(
            "The layer-pipelined accelerator has no compact cells yet; choose the tiled "
            "organisation, or an array that is not compact."
        )
    check_fits(network, array)


def check_fits(network: PackedNetwork, array: Array) -> None:
    """Refuse a network whose groups, weights or accumulators the array's cells cannot hold.

    Raises:
        InvalidOptionError: naming the layer, the group or the weight, and the limit.
    """
    if network.accumulator_bits != array.accumulator_bits:
        raise InvalidOptionError(
            f"Network '{network.name}' accumulates in {network.accumulator_bits} bits, but the "
            f"array in {array.accumulator_bits}; choose accumulator_bits "
            f"{network.accumulator_bits}."
        )
    largest = (1 << (array.weight_bits - 1)) - 1
    for layer in network.layers:
        for band in layer.matrix.bands:
            outside = band.values[(band.values > largest) | (band.values < -largest - 1)]
            if outside.size:
                raise InvalidOptionError(
                    f"Layer '{layer.name}' has a weight of {int(outside.flat[0])}, but the array's "
                    f"cells hold weights of {array.weight_bits} bits, {-largest - 1}..{largest}; "
                    "choose more weight_bits or quantize to fewer."
                )
            for index, group in enumerate(band.groups):
                if len(group) > array.alpha:
                    raise InvalidOptionError(
                        f"Layer '{layer.name}': column group {index} has {len(group)} columns, "
                        f"but the array multiplexes at most alpha={array.alpha}; repack with "
                        f"--alpha {array.alpha}."
                    )


def _check_integer(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidOptionError(
            f"{name} is {value}, but an array needs a whole number from {low} to {high} there."
        )


PRESETS: Mapping[str, Array] = {
    "mx-32x32": Array(),
    "mx-8x8": Array(rows=8, columns=8),
    "il-32x32": Array(alpha=1, cell="il"),
    "bl-32x32": Array(alpha=1, cell="bl"),
    "bit-parallel-32x32": Array(alpha=1, cell="bit-parallel"),
    "bit-parallel-32x32-alpha8": Array(cell="bit-parallel"),
}
