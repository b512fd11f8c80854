"""Weight-stationary arrays: dense, with zero-value gating, 2:4, and column combining.

A cell holds one weight; words move up, sums of 32 bits move right, one word a cycle. They differ
in the cells they need, and in how many words pass a cell. Tiles follow each other without a gap
where a tile has as many positions as the array has columns, the time in which weights load.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from systopack.hardware.related.design import (
    SUM_BITS,
    WORD_BITS,
    Design,
    Events,
    Machine,
    parameters,
)
from systopack.hardware.related.workload import LayerWork
from systopack.packing.matrix import PackedBand, PackedMatrix
from systopack.packing.pack import dense, n_of_m, pack

_KUNG = (
    "H. T. Kung, B. McDanel, S. Q. Zhang, Packing Sparse Convolutional Neural Networks for "
    "Efficient Systolic Array Implementations, ASPLOS 2019, arXiv:1811.04770"
)


@dataclass(frozen=True, kw_only=True)
class _Stream:
    """How words enter: bits of input registers in a cell, and bits of a stored weight."""

    input_bits: int
    weight_bits: int
    gated: bool


def stationary_cycles(machine: Machine, *, tiles: int, positions: int) -> int:
    """Cycles of `tiles` tiles of `positions` words, weights loaded while the tile before runs.

    The first load is not hidden, and the last sums leave the far corner last.
    """
    fill = machine.columns + machine.rows - 2
    return machine.columns + tiles * max(positions, machine.columns) + fill


def _run(
    work: LayerWork, machine: Machine, matrix: PackedMatrix, stream: _Stream
) -> tuple[NDArray[np.int64], int, Events]:
    """Every cell takes the word its index selects."""
    sums = np.zeros((matrix.rows, work.positions), dtype=np.int64)
    words = work.words.astype(np.int64)
    tiles, inputs, useful, returned, moved = 0, 0, 0, 0, 0
    nonzero = np.count_nonzero(words, axis=1)
    for start, band in zip(matrix.row_starts, matrix.bands, strict=True):
        row_tiles = -(-band.rows // machine.rows)
        column_tiles = max(1, -(-len(band.groups) // machine.columns))
        tiles += row_tiles * column_tiles
        returned += (column_tiles - 1) * band.rows
        read = _streams(band)
        inputs += row_tiles * len(read)
        moved += row_tiles * int(nonzero[read].sum())
        _, columns, _ = band.columns_of_cells()
        useful += int(nonzero[columns].sum())
        selected = _selected(band)
        for group in range(len(band.groups)):
            # One packed column: a word for each row, chosen by the row's index.
            sums[start : start + band.rows] += (
                band.values[:, group, None].astype(np.int64) * words[selected[:, group]]
            )
    cycles = stationary_cycles(machine, tiles=tiles, positions=work.positions)
    cell_words = tiles * machine.multipliers * work.positions
    # Gated, a word that is zero moves as a flag, and its register keeps the word before.
    input_bits = (
        moved * machine.rows * WORD_BITS + cell_words * stream.input_bits // WORD_BITS
        if stream.gated
        else cell_words * stream.input_bits
    )
    events = Events(
        products=float(useful if stream.gated else cell_words),
        register_bits=float(cell_words * SUM_BITS + input_bits),
        read_bits=float(
            inputs * work.positions * WORD_BITS
            + tiles * machine.multipliers * stream.weight_bits
            + returned * work.positions * SUM_BITS
        ),
        write_bits=float(
            returned * work.positions * SUM_BITS + matrix.rows * work.positions * WORD_BITS
        ),
    )
    return sums, cycles, events


def _selected(band: PackedBand) -> NDArray[np.int64]:
    """The column that each cell reads: shape (rows, groups)."""
    if not band.groups:
        return np.zeros((band.rows, 0), dtype=np.int64)
    return band.group_table[np.arange(len(band.groups))[None], band.channels]


def _streams(band: PackedBand) -> NDArray[np.int64]:
    """Columns that some cell reads; groups of the same columns share their registers."""
    rows, groups = np.nonzero(band.values)
    return np.unique(_selected(band)[rows, groups])


def _dense(work: LayerWork, machine: Machine) -> tuple[NDArray[np.int64], int, Events]:
    stream = _Stream(input_bits=WORD_BITS, weight_bits=WORD_BITS, gated=False)
    return _run(work, machine, dense(work.weights), stream)


def _gated(work: LayerWork, machine: Machine) -> tuple[NDArray[np.int64], int, Events]:
    stream = _Stream(input_bits=WORD_BITS, weight_bits=WORD_BITS, gated=True)
    return _run(work, machine, dense(work.weights), stream)


def _two_of_four(work: LayerWork, machine: Machine) -> tuple[NDArray[np.int64], int, Events]:
    weights = work.weights
    fits = n_of_m(weights, n=2, m=4)
    if fits.nonzeros < np.count_nonzero(weights):
        return _gated(work, machine)
    # Two cells share the registers of four words.
    stream = _Stream(input_bits=4 * WORD_BITS // 2, weight_bits=WORD_BITS + 2, gated=True)
    return _run(work, machine, fits, stream)


def _combining(work: LayerWork, machine: Machine) -> tuple[NDArray[np.int64], int, Events]:
    matrix = work.matrix
    if len(matrix.bands) > 1:
        matrix = pack(work.weights, alpha=max(1, matrix.largest_group), gamma=0)
    return _packed(work, machine, matrix)


def _combining_per_tile(work: LayerWork, machine: Machine) -> tuple[NDArray[np.int64], int, Events]:
    matrix = work.matrix
    if len(matrix.bands) == 1 and matrix.rows > machine.rows:
        repacked = pack(
            work.weights, alpha=max(1, matrix.largest_group), gamma=0, band_rows=machine.rows
        )
        sizes = {"rows": machine.rows, "columns": machine.columns}
        if repacked.tile_count(**sizes) < matrix.tile_count(**sizes):
            matrix = repacked
    return _packed(work, machine, matrix)


def _packed(
    work: LayerWork, machine: Machine, matrix: PackedMatrix
) -> tuple[NDArray[np.int64], int, Events]:
    alpha = max(1, matrix.largest_group)
    stream = _Stream(
        input_bits=alpha * WORD_BITS,
        weight_bits=WORD_BITS + (alpha - 1).bit_length(),
        gated=True,
    )
    return _run(work, machine, matrix, stream)


DENSE = Design(
    name="dense array",
    source="A. Samajdar et al., A Systematic Methodology for Characterizing Scalability of DNN "
    "Accelerators using SCALE-Sim, ISPASS 2020 (weight-stationary array)",
    run=_dense,
)
GATED = Design(
    name="zero-value gating",
    source="the dense array whose multipliers hold still for a zero weight or word, as in "
    "Y.-H. Chen et al., Eyeriss, JSSC 52(1), 2017",
    run=_gated,
)
TWO_OF_FOUR = Design(name="2:4", source=parameters()["two_of_four"]["source"], run=_two_of_four)
COMBINING = Design(name="column combining", source=_KUNG, run=_combining)
COMBINING_PER_TILE = Design(
    name="column combining per tile",
    source=_KUNG + ", with column groups for each row tile (this project's variant)",
    run=_combining_per_tile,
)
