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

from systopack.errors import InvalidNetworkError, SystopackError, one_line
from systopack.frontend.graph import Ending, LayerGraph, MatrixOp, Op, sources_of
from systopack.frontend.reading.operations import ENDINGS, MOVES, RULES
from systopack.frontend.reading.state import Reading, Result, arguments_of, operation_of
from systopack.frontend.reading.stored import Stored
from systopack.frontend.reading.view import View
from systopack.network.nodes import Shape


def read(program: torch.export.ExportedProgram, input_shape: Shape) -> tuple[LayerGraph, Stored]:
    """The layers of a program, and the tensors that they name.

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
        elif is_computed(reading, node):
            if is_ending(node):
                ending = ENDINGS[operation_of(node)]
            reading.views[node] = read_node(reading, node)
        elif node.op == "output":
            return _finished(reading, node, input_shape, ending), reading.stored
    raise InvalidNetworkError("The model returns nothing; it must return its logits.")


def is_computed(reading: Reading, node: Any) -> bool:
    """True for an operation of which a rule must know: it is none of stored numbers alone."""
    return node.op == "call_function" and not reading.stored.holds(node)


def is_ending(node: Any) -> bool:
    """True for a softmax or sigmoid after which values are only moved, until they are returned."""
    if operation_of(node) not in ENDINGS:
        return False
    while True:
        if len(node.users) != 1:
            return False
        (node,) = node.users
        if node.op == "output":
            return True
        if operation_of(node) not in MOVES:
            return False


def read_node(reading: Reading, node: Any) -> Result:
    """What one operation gives.

    Raises:
        RefusedError: it cannot be lowered.
    """
    if node.target is operator.getitem:
        parts = reading.views.get(node.args[0])
        if not isinstance(parts, tuple):
            reading.refuse(node, "takes a part of something that is no image tensor")
        # Results beyond those that were read (indices of a maximum) are no image tensors.
        result: Result = parts[node.args[1]] if node.args[1] < len(parts) else ()
        return result
    if is_ending(node):
        return _ended(reading, node)
    rule = RULES.get(operation_of(node))
    if rule is None:
        where = "is no operation that systopack can lower"
        if ENDINGS.get(operation_of(node), "sigmoid") != "sigmoid":
            where = "is a softmax inside the network; only its last operation may be one"
        reading.refuse(node, where)
    try:
        result = rule(reading, node, arguments_of(node))
    except SystopackError:
        raise
    except Exception as error:  # the operation was called in a form that its rule does not know
        reading.refuse(node, f"is used in a form that systopack cannot lower ({one_line(error)})")
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
    rank = len(node.meta["val"].shape)
    classes = view.shape[1:] == (1, 1) or view.flat
    if not classes or arguments.get("dim", 1) % rank != 1:
        reading.refuse(node, "is a softmax over something other than the classes")
    return view


def _finished(reading: Reading, node: Any, input_shape: Shape, ending: Ending) -> LayerGraph:
    results = [result for result in node.args[0] if hasattr(result, "users")]
    view = reading.views.get(results[0]) if len(results) == 1 else None
    if not isinstance(view, View) or not reading.ops:
        raise InvalidNetworkError(
            f"The model returns {len(results)} tensors, but one is needed, its logits; wrap it in "
            "a module that returns these alone."
            if len(results) != 1
            else "The model has no layer with weights between its images and what it returns."
        )
    if view.shape[1:] != (1, 1):
        raise InvalidNetworkError(
            f"The model returns images of {view.shape[1]} x {view.shape[2]}, but systopack packs "
            "classifiers, which return one number a class; add pooling and a linear layer."
        )
    ops = _needed(reading.ops, view.tensor)
    last = ops[-1] if ops else None
    if not isinstance(last, MatrixOp) or last.name != view.tensor or not view.is_plain:
        # Logits are the raw sums of a layer with weights.
        ended = reading.identity(results[0], results[0], "last operation", name="logits")
        ops = _needed(reading.ops, ended.tensor)
    return LayerGraph(
        input_shape=input_shape, ops=tuple(ops), ending=ending, scaling=reading.scaling
    )


def _needed(ops: dict[str, Op], tensor: str) -> list[Op]:
    """The ops that a tensor is computed from, in order."""
    wanted = {tensor}
    for op in reversed(list(ops.values())):
        if op.name in wanted:
            wanted |= set(sources_of(op))
    return [op for op in ops.values() if op.name in wanted]
