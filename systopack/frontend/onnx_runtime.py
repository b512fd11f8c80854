"""An ONNX model run by its own runtime, and a reading of it compared with that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from systopack.errors import InvalidNetworkError, one_line
from systopack.frontend.comparison import AMPLITUDES, disagreement, random_images
from systopack.frontend.steps import Steps
from systopack.network.nodes import Shape

Runtime = Callable[[NDArray[np.float32]], NDArray[Any]]
_NOISE = 2.0**-21  # of the largest output: the runtime rounds to float32
_TIMES = 16  # what rounding does in one order of sums, against another order


def run_onnx(model: Any, images: NDArray[np.float32], *, batch: int) -> NDArray[Any]:
    """The output of an ONNX model, by onnxruntime where it is installed.

    Args:
        model: a loaded `onnx.ModelProto`.
        batch: images that it takes at once.

    Raises:
        InvalidNetworkError: the runtime refuses the model.
    """
    return runtime_of(model, batch=batch)(images)


def runtime_of(model: Any, *, batch: int) -> Runtime:
    """The same as a function of the images, which may be called many times.

    Raises:
        InvalidNetworkError: as `run_onnx`.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    name = next(value.name for value in model.graph.input if value.name not in weights)
    with _refusing():
        session = _session(model)

    def run(images: NDArray[np.float32]) -> NDArray[Any]:
        feed = [images[start : start + batch] for start in range(0, len(images), batch)]
        with _refusing():
            return np.concatenate([np.asarray(session.run(None, {name: part})[0]) for part in feed])

    return run


def node_runtime(model: Any) -> Callable[[Sequence[NDArray[np.float32]]], NDArray[Any]]:
    """A model of one node as a function of its inputs."""
    names = [value.name for value in model.graph.input]
    with _refusing():
        session = _session(model)

    def run(arrays: Sequence[NDArray[np.float32]]) -> NDArray[Any]:
        with _refusing():
            return np.asarray(session.run(None, dict(zip(names, arrays, strict=True)))[0])

    return run


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # the runtime has errors of its own kinds
        raise InvalidNetworkError(
            f"The ONNX runtime cannot run the model ({one_line(error)}); export it again."
        ) from error


def _session(model: Any) -> Any:
    try:
        import onnxruntime
    except ImportError:
        from onnx.reference import ReferenceEvaluator

        return ReferenceEvaluator(model)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def compare_with_runtime(
    path: Path, runtime: Runtime, module: Steps, shape: Shape, batch: int
) -> None:
    """Check that a module computes what the runtime computes, on the outputs' own scale.

    The rule is that of `comparison.compare`. The runtime computes in float32, so what rounding
    does is measured: by how much the module's float32 differs from its float64.

    Args:
        runtime: images (B, C, H, W), float32, to outputs.
        batch: images that both take at once.

    Raises:
        InvalidNetworkError: it does not.
    """
    for amplitude in AMPLITUDES:
        images = random_images(batch, shape, amplitude, seed=1)
        expected = torch.from_numpy(np.asarray(runtime(images.numpy()), dtype=np.float64))
        got = _run(module, images, batch, torch.float64)
        rounding = float((got - _run(module, images, batch, torch.float32)).abs().max())
        found = disagreement(
            expected.flatten(1), got.flatten(1), noise=_NOISE, extra=_TIMES * rounding
        )
        if expected.shape != got.shape:
            found = f"shape {tuple(got.shape)} instead of {tuple(expected.shape)}"
        if found:
            raise InvalidNetworkError(
                f"'{path}' as systopack reads it does not compute what the ONNX runtime computes "
                f"({found}); please report the model."
            )


def _run(module: Steps, images: Tensor, batch: int, dtype: torch.dtype) -> Tensor:
    """The module's outputs, as float64, computed in a type."""
    state = {name: tensor.to(dtype) for name, tensor in module.state_dict().items()}
    with torch.no_grad():
        parts = [
            torch.func.functional_call(module, state, (part.to(dtype),))
            for part in torch.split(images, batch)
        ]
    return torch.cat(parts).double()
