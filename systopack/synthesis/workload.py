"""Real work for an array at gate level: tiles of a packed network with the words of real images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidFileError, InvalidOptionError
from systopack.hardware.array import Array
from systopack.hardware.row_tiles import row_tiles
from systopack.network.network import PackedNetwork
from systopack.network.nodes import MatrixLayer
from systopack.network.reference import column_words, run, wrap
from systopack.synthesis.gate_simulation import (
    RUNS,
    Activity,
    GateSimulation,
    Lanes,
    pack_runs,
    unpack_runs,
)
from systopack.verification.array_bench import ArrayTile, start_times, stimulus, sums_at

Integers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Workload:
    """What 64 runs of an array do, side by side, in the same cycles.

    Args:
        array: the array.
        inputs: port -> words of shape (cycles, bits), bit k of run k.
        runs: the tiles of each run, one after another.
        first_cycle: the first word of the first tile; what is before is the load of its weights.
    """

    array: Array
    inputs: dict[str, Lanes]
    runs: tuple[tuple[ArrayTile, ...], ...]
    first_cycle: int

    @property
    def cycles(self) -> int:
        """Cycles of each run."""
        return len(self.inputs["take"])


def workload(
    network: PackedNetwork,
    images: NDArray[np.int8],
    *,
    array: Array,
    layers: Sequence[str] | None = None,
    words: int = 48,
    tiles: int = 2,
    seed: int = 0,
    fold: bool = False,
) -> Workload:
    """Take tiles from all over a network, each with successive positions of an image.

    The tiles of a run have the shape of the array; where a layer's matrix ends inside, the rest is
    weight 0, as on the accelerator. Partial sums enter as the tiles before have left them. An
    array of alpha 1 gets the packed weights all the same, and for each cell's words the first
    channel of its group: the same work for a cell without a multiplexer.

    Args:
        network: packed.
        images: shape (B, C, H, W), int8, as `reference.quantize_images` gives them.
        array: the array.
        layers: names of the layers to take tiles from; None: all.
        words: positions in a row, of each tile.
        tiles: tiles that follow one another in a run.
        seed: for the choice.
        fold: for comparing cells, let an array of any alpha do the network's work: a cell reads
            its channel's number modulo alpha, and a group with fewer channels than alpha goes on
            with those of its neighbour.

    Raises:
        InvalidOptionError: a layer is not there, or combines more columns than the array's alpha.
    """
    by_name = {layer.name: layer for layer in network.layers}
    chosen = list(by_name) if layers is None else list(layers)
    for name in chosen:
        if name not in by_name:
            raise InvalidOptionError(
                f"Network '{network.name}' has no layer '{name}'; it has {', '.join(by_name)}."
            )
    rng = np.random.default_rng(seed)
    sources = run(network, images, keep={by_name[name].source for name in chosen})
    spots = _spots(network, [by_name[name] for name in chosen], array, fold=fold)
    picked = [spots[int(k)] for k in _spread(rng, len(spots), RUNS * tiles)]
    kept: dict[str, Integers] = {}
    made = []
    for layer, row, column in picked:
        if layer.name not in kept:
            kept[layer.name] = column_words(layer, sources[layer.source])
        spot = (layer, row, column)
        made.append(_tile(network, array, spot, kept[layer.name], words, rng, fold=fold))
    runs = tuple(tuple(made[k * tiles : (k + 1) * tiles]) for k in range(RUNS))
    return Workload(
        array=array,
        inputs=record_runs(array, runs),
        runs=runs,
        first_cycle=start_times(array, runs[0])[0],
    )


def simulate_workload(work: Workload, simulation: GateSimulation) -> tuple[Activity, int]:
    """Run it on a netlist and compare every sum that leaves with plain integer sums.

    Returns:
        What its nets did from the first word on, and the number of sums compared.

    Raises:
        InvalidFileError: a sum is wrong; what the netlist did is then worth nothing.
    """
    activity = simulation.run(work.inputs, warm_up=work.first_cycle)
    array, checked = work.array, 0
    out = unpack_runs(activity.outputs["sum_out"])
    for record, tiles in zip(out, work.runs, strict=True):
        for start, tile in zip(start_times(array, tiles), tiles, strict=True):
            for position, sums in enumerate(tile.expected(array.accumulator_bits)):
                at = start + position * array.word_cycles + array.latency_cycles
                if not np.array_equal(sums_at(record, array, at), sums):
                    raise InvalidFileError(
                        f"The netlist of {array.label} gives wrong sums in cycle {at}; the library "
                        "or the tools misread the design."
                    )
                checked += sums.size
    return activity, checked


def record_runs(array: Array, runs: Sequence[Sequence[ArrayTile]]) -> dict[str, Lanes]:
    """The array's inputs for 64 runs of tiles with equally many words; idle wires are 0."""
    recorded = [stimulus(array, run_tiles, _idle_wires()) for run_tiles in runs]
    return {
        name: pack_runs(np.stack([record[name] for record in recorded])) for name in recorded[0]
    }


