"""The integer reference: only judge of what a packed network computes (docs/method.md, section 3).

`accumulate_by_cells` is the definition, one packed cell after another. `run` gives the same
integers through matrix products in floating point, which are exact here: it picks float32 where
no intermediate sum can leave +-2**24, float64 elsewhere (int8 products cannot leave +-2**53).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidFileError
from systopack.network.network import PackedNetwork
from systopack.network.nodes import ConcatLayer, InputNode, MatrixLayer, PoolLayer

Float = NDArray[np.floating[Any]]
_EXACT_FLOAT32 = 1 << 24
_BATCH_ELEMENTS = 6_000_000  # input words of the widest layer that are in memory at once


def quantize_images(network: PackedNetwork, images: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Turn pixels into the int8 the network reads.

    `saturate(round((pixel / 255 - mean) / std / 2**exponent))`, ties to even, in float64.

    Args:
        images: shape (B, C, H, W), uint8.

    Raises:
        InvalidFileError: the images do not have the network's shape.
    """
    node = network.input
    if images.ndim != 4 or images.shape[1:] != node.shape or images.dtype != np.uint8:
        raise InvalidFileError(
            f"The images are {images.dtype} of shape {images.shape}, but network "
            f"'{network.name}' reads uint8 of shape (images, {node.shape[0]}, {node.shape[1]}, "
            f"{node.shape[2]}); choose the data set it was trained on."
        )
    channels = np.arange(node.shape[0])[None, :, None, None]
    return node.table[channels, images]


