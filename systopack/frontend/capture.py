"""Capture a torch model as a `LayerGraph`, with `torch.export`."""

from __future__ import annotations

import torch
from torch import nn

from systopack.errors import InvalidNetworkError
from systopack.frontend.execute import execute, folded_weights
from systopack.frontend.graph import LayerGraph
from systopack.frontend.reader import Reader
from systopack.network.nodes import Shape

_TOLERANCE = 1e-4  # of the largest logit; float32 sums in another order differ by about 1e-6


def capture(model: nn.Module, input_shape: Shape) -> LayerGraph:
    """Read the layers of a model; the model itself is not changed.

    Args:
        model: any module that maps (B, C, H, W) float images to (B, classes) logits.
        input_shape: (C, H, W).

    Raises:
        InvalidNetworkError: a layer cannot be lowered (named, with where it sits), or the layers
            as read do not compute what the model computes.
    """
    training = model.training
    model.eval()
    example = torch.randn(2, *input_shape, generator=torch.Generator().manual_seed(0))
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    try:
        program = torch.export.export(model, (example.to(device),))
        graph = Reader(program, input_shape).read()
        _compare(model, graph, example.to(device))
    except torch._dynamo.exc.TorchDynamoException as error:
        raise InvalidNetworkError(
            f"The model cannot be captured by torch.export: {str(error).splitlines()[0]}."
        ) from error
    finally:
        model.train(training)
    return graph


def _compare(model: nn.Module, graph: LayerGraph, images: torch.Tensor) -> None:
    state = model.state_dict()
    with torch.no_grad():
        expected = model(images).flatten(1)
        tensors = execute(graph, images, weights_of=lambda op: folded_weights(op, state))
        got = tensors[graph.ops[-1].name].flatten(1)
    if got.shape != expected.shape or not torch.allclose(
        got, expected, rtol=0, atol=_TOLERANCE * float(expected.abs().max() + 1)
    ):
        raise InvalidNetworkError(
            "The captured layers do not compute what the model computes (largest difference "
            f"{float((got - expected).abs().max()):.3g}); please report the model."
        )
