"""Read an ONNX classifier as a torch module with the file's own weight names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from systopack.errors import InvalidFileError, InvalidNetworkError, InvalidOptionError
from systopack.frontend.onnx_steps import TRANSLATIONS, Call
from systopack.frontend.steps import Reference, Step, Steps
from systopack.network.nodes import Shape

_TOLERANCE = 1e-4  # of the largest logit
_TRAINED = {
    "Conv": (1, 2),
    "Gemm": (1, 2),
    "MatMul": (1,),
    "BatchNormalization": (1, 2),
}  # positions of what is trained


def load_onnx(path: Path, *, input_shape: Shape | None) -> tuple[Steps, Shape]:
    """Read a file; the result is compared with the file itself, run by its own runtime.

    Args:
        input_shape: (C, H, W) where the file leaves it open.

    Returns:
        The model as a module, and (C, H, W) of its images.

    Raises:
        InvalidFileError: no ONNX file.
        InvalidNetworkError: an operation that is not known, by name; or the module and the file
            compute different things.
    """
    onnx = onnx_package()
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except FileNotFoundError as error:
        raise InvalidFileError(f"'{path}' does not exist; give a file.onnx.") from error
    except (DecodeError, onnx.checker.ValidationError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "no content"
        raise InvalidFileError(f"'{path}' is damaged or no ONNX file ({reason}).") from error
    shape, batch = _input_shape(path, model, input_shape)
    module = _Translation(path, model).module(shape, batch)
    _compare(path, model, module, shape, batch)
    return module, shape


def onnx_package() -> Any:
    """The `onnx` package, with all of it that is used here.

    Raises:
        InvalidOptionError: it is not installed.
    """
    try:
        import onnx
        import onnx.checker
    except ImportError as error:
        raise InvalidOptionError(
            "ONNX files need the onnx package; install it with: pip install 'systopack[onnx]'."
        ) from error
    return onnx


def _input_shape(path: Path, model: Any, given: Shape | None) -> tuple[Shape, int]:
    weights = {tensor.name for tensor in model.graph.initializer}
    images = [value for value in model.graph.input if value.name not in weights]
    if len(images) != 1 or len(model.graph.output) != 1:
        raise InvalidFileError(
            f"'{path}' has {len(images)} inputs and {len(model.graph.output)} outputs; systopack "
            "reads models with one input, the images, and one output, the logits."
        )
    sizes = [d.dim_value for d in images[0].type.tensor_type.shape.dim]
    if len(sizes) != 4:
        raise InvalidFileError(f"'{path}' reads tensors of {len(sizes)} axes, but images have 4.")
    if min(sizes[1:]) < 1 and given is None:
        raise InvalidOptionError(
            f"'{path}' leaves the size of its images open; give it, for instance "
            "--input-shape 3x32x32."
        )
    shape = tuple(size or (given or (0, 0, 0))[axis] for axis, size in enumerate(sizes[1:]))
    return (shape[0], shape[1], shape[2]), sizes[0] or 2


class _Translation:
    """Runs the file once on zeros, so that every shape is known, and notes the steps."""

    def __init__(self, path: Path, model: Any) -> None:
        from onnx import numpy_helper

        self._path, self._model = path, model
        self._constants: dict[str, NDArray[Any]] = {
            tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer
        }
        self._tensors: dict[str, Tensor] = {}  # values that depend on the images
        self._state: dict[str, Tensor] = {}
        self._keys: dict[str, str] = {}  # weight in the file -> its name in the state dict
        self._trained: set[str] = set()
        self._steps: list[Step] = []
        self._open: dict[str, int] = {}  # value -> step without a bias that makes it
        self._readers: dict[str, int] = {}
        for node in model.graph.node:
            for name in node.input:
                self._readers[name] = self._readers.get(name, 0) + 1

    def module(self, shape: Shape, batch: int) -> Steps:
        graph = self._model.graph
        images = next(value.name for value in graph.input if value.name not in self._constants)
        self._tensors[images] = torch.zeros(batch, *shape)
        for node in graph.node:
            self._node(node)
        output = graph.output[0].name
        if output not in self._tensors:
            raise InvalidNetworkError(f"The output of '{self._path}' does not read its images.")
        return Steps(
            state=self._state,
            trained=self._trained,
            steps=self._steps,
            images=images,
            logits=output,
        ).eval()

    def _node(self, node: Any) -> None:
        from onnx import helper

        attributes = {a.name: _plain(helper.get_attribute_value(a)) for a in node.attribute}
        place = node.name or node.output[0]
        if node.op_type == "Shape" and node.input[0] in self._tensors:
            self._constants[node.output[0]] = np.array(self._tensors[node.input[0]].shape)
            return
        if not any(name in self._tensors for name in node.input):
            self._fold(node)
            return
        if node.domain not in ("", "ai.onnx"):
            raise InvalidNetworkError(
                f"Operation '{node.op_type}' in '{place}' is of the domain '{node.domain}', which "
                "systopack does not read; export the model with the standard operations."
            )
        if node.op_type in ("Gemm", "MatMul"):
            self._linear(node, place, attributes)
        elif node.op_type == "Add" and self._add_bias(node):
            return
        else:
            self._call(node, place, attributes)

    def _call(self, node: Any, place: str, attributes: dict[str, Any]) -> None:
        weights = _TRAINED.get(node.op_type, ())
        stored = node.op_type in ("Conv", "BatchNormalization")
        tensors, constants = {}, {}
        for position, name in enumerate(node.input):
            if name in self._tensors:
                tensors[position] = name
            elif name and (stored or node.op_type in ("Add", "Mul", "Sub", "Div")):
                tensors[position] = self._weight(name, trained=position in weights)
            elif name:
                constants[position] = self._constants[name]
        call = Call(
            operation=node.op_type,
            place=place,
            attributes=attributes,
            shapes={i: tuple(self._value(name).shape) for i, name in tensors.items()},
            constants=constants,
            results=len(node.output),
        )
        translate = TRANSLATIONS.get(node.op_type)
        if translate is None:
            call.refuse("is no operation that systopack can lower")
        self._append(call.place, translate(call), list(tensors.values()), list(node.output))
        if node.op_type == "Conv" and len(tensors) == 2:
            self._open[node.output[0]] = len(self._steps) - 1

    def _linear(self, node: Any, place: str, attributes: dict[str, Any]) -> None:
        """Gemm and MatMul; the weight is kept as (N, M), as torch keeps it."""
        call = Call(
            operation=node.op_type,
            place=place,
            attributes=attributes,
            shapes={},
            constants={},
            results=1,
        )
        scales = [attributes.get(name, 1.0) for name in ("alpha", "beta")]
        if node.input[1] in self._tensors or scales != [1.0, 1.0] or attributes.get("transA"):
            call.refuse("is no product of a tensor with a stored weight")
        transposed = not attributes.get("transB", 0)
        if self._constants[node.input[1]].ndim != 2:
            call.refuse("is no product with a filter matrix")
        names = [node.input[0], self._weight(node.input[1], trained=True, transposed=transposed)]
        if len(node.input) > 2 and node.input[2]:
            names.append(self._weight(node.input[2], trained=True))
        self._append(place, torch.nn.functional.linear, names, list(node.output))
        if len(names) == 2:
            self._open[node.output[0]] = len(self._steps) - 1

    def _add_bias(self, node: Any) -> bool:
        """Take an addition of one number a channel into the layer before it."""
        for value, other in (node.input, reversed(node.input)):
            number = self._open.get(value)
            if number is None or other in self._tensors or self._readers[value] > 1:
                continue
            step, constant = self._steps[number], self._constants[other]
            rows = self._tensors[value].shape[1]
            axes = constant.ndim - (0 if self._tensors[value].ndim == 2 else 2)
            if constant.size != rows or axes not in (1, 2) or constant.shape[axes - 1] != rows:
                continue
            name = self._weight(other, trained=True, flat=True)
            self._steps.pop(number)
            arguments = [a.name for a in step.arguments]
            self._append(step.place, step.function, [*arguments, name], list(node.output), number)
            del self._open[value]
            return True
        return False

    def _append(
        self,
        place: str,
        function: Any,
        names: list[str],
        results: list[str],
        number: int | None = None,
    ) -> None:
        """Add a step and run it on the example."""
        step = Step(
            place=place.strip("/").replace("/", "."),
            function=function,
            arguments=[Reference(name=name) for name in names],
            keywords={},
            results=tuple(results),
        )
        self._steps.insert(len(self._steps) if number is None else number, step)
        try:
            with torch.no_grad():
                value = function(*(self._value(name) for name in names))
        except (RuntimeError, TypeError, IndexError) as error:
            reason = str(error).splitlines()[0]
            raise InvalidNetworkError(f"Operation in '{place}' cannot be run: {reason}.") from error
        values = [value] if isinstance(value, Tensor) else list(value)
        self._tensors.update(zip(results, values, strict=False))

    def _value(self, name: str) -> Tensor:
        return self._tensors[name] if name in self._tensors else self._state[name]

    def _weight(
        self, name: str, *, trained: bool, transposed: bool = False, flat: bool = False
    ) -> str:
        """Keep a constant as a tensor of the state dict; its name there."""
        if name not in self._keys:
            key = ".".join(part or "_" for part in name.split("."))
            taken = any(k == key or k.startswith(f"{key}.") for k in self._state)
            inside = any(key.startswith(f"{k}.") for k in self._state)
            key = key.replace(".", "_") if taken or inside else key
            array = self._constants[name].T if transposed else self._constants[name]
            tensor = torch.from_numpy(np.array(array, order="C"))
            self._state[key] = tensor.reshape(-1) if flat else tensor
            self._keys[name] = key
        if trained:
            self._trained.add(self._keys[name])
        return self._keys[name]

    def _fold(self, node: Any) -> None:
        """A node that reads constants alone is a constant."""
        import onnx
        from onnx.reference import ReferenceEvaluator

        inputs = [onnx.ValueInfoProto(name=name) for name in node.input if name]
        outputs = [onnx.ValueInfoProto(name=name) for name in node.output]
        graph = onnx.GraphProto(name="one", node=[node], input=inputs, output=outputs)
        one = onnx.ModelProto(
            graph=graph, opset_import=self._model.opset_import, ir_version=self._model.ir_version
        )
        values: Any = ReferenceEvaluator(one).run(
            None, {name: self._constants[name] for name in node.input if name}
        )
        self._constants.update(zip(node.output, values, strict=True))


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    return value


def run_onnx(model: Any, images: NDArray[np.float32], *, batch: int) -> NDArray[Any]:
    """The output of an ONNX model, by onnxruntime where it is installed.

    Args:
        model: a loaded `onnx.ModelProto`.
        batch: images that it takes at once.
    """
    feed = [images[start : start + batch] for start in range(0, len(images), batch)]
    weights = {tensor.name for tensor in model.graph.initializer}
    name = next(value.name for value in model.graph.input if value.name not in weights)
    try:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session: Any = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except ImportError:
        from onnx.reference import ReferenceEvaluator

        session = ReferenceEvaluator(model)
    return np.concatenate([np.asarray(session.run(None, {name: part})[0]) for part in feed])


def _compare(path: Path, model: Any, module: Steps, shape: Shape, batch: int) -> None:
    images = torch.randn(batch, *shape, generator=torch.Generator().manual_seed(1))
    expected = run_onnx(model, images.numpy(), batch=batch)
    with torch.no_grad():
        got = module(images).numpy()
    limit = _TOLERANCE * float(np.abs(expected).max() + 1)
    if got.shape != expected.shape or not np.allclose(got, expected, rtol=0, atol=limit):
        raise InvalidNetworkError(
            f"'{path}' as systopack reads it does not compute what the ONNX runtime computes; "
            "please report the model."
        )
