"""Sparse systolic tensor array with variable density-bound blocks, time-unrolled (VDBB).

Weights are stored in blocks of 8 inputs with at most k that are not zero, k chosen for each layer.
A product unit keeps the sum of one output, takes a block of inputs, and spends k cycles on it, a
weight a cycle: so it is busy in every cycle, whatever k (arXiv:2009.02381). Units are grouped in
tensor PEs that share inputs and weights; multipliers hold still for a zero word.
"""

from __future__ import annotations

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


def density_bound(weights: NDArray[np.int64], *, block: int) -> int:
    """The smallest k that loses no weight: the most in any block of a row, at least 1."""
    return max(1, int(np.count_nonzero(_blocks(weights, block), axis=2).max(initial=0)))


def vdbb_events(
    *,
    machine: Machine,
    filters: int,
    columns: int,
    positions: int,
    bound: int,
    products: float,
) -> tuple[int, Events]:
    """Cycles and events of a layer.

    Args:
        machine: its multipliers hold `rows` filters times `columns` positions at once.
        filters, columns, positions: of the layer, N, M and T.
        bound: weights of a block, 1..block.
        products: with a word and a weight that are not zero.
    """
    chosen = parameters()["vdbb"]
    block = int(chosen["block"])
    blocks = -(-columns // block)
    row_tiles, column_tiles = -(-filters // machine.rows), -(-positions // machine.columns)
    tiles = row_tiles * column_tiles
    cycles = tiles * blocks * bound + machine.rows + machine.columns - 2
    # Units without an output of their own hold still.
    steps = blocks * filters * positions
    index_bits = (block - 1).bit_length()
    weight_bits = WORD_BITS + index_bits
    registers = steps * (
        bound * (SUM_BITS + weight_bits / chosen["products_per_weight"])
        + block * WORD_BITS / chosen["products_per_input"]
    )
    inputs = row_tiles * blocks * block * positions * WORD_BITS / chosen["im2col"]
    stored = column_tiles * blocks * bound * filters * weight_bits
    return cycles, Events(
        products=products,
        register_bits=registers,
        read_bits=inputs + stored,
        write_bits=float(filters * positions * WORD_BITS),
    )


def _run(work: LayerWork, machine: Machine) -> tuple[NDArray[np.int64], int, Events]:
    block = int(parameters()["vdbb"]["block"])
    weights = work.weights
    bound = density_bound(weights, block=block)
    values, places = compressed_blocks(weights, block=block, bound=bound)
    filters, columns = weights.shape
    padded = np.zeros((values.shape[1] * block, work.positions), dtype=np.int64)
    padded[:columns] = work.words
    inputs = padded.reshape(-1, block, work.positions)
    sums = np.zeros((filters, work.positions), dtype=np.int64)
    for step in range(bound):
        for index in range(values.shape[1]):
            # The step's weight of a block meets the input that its place selects.
            sums += values[:, index, step, None] * inputs[index, places[:, index, step]]
    cycles, events = vdbb_events(
        machine=machine,
        filters=filters,
        columns=columns,
        positions=work.positions,
        bound=bound,
        products=float(work.products),
    )
    return sums, cycles, events


def compressed_blocks(
    weights: NDArray[np.int64], *, block: int, bound: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Weights and their places in each block: two arrays of shape (N, blocks, bound)."""
    blocks = _blocks(weights, block)
    order = np.argsort(blocks == 0, axis=2, kind="stable")[:, :, :bound]
    return np.take_along_axis(blocks, order, axis=2), order


def _blocks(weights: NDArray[np.int64], block: int) -> NDArray[np.int64]:
    filters, columns = weights.shape
    count = -(-columns // block)
    padded = np.zeros((filters, count * block), dtype=np.int64)
    padded[:, :columns] = weights
    return padded.reshape(filters, count, block)


VDBB = Design(name="VDBB", source=parameters()["vdbb"]["source"], run=_run)
