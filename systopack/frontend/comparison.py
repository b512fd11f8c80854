"""Whether two readings of a model compute the same, measured on the outputs' own scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import log
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree

from systopack.errors import InvalidNetworkError, SystopackError, one_line
from systopack.frontend.graph import Ending, LayerGraph
from systopack.frontend.module import graph_logits
from systopack.frontend.one_type import OneType
from systopack.network.nodes import Shape

# How large random images are: large ones drown an offset and reach clips, small ones leave a
# sharp softmax unsaturated.
AMPLITUDES = (1.0, 64.0, 1 / 64)
_SHARE = 1e-4  # of an output's range over the images
_DOUBLE_NOISE = 1e-12  # of the largest output: sums of float64 in another order
_SINGLE_NOISE = 2.0**-20  # likewise of float32
_SMALLEST = 1e-30  # probability below which float32 has none


def logits_of(result: Any) -> Tensor:
    """The one tensor that a model returns, also inside a tuple, list, dict or named tuple.

    Of several it is the one that is called `logits`.

    Raises:
        InvalidNetworkError: it returns none or several.
    """
    named = result.get("logits") if isinstance(result, Mapping) else getattr(result, "logits", None)
    if isinstance(named, Tensor):
        return named
    tensors = [leaf for leaf in _pytree.tree_leaves(result) if isinstance(leaf, Tensor)]
    if len(tensors) != 1:
        raise InvalidNetworkError(
            f"The model returns {len(tensors)} tensors, but one is needed, its logits; wrap it in "
            "a module that returns these alone."
        )
    return tensors[0]


def run_model(
    model: nn.Module, images: Tensor, state: Mapping[str, Tensor] | None = None
) -> Tensor:
    """The logits of images, all in their type.

    Args:
        model: in evaluation mode.
        images: normalised, shape (B, C, H, W).
        state: parameters and buffers in place of the model's own.

    Raises:
        InvalidNetworkError: it returns none or several tensors.
    """
    with OneType():
        return logits_of(torch.func.functional_call(model, dict(state or {}), (images,)))


def read_lines(model: nn.Module, shape: Shape, batch: int) -> None:
    """Let a model of signals (B, C, L) read images (B, C, 1, L), where it takes no others."""
    if shape[1] != 1:
        return
    images = torch.zeros(batch, *shape)
    for lines in (False, True):
        try:
            with torch.no_grad():
                run_model(model, images[:, :, 0] if lines else images)
        except (Exception, SystemExit):  # the model's own code
            continue
        if lines:
            take_lines(model)
        return


def take_lines(model: nn.Module) -> None:
    """Let a model of signals (B, C, L) read images (B, C, 1, L)."""
    model.register_forward_pre_hook(lambda _, given: (given[0].squeeze(2), *given[1:]))


def random_images(batch: int, shape: Shape, amplitude: float, *, seed: int) -> Tensor:
    """Normal images (B, C, H, W) of a standard deviation, at least two, a multiple of `batch`."""
    count = batch * -(-2 // batch)
    images = torch.randn(count, *shape, generator=torch.Generator().manual_seed(seed))
    return images * amplitude


def compare(
    model: nn.Module,
    graph: LayerGraph,
    images: Tensor,
    *,
    state: Mapping[str, Tensor] | None = None,
    batch: int = 0,
    rounded: bool = False,
) -> None:
    """Check on images that the layers compute what the model computes.

    Both compute in float64, where the model can. Every output may differ by 1e-4 of its own range
    over the images, and by what rounding explains. So an output that is small, or hardly varies
    around a large offset, is checked as strictly as any other.

    Args:
        model: in evaluation mode.
        images: normalised, shape (B, C, H, W).
        state: the tensors that the layers name; None: those of the model.
        batch: images that the model takes at once; 0: all.
        rounded: weights were computed from those of the model, and rounded to float32.

    Raises:
        InvalidNetworkError: they do not.
    """
    parts = torch.split(images, batch or len(images))
    state = dict(model.state_dict()) if state is None else state
    with torch.no_grad():
        try:
            wide = _as(
                torch.float64,
                {
                    **dict(model.named_parameters(remove_duplicate=False)),
                    **dict(model.named_buffers(remove_duplicate=False)),
                },
            )
            expected = torch.cat([run_model(model, part.double(), wide) for part in parts])
            noise = _SINGLE_NOISE if rounded else _DOUBLE_NOISE
            dtype = torch.float64
        except SystopackError:
            raise
        except (
            Exception,
            SystemExit,
        ):  # a model of others may hold float32 tensors that are no buffers
            expected = _computed(model, parts)
            noise, dtype = _SINGLE_NOISE, expected.dtype
            dtype = dtype if dtype.is_floating_point else torch.float32
        got = graph_logits(graph, _as(dtype, state), images.to(dtype))
    expected = expected.reshape(len(expected), -1).to(dtype)
    if not bool(torch.isfinite(expected).all()):
        raise InvalidNetworkError(
            "The model itself gives NaN or infinite outputs; look for such numbers among its "
            "weights, or train it again."
        )
    expected, got = _opened(expected, got, graph.ending)
    found = disagreement(expected, got, noise=noise)
    if found:
        raise InvalidNetworkError(
            f"The captured layers do not compute what the model computes ({found}); please report "
            "the model."
        )


def _computed(model: nn.Module, parts: Sequence[Tensor]) -> Tensor:
    try:
        return torch.cat([run_model(model, part) for part in parts])
    except SystopackError:
        raise
    except (Exception, SystemExit) as error:  # the model's own code
        raise InvalidNetworkError(
            f"The model cannot be run on images of {tuple(parts[0].shape)}: {one_line(error)}."
        ) from error


def disagreement(expected: Tensor, got: Tensor, *, noise: float, extra: float = 0.0) -> str:
    """What differs between two readings of the same images, empty where they agree.

    Args:
        expected, got: shape (B, K).
        noise: of rounding, as a share of the largest output.
        extra: of rounding, as it was measured.
    """
    if not expected.numel():
        return "it gives no numbers at all"
    if got.shape != expected.shape:
        return f"shape {tuple(got.shape)} instead of {tuple(expected.shape)}"
    if not bool(torch.isfinite(expected).all() and torch.isfinite(got).all()):
        return "there are NaN or infinite outputs"
    ranges = expected.amax(dim=0) - expected.amin(dim=0)
    limits = _SHARE * ranges + noise * expected.abs().max() + extra
    differences = (got - expected).abs().amax(dim=0)
    excess = differences - limits
    worst = int(excess.argmax())
    if float(excess[worst]) <= 0:
        return ""
    return (
        f"output {worst} differs by {float(differences[worst]):.3g}, allowed are "
        f"{float(limits[worst]):.3g}, 1e-4 of its range"
    )


def _opened(expected: Tensor, got: Tensor, ending: Ending) -> tuple[Tensor, Tensor]:
    """Both before they saturate: logarithms of probabilities."""
    if ending == "none":
        return expected, got
    ends: Mapping[Ending, Callable[[Tensor], Tensor]] = {
        "softmax": lambda logits: logits.log_softmax(dim=1),
        "log_softmax": lambda logits: logits.log_softmax(dim=1),
        "sigmoid": torch.nn.functional.logsigmoid,
    }
    if ending != "log_softmax":
        expected = expected.clamp(min=_SMALLEST).log()
    least = log(_SMALLEST)
    return expected.clamp(min=least), ends[ending](got).clamp(min=least)


def _as(dtype: torch.dtype, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name: tensor.detach().to(dtype) if tensor.is_floating_point() else tensor
        for name, tensor in state.items()
    }
