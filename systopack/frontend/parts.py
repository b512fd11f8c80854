"""The layers of a model that can be packed, where not all of it can be lowered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch

from systopack.errors import InvalidNetworkError
from systopack.frontend.graph import LayerGraph, MatrixOp
from systopack.frontend.reader import is_computed, is_ending, read_node
from systopack.frontend.reading import matrix
from systopack.frontend.reading.state import (
    Reading,
    Refusal,
    RefusedError,
    operation_of,
    place_of,
)
from systopack.frontend.reading.view import View
from systopack.network.nodes import Shape

_COMMON = ("weight", "bias")  # of a layer; other parameters are named one by one


def read_parts(
    program: torch.export.ExportedProgram,
    input_shape: Shape,
) -> tuple[LayerGraph, tuple[Refusal, ...]]:
    """The layers with weights that can be packed, and what cannot be lowered.

    The layers stand side by side, each as if it read the images: they can be pruned and combined,
    not run. Whatever an operation that cannot be lowered gives is an image like any other to the
    operations after it. Every parameter of the model belongs to a layer that is packed, or to one
    that is named with the reason why it is not.

    Args:
        program, input_shape: see `reader.read`.

    Raises:
        InvalidNetworkError: no layer can be packed.
    """
    reading = Reading(program, input_shape, alone=True)
    images = set(program.graph_signature.user_inputs)
    refused: list[tuple[Any, Refusal]] = []
    flowing: set[Any] = set()  # what depends on the images
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name in images:
            reading.views[node] = View(tensor="input", shape=input_shape)
            flowing.add(node)
        elif is_computed(reading, node):
            flowing |= {node} if flowing.intersection(node.all_input_nodes) else set()
            if is_ending(node):
                continue
            try:
                reading.views[node] = read_node(reading, node)
            except RefusedError as error:
                refused.append((node, error.refusal))
                unread = _unread(reading, node)
                if unread is not None:
                    reading.views[node] = unread
    ops = tuple(
        replace(op, source="input", residual=None)
        for op in reading.ops.values()
        if isinstance(op, MatrixOp) and op.weight is not None
    )
    refusals = tuple(dict.fromkeys(_refusals(program, reading, refused, ops, flowing)))
    if not ops:
        raise InvalidNetworkError(
            f"The model has no layer that can be packed: {refusals[0] if refusals else 'none'}."
        )
    return LayerGraph(input_shape=input_shape, ops=ops), refusals


def _unread(reading: Reading, node: Any) -> View | None:
    """What an operation that cannot be lowered gives, where it is an image or a row of numbers."""
    matrix.keep_alone(reading, node)
    shape = tuple(getattr(node.meta.get("val"), "shape", ()))[1:]
    if len(shape) not in (1, 3):
        return None
    name = f"{node.name} (not lowered)"
    channels, height, width = shape if len(shape) == 3 else (shape[0], 1, 1)
    reading.shapes[name] = (int(channels), int(height), int(width))
    return View(tensor=name, shape=reading.shapes[name], flat=len(shape) == 1)


def _refusals(
    program: torch.export.ExportedProgram,
    reading: Reading,
    refused: list[tuple[Any, Refusal]],
    ops: tuple[MatrixOp, ...],
    flowing: set[Any],
) -> tuple[Refusal, ...]:
    """One sentence for each cause, and one for each layer with parameters that is not packed."""
    names = program.graph_signature.inputs_to_parameters
    packed = {name for op in ops for name in op.parameters}
    if reading.scaling is not None:
        packed |= set(reading.scaling.parameters)
    told = set(packed)
    found = []
    for node, refusal in refused:
        own = {names[value.name] for value in _stored(node, flowing) if value.name in names}
        cause = all(v in reading.views for v in node.all_input_nodes if v in flowing)
        if own - packed or (cause and not own):
            found.append(_naming(refusal, own - packed))
            told |= own
    for node in program.graph.nodes:
        if node.op != "placeholder" or names.get(node.name, "") in {"", *told}:
            continue
        layer, told = _left_over(node, names[node.name], told, program)
        found.append(layer)
    return tuple(found)


def _left_over(
    placeholder: Any, name: str, told: set[str], program: torch.export.ExportedProgram
) -> tuple[Refusal, set[str]]:
    """A layer with a parameter that no layer took in; with it all parameters of that layer."""
    reader = next(iter(placeholder.users), None)
    owner = name.rpartition(".")[0]
    layer = (place_of(reader) if reader is not None else "") or owner or name
    operation, reason = "parameter", "is not used when the model runs, so it stays as it is"
    if reader is not None:
        operation = operation_of(reader)
        reason = "has no layer before it that could take it in, so it stays as it is"
        if "norm" not in operation:
            reason = "is part of no layer that systopack can pack, so it stays as it is"
    same = {
        other
        for other in program.graph_signature.inputs_to_parameters.values()
        if other == name or (owner and other.rpartition(".")[0] == owner)
    }
    return _naming(Refusal(layer=layer, operation=operation, reason=reason), same), told | same


def _naming(refusal: Refusal, parameters: set[str]) -> Refusal:
    """With the names of parameters that the layer's own name does not tell."""
    others = sorted(
        name
        for name in parameters
        if name != refusal.layer
        and (name.rpartition(".")[0] != refusal.layer or name.rpartition(".")[2] not in _COMMON)
    )
    if not others:
        return refusal
    listed = ", ".join(f"'{name}'" for name in others)
    return replace(refusal, reason=f"{refusal.reason} (with the parameters {listed})")


def _stored(node: Any, flowing: set[Any]) -> Iterator[Any]:
    """The stored tensors that an operation reads, also through values computed of them alone."""
    waiting, seen = [node], {node}
    while waiting:
        for value in waiting.pop().all_input_nodes:
            if value in seen or value in flowing:
                continue
            seen.add(value)
            if value.op == "placeholder":
                yield value
            else:
                waiting.append(value)
