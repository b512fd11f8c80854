"""Capture a torch model as a `LayerGraph`, with `torch.export`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from systopack.errors import InvalidNetworkError, SystopackError, one_line
from systopack.frontend.comparison import AMPLITUDES, compare, random_images
from systopack.frontend.graph import LayerGraph
from systopack.frontend.parts import read_parts
from systopack.frontend.reader import read
from systopack.frontend.reading.state import Refusal, RefusedError
from systopack.network.nodes import Shape


def capture(model: nn.Module, input_shape: Shape, *, batch: int = 2) -> LayerGraph:
    """Read the layers of a model; the model itself is not changed.

    Args:
        model: any module that maps (B, C, H, W) images to (B, classes) logits, alone or as the
            one tensor of a tuple, list, dict or named tuple.
        input_shape: (C, H, W).
        batch: images of the example that the model is captured with.

    Raises:
        InvalidNetworkError: a layer cannot be lowered (named, with where it sits), or the layers
            as read do not compute what the model computes.
    """
    try:
        graph = read(_export(model, input_shape, batch), input_shape)
    except RefusedError as error:
        raise RefusedError(_explained(error.refusal, model)) from error
    device, dtype = _place(model)
    with _evaluating(model):
        for amplitude in AMPLITUDES:
            images = random_images(batch, input_shape, amplitude, seed=0)
            compare(model, graph, images.to(device, dtype), batch=batch)
    return graph


def capture_parts(
    model: nn.Module, input_shape: Shape, *, batch: int = 2
) -> tuple[LayerGraph, tuple[Refusal, ...]]:
    """The layers of a model that can be packed, and what cannot be lowered; see `read_parts`.

    Raises:
        InvalidNetworkError: torch.export cannot capture the model, or no layer can be packed.
    """
    return read_parts(
        _export(model, input_shape, batch),
        input_shape,
        explain=lambda refusal: _explained(refusal, model),
    )


def _explained(refusal: Refusal, model: nn.Module) -> Refusal:
    """What to do about a parametrized weight, whichever of its operations was met first."""
    layer = ("." + refusal.layer).partition(".parametrizations")[0].removeprefix(".")
    module = dict(model.named_modules()).get(layer)
    if module is None or not parametrize.is_parametrized(module):
        return refusal
    return Refusal(
        layer=layer,
        operation="parametrization",
        reason="computes a weight anew at every run; store the weights of all such layers with "
        "torch.nn.utils.parametrize.remove_parametrizations",
    )


def _export(model: nn.Module, input_shape: Shape, batch: int) -> torch.export.ExportedProgram:
    check_kind(model)
    device, dtype = _place(model)
    example = random_images(batch, input_shape, 1.0, seed=0)[:batch].to(device, dtype)
    with _evaluating(model):
        try:
            with warnings.catch_warnings():  # advice of torch's to the model's author
                warnings.simplefilter("ignore")
                return torch.export.export(model, (example,))
        except SystopackError:
            raise
        # The model's own code runs here, and it may raise anything.
        except (Exception, SystemExit) as error:
            raise InvalidNetworkError(
                f"The model cannot be captured by torch.export with images of {input_shape}: "
                f"{one_line(error)}; check the size of the images, and that the model's code "
                "takes no branch on their values."
            ) from error


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
