"""The animation of a piece of a layer: its numbers and sentences, for the page's script to show.

The script draws; it adds, multiplies and counts nothing but word times.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from systopack.hardware.piece import Piece
from systopack.hardware.stepping import Streaming, stream_piece
from systopack.network.nodes import MatrixLayer
from systopack.report.content import ReportContent
from systopack.report.text import number, percent, ratio, signed

View = dict[str, Any]

_ORGANISATIONS = ((False, "Without combining"), (True, "Combined"))


def animation_view(content: ReportContent) -> View | None:
    """Texts, table and data of the animation; None without a piece."""
    piece = content.piece
    if piece is None:
        return None
    streamings = [stream_piece(piece, combined=combined) for combined, _ in _ORGANISATIONS]
    titles = [title for _, title in _ORGANISATIONS]
    last = list(content.networks)[-1]
    layer = content.networks[last].by_name[piece.layer]
    array = content.cycles[last].array
    assert isinstance(layer, MatrixLayer)
    return {
        "piece": piece,
        "where": _where(piece),
        "sums": _sums(piece, layer),
        "array": array,
        "size": f"{streamings[0].array.rows} × {streamings[0].array.columns}",
        "titles": titles,
        "table": _table(piece, streamings),
        "data": {
            "filters": piece.filters.tolist(),
            "columns": piece.columns.tolist(),
            "weights": piece.weights.tolist(),
            "groups": [list(group) for group in piece.groups],
            "positions": piece.positions.tolist(),
            "words": piece.words.tolist(),
            "packing": _packing_sentences(piece),
            "panels": [_panel(piece, streaming) for streaming in streamings],
            "end": _end(piece, streamings),
        },
    }


def describe_step(streaming: Streaming, filters: Sequence[int], step: int) -> str:
    """What happens on the array in one word time, in a few sentences.

    Args:
        filters: number of the filter of each row.
        step: word time, 0..last_step.
    """
    sentences = [_entering(streaming, step)]
    if step == streaming.last_step:
        count = streaming.array.rows * streaming.positions
        sentences = [f"The last of {count} sums is complete, after {step} word times."]
    else:
        sentences += _loading(streaming, step) + _leaving(streaming, filters, step)
    return " ".join(sentences)


def _entering(streaming: Streaming, step: int) -> str:
    tiles = streaming.tiles
    for index, tile in enumerate(tiles):
        position = step - tile.start
        if 0 <= position < streaming.positions:
            return (
                f"Tile {index + 1} of {len(tiles)}: word {position + 1} of {streaming.positions} "
                "enters the first column."
            )
    if step < tiles[0].start:
        return "No word yet: the cells need their weights."
    if step > tiles[-1].start:
        return "All words have entered; the last sums are on their way to the right."
    return "No word enters: the next tile waits for its weights or for its partial sums."


def _loading(streaming: Streaming, step: int) -> list[str]:
    return [
        f"The weights of tile {index + 1} enter column {column + 1}"
        + (", while the cells still work with those before them." if index else ".")
        for index in range(len(streaming.tiles))
        for column in range(streaming.array.columns)
        if streaming.loads(index, column) == step
    ]


def _leaving(streaming: Streaming, filters: Sequence[int], step: int) -> list[str]:
    for index, tile in enumerate(streaming.tiles):
        position = step - streaming.leaves(index, 0, 0)
        if 0 <= position < streaming.positions:
            value = int(tile.sums[0, -1, position])
            final = index == len(streaming.tiles) - 1
            kept = "complete" if final else "a partial sum, kept for the next tile"
            return [f"Filter {filters[0]}, word {position + 1}: {signed(value)}, {kept}."]
    return []


def _packing_sentences(piece: Piece) -> list[str]:
    """One for the unpacked matrix and one for each group."""
    rows, columns = piece.weights.shape
    sentences = [
        f"The filter matrix: {rows} filters, {columns} columns, one for each input, "
        f"{np.count_nonzero(piece.weights)} weights that are not zero."
    ]
    for index, group in enumerate(piece.groups):
        names = [str(piece.columns[place]) for place in group]
        weights = np.count_nonzero(piece.values[:, index])
        if len(names) == 1:
            sentence = f"Column {names[0]} stays alone"
        else:
            sentence = f"Columns {', '.join(names[:-1])} and {names[-1]} become one"
        sentences.append(
            f"{sentence}: in every row at most one of them holds a weight. "
            f"{weights} of its {rows} cells are filled."
        )
    return sentences


def _panel(piece: Piece, streaming: Streaming) -> View:
    array = streaming.array
    busy, useful = streaming.count_busy()
    return {
        "rows": array.rows,
        "columns": array.columns,
        "channels": array.alpha,
        "multiplexer": array.multiplexer_cycles,
        "positions": streaming.positions,
        "last": streaming.last_step,
        "tiles": [
            {
                "start": tile.start,
                "loads": [streaming.loads(index, column) for column in range(array.columns)],
                "inputs": [list(group) for group in tile.inputs],
                "values": tile.values.tolist(),
                "chosen": tile.channels.tolist(),
                "words": tile.chosen.tolist(),
                "sums": tile.sums.tolist(),
            }
            for index, tile in enumerate(streaming.tiles)
        ],
        "busy": np.cumsum(busy).tolist(),
        "useful": np.cumsum(useful).tolist(),
        "captions": [
            describe_step(streaming, piece.filters.tolist(), step)
            for step in range(streaming.last_step + 1)
        ],
        "waiting": _waiting(streaming),
        "done": f"Done after {streaming.last_step} word times.",
    }


def _table(piece: Piece, streamings: Sequence[Streaming]) -> list[tuple[str, list[str]]]:
    """Quantities with one cell for each way."""
    counts = [streaming.count_busy() for streaming in streamings]
    return [
        ("Columns", [number(len(piece.columns)), number(len(piece.groups))]),
        ("Tiles", [number(len(one.tiles)) for one in streamings]),
        ("Word times", [number(one.last_step) for one in streamings]),
        ("Multiplications", [number(int(busy.sum())) for busy, _ in counts]),
        (
            "of these by a weight that is not zero (%)",
            [percent(int(useful.sum()) / int(busy.sum())) for busy, useful in counts],
        ),
    ]


def _waiting(streaming: Streaming) -> str:
    columns = sum(len(tile.inputs) for tile in streaming.tiles)
    tiles = len(streaming.tiles)
    if tiles == 1:
        return f"{columns} columns fit the array's {streaming.array.columns}: one tile."
    return (
        f"{columns} columns on an array of {streaming.array.columns}: {tiles} tiles, one after "
        "another."
    )


def _where(piece: Piece) -> str:
    y, x = piece.positions[0]
    groups = (
        f"all {len(piece.groups)} column groups"
        if piece.complete
        else f"the first {len(piece.groups)} of {piece.layer_groups:,} column groups"
    )
    return (
        f"filters {piece.filters[0]} to {piece.filters[-1]}, {groups} with their "
        f"{len(piece.columns)} columns, and {len(piece.positions)} successive output positions "
        f"from row {y}, column {x} on"
    )


def _sums(piece: Piece, layer: MatrixLayer) -> str:
    if not piece.complete:
        return "partial sums of the layer, bias included"
    residual = "the residual, " if layer.residual is not None else ""
    return (
        f"the layer's own accumulators, before {residual}activation and requantization, equal to "
        "those of the integer reference"
    )


def _end(piece: Piece, streamings: Sequence[Streaming]) -> str:
    apart, packed = (streaming.last_step for streaming in streamings)
    return (
        f"The same {piece.weights.shape[0] * len(piece.positions)} sums on arrays of the same "
        f"size: {apart} word times without combining, {packed} with it, a ratio of "
        f"{ratio(packed / apart)}."
    )
