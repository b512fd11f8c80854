"""The cells that an array can be made of: one row each.

A cell is a row here, a Verilog file, its proof and its tests;
docs/hardware/add-a-cell.md names every place. The paper's IL cell is `bit-serial` with alpha 1,
its MX cell `bit-serial` with more, its BL cell `balanced` (Kung, McDanel, Zhang, ASPLOS 2019,
section 4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from systopack.errors import InvalidOptionError

INPUT_BITS = 8
SumForm = Literal["lanes", "serial", "parallel"]
WeightForm = Literal["integers", "powers of two"]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What a kind of cell asks of the array around it.

    Args:
        name: as users write it.
        summary: one line for a list.
        number: value of the Verilog parameter CELL.
        verilog: files of the modules of such cells, apart from what all cells share.
        sums: how a partial sum travels: in "lanes" of 8 bits, one wire and one word time each, so
            that words follow each other without a gap; "serial", on one wire; "parallel", all bits
            in one cycle.
        registered_multiplexer: whether a register stands behind the multiplexer.
        registered_products: whether a register stands between the products and the partial sum.
        staged: several cells may add to a partial sum in one cycle, `cells_per_stage`.
        whole_stages: all products of a stage are added up before the partial sum.
        weights: that a cell can hold; "powers of two" are 0 and plus or minus a power of two.
    """

    name: str
    summary: str
    number: int
    verilog: tuple[str, ...]
    sums: SumForm
    registered_multiplexer: bool = True
    registered_products: bool = False
    staged: bool = False
    whole_stages: bool = False
    weights: WeightForm = "integers"

    def word_cycles(self, accumulator_bits: int) -> int:
        """Cycles between two words on one stream."""
        return {"lanes": INPUT_BITS, "serial": accumulator_bits, "parallel": 1}[self.sums]

    def partial_sum_cycles(self, accumulator_bits: int) -> int:
        """Cycles that one partial sum takes to pass a point."""
        return 1 if self.sums == "parallel" else accumulator_bits

    def lanes(self, accumulator_bits: int) -> int:
        """Parts of a partial sum beside each other, each a word time behind the one before."""
        return accumulator_bits // INPUT_BITS if self.sums == "lanes" else 1

    def lane_wires(self, accumulator_bits: int) -> int:
        """Wires of one lane."""
        return accumulator_bits if self.sums == "parallel" else 1

    @property
    def stream_wires(self) -> int:
        """Wires of one input stream."""
        return INPUT_BITS if self.sums == "parallel" else 1


CELLS: Mapping[str, Cell] = {
    cell.name: cell
    for cell in (
        Cell(
            name="bit-serial",
            summary="interleaved bit-serial multiplier, 8 cycles per word (the paper's IL and MX)",
            number=0,
            verilog=("mx_row.v",),
            sums="lanes",
        ),
        Cell(
            name="balanced",
            summary="bit-serial, a word per accumulator width in cycles (the paper's BL)",
            number=1,
            verilog=("bl_row.v",),
            sums="serial",
        ),
        Cell(
            name="bit-parallel",
            summary="8-bit multiplier, a word per cycle",
            number=2,
            verilog=("parallel_row.v",),
            sums="parallel",
        ),
        Cell(
            name="bit-serial-compact",
            summary="bit-serial with the fewest flip-flops; pairs of cells share an adder",
            number=3,
            verilog=("compact_cell.v", "compact_array.v"),
            sums="lanes",
            registered_multiplexer=False,
            staged=True,
        ),
        Cell(
            name="bit-parallel-compact",
            summary="a word per cycle; cells add up their products in a tree and share a sum",
            number=4,
            verilog=(
                "full_adder.v",
                "adder_tree.v",
                "carry_save.v",
                "signed_adder.v",
                "parallel_stage.v",
                "parallel_array.v",
            ),
            sums="parallel",
            registered_multiplexer=False,
            registered_products=True,
            staged=True,
            whole_stages=True,
        ),
        Cell(
            name="power-of-two",
            summary="bit-serial without a multiplier, for weights that are powers of two or 0",
            number=5,
            verilog=("selector_cell.v",),
            sums="lanes",
            registered_multiplexer=False,
            staged=True,
            whole_stages=True,
            weights="powers of two",
        ),
    )
}


def cell_named(name: str) -> Cell:
    """The row of a cell.

    Raises:
        InvalidOptionError: there is none of this name.
    """
    if name not in CELLS:
        raise InvalidOptionError(f"cell is '{name}', but it must be one of {', '.join(CELLS)}.")
    return CELLS[name]
