"""Operations that move values and compute none: they only change how a tensor is seen."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from math import inf, prod
from typing import Any

import numpy as np

from systopack.frontend.reading.state import Arguments, Reading, Rule, place_of
from systopack.frontend.reading.view import View, add_padding


def _same(reading: Reading, node: Any, arguments: Arguments) -> View:
    return reading.view(node, next(iter(arguments.values())), scaled=True)


def _dropout(reading: Reading, node: Any, arguments: Arguments) -> View:
    if arguments["train"]:
        reading.refuse(node, "is a dropout that trains; save the model after model.eval()")
    return _same(reading, node, arguments)


def _reshape(reading: Reading, node: Any, arguments: Arguments) -> View:
    view = reading.view(node, arguments["self"], scaled=True)
    shape = tuple(node.meta["val"].shape)[1:]
    if not replace(view, parts=None).keeps_pixels:
        reading.refuse(node, "reshapes a tensor that was shifted, padded or subsampled")
    axes = view.axes or (0, 1, 2)
    seen = tuple(view.shape[axis] for axis in axes)
    if view.parts is None and shape == (prod(view.shape),):
        return replace(view, flat=True, merged=False)
    if view.flat and view.shape[1:] != (1, 1) and shape == (prod(view.shape), 1, 1):
        return view
    for first, second, third in permutations((0, 1, 2)):
        order = (first, second, third)
        # Axes of one pixel may stand anywhere.
        kept = [[a for a in some if view.shape[a] > 1] for some in (axes, order)]
        if kept[0] == kept[1] and shape == tuple(view.shape[a] for a in order):
            own = None if order == (0, 1, 2) else order
            return replace(view, flat=False, parts=None, merged=False, axes=own)
    together = (seen[0], seen[1] * seen[2]) if axes[0] == 0 else (seen[0] * seen[1], seen[2])
    if view.parts is None and shape == together and 0 in (axes[0], axes[2]):
        return replace(view, flat=False, merged=True)
    if view.axes is not None:
        reading.refuse(node, "reshapes a tensor whose axes were exchanged; only flattening works")
    if view.parts is None and not view.flat and shape[2:] == view.shape[1:]:
        return replace(view, parts=(shape[0], shape[1]))
    return reading.refuse(
        node, f"reshapes {view.shape} to {shape}; only (images, all the rest) works"
    )


def _permute(reading: Reading, node: Any, arguments: Arguments) -> View:
    if arguments["self"] not in reading.views:
        reading.refuse(
            node, "reads a weight and no image; save the program without run_decompositions()"
        )
    return _exchanged(reading, node, [int(axis) for axis in arguments["dims"]])


def _exchanged(reading: Reading, node: Any, order: list[int]) -> View:
    """An image with its axes in another order; a linear layer after a flattening takes it in."""
    view = reading.view(node, node.args[0], scaled=True)
    order = [axis % len(order) for axis in order]
    if view.merged and order == [0, 2, 1] and view.axes in (None, (1, 2, 0)):
        axes = None if view.axes else (1, 2, 0)
        return replace(view, axes=axes, exchanged_in=place_of(node) or str(node.name))
    if (view.flat or view.merged) and order == list(range(len(order))):
        return view
    if view.flat or view.parts is not None or len(order) != 4 or sorted(order) != [0, 1, 2, 3]:
        reading.refuse(node, "exchanges other axes than those of an image")
    if order[0] != 0:
        reading.refuse(node, "exchanges the images of a batch with something else")
    old = view.axes or (0, 1, 2)
    first, second, third = (old[axis - 1] for axis in order[1:])
    axes = (first, second, third)
    place = place_of(node) or str(node.name)
    return replace(view, axes=None if axes == (0, 1, 2) else axes, exchanged_in=place)


def _transpose(reading: Reading, node: Any, arguments: Arguments) -> View:
    view = reading.view(node, arguments["self"], scaled=True)
    rank = len(node.meta["val"].shape)
    if view.parts is None and not view.flat and rank in (3, 4):
        order = list(range(rank))
        one, other = arguments["dim0"] % rank, arguments["dim1"] % rank
        order[one], order[other] = order[other], order[one]
        return _exchanged(reading, node, order)
    axes = sorted((arguments["dim0"] % 5, arguments["dim1"] % 5))
    if view.parts is None or axes != [1, 2]:
        reading.refuse(node, "transposes something other than the channels of a channel shuffle")
    first, second = view.parts
    channels = view.channel_map.reshape(first, second).T.reshape(-1)
    return replace(view, channels=np.ascontiguousarray(channels), parts=(second, first))


def _unsqueeze(reading: Reading, node: Any, arguments: Arguments) -> View:
    view = reading.view(node, arguments["self"])
    shape = tuple(node.meta["val"].shape)
    single = view.shape[1:] == (1, 1) and not view.merged
    if not single or not view.keeps_pixels or shape[1] != view.shape[0]:
        reading.refuse(node, "adds an axis to an image, or before its channels")
    return replace(view, flat=len(shape) != 4, axes=None)


def _squeeze(reading: Reading, node: Any, arguments: Arguments) -> View:
    view = reading.view(node, arguments["self"])
    shape = tuple(node.meta["val"].shape)[1:]
    if view.flat or shape == reading.seen_shape(arguments["self"]):
        return view
    if len(shape) == 2 and not view.flat and not view.merged and view.keeps_pixels:
        axes = view.axes or (0, 1, 2)
        # One of height and width is 1, so what is left is both as one.
        left = [view.shape[axis] for axis in axes if axis and view.shape[axis] == 1]
        if left and axes[1] != 0 and 0 in (axes[0], axes[2]) and view.shape[0] in shape:
            sides = (view.shape[0], prod(view.shape[1:]))
            if shape == (sides if axes[0] == 0 else sides[::-1]):
                return replace(view, merged=True)
    if view.shape[1:] != (1, 1) or shape != view.shape[:1]:
        reading.refuse(node, f"leaves {shape} of an image; only height and width can go")
    return replace(view, flat=True, axes=None, merged=False)


def _select(reading: Reading, node: Any, arguments: Arguments) -> View:
    """One of a single row or column is all there is."""
    sizes = arguments["self"].meta["val"].shape
    if arguments["dim"] % len(sizes) < 2 or sizes[arguments["dim"]] != 1:
        reading.refuse(node, "takes one row, column or channel of an image")
    return _squeeze(reading, node, arguments)


def _shift(reading: Reading, node: Any, arguments: Arguments) -> View:
    view = reading.view(node, arguments["images"])
    if not view.is_plain or view.flat or view.axes is not None or view.merged:
        reading.refuse(node, "shifts a tensor that was already shifted, padded or subsampled")
    moves = np.array([arguments["dy"], arguments["dx"]], dtype=np.int64).T
    if moves.shape != (view.shape[0], 2):
        reading.refuse(node, f"shifts {len(moves)} channels, but reads {view.shape[0]}")
    return replace(view, displacements=moves)


def _slice(reading: Reading, node: Any, arguments: Arguments) -> View:
    view = reading.view(node, arguments["self"])
    rank = len(node.meta["val"].shape)
    axis, step = arguments["dim"] % rank, arguments["step"]
    if axis and not view.flat and not view.merged and view.parts is None:
        (axis,) = (own + 1 for own in view.axes_at(axis))
    sizes = (0, *view.shape)
    start, stop, _ = slice(arguments["start"], arguments["end"]).indices(max(sizes[axis], 1))
    # A slice may end early and leave nothing out: every second of 32 rows ends after row 30.
    everything = len(range(start, stop, step)) == -(-sizes[axis] // step)
    whole = (start == 0 and everything) or axis == 0
    if whole and step == 1:
        return view
    plain = not view.merged and view.parts is None
    if axis == 1 and plain and (not view.flat or view.shape[1:] == (1, 1)):
        return _choose(view, view.channel_map[start:stop:step])
    if axis < 2 or not plain or not whole or any(view.padding):
        reading.refuse(node, "is a slice other than every n-th row or column of an image")
    if view.displacements is not None:
        reading.refuse(node, "subsamples a shifted tensor; give the convolution a stride instead")
    shape, stride = list(view.shape), list(view.stride)
    shape[axis - 1] = -(-shape[axis - 1] // step)
    stride[axis - 2] *= step
    return replace(view, shape=(shape[0], shape[1], shape[2]), stride=(stride[0], stride[1]))


def _split(reading: Reading, node: Any, arguments: Arguments) -> tuple[View, ...]:
    view = reading.view(node, arguments["self"])
    pieces = [tuple(value.shape) for value in node.meta["val"]]
    at = arguments["dim"] % len(pieces[0])
    if view.parts is not None or at == 0 or view.axes_at(at) != (0,):
        reading.refuse(node, "splits something other than channels")
    ends = np.cumsum([piece[at] for piece in pieces])
    return tuple(
        _choose(view, view.channel_map[end - piece[at] : end])
        for piece, end in zip(pieces, ends.tolist(), strict=True)
    )


def _choose(view: View, channels: Any) -> View:
    return replace(view, channels=channels, shape=(len(channels), *view.shape[1:]))


def _pad(reading: Reading, node: Any, arguments: Arguments) -> View:
    view = reading.view(node, arguments["self"])
    pad = _by_axis(view, [*arguments["pad"], *([0] * (6 - len(arguments["pad"])))])
    lowest = arguments["value"] == -inf  # what max pooling pads with
    zeros = arguments["value"] in (None, 0)
    if arguments.get("mode", "constant") != "constant" or not (zeros or lowest):
        reading.refuse(node, "pads with something other than zeros; train with zero padding")
    # Zeros are below no value that is never negative, so they may count as lowest there.
    mixed = any(view.padding) and view.lowest != lowest
    if mixed and not (lowest and reading.is_rectified(view.tensor)):
        reading.refuse(node, "pads a tensor again, with another number")
    moved = view.displacements is not None or view.parts is not None or view.merged
    if min(pad) < 0 or len(pad) > 6 or moved or view.flat:
        reading.refuse(node, "crops, pads the batch, or pads a shifted or flattened tensor")
    left, right, top, bottom, before, after = pad
    if before or after:
        if lowest or any((left, right, top, bottom)):
            reading.refuse(node, "pads channels and pixels at once; pad them one after another")
        return _choose(view, np.pad(view.channel_map, (before, after), constant_values=-1))
    # The shape stays that of the tensor: windows add the padding themselves.
    around = add_padding(view.padding, (top, bottom, left, right))
    return replace(view, padding=around, lowest=lowest and any(around))


def _by_axis(view: View, pad: list[int]) -> list[int]:
    """Padding of the axes as they are seen, from the last one on, as that of (W, H, C)."""
    if view.axes is None or len(pad) != 6:
        return pad
    sides = [pad[4 - 2 * view.axes.index(axis) :][:2] for axis in (2, 1, 0)]
    return [side for pair in sides for side in pair]


def _concatenate(reading: Reading, node: Any, arguments: Arguments) -> View:
    views = [reading.view(node, value) for value in arguments["tensors"]]
    if any(not view.keeps_pixels for view in views):
        reading.refuse(node, "concatenates a tensor that was shifted, padded or subsampled")
    at = arguments["dim"] % len(node.meta["val"].shape)
    sizes = {(*view.shape[1:], view.flat, view.merged, view.axes) for view in views}
    if at == 0 or views[0].axes_at(at) != (0,) or len(sizes) > 1:
        reading.refuse(node, "concatenates something other than channels of equal images")
    if len(views) == 1:
        return views[0]
    return reading.gather(node, views, name=reading.op_name(node, "cat"))


SAME: dict[str, Rule] = {
    "aten.alias": _same,
    "aten.clone": _same,
    "aten.contiguous": _same,
    "aten.detach": _same,
    "aten.lift_fresh_copy": _same,
    "aten.to": _same,
    "aten._to_copy": _same,
    "aten.type_as": _same,
}
RULES: dict[str, Rule] = {
    **SAME,
    "aten.dropout": _dropout,
    "aten.dropout_": _dropout,
    "aten.feature_dropout": _dropout,
    "aten.alpha_dropout": _dropout,
    "aten.flatten": _reshape,
    "aten.view": _reshape,
    "aten._unsafe_view": _reshape,
    "aten.reshape": _reshape,
    "aten.permute": _permute,
    "aten.transpose": _transpose,
    "aten.unsqueeze": _unsqueeze,
    "aten.squeeze": _squeeze,
    "aten.select": _select,
    "aten.slice": _slice,
    "aten.unflatten": _reshape,
    "aten.pad": _pad,
    "aten.constant_pad_nd": _pad,
    "aten.cat": _concatenate,
    "aten.chunk": _split,
    "aten.split": _split,
    "aten.split_with_sizes": _split,
    "systopack.shift": _shift,
}
