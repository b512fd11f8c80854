"""Capture a torch model as a `LayerGraph`, with `torch.export`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from systopack.errors import InvalidNetworkError
from systopack.frontend.graph import LayerGraph
from systopack.frontend.module import graph_logits
from systopack.frontend.reader import read, read_parts
from systopack.frontend.reading.state import Refusal
from systopack.network.nodes import Shape

_TOLERANCE = 1e-4  # of the largest logit; float32 sums in another order differ by about 1e-6


def capture(model: nn.Module, input_shape: Shape, *, batch: int = 2) -> LayerGraph:
    """Read the layers of a model; the model itself is not changed.

    Args:
        model: any module that maps (B, C, H, W) float images to (B, classes) logits.
        input_shape: (C, H, W).
        batch: images of the example that the model is captured with.

    Raises:
        InvalidNetworkError: a layer cannot be lowered (named, with where it sits), or the layers
            as read do not compute what the model computes.
    """
    program, example = _export(model, input_shape, batch)
    graph = read(program, input_shape)
    with _evaluating(model):
        compare(model, graph, example)
    return graph


def capture_parts(
    model: nn.Module, input_shape: Shape, *, batch: int = 2
) -> tuple[LayerGraph, tuple[Refusal, ...]]:
    """The layers of a model that can be packed, and what cannot be lowered; see `read_parts`.

    Raises:
        InvalidNetworkError: torch.export cannot capture the model, or no layer can be packed.
    """
    program, _ = _export(model, input_shape, batch)
    return read_parts(program, input_shape)


def _export(
    model: nn.Module, input_shape: Shape, batch: int
) -> tuple[torch.export.ExportedProgram, Tensor]:
    example = torch.randn(batch, *input_shape, generator=torch.Generator().manual_seed(0))
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    example = example.to(device)
    with _evaluating(model):
        try:
            return torch.export.export(model, (example,)), example
        except (torch._dynamo.exc.TorchDynamoException, RuntimeError, TypeError) as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise InvalidNetworkError(
                f"The model cannot be captured by torch.export with images of {input_shape}: "
                f"{reason.rstrip('.')}."
            ) from error


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def compare(model: nn.Module, graph: LayerGraph, images: Tensor, *, batch: int = 0) -> None:
    """Check on images that the layers compute what the model computes.

    Args:
        model: in evaluation mode.
        images: normalised, shape (B, C, H, W).
        batch: images that the model takes at once; 0: all.

    Raises:
        InvalidNetworkError: they do not.
    """
    with torch.no_grad():
        parts = [model(part) for part in torch.split(images, batch or len(images))]
    expected = torch.cat(parts).flatten(1)
    got = graph_logits(graph, model.state_dict(), images)
    if graph.ending != "none":
        got = got.softmax(dim=1) if graph.ending == "softmax" else got.log_softmax(dim=1)
    limit = _TOLERANCE * float(expected.abs().max() + 1)
    if got.shape != expected.shape or not torch.allclose(got, expected, rtol=0, atol=limit):
        difference = "another shape"
        if got.shape == expected.shape:
            difference = f"largest difference {float((got - expected).abs().max()):.3g}"
        raise InvalidNetworkError(
            f"The captured layers do not compute what the model computes ({difference}, allowed "
            f"{limit:.3g}); please report the model."
        )
