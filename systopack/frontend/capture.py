"""Capture a torch model as a `LayerGraph`, with `torch.export`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from systopack.errors import InvalidNetworkError, SystopackError, one_line
from systopack.frontend.comparison import AMPLITUDES, compare, random_images
from systopack.frontend.graph import LayerGraph
from systopack.frontend.one_type import OneType
from systopack.frontend.parts import read_parts
from systopack.frontend.reader import read
from systopack.frontend.reading.state import Refusal
from systopack.network.nodes import Shape


@dataclass(frozen=True, kw_only=True, eq=False)
class Captured:
    """The layers of a model, and the tensors that they name.

    Args:
        graph: the layers.
        state: every tensor of the model, and every tensor that the graph names.
        copies: by name the tensors of further uses of a tensor, and which it is.
        computed: by name the tensors that the model computes, and of which stored ones.
    """

    graph: LayerGraph
    state: Mapping[str, Tensor]
    copies: Mapping[str, str]
    computed: Mapping[str, tuple[str, ...]]


def capture(model: nn.Module, input_shape: Shape, *, batch: int = 2) -> LayerGraph:
    """The layers of a model alone; see `capture_whole`."""
    return capture_whole(model, input_shape, batch=batch).graph


def capture_whole(model: nn.Module, input_shape: Shape, *, batch: int = 2) -> Captured:
    """Read the layers of a model and its weights; the model itself is not changed.

    A weight that is computed from stored ones is stored as it acts; one that is used several times
    is copied, once for each use.

    Args:
        model: any module that maps (B, C, H, W) images to (B, classes) logits, alone or as the
            one tensor of a tuple, list, dict or named tuple.
        input_shape: (C, H, W).
        batch: images of the example that the model is captured with.

    Raises:
        InvalidNetworkError: a layer cannot be lowered (named, with where it sits), or the layers
            as read do not compute what the model computes.
    """
    graph, stored = read(_export(model, input_shape, batch), input_shape)
    device, dtype = _place(model)
    state = stored.state()
    with _evaluating(model):
        for amplitude in AMPLITUDES:
            images = random_images(batch, input_shape, amplitude, seed=0)
            compare(model, graph, images.to(device, dtype), state=state, batch=batch)
    state = {n: t.to(dtype) if t.is_floating_point() else t for n, t in state.items()}
    return Captured(graph=graph, state=state, copies=stored.copies, computed=stored.computed)


def capture_parts(
    model: nn.Module, input_shape: Shape, *, batch: int = 2
) -> tuple[LayerGraph, tuple[Refusal, ...]]:
    """The layers of a model that can be packed, and what cannot be lowered; see `read_parts`.

    Raises:
        InvalidNetworkError: torch.export cannot capture the model, or no layer can be packed.
    """
    return read_parts(_export(model, input_shape, batch), input_shape)


def _export(model: nn.Module, input_shape: Shape, batch: int) -> torch.export.ExportedProgram:
    check_kind(model)
    device, dtype = _place(model)
    example = random_images(batch, input_shape, 1.0, seed=0)[:batch].to(device, dtype)
    with _evaluating(model):
        try:
            with OneType(), warnings.catch_warnings():  # advice of torch's to the model's author
                warnings.simplefilter("ignore")
                return _tidied(torch.export.export(model, (example,)))
        except SystopackError:
            raise
        # The model's own code runs here, and it may raise anything.
        except (Exception, SystemExit) as error:
            raise InvalidNetworkError(
                f"The model cannot be captured by torch.export with images of {input_shape}: "
                f"{one_line(error)}; check the size of the images, and that the model's code "
                "takes no branch on their values."
            ) from error


def _tidied(program: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
    """Without what nothing reads; what an operation changed in place is read from it."""
    for node in reversed(program.graph.nodes):
        if node.op == "call_function" and not node.users and not _changes_its_operand(node):
            program.graph.erase_node(node)
    done: set[Any] = set()
    for node in program.graph.nodes:
        done.add(node)
        if node.op == "call_function" and _changes_its_operand(node):
            node.args[0].replace_all_uses_with(node, lambda user, done=done: user not in done)
    return program


def _changes_its_operand(node: Any) -> bool:
    schema = getattr(node.target, "_schema", None)
    first = next(iter(schema.arguments), None) if schema is not None else None
    written = first is not None and first.alias_info is not None and first.alias_info.is_write
    return written and hasattr(next(iter(node.args), None), "users")


def check_kind(model: nn.Module) -> None:
    """Refuse modules that cannot be traced, with what would help.

    Raises:
        InvalidNetworkError: it is one.
    """
    if isinstance(model, torch.jit.ScriptModule):
        raise InvalidNetworkError(
            "The model is a TorchScript module, which torch.export does not take; give the "
            "nn.Module that it was scripted or traced from."
        )
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if nn.parameter.is_lazy(tensor):
            raise InvalidNetworkError(
                f"'{name}' has no size yet, since its layer is a lazy module; run the model once "
                "on an image of the right size before it is given, or load its weights."
            )
        if tensor.is_meta:
            raise InvalidNetworkError(
                f"'{name}' is on the device 'meta', so it has a shape and no numbers; load the "
                "model's weights before it is given."
            )
        if tensor.is_complex():
            raise InvalidNetworkError(
                f"'{name}' holds complex numbers; a layer's weights must be real."
            )


def _place(model: nn.Module) -> tuple[torch.device, torch.dtype]:
    """Where the model computes, and in which type."""
    floating: Tensor | None = next((p for p in model.parameters() if p.is_floating_point()), None)
    if floating is None:
        return torch.device("cpu"), torch.float32
    return floating.device, floating.dtype


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode; afterwards every module is in the mode that it was in."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