def run(
    network: PackedNetwork, images: NDArray[np.int8], *, keep: Iterable[str] = ()
) -> Mapping[str, NDArray[Any]]:
    """Run int8 images through the network.

    Args:
        images: shape (B, C, H, W), int8.
        keep: names of the tensors to return beside the output; "all" of them by `network.by_name`.

    Returns:
        By name: arrays of shape (B, C, H, W), int8, or int32 for raw logits.
    """
    wanted = {*keep, network.output.name}
    elements = max(prod(shape) for shape in network.shapes.values())
    for layer in network.layers:
        elements = max(elements, len(layer.columns) * layer.positions)
    step = max(1, min(256, _BATCH_ELEMENTS // elements))
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in wanted}
    for start in range(0, max(len(images), 1), step):
        tensors = _run_batch(network, images[start : start + step])
        for name in wanted:
            parts[name].append(np.ascontiguousarray(tensors[name].swapaxes(0, 1)))
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


def classify(network: PackedNetwork, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The class of each image: argmax of the output, ties to the lowest index. Shape (B,)."""
    logits = run(network, quantize_images(network, images))[network.output.name]
    winners: NDArray[np.int64] = logits.reshape(len(images), -1).argmax(axis=1)
    return winners


def column_words(layer: MatrixLayer, source: NDArray[np.int8]) -> NDArray[np.int64]:
    """The words that stream into a layer, one row per column of its filter matrix.

    Args:
        source: the layer's input, shape (B, C, H, W), int8, as `run` returns it.

    Returns:
        Shape (B, M, height * width), -128..127: column (channel, dy, dx) at output position
        (y, x) reads the input there; outside the image 0.
    """
    words = _column_words(
        layer, source.swapaxes(0, 1), np.arange(len(layer.columns)), np.dtype(np.int64)
    )
    return np.ascontiguousarray(words.reshape(*words.shape[:2], -1).swapaxes(0, 1))


def accumulate_by_cells(
    network: PackedNetwork, layer: MatrixLayer, source: NDArray[np.int8]
) -> NDArray[np.int64]:
    """The accumulator before residual and activation, from the packed cells themselves.

    Args:
        source: the layer's input, shape (C, B, H, W), int8.

    Returns:
        Shape (N, B, height, width): `bias + sum(value * input[channel])`, wrapped.
    """
    words = _column_words(layer, source, np.arange(len(layer.columns)), np.dtype(np.int64))
    words = words.reshape(len(words), -1)
    sums = np.repeat(layer.bias.astype(np.int64)[:, None], words.shape[1], axis=1)
    for start, band in zip(layer.matrix.row_starts, layer.matrix.bands, strict=True):
        for group in range(len(band.groups)):
            chosen = band.group_table[group, band.channels[:, group]]
            products = band.values[:, group, None].astype(np.int64) * words[chosen]
            sums[start : start + band.rows] += products
    return wrap(sums, network.accumulator_bits).reshape(
        layer.matrix.rows, source.shape[1], *layer.output_size
    )


def wrap(values: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    """Two's complement wrap-around to `bits` bits."""
    half = 1 << (bits - 1)
    return ((values + half) & ((1 << bits) - 1)) - half


@dataclass(frozen=True, kw_only=True, eq=False)
class _Prepared:
    """What `run` needs of a layer again and again."""

    columns: NDArray[np.int64]  # columns of the filter matrix that hold a weight
    weights: Float
    bias: Float
    may_wrap: bool


@lru_cache(maxsize=512)
def _prepare(layer: MatrixLayer, accumulator_bits: int) -> _Prepared:
    matrix = layer.matrix.to_dense()
    used = np.flatnonzero(matrix.any(axis=0))
    weights = matrix[:, used]
    magnitudes = np.abs(weights.astype(np.int16)).sum(axis=1, dtype=np.int64)
    bound = magnitudes * 128 + np.abs(layer.bias.astype(np.int64))
    if layer.residual is not None:
        bound += 128 << layer.residual.shift.astype(np.int64)
    largest = int(bound.max())
    dtype: type[np.floating[Any]] = np.float32 if largest < _EXACT_FLOAT32 else np.float64
    return _Prepared(
        columns=used,
        weights=weights.astype(dtype),
        bias=layer.bias.astype(dtype),
        may_wrap=largest >= 1 << (accumulator_bits - 1),
    )


def _run_batch(network: PackedNetwork, images: NDArray[np.int8]) -> dict[str, NDArray[Any]]:
    """All tensors of a batch, channels first: (C, B, H, W)."""
    tensors: dict[str, NDArray[Any]] = {}
    for node in network.nodes:
        if isinstance(node, InputNode):
            tensors[node.name] = np.ascontiguousarray(images.swapaxes(0, 1))
        elif isinstance(node, MatrixLayer):
            tensors[node.name] = _run_matrix(network, node, tensors)
        elif isinstance(node, ConcatLayer):
            tensors[node.name] = _run_concat(node, [tensors[name] for name in node.sources])
        else:
            tensors[node.name] = _run_pool(node, tensors[node.source])
    return tensors


def _run_concat(node: ConcatLayer, sources: list[NDArray[np.int8]]) -> NDArray[np.int8]:
    result = np.zeros((len(node.channels), *sources[0].shape[1:]), dtype=np.int8)
    for index, source in enumerate(sources):
        chosen = np.flatnonzero((node.operands == index) & (node.channels >= 0))
        result[chosen] = source[node.channels[chosen]]
    return result


def _run_matrix(
    network: PackedNetwork, layer: MatrixLayer, tensors: Mapping[str, NDArray[Any]]
) -> NDArray[Any]:
    prepared = _prepare(layer, network.accumulator_bits)
    source = tensors[layer.source]
    sums = _products(layer, prepared, source)
    sums += prepared.bias[:, None]
    if layer.residual is not None:
        sums += _residual_words(layer, tensors[layer.residual.source], sums.dtype)
    if prepared.may_wrap:
        sums = wrap(sums.astype(np.int64), network.accumulator_bits).astype(np.float64)
    if layer.activation == "relu":
        np.maximum(sums, 0, out=sums)
    elif layer.clip is not None:
        np.clip(sums, layer.clip[:, :1], layer.clip[:, 1:], out=sums)
    shape = (layer.matrix.rows, source.shape[1], *layer.output_size)
    if layer.shift is None:
        return sums.astype(np.int32).reshape(shape)
    sums *= np.exp2(-layer.shift.astype(np.float64)).astype(sums.dtype)[:, None]
    return _to_int8(sums).reshape(shape)


def _products(layer: MatrixLayer, prepared: _Prepared, source: NDArray[np.int8]) -> NDArray[Any]:
    """Weights times input words, shape (N, B * height * width), some rows of output at a time."""
    height, width = layer.output_size
    images = source.shape[1]
    sums = np.empty((layer.matrix.rows, images, height, width), dtype=prepared.weights.dtype)
    words_a_row = max(1, len(prepared.columns) * images * width)
    step = max(1, _BATCH_ELEMENTS // words_a_row)
    padded = _padded(layer, source)
    for start in range(0, height, step):
        rows = range(start, min(start + step, height))
        words = _words_of_rows(layer, padded, prepared.columns, prepared.weights.dtype, rows)
        part = prepared.weights @ words.reshape(len(words), images * len(rows) * width)
        sums[:, :, rows.start : rows.stop] = part.reshape(-1, images, len(rows), width)
    return sums.reshape(layer.matrix.rows, images * height * width)


def _padded(layer: MatrixLayer, source: NDArray[np.int8]) -> NDArray[np.int8]:
    top, bottom, left, right = layer.padding
    if not any(layer.padding):
        return source
    return np.pad(source, ((0, 0), (0, 0), (top, bottom), (left, right)))


def _column_words(
    layer: MatrixLayer, source: NDArray[np.int8], used: NDArray[np.int64], dtype: np.dtype[Any]
) -> NDArray[Any]:
    """The input words of the used columns: shape (columns, B, height, width)."""
    rows = range(layer.output_size[0])
    return _words_of_rows(layer, _padded(layer, source), used, dtype, rows)


def _words_of_rows(
    layer: MatrixLayer,
    padded: NDArray[np.int8],
    used: NDArray[np.int64],
    dtype: np.dtype[Any],
    rows: range,
) -> NDArray[Any]:
    """The input words of the used columns at some rows of output positions."""
    top, _, left, _ = layer.padding
    width = layer.output_size[1]
    columns = layer.columns[used]
    words = np.empty((len(used), padded.shape[1], len(rows), width), dtype=dtype)
    displacements, member = np.unique(columns[:, 1:], axis=0, return_inverse=True)
    for index, (dy, dx) in enumerate(displacements):
        chosen = np.flatnonzero(member.ravel() == index)
        first = top + dy + rows.start * layer.stride[0]
        view = padded[
            :,
            :,
            first : first + (len(rows) - 1) * layer.stride[0] + 1 : layer.stride[0],
            left + dx : left + dx + (width - 1) * layer.stride[1] + 1 : layer.stride[1],
        ]
        words[chosen] = view[columns[chosen, 0]]
    return words


def _residual_words(
    layer: MatrixLayer, source: NDArray[np.int8], dtype: np.dtype[Any]
) -> NDArray[Any]:
    residual = layer.residual
    assert residual is not None
    (height, width), (down, right) = layer.output_size, residual.stride
    view = source[:, :, : (height - 1) * down + 1 : down, : (width - 1) * right + 1 : right]
    words = view[np.maximum(residual.channels, 0)].astype(dtype).reshape(layer.matrix.rows, -1)
    scale = np.where(residual.channels < 0, 0.0, np.exp2(residual.shift.astype(np.float64)))
    words *= scale.astype(dtype)[:, None]
    return words


def _run_pool(layer: PoolLayer, source: NDArray[np.int8]) -> NDArray[np.int8]:
    top, bottom, left, right = layer.padding
    fill = -128 if layer.kind == "max" else 0
    padded = source
    if any(layer.padding):
        padded = np.pad(
            source, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=fill
        )
    height, width = layer.output_size
    windows = [
        padded[
            :,
            :,
            y : y + (height - 1) * layer.stride[0] + 1 : layer.stride[0],
            x : x + (width - 1) * layer.stride[1] + 1 : layer.stride[1],
        ]
        for y in range(layer.kernel[0])
        for x in range(layer.kernel[1])
    ]
    if layer.kind == "max":
        result = windows[0].copy()
        for window in windows[1:]:
            np.maximum(result, window, out=result)
        return result
    sums = np.zeros(windows[0].shape, dtype=np.int64)
    for window in windows:
        sums += window
    # int64 sums times 15 bits stay far below 2**53, so the float64 quotient is exact.
    return _to_int8((sums * layer.multiplier).astype(np.float64) * 2.0**-layer.shift)


def _to_int8(values: Float) -> NDArray[np.int8]:
    """Round to nearest, ties to even, and saturate; overwrites `values`."""
    np.rint(values, out=values)
    np.clip(values, -128, 127, out=values)
    return values.astype(np.int8)
