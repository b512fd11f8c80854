"""Run tiles through the RTL of an array alone, at the earliest times the cycle model allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from systopack.hardware.array import Array
from systopack.hardware.cycles import tile_interval
from systopack.network.reference import wrap
from systopack.rtl.parameters import (
    VERILOG,
    array_parameters,
    bits_for,
    index_bits,
    sources,
    sum_bits,
)
from systopack.verification.bench import Bench, Port

Bits = NDArray[np.uint8]
Integers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class ArrayTile:
    """What one tile does on the array.

    Args:
        weights: shape (rows, columns), as many bits as the array's cells have.
        index: shape (rows, columns), 0..alpha-1.
        words: shape (T, alpha, columns), -128..127.
        sums: shape (T, rows): what enters at the left edge.
    """

    weights: Integers
    index: Integers
    words: Integers
    sums: Integers

    def expected(self, bits: int) -> Integers:
        """The sums at the right edge, wrapped to `bits`: shape (T, rows)."""
        columns = np.arange(self.weights.shape[1])
        chosen = self.words[:, self.index, columns[None, :]]
        total: Integers = self.sums + (chosen * self.weights[None]).sum(axis=2)
        return wrap(total, bits)


def array_bench(array: Array, *, verilog: Path = VERILOG) -> Bench:
    """Build the array's RTL.

    Args:
        verilog: folder of the Verilog files.
    """
    return Bench(
        top="systolic_array",
        sources=[verilog / path.name for path in sources()],
        parameters=array_parameters(array),
        inputs=_ports(array),
        outputs=(Port(name="sum_out", bits=array.rows * sum_bits(array)),),
    )


def start_times(array: Array, tiles: Sequence[ArrayTile]) -> list[int]:
    """The cycle of each tile's first word: as early as its weights can be there."""
    lead = array.first_load_cycles + 1
    starts = [-(-lead // array.word_cycles) * array.word_cycles]
    for tile in tiles[:-1]:
        starts.append(starts[-1] + tile_interval(array, len(tile.words), returns=False))
    return starts


def stimulus(array: Array, tiles: Sequence[ArrayTile], rng: np.random.Generator) -> dict[str, Bits]:
    """The array's inputs, bit by bit; wires that nobody reads carry noise."""
    starts = start_times(array, tiles)
    last = starts[-1] + len(tiles[-1].words) * array.word_cycles
    cycles = last + array.latency_cycles + array.partial_sum_cycles
    width = array.cell_kind.stream_wires
    record = {
        port.name: rng.integers(0, 2, (cycles, port.bits)).astype(np.uint8)
        for port in _ports(array)
    }
    record["word_start"][:] = (np.arange(cycles) % array.word_cycles == 0)[:, None]
    record["take"][:] = 0
    record["load"][:] = 0
    for number, (start, tile) in enumerate(zip(starts, tiles, strict=True)):
        record["take"][start - 1] = 1
        if array.weight_buffers == 1:  # with the wave, at the clock edge of the take-over
            begin = start - 1
        else:  # after the last one's: the write and the take-over share a clock edge
            begin = 0 if number == 0 else starts[number - 1] + array.swap_cycles - 1
        _write_load(record, array, begin, tile)
        for t in range(len(tile.words)):
            words = tile.words[t].T.reshape(-1)
            at = start + t * array.word_cycles
            if width > 1:
                record["x"][at] = to_bits(words, width).reshape(-1)
            else:
                record["x"][at : at + array.word_cycles] = to_bits(words, array.word_cycles).T
            _write_sums(record["sum_in"], array, at, tile.sums[t])
    return record


def sums_at(record: Bits, array: Array, at: int) -> Integers:
    """The sums of all rows whose first bits are on the wires in cycle `at`: shape (rows,)."""
    bits = array.accumulator_bits
    if array.cell_kind.sums == "parallel":
        found = record[at].reshape(array.rows, bits)
    else:
        found = np.concatenate(
            [record[at + lane.start : at + lane.stop, wires].T for lane, wires in _lanes(array)],
            axis=1,
        )
    value: Integers = (found.astype(np.int64) << np.arange(bits)).sum(axis=1)
    return wrap(value, bits)


def to_bits(values: Integers, bits: int) -> Bits:
    """Two's complement, least significant bit first: shape (*values.shape, bits)."""
    return ((values[..., None] >> np.arange(bits)) & 1).astype(np.uint8)


def _ports(array: Array) -> tuple[Port, ...]:
    streams = array.alpha * array.columns * array.cell_kind.stream_wires
    load = array.load_columns * array.rows * (array.weight_bits + index_bits(array))
    return (
        Port(name="word_start", bits=1),
        Port(name="take", bits=1),
        Port(name="x", bits=streams),
        Port(name="sum_in", bits=array.rows * sum_bits(array)),
        Port(name="load", bits=1),
        Port(name="load_column", bits=bits_for(array.columns)),
        Port(name="load_data", bits=load),
    )


def _write_load(record: dict[str, Bits], array: Array, begin: int, tile: ArrayTile) -> None:
    cells = np.concatenate(
        [to_bits(tile.weights, array.weight_bits), to_bits(tile.index, index_bits(array))],
        axis=2,
    )
    together = array.load_columns
    shape = (array.rows, array.load_cycles * together, cells.shape[2])
    padded = np.zeros(shape, dtype=np.uint8)
    padded[:, : array.columns] = cells
    for column in range(array.load_cycles):
        at = begin + column
        record["load"][at] = 1
        record["load_column"][at] = to_bits(np.array(column), bits_for(array.columns))
        place = slice(column * together, (column + 1) * together)
        record["load_data"][at] = padded[:, place].transpose(1, 2, 0).reshape(-1)


def _write_sums(record: Bits, array: Array, at: int, sums: Integers) -> None:
    bits = to_bits(sums, array.accumulator_bits)
    if array.cell_kind.sums == "parallel":
        record[at] = bits.reshape(-1)
        return
    for lane, wires in _lanes(array):
        record[at + lane.start : at + lane.stop, wires] = bits[:, lane].T


def _lanes(array: Array) -> list[tuple[slice, slice]]:
    """Of each lane of the sums its bits, which are its cycles too, and its wires of all rows."""
    lanes = array.cell_kind.lanes(array.accumulator_bits)
    step = array.accumulator_bits // lanes
    return [
        (slice(k * step, (k + 1) * step), slice(k * array.rows, (k + 1) * array.rows))
        for k in range(lanes)
    ]
