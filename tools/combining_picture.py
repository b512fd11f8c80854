"""A picture in motion of a small matrix that is packed: what groups and conflicts do."""

from __future__ import annotations

from xml.sax.saxutils import escape

import numpy as np

from systopack.packing.pack import pack

# The matrix of docs/tutorial.md.
MATRIX = np.array(
    [
        [0, 2, 0, 0, 5, 0, 0, 0],
        [1, 0, 0, 0, 0, 0, -3, 0],
        [0, 0, 4, 0, 0, 0, 0, 2],
        [0, 0, 0, -2, 0, 1, 0, 0],
        [3, 0, 0, 0, 0, 0, 0, -1],
        [0, 0, 0, 6, 0, 0, 2, 0.5],
    ]
)
ALPHA, GAMMA = 8, 0.5
_COLOURS = ("#0b6e99", "#b4540a", "#6b3fa0")  # of the groups; white text has 4.5 : 1 on each
_CELL, _LEFT, _TOP = 44, 16, 64
_STYLE = """
text { font: 15px system-ui, sans-serif; text-anchor: middle; fill: #fff }
text.said { fill: #222; text-anchor: start; opacity: 0; animation: said 12s infinite }
.weight { animation: move 12s ease-in-out infinite }
.pruned { animation: move 12s ease-in-out infinite, prune 12s infinite }
.cell { fill: none; stroke: #8a8f98 }
.old { animation: old 12s infinite }
.array { opacity: 0; animation: array 12s infinite }
@keyframes move { 0%, 25% { transform: none } 50%, 94% { transform: translateX(var(--by)) } }
@keyframes prune { 0%, 52% { opacity: 1 } 60%, 94% { opacity: 0 } }
@keyframes old { 0%, 25% { opacity: 1 } 40%, 94% { opacity: 0 } 100% { opacity: 1 } }
@keyframes array { 0%, 30% { opacity: 0 } 50%, 94% { opacity: 1 } 100% { opacity: 0 } }
@keyframes said { 0%, 30% { opacity: 1 } 33%, 100% { opacity: 0 } }
@media (prefers-reduced-motion: reduce) {
  * { animation: none !important }
  text.first { opacity: 1 }
}
"""


def picture() -> str:
    """An SVG: the matrix, its columns sliding into groups, the lost conflict, the packed matrix."""
    packed = pack(MATRIX, alpha=ALPHA, gamma=GAMMA)
    group_of = {column: g for g, group in enumerate(packed.groups) for column in group}
    kept = packed.to_dense() != 0
    rows, columns = MATRIX.shape
    width, height = 2 * _LEFT + columns * _CELL, _TOP + rows * _CELL + 16
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        "<title>Column combining of a 6 x 8 matrix</title>",
        f"<style>{_STYLE}</style>",
        f'<rect width="{width}" height="{height}" rx="6" fill="#fff"/>',
        *_captions(len(packed.groups), int((~kept & (MATRIX != 0)).sum())),
    ]
    for row in range(rows):
        for column in range(columns):
            parts.append(_cell("cell old", row, column))
        parts += [_cell("cell array", row, group) for group in range(len(packed.groups))]
    for row, column in np.argwhere(MATRIX != 0):
        group = group_of[int(column)]
        kind = "weight" if kept[row, column] else "pruned"
        x, y = _LEFT + column * _CELL, _TOP + row * _CELL
        parts.append(
            f'<g class="{kind}" style="--by: {(group - column) * _CELL}px">'
            f'<rect x="{x + 3}" y="{y + 3}" width="{_CELL - 6}" height="{_CELL - 6}" rx="4" '
            f'fill="{_COLOURS[group]}"/>'
            f'<text x="{x + _CELL / 2:g}" y="{y + _CELL / 2 + 5:g}">{MATRIX[row, column]:g}</text>'
            "</g>"
        )
    return "\n".join([*parts, "</svg>", ""])


def _captions(groups: int, pruned: int) -> list[str]:
    rows, columns = MATRIX.shape
    said = (
        f"{rows * columns} cells, {np.count_nonzero(MATRIX)} weights",
        f"columns of a group share one; {pruned} weight is pruned",
        f"{rows * groups} cells, all in use",
    )
    return [
        f'<text class="said{" first" if not index else ""}" x="{_LEFT}" y="36" '
        f'style="animation-delay: {4 * index}s">{escape(text)}</text>'
        for index, text in enumerate(said)
    ]


def _cell(kind: str, row: int, column: int) -> str:
    return (
        f'<rect class="{kind}" x="{_LEFT + column * _CELL}" y="{_TOP + row * _CELL}" '
        f'width="{_CELL}" height="{_CELL}"/>'
    )
