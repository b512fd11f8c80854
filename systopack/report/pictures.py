"""Pictures of filter matrices: one cell a square, tile borders between them, as PNG data URIs.

Cells are never smoothed or averaged as long as a matrix fits the limits below. Empty cells and
borders are half transparent, so that one picture serves light and dark pages.
"""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from systopack.packing.matrix import PackedBand, PackedMatrix

Codes = NDArray[np.uint8]  # palette indices

LAYER_PIXELS = 2_500_000
_OUTSIDE, _BORDER, _EMPTY, _FIRST = 0, 1, 2, 3
_SHADES = 16  # of pictures whose pixels stand for several cells
_LARGEST_CELL_PX = 8
_PAIR_WIDTH_PX = 1040
_WRAP_WIDTH_PX = 592
_CELL_HEIGHT_PX = 400
_WRAPPED_HEIGHT_PX = 1000
_STRIP_GAP_PX = 12
# Colours of channel 0 .. alpha - 1: light enough for a dark page, dark enough for a light one.
_STOPS = np.array(
    [(74, 84, 200), (136, 70, 200), (193, 66, 160), (226, 84, 104), (238, 124, 54), (222, 172, 28)]
)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A PNG picture inside the page.

    Args:
        uri: `data:image/png;base64,...`.
        width, height: in CSS pixels.
        cells_per_pixel: edge of the square of cells that one pixel stands for, normally 1.
    """

    uri: str
    width: int
    height: int
    cells_per_pixel: int


@dataclass(frozen=True, kw_only=True)
class MatrixPictures:
    """A sparse filter matrix and its packed form, drawn at the same scale.

    Args:
        sparse: the filter matrix.
        packed: the packed one; None where there is no column group.
    """

    sparse: Picture
    packed: Picture | None


def channel_colours(count: int) -> tuple[str, ...]:
    """The colours `#rrggbb` of channels 0 .. count - 1 of a group."""
    return tuple("#{:02x}{:02x}{:02x}".format(*colour) for colour in _channel_palette(count))


def draw_matrix(
    matrix: PackedMatrix, *, rows: int, columns: int, cells_per_pixel: int = 1
) -> MatrixPictures:
    """Draw a packed matrix and the sparse filter matrix it stands for.

    A weight has the colour of its channel, the index of its column in its group, in both
    pictures. Tile borders of the sparse matrix are those of an array without combining.

    Args:
        matrix: any packed matrix.
        rows, columns: of the array.
        cells_per_pixel: edge of the square of cells averaged in a pixel; 1: exact.
    """
    widest = max(len(band.groups) for band in matrix.bands)
    zoom = _zoom(matrix, widest, cells_per_pixel)
    wrap = _wrap(matrix, columns, zoom, cells_per_pixel)

    def strips(codes: Codes) -> list[Codes]:
        return [
            _draw_strip(codes[:, left : left + wrap], rows, columns, zoom, cells_per_pixel)
            for left in range(0, codes.shape[1], wrap)
        ]

    palette = _palette(matrix.largest_group, cells_per_pixel)
    packed = [strip for band in matrix.bands for strip in strips(_packed_codes(band))]
    return MatrixPictures(
        sparse=_encode(strips(_sparse_codes(matrix)), palette, cells_per_pixel),
        packed=_encode(packed, palette, cells_per_pixel) if packed else None,
    )


def choose_cells_per_pixel(cells: int, pixels: int = LAYER_PIXELS) -> int:
    """The edge of the smallest square of cells that lets a matrix fit into `pixels` pixels."""
    return max(1, math.isqrt(max(-(-cells // pixels) - 1, 0)) + 1)


def _zoom(matrix: PackedMatrix, widest: int, cells_per_pixel: int) -> int:
    """Pixels along the edge of a cell: as many as leave both pictures beside each other."""
    if cells_per_pixel > 1:
        return 1
    width = min(matrix.columns, _WRAP_WIDTH_PX)
    return max(
        1,
        min(
            _LARGEST_CELL_PX,
            _WRAP_WIDTH_PX // width,
            _PAIR_WIDTH_PX // (width + widest),
            _CELL_HEIGHT_PX // matrix.rows,
        ),
    )


def _wrap(matrix: PackedMatrix, columns: int, zoom: int, cells_per_pixel: int) -> int:
    """Columns after which a wide matrix goes on below; all of them where it would grow too high."""
    cells = _WRAP_WIDTH_PX * cells_per_pixel // zoom
    wrap = max(columns, cells // columns * columns)
    strips = -(-matrix.columns // wrap)
    height = strips * (matrix.rows * zoom // cells_per_pixel + _STRIP_GAP_PX)
    return wrap if height <= _WRAPPED_HEIGHT_PX else matrix.columns


def _sparse_codes(matrix: PackedMatrix) -> Codes:
    codes = np.full(matrix.shape, _EMPTY, dtype=np.uint8)
    for start, band in zip(matrix.row_starts, matrix.bands, strict=True):
        row, column, _ = band.columns_of_cells()
        codes[start + row, column] = _weight_codes(band)[np.nonzero(band.values)]
    return codes


def _packed_codes(band: PackedBand) -> Codes:
    return np.where(band.values != 0, _weight_codes(band), np.uint8(_EMPTY))


def _weight_codes(band: PackedBand) -> Codes:
    return (np.minimum(band.channels, 255 - _FIRST) + np.uint8(_FIRST)).astype(np.uint8)


def _draw_strip(codes: Codes, rows: int, columns: int, zoom: int, cells_per_pixel: int) -> Codes:
    """Enlarge the cells and put a line of one pixel around every tile."""
    height, width = codes.shape
    if cells_per_pixel > 1:
        codes = _shade(codes, cells_per_pixel)
    drawn = codes.repeat(zoom, axis=0).repeat(zoom, axis=1)
    for axis, (size, step) in enumerate(((height, rows), (width, columns))):
        edges = np.array([*range(0, size, step), size])
        places = np.minimum(-(-edges // cells_per_pixel) * zoom, drawn.shape[axis])
        drawn = np.insert(drawn, np.unique(places), _BORDER, axis=axis)
    return drawn


def _shade(codes: Codes, edge: int) -> Codes:
    """The share of nonzero cells in every square, as one of `_SHADES` shades."""
    height, width = codes.shape
    filled = np.zeros((-(-height // edge) * edge, -(-width // edge) * edge), dtype=np.float32)
    filled[:height, :width] = codes >= _FIRST
    share = filled.reshape(len(filled) // edge, edge, -1, edge).mean(axis=(1, 3))
    levels = np.ceil(share * _SHADES).astype(np.uint8)
    shades: Codes = np.where(levels > 0, levels + np.uint8(_FIRST - 1), np.uint8(_EMPTY))
    return shades


def _palette(channels: int, cells_per_pixel: int) -> NDArray[np.uint8]:
    """Shape (256, 4): red, green, blue, opacity of every code."""
    palette = np.zeros((256, 4), dtype=np.uint8)
    palette[_BORDER] = (128, 132, 140, 150)
    palette[_EMPTY] = (128, 132, 140, 26)
    if cells_per_pixel > 1:
        palette[_FIRST : _FIRST + _SHADES, :3] = _STOPS[0]
        palette[_FIRST : _FIRST + _SHADES, 3] = np.linspace(60, 255, _SHADES)
    else:
        colours = _channel_palette(channels)[: 256 - _FIRST]
        palette[_FIRST : _FIRST + len(colours), :3] = colours
        palette[_FIRST : _FIRST + len(colours), 3] = 255
    return palette


def _channel_palette(count: int) -> NDArray[np.uint8]:
    places = np.linspace(0, len(_STOPS) - 1, max(count, 2))[:count]
    bands = [np.interp(places, np.arange(len(_STOPS)), _STOPS[:, band]) for band in range(3)]
    colours: NDArray[np.uint8] = np.rint(np.stack(bands, axis=1)).astype(np.uint8)
    return colours


def _encode(strips: list[Codes], palette: NDArray[np.uint8], cells_per_pixel: int) -> Picture:
    """Stack the strips and write them as a PNG with a palette."""
    from PIL import Image

    width = max(strip.shape[1] for strip in strips)
    height = sum(strip.shape[0] for strip in strips) + _STRIP_GAP_PX * (len(strips) - 1)
    canvas = np.full((height, width), _OUTSIDE, dtype=np.uint8)
    top = 0
    for strip in strips:
        canvas[top : top + strip.shape[0], : strip.shape[1]] = strip
        top += strip.shape[0] + _STRIP_GAP_PX
    used = int(canvas.max()) + 1
    image = Image.fromarray(canvas)
    image.putpalette(palette[:used, :3].tobytes())
    stream = io.BytesIO()
    image.save(
        stream,
        format="PNG",
        transparency=palette[:used, 3].tobytes(),
        compress_level=6,
        bits=next(bits for bits in (1, 2, 4, 8) if used <= 1 << bits),
    )
    uri = "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
    return Picture(uri=uri, width=width, height=height, cells_per_pixel=cells_per_pixel)
