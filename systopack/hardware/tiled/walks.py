"""How a layer's steps move over its source, and what its streams and lanes read.

Where rows of the source follow each other without a gap, or start with a word, whole words are
read (`run_walk`); everywhere else every step fetches its own (`gather_walk`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from systopack.hardware.array import Array
from systopack.hardware.tiled.jobs import Need, Walk
from systopack.hardware.tiled.places import TensorPlace
from systopack.network.nodes import MatrixLayer


def run_walk(layer: MatrixLayer, width: int, size: int) -> Walk | None:
    """How whole words are read, where every run starts with a word.

    Args:
        width: of the source.
        size: bytes of a word.
    """
    stride_y, stride = layer.stride
    if layer.positions == 1 or size % stride:
        return None
    if not single_run(layer, width):
        if stride_y * width % size or layer.residual is not None:
            return None
    elif layer.residual is not None and stride != 1:
        return None
    return Walk(
        gather=False,
        stride=stride,
        parts=1,
        out_width=layer.output_size[1],
        width=width,
        word_bytes=size,
    )


def gather_walk(layer: MatrixLayer, width: int, size: int) -> Walk:
    """How a word is fetched for every step; see `run_walk`."""
    pitch = layer.stride[0] * width
    rows, columns = layer.output_size
    return Walk(
        gather=True,
        stride=layer.stride[1],
        parts=1,
        out_width=columns,
        width=width,
        word_bytes=size,
        aligned=(columns == 1 or layer.stride[1] % size == 0) and (rows == 1 or pitch % size == 0),
    )


def single_run(layer: MatrixLayer, width: int) -> bool:
    """Whether the next row's first position follows the last one's byte."""
    follows = layer.stride == (1, 1) and layer.output_size[1] == width
    return follows or layer.output_size[0] == 1


def tile_streams(layer: MatrixLayer, band: int, array: Array) -> tuple[dict[int, int], ...]:
    """By column tile of a band, the columns of the filter matrix that its streams read.

    Stream `column * alpha + index` is there where a weight of the band selects it.
    """
    packed = layer.matrix.bands[band]
    row, group = np.nonzero(packed.values)
    used = np.zeros(packed.group_table.shape, dtype=bool)
    used[group, packed.channels[row, group]] = True
    tiles: list[dict[int, int]] = [{} for _ in range(max(1, -(-len(used) // array.columns)))]
    for group, index in zip(*(found.tolist() for found in np.nonzero(used)), strict=True):
        stream = group % array.columns * array.alpha + index
        tiles[group // array.columns][stream] = int(packed.group_table[group, index])
    return tuple(tiles)


def stream_needs(
    layer: MatrixLayer, band: int, place: TensorPlace, array: Array
) -> list[list[Need]]:
    """What the streams of each column tile of a band read of the source at `place`."""
    needs = []
    for number, streams in enumerate(tile_streams(layer, band, array)):
        mine = []
        for stream, column in streams.items():
            channel, dy, dx = layer.columns[column].tolist()
            phase = int(place.phases[channel])
            mine.append(
                Need(
                    bank=int(place.banks[channel]),
                    plane=int(place.planes[channel]),
                    phase=phase,
                    place=phase + dy * place.width + dx,
                    dx=dx,
                    users=((number, stream),),
                )
            )
        needs.append(mine)
    return needs


def operand_needs(
    place: TensorPlace, channels: Sequence[int], rows: Sequence[int], *, moved: int
) -> list[Need]:
    """What the lanes of some rows read, each of its channel, `moved` bytes from the position."""
    return [
        Need(
            bank=int(place.banks[channel]),
            plane=int(place.planes[channel]),
            phase=int(place.phases[channel]),
            place=int(place.phases[channel]) + moved,
            dx=0,
            users=((-1, row),),
        )
        for channel, row in zip(channels, rows, strict=True)
    ]
