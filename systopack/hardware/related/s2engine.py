"""S2Engine: compressed weights and words stream through an array that picks aligned pairs.

An output-stationary array: PE (r, c) keeps the sum of filter r at position c. Weights of a filter
move along its row, words of a position along its column, both compressed: only what is not zero,
with its place in a group of 16. In each PE a selection unit walks through the two lists of a
group, drops what has no partner, and hands pairs to the multiplier; FIFOs let neighbours drift
apart (arXiv:2106.07894). The model's events are groups, so nothing loops over words in Python,
and the timing of all PEs is one compiled pass.
"""

from __future__ import annotations

import numpy as np
from numba import njit
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
from systopack.requirements import needs

Counts = NDArray[np.int64]


def group_masks(nonzero: NDArray[np.bool_], *, group: int) -> NDArray[np.uint64]:
    """Bit sets of what is not zero in each group of a stream: (streams, K) to (streams, groups)."""
    streams, length = nonzero.shape
    groups = -(-length // group)
    padded = np.zeros((streams, groups * group), dtype=np.uint64)
    padded[:, :length] = nonzero
    bits = np.uint64(1) << np.arange(group, dtype=np.uint64)
    return np.asarray(padded.reshape(streams, groups, group) @ bits, dtype=np.uint64)


@njit(cache=True)
def _bits(word: np.uint64) -> int:
    count = 0
    while word:
        word &= word - np.uint64(1)
        count += 1
    return count


@njit(cache=True)
def _tile_time(
    weights: NDArray[np.uint64],
    words: NDArray[np.uint64],
    selection_rate: float,
    fifo_words: int,
) -> tuple[float, int]:
    """Cycles of one tile, and the steps of all selection units.

    `started` and `selected` are when each PE's selection unit began and ended its latest group,
    `multiplied` when its multiplier was done with it.
    """
    rows, groups = weights.shape
    columns = words.shape[0]
    started = np.zeros((rows + 1, columns + 1))
    selected = np.zeros((rows, columns))
    multiplied = np.zeros((rows, columns))
    steps_total = 0
    for group in range(groups):
        before = started.copy()
        for r in range(rows):
            for c in range(columns):
                own = weights[r, group]
                other = words[c, group]
                # Every element is looked at once, aligned ones together; an empty group of both
                # streams still has its end.
                steps = max(1, _bits(own | other))
                pairs = _bits(own & other)
                steps_total += steps
                start = selected[r, c]
                if c > 0:
                    start = max(start, started[r, c - 1] + 1.0)
                if r > 0:
                    start = max(start, started[r - 1, c] + 1.0)
                # What flows on must find room: the next PEs have begun the group before.
                if r + 1 < rows:
                    start = max(start, before[r + 1, c] - fifo_words / selection_rate)
                if c + 1 < columns:
                    start = max(start, before[r, c + 1] - fifo_words / selection_rate)
                done = max(multiplied[r, c], start) + pairs
                started[r, c] = start
                multiplied[r, c] = done
                selected[r, c] = max(start + steps / selection_rate, done - fifo_words)
    latest = 0.0
    for r in range(rows):
        for c in range(columns):
            latest = max(latest, multiplied[r, c], selected[r, c])
    return latest, steps_total


def selection_time(
    weights: NDArray[np.bool_],
    words: NDArray[np.bool_],
    *,
    machine: Machine,
    selection_rate: float,
    fifo_words: int,
    group: int,
) -> tuple[int, int]:
    """Cycles of a layer, tile after tile, and the steps of all selection units.

    Args:
        weights: shape (N, M), which weights are not zero.
        words: shape (T, M), which words are not zero.
        machine: PEs.
        selection_rate: elements that a selection unit looks at in a cycle, above 0.
        fifo_words: depth of a FIFO.
        group: places in a group.
    """
    left = group_masks(weights, group=group)
    below = group_masks(words, group=group)
    cycles, steps = 0, 0
    for top in range(0, len(left), machine.rows):
        for first in range(0, len(below), machine.columns):
            time, count = _tile_time(
                left[top : top + machine.rows],
                below[first : first + machine.columns],
                float(selection_rate),
                int(fifo_words),
            )
            cycles += int(np.ceil(time))
            steps += count
    return cycles, steps


def s2engine_events(
    weights: NDArray[np.bool_], words: NDArray[np.bool_], *, machine: Machine
) -> tuple[int, Events]:
    """Cycles and events of a layer from its masks: shapes (N, M) and (T, M)."""
    chosen = parameters()["s2engine"]
    cycles, steps = selection_time(
        weights,
        words,
        machine=machine,
        selection_rate=chosen["selection_rate"],
        fifo_words=chosen["fifo_words"],
        group=chosen["group"],
    )
    element = WORD_BITS + int(chosen["offset_bits"])
    pointer_bits = max(1, (int(chosen["fifo_words"]) - 1).bit_length())
    row_tiles, column_tiles = -(-len(weights) // machine.rows), -(-len(words) // machine.columns)
    stored, streamed = (_elements(mask, int(chosen["group"])) for mask in (weights, words))
    products = int(weights.sum(axis=0) @ words.sum(axis=0))
    # Every element is written once into a FIFO of every PE of its row or column, every pair into
    # the multiplier's FIFO; a step moves the pointers of the two FIFOs it reads.
    rows, columns = min(machine.rows, len(weights)), min(machine.columns, len(words))
    passes = stored * column_tiles * columns + streamed * row_tiles * rows
    return cycles, Events(
        products=float(products),
        register_bits=float(
            passes * element + products * (2 * WORD_BITS + SUM_BITS) + steps * 2 * pointer_bits
        ),
        read_bits=float((stored * column_tiles + streamed * row_tiles) * element),
        write_bits=float(len(weights) * len(words) * WORD_BITS),
    )


def _elements(nonzero: NDArray[np.bool_], group: int) -> int:
    """Elements of compressed streams, shape (streams, K): an empty group is one, its end."""
    padded = np.pad(nonzero, ((0, 0), (0, -nonzero.shape[1] % group)))
    counts = padded.reshape(len(nonzero), -1, group).sum(axis=2)
    return int(np.maximum(counts, 1).sum())


def output_stationary_events(
    *, filters: int, columns: int, positions: int, machine: Machine
) -> tuple[int, Events]:
    """The same array without compression, its baseline: a product in every cycle of every PE."""
    row_tiles, column_tiles = -(-filters // machine.rows), -(-positions // machine.columns)
    tiles = row_tiles * column_tiles
    cell_words = tiles * columns * machine.multipliers
    return tiles * (columns + machine.rows + machine.columns - 2), Events(
        products=float(cell_words),
        register_bits=float(cell_words * (2 * WORD_BITS + SUM_BITS)),
        read_bits=float(tiles * columns * (machine.rows + machine.columns) * WORD_BITS),
        write_bits=float(filters * positions * WORD_BITS),
    )


def _run(work: LayerWork, machine: Machine) -> tuple[Counts, int, Events]:
    needs("scipy")
    from scipy import sparse

    weights = work.weights
    # Compressed by rows and by columns: aligned pairs are what meets in the product.
    sums = sparse.csr_matrix(weights) @ sparse.csc_matrix(work.words.astype(np.int64))
    cycles, events = s2engine_events(weights != 0, work.words.T != 0, machine=machine)
    return np.asarray(sums.toarray(), dtype=np.int64), cycles, events


S2ENGINE = Design(name="S2Engine", source=parameters()["s2engine"]["source"], run=_run)