class _Zeros(np.random.Generator):
    """In place of the bench's noise: wires that nobody reads stay 0."""

    def integers(self, *arguments: Any, **_: Any) -> Any:
        """Zeros of the shape asked for."""
        return np.zeros(arguments[2], dtype=np.int64)


def _idle_wires() -> np.random.Generator:
    return _Zeros(np.random.PCG64(0))


def _spots(
    network: PackedNetwork, layers: Sequence[MatrixLayer], array: Array, *, fold: bool
) -> list[tuple[MatrixLayer, int, int]]:
    """(layer, first row, first packed column) of every tile."""
    found = []
    for layer in layers:
        largest = max((band.largest_group for band in layer.matrix.bands), default=0)
        if not fold and array.alpha > 1 and largest > array.alpha:
            raise InvalidOptionError(
                f"Layer '{layer.name}' of '{network.name}' combines {largest} columns, but the "
                f"array multiplexes alpha={array.alpha}; choose --alpha {largest}."
            )
        for tile in row_tiles(layer, rows=array.rows, columns=array.columns):
            found += [
                (layer, tile.row_start, column * array.columns)
                for column in range(tile.column_tiles)
            ]
    return found


def _spread(rng: np.random.Generator, count: int, wanted: int) -> NDArray[np.int64]:
    """`wanted` numbers below `count`, each as often as the others, in random order."""
    repeated = np.tile(np.arange(count), -(-wanted // count))
    rng.shuffle(repeated)
    return repeated[:wanted]


def _tile(  # noqa: PLR0917
    network: PackedNetwork,
    array: Array,
    spot: tuple[MatrixLayer, int, int],
    all_words: Integers,
    count: int,
    rng: np.random.Generator,
    *,
    fold: bool,
) -> ArrayTile:
    layer, row, column = spot
    bands = list(zip(layer.matrix.row_starts, layer.matrix.bands, strict=True))
    start, band = [(start, band) for start, band in bands if start <= row][-1]
    rows = slice(row - start, min(row - start + array.rows, band.rows))
    image = all_words[int(rng.integers(len(all_words)))]
    first = int(rng.integers(max(1, image.shape[1] - count + 1)))
    positions = (first + np.arange(count)) % image.shape[1]
    moving = image[:, positions]
    groups = slice(column, min(column + array.columns, len(band.groups)))
    values = band.values[rows].astype(np.int64)
    channels = band.channels[rows].astype(np.int64)
    weights = np.zeros((array.rows, array.columns), dtype=np.int64)
    index = np.zeros_like(weights)
    height, width = values[:, groups].shape
    weights[:height, :width] = values[:, groups]
    streams = np.zeros((count, array.alpha, array.columns), dtype=np.int64)
    for place, group in enumerate(band.groups[groups]):
        beside = band.groups[(column + place + 1) % len(band.groups)] if fold else ()
        for channel, source in enumerate((*group, *beside)[: array.alpha]):
            streams[:, channel, place] = moving[source]
    index[:height, :width] = channels[:, groups] % array.alpha
    sums = np.zeros((count, array.rows), dtype=np.int64)
    before = range(column)
    sums[:, :height] = layer.bias[row : row + height].astype(np.int64)
    for group_number in before:
        table = np.array(band.groups[group_number])
        chosen = moving[table[channels[:, group_number]]]
        sums[:, :height] += (values[:, group_number, None] * chosen).T
    return ArrayTile(
        weights=weights,
        index=index,
        words=streams,
        sums=wrap(sums, network.accumulator_bits),
    )
