"""Read an exported program node by node into the ops of a `LayerGraph`.

A value is a *view* of a finished tensor: displacements, padding, subsampling, a choice of channels
or flattening that no layer has used yet. Layers with weights consume a view as their columns;
batch norm, residual addition and activation are folded into the layer that made their operand.
Whatever cannot be lowered is refused by name.
"""

from __future__ import annotations

import operator
from dataclasses import replace
from typing import Any

import torch

from systopack.errors import InvalidNetworkError
from systopack.frontend.graph import Ending, LayerGraph, MatrixOp, Op, sources_of
from systopack.frontend.reading import folding, matrix, moving, pooling
from systopack.frontend.reading.state import (
    Reading,
    Refusal,
    RefusedError,
    Result,
    Rule,
    arguments_of,
    operation_of,
)
from systopack.frontend.reading.view import View
from systopack.network.nodes import Shape

RULES: dict[str, Rule] = {**matrix.RULES, **folding.RULES, **pooling.RULES, **moving.RULES}
_ENDINGS: dict[str, Ending] = {
    "aten.softmax": "softmax",
    "aten._softmax": "softmax",
    "aten.log_softmax": "log_softmax",
    "aten._log_softmax": "log_softmax",
}
OPERATIONS = frozenset({*RULES, *_ENDINGS})


def read(program: torch.export.ExportedProgram, input_shape: Shape) -> LayerGraph:
    """The layers of a program.

    Args:
        program: from `torch.export.export`, in evaluation mode, with one image input.
        input_shape: (C, H, W).

    Raises:
        InvalidNetworkError: an operation cannot be lowered, named with its place.
    """
    reading = Reading(program, input_shape)
    images = set(program.graph_signature.user_inputs)
    ending: Ending = "none"
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name in images:
            reading.views[node] = View(tensor="input", shape=input_shape)
        elif node.op == "call_function":
            if ending != "none":
                reading.refuse(node, "follows a softmax, which must be the last operation")
            if operation_of(node) in _ENDINGS:
                ending = _ENDINGS[operation_of(node)]
                reading.views[node] = _ended(reading, node)
            else:
                reading.views[node] = _read_node(reading, node)
        elif node.op == "output":
            return _finished(reading, node, input_shape, ending)
    raise InvalidNetworkError("The model returns nothing; it must return its logits.")


def read_parts(
    program: torch.export.ExportedProgram, input_shape: Shape
) -> tuple[LayerGraph, tuple[Refusal, ...]]:
    """The layers with weights that can be packed, and what cannot be lowered.

    The layers stand side by side, each as if it read the images: they can be pruned and combined,
    not run. Whatever an operation that cannot be lowered gives is an image like any other to the
    operations after it.
    """
    reading = Reading(program, input_shape)
    images = set(program.graph_signature.user_inputs)
    refusals: list[Refusal] = []
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name in images:
            reading.views[node] = View(tensor="input", shape=input_shape)
        elif node.op == "call_function" and operation_of(node) not in _ENDINGS:
            try:
                reading.views[node] = _read_node(reading, node)
            except RefusedError as error:
                # One sentence a cause: what only follows from an earlier refusal is not repeated.
                if all(value in reading.views for value in node.all_input_nodes if value.users):
                    refusals.append(error.refusal)
                unread = _unread(reading, node)
                if unread is not None:
                    reading.views[node] = unread
    ops = [
        replace(op, source="input", residual=None)
        for op in reading.ops.values()
        if isinstance(op, MatrixOp) and op.weight is not None
    ]
    if not ops:
        raise InvalidNetworkError(
            f"The model has no layer that can be packed: {refusals[0] if refusals else 'none'}."
        )
    return LayerGraph(input_shape=input_shape, ops=tuple(ops)), tuple(refusals)


def _unread(reading: Reading, node: Any) -> View | None:
    """What an operation that cannot be lowered gives, where it is an image or a row of numbers."""
    matrix.keep_alone(reading, node)
    value = node.meta.get("val")
    shape = tuple(getattr(value, "shape", ()))[1:]
    if len(shape) not in (1, 3):
        return None
    name = f"{node.name} (not lowered)"
    channels, height, width = shape if len(shape) == 3 else (shape[0], 1, 1)
    reading.shapes[name] = (int(channels), int(height), int(width))
    return View(tensor=name, shape=reading.shapes[name], flat=len(shape) == 1)


def _read_node(reading: Reading, node: Any) -> Result:
    if node.target is operator.getitem:
        parts = reading.views[node.args[0]]
        assert isinstance(parts, tuple)
        # Results beyond those that were read (indices of a maximum) are no image tensors.
        result: Result = parts[node.args[1]] if node.args[1] < len(parts) else ()
        return result
    rule = RULES.get(operation_of(node))
    if rule is None:
        reading.refuse(node, "is no operation that systopack can lower")
    result = rule(reading, node, arguments_of(node))
    if isinstance(result, tuple):
        return tuple(_with_readers(reading, node, part) for part in result)
    return _with_readers(reading, node, result)


def _with_readers(reading: Reading, node: Any, view: View) -> View:
    """Note whether somebody else reads the tensor that the node sees in another way."""
    for value in node.all_input_nodes:
        seen = reading.views.get(value)
        if (
            isinstance(seen, View)
            and seen.tensor == view.tensor
            and (seen.shared or len(value.users) > 1)
        ):
            return replace(view, shared=True)
    return view


def _ended(reading: Reading, node: Any) -> View:
    arguments = arguments_of(node)
    view = reading.view(node, arguments["self"])
    if not view.flat or arguments["dim"] % 2 != 1:
        reading.refuse(node, "is a softmax over something other than the classes")
    return view


def _finished(reading: Reading, node: Any, input_shape: Shape, ending: Ending) -> LayerGraph:
    (results,) = node.args
    view = reading.views.get(results[0]) if len(results) == 1 else None
    if not isinstance(view, View) or not reading.ops:
        raise InvalidNetworkError("The model must return one tensor, its logits.")
    if view.shape[1:] != (1, 1):
        raise InvalidNetworkError(
            f"The model returns images of {view.shape[1]} x {view.shape[2]}, but systopack packs "
            "classifiers, which return one number a class; add pooling and a linear layer."
        )
    ops = _needed(reading.ops, view.tensor)
    last = ops[-1] if ops else None
    if not isinstance(last, MatrixOp) or last.name != view.tensor or not view.is_plain:
        # Logits are the raw sums of a layer with weights.
        ended = reading.identity(results[0], results[0], "last operation")
        ops = [*_needed(reading.ops, ended.source), ended]
    return LayerGraph(input_shape=input_shape, ops=tuple(ops), ending=ending)


def _needed(ops: dict[str, Op], tensor: str) -> list[Op]:
    """The ops that a tensor is computed from, in order."""
    wanted = {tensor}
    for op in reversed(list(ops.values())):
        if op.name in wanted:
            wanted |= set(sources_of(op))
    return [op for op in ops.values() if op.name in wanted]
