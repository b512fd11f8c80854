"""How large a packed network may be, its exact types and its names: checked before its rules.

The limits are wide of every classifier that an array on one chip could run, and narrow enough that
a small file cannot ask for gigabytes or hours. VGG-16 on 224 x 224 images fits: its largest tensor
has 3.2 million words, its largest matrix 103 million cells, an image 15.5 thousand million
products.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import NoReturn

import numpy as np

from systopack.errors import InvalidNetworkError
from systopack.names import TEXT_LIMIT, flaw_of
from systopack.network.graph import NetworkGraph
from systopack.network.nodes import ConcatLayer, InputNode, MatrixLayer, Node, PoolLayer, Shape

NODE_LIMIT = 4096
SIDE_LIMIT = 4096  # rows or columns of a feature map; also the largest stride and displacement
PADDING_LIMIT = 255
CHANNEL_LIMIT = 65536
TENSOR_LIMIT = 1 << 22  # words of one tensor, its padding included
TENSORS_LIMIT = 1 << 25  # words of all tensors
WINDOW_LIMIT = 1 << 16  # words of a pooling window
CELLS_LIMIT = 1 << 27  # cells of one filter matrix, N * M
STREAM_LIMIT = 1 << 30  # input words of one image, M * output positions of all layers
PRODUCTS_LIMIT = 1 << 34  # for one image, N * M * output positions of all layers
POOLED_LIMIT = 1 << 30  # words that the windows of all pooling layers read, for one image
_LEAST_POOLED = 1024  # what reading one place of the windows costs at least, in words


def check_form(network: NetworkGraph) -> None:
    """Check types, names, and the sizes that can be seen without the graph.

    Raises:
        InvalidNetworkError: naming the layer, the rule and what to do.
    """
    if len(network.nodes) > NODE_LIMIT:
        raise InvalidNetworkError(
            f"A network has at most {NODE_LIMIT:,} nodes, not {len(network.nodes):,}."
        )
    _check_texts(network)
    for node in network.nodes:
        if not isinstance(node, InputNode | MatrixLayer | PoolLayer | ConcatLayer):
            raise InvalidNetworkError(f"A {type(node).__name__} is no node of a network.")
        for what, value in _numbers(node):
            if not isinstance(value, int) or isinstance(value, bool):
                _refuse(node, f"has the {what} {value!r:.40}, which is no whole number")
            limit = PADDING_LIMIT if what == "padding" else SIDE_LIMIT
            sized = what in ("stride", "padding", "window", "side")
            if sized and value > limit:
                _refuse(node, f"has a {what} of {value:,}; the limit is {limit:,}")


def check_sizes(network: NetworkGraph, shapes: dict[str, Shape]) -> None:
    """Check the sizes of all tensors and the work of one image.

    Args:
        shapes: (channels, height, width) of every tensor.

    Raises:
        InvalidNetworkError: naming the layer and the limit.
    """
    products = pooled = words = streamed = 0
    for node in network.nodes:
        words += check_tensor(node, shapes[node.name])
        positions = prod(shapes[node.name][1:])
        if isinstance(node, PoolLayer):
            pooled += max(prod(shapes[node.name]), _LEAST_POOLED) * prod(node.kernel)
        elif isinstance(node, MatrixLayer):
            products += node.matrix.dense_cells * positions
            streamed += len(node.columns) * positions
    for what, count, limit in (
        ("holds {:,} words in all its tensors", words, TENSORS_LIMIT),
        ("takes {:,} products an image", products, PRODUCTS_LIMIT),
        ("streams {:,} words an image", streamed, STREAM_LIMIT),
        ("pools {:,} words an image", pooled, POOLED_LIMIT),
    ):
        if count > limit:
            raise InvalidNetworkError(
                f"The network {what.format(count)}, but the limit is {limit:,}; use smaller "
                "images, fewer channels or fewer layers."
            )


def check_tensor(node: Node, shape: Shape) -> int:
    """The words of a node's tensor.

    Raises:
        InvalidNetworkError: they are too many.
    """
    if shape[0] > CHANNEL_LIMIT or prod(shape) > TENSOR_LIMIT:
        _refuse(
            node,
            f"has a tensor of {shape[0]:,} x {shape[1]:,} x {shape[2]:,} words; the limits are "
            f"{CHANNEL_LIMIT:,} channels and {TENSOR_LIMIT:,} words",
        )
    return prod(shape)


def check_reach(node: MatrixLayer | PoolLayer, source: Shape) -> None:
    """Check the sizes of what a layer reads, zeros around it included, and of its window.

    Raises:
        InvalidNetworkError: naming the layer and the limit.
    """
    top, bottom, left, right = node.padding
    padded = source[0], source[1] + top + bottom, source[2] + left + right
    if prod(padded) > 2 * TENSOR_LIMIT:
        _refuse(
            node,
            f"reads {padded[0]:,} x {padded[1]:,} x {padded[2]:,} words with its padding; the "
            f"limit is {2 * TENSOR_LIMIT:,}",
        )
    if isinstance(node, PoolLayer):
        if prod(node.kernel) > WINDOW_LIMIT:
            _refuse(node, f"pools over {prod(node.kernel):,} words; the limit is {WINDOW_LIMIT:,}")
        return
    cells = node.matrix.dense_cells
    if not 1 <= cells <= CELLS_LIMIT:
        _refuse(node, f"has a filter matrix of {cells:,} cells; give 1 to {CELLS_LIMIT:,}")
    if np.abs(node.columns[:, 1:].astype(np.int64)).max() > SIDE_LIMIT:
        _refuse(node, f"has a displacement beyond {SIDE_LIMIT:,}")


def _check_texts(network: NetworkGraph) -> None:
    texts = [("The network's name", network.name)]
    texts += [("The name of a layer", node.name) for node in network.nodes]
    texts += [("A class name", name) for name in network.class_names]
    texts += [("A topic of the history", topic) for topic in network.history]
    for what, text in texts:
        _check_text(what, text)
    for topic, text in network.history.items():
        _check_text(f"The history of '{topic}'", text, limit=TEXT_LIMIT)


def _check_text(what: str, text: object, **limit: int) -> None:
    if not isinstance(text, str):
        raise InvalidNetworkError(f"{what} is {text!r:.40}, which is no text.")
    flaw = flaw_of(text, **limit)
    if flaw is not None:
        raise InvalidNetworkError(
            f"{what}, {text[:40]!a}, {flaw}; choose another of ordinary characters."
        )


def _numbers(node: Node) -> Iterator[tuple[str, object]]:
    """Every number of a node that must be whole, with what it is."""
    yield "exponent", node.exponent
    if isinstance(node, InputNode):
        first, *sides = _all(node, "side", node.shape, 3)
        yield "number of channels", first[1]
        yield from sides
        return
    yield from _all(node, "side", node.output_size, 2)
    if isinstance(node, ConcatLayer):
        return
    yield from _all(node, "stride", node.stride, 2)
    yield from _all(node, "padding", node.padding, 4)
    if isinstance(node, PoolLayer):
        yield from _all(node, "window", node.kernel, 2)
        yield from (("multiplier", node.multiplier), ("shift", node.shift))
    elif node.residual is not None:
        yield from _all(node, "stride", node.residual.stride, 2)


def _all(node: Node, what: str, values: object, count: int) -> Iterator[tuple[str, object]]:
    if not isinstance(values, tuple) or len(values) != count:
        _refuse(node, f"has the {what} {values!r:.40}; it must be a tuple of {count} numbers")
    for value in values:
        yield what, value


def _refuse(node: Node, reason: str) -> NoReturn:
    raise InvalidNetworkError(f"Layer '{node.name}' {reason}.")
