"""Read an ONNX classifier as a torch module with the file's own weight names."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from systopack.errors import (
    InvalidFileError,
    InvalidNetworkError,
    InvalidOptionError,
    SystopackError,
    one_line,
)
from systopack.frontend.bounds import check_images, check_run, without_content
from systopack.frontend.onnx_call import Call
from systopack.frontend.onnx_content import onnx_package, read_onnx, stored_arrays
from systopack.frontend.onnx_folding import Fixed, Folder, shape_array
from systopack.frontend.onnx_opaque import is_baked, opaque_step
from systopack.frontend.onnx_quantized import REMARK
from systopack.frontend.onnx_runtime import compare_with_runtime, run_onnx, runtime_of
from systopack.frontend.onnx_steps import TRANSLATIONS
from systopack.frontend.reading.state import Refusal, RefusedError
from systopack.frontend.steps import Reference, Step, Steps
from systopack.network.nodes import Shape

__all__ = ["load_onnx", "run_onnx"]

_TRAINED = {
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "Gemm": (1, 2),
    "MatMul": (1,),
    "BatchNormalization": (1, 2),
    "LayerNormalization": (1, 2),
    "InstanceNormalization": (1, 2),
    "PRelu": (1,),
}  # positions of what is trained
_WINDOWS = ("Conv", "MaxPool", "AveragePool", "GlobalAveragePool", "BatchNormalization")
_FLAT = ("Reshape", "Flatten", "MatMul", "Gemm")  # after them sizes tell nothing
_CHANNELS = (1, 3, 4)  # of images as cameras give them
_STORED = {*_TRAINED, "Add", "Sub", "Mul", "Div", "Sum"}  # take stored numbers as tensors


def load_onnx(
    path: Path, *, input_shape: Shape | None, partly: bool = False
) -> tuple[Steps, Shape]:
    """Read a file; the result is compared with the file itself, run by its own runtime.

    Args:
        input_shape: (C, H, W) where the file leaves it open.
        partly: operations that cannot be lowered are run by the runtime, and refused by name when
            the module is captured.

    Returns:
        The model as a module, and (C, H, W) of its images.

    Raises:
        InvalidFileError: no ONNX file.
        InvalidNetworkError: an operation that is not known, by name; or the module and the file
            compute different things.
    """
    model, quantized = read_onnx(path)
    shape, batch, last = _input_shape(path, model, input_shape)
    check_images(f"'{path}'", batch, shape)
    module = _Translation(path, model, partly=partly).module(shape, batch, channels_last=last)
    check_run(f"'{path}'", module, batch, shape)
    runtime = runtime_of(model, batch=batch)

    def run(images: NDArray[np.float32]) -> NDArray[Any]:
        return runtime(np.ascontiguousarray(images.transpose(0, 2, 3, 1)) if last else images)

    compare_with_runtime(path, run, module, shape, batch)
    module.remarks = (REMARK,) if quantized else ()
    return module, shape


def _input_shape(path: Path, model: Any, given: Shape | None) -> tuple[Shape, int, bool]:
    """(C, H, W), how many images at once, and whether the file has channels last."""
    onnx = onnx_package()
    weights = {tensor.name for tensor in model.graph.initializer}
    images = [value for value in model.graph.input if value.name not in weights]
    if len(images) != 1 or len(model.graph.output) != 1:
        raise InvalidFileError(
            f"'{path}' has {len(images)} inputs and {len(model.graph.output)} outputs; systopack "
            "reads models with one input, the images, and one output, the logits."
        )
    kind = images[0].type.tensor_type
    if kind.elem_type != onnx.TensorProto.FLOAT:
        raise InvalidFileError(
            f"'{path}' reads images of another type than floating point; leave the conversion "
            "out, so that it reads normalised images."
        )
    sizes = [d.dim_value for d in kind.shape.dim]
    if len(sizes) != 4:
        raise InvalidFileError(f"'{path}' reads tensors of {len(sizes)} axes, but images have 4.")
    last = _channels_last(model, images[0].name, sizes[1:], given)
    if last:
        sizes = [sizes[0], sizes[3], sizes[1], sizes[2]]
    if min(sizes[1:]) < 1 and given is None:
        raise InvalidOptionError(
            f"'{path}' leaves the size of its images open; give it, for instance "
            "--input-shape 3x32x32."
        )
    sizes[1:] = [size if size > 0 else (given or ())[axis] for axis, size in enumerate(sizes[1:])]
    return (sizes[1], sizes[2], sizes[3]), sizes[0] if sizes[0] > 0 else 2, last


def _channels_last(model: Any, images: str, sizes: list[int], given: Shape | None) -> bool:
    """Whether images are (height, width, channels): what the file moves tells, or the sizes."""
    from onnx import helper

    reached = {images}
    for node in model.graph.node:
        if not reached.intersection(node.input):
            continue
        if node.op_type == "Transpose":
            order = {a.name: helper.get_attribute_value(a) for a in node.attribute}.get("perm")
            return list(order or ()) == [0, 3, 1, 2]
        if node.op_type in _WINDOWS:
            return False
        if node.op_type not in _FLAT:
            reached |= set(node.output)
    moved = (sizes[2], sizes[0], sizes[1])
    if given is not None and min(sizes) > 0 and given in (tuple(sizes), moved):
        return given == moved and given != tuple(sizes)
    return sizes[2] in _CHANNELS and sizes[0] not in _CHANNELS


class _Translation:
    """Follows the file's nodes on tensors without content, and notes the steps."""

    def __init__(self, path: Path, model: Any, *, partly: bool) -> None:
        self._path, self._model, self._partly = path, model, partly
        self._constants = stored_arrays(path, model)
        self._folder = Folder(sum(array.nbytes for array in self._constants.values()))
        self._tensors: dict[str, Tensor] = {}  # values that depend on the images
        self._state: dict[str, Tensor] = {}
        self._trained: set[str] = set()
        self._steps: list[Step] = []
        self._open: dict[str, Step] = {}  # value -> layer without a bias that makes it
        self._readers: dict[str, int] = {}
        for node in model.graph.node:
            for name in node.input:
                self._readers[name] = self._readers.get(name, 0) + 1
        versions = [e.version for e in model.opset_import if e.domain in ("", "ai.onnx")]
        self._opset = versions[0] if versions else 1

    def module(self, shape: Shape, batch: int, *, channels_last: bool) -> Steps:
        graph = self._model.graph
        images = next(value.name for value in graph.input if value.name not in self._constants)
        given = f"{images} (channels first)" if channels_last else images
        self._tensors[given] = torch.empty(batch, *shape, device="meta")
        if channels_last:
            order = (0, 2, 3, 1)
            self._append("channels_last", partial(torch.permute, dims=order), [given], [images])
        for node in graph.node:
            self._node(node)
        output = graph.output[0].name
        if output not in self._tensors or output == images:
            raise InvalidNetworkError(f"The output of '{self._path}' does not read its images.")
        return Steps(
            state=self._state,
            trained=self._trained,
            steps=self._steps,
            images=given,
            logits=output,
        ).eval()

    def _node(self, node: Any) -> None:
        from onnx import helper

        attributes = {a.name: _plain(helper.get_attribute_value(a)) for a in node.attribute}
        place = node.name or next(iter(node.output), node.op_type)
        for name in node.input:
            if name and name not in self._tensors and name not in self._constants:
                raise InvalidNetworkError(
                    f"Operation '{node.op_type}' in '{place}' reads '{name}', which no operation "
                    "before it gives; export the model again."
                )
        if any(name in self._tensors or name in self._constants for name in node.output):
            raise InvalidNetworkError(
                f"Operation '{node.op_type}' in '{place}' gives '{node.output[0]}', which is there "
                "already; export the model again."
            )
        if node.op_type == "Shape" and node.input[0] in self._tensors:
            sizes = self._tensors[node.input[0]].shape
            self._constants[node.output[0]] = shape_array(sizes, attributes)
        elif not any(name in self._tensors for name in node.input):
            inputs = [self._constants[name] if name else None for name in node.input]
            fixed = Fixed(
                node=node, place=place, inputs=inputs, attributes=attributes, opset=self._opset
            )
            self._constants.update(zip(node.output, self._folder.fold(fixed), strict=False))
        else:
            kept = set(self._state)
            try:
                self._step(node, place, attributes)
            except RefusedError as error:
                if not self._partly:
                    raise
                for name in self._state.keys() - kept:
                    del self._state[name]
                self._opaque(node, place, error.refusal)

    def _step(self, node: Any, place: str, attributes: dict[str, Any]) -> None:
        if node.op_type in ("Gemm", "MatMul"):
            self._linear(node, place, attributes)
        elif node.op_type != "Add" or not self._absorb(node):
            self._call(node, place, attributes)

    def _opaque(self, node: Any, place: str, refusal: Refusal) -> None:
        """Run an operation that cannot be read by the runtime; its parameters keep their names."""
        shapes: dict[str, tuple[int, ...]] = {}
        given, baked = {}, {}
        for name in dict.fromkeys(name for name in node.input if name):
            if name not in self._tensors and is_baked(self._constants[name]):
                baked[name] = self._constants[name]
                continue
            stored = name not in self._tensors
            given[name] = self._weight(place, name, trained=True, flat=False) if stored else name
            shapes[name] = tuple(self._value(given[name]).shape)
        order = sorted(shapes, key=lambda name: name not in self._tensors)  # images first
        function = opaque_step(
            node,
            opset=self._opset,
            shapes={name: shapes[name] for name in order},
            baked=baked,
            refusal=refusal,
        )
        self._append(place, function, [given[name] for name in order], list(node.output[:1]))

    def _call(self, node: Any, place: str, attributes: dict[str, Any]) -> None:
        weights = _TRAINED.get(node.op_type, ())
        tensors, constants = {}, {}
        for position, name in enumerate(node.input):
            if name in self._tensors:
                tensors[position] = name
            elif name and node.op_type in _STORED:
                tensors[position] = self._weight(
                    place, name, trained=position in weights, flat=node.op_type == "PRelu"
                )
            elif name:
                constants[position] = self._constants[name]
        call = Call(
            operation=node.op_type,
            place=place,
            attributes=attributes,
            shapes={i: tuple(self._value(name).shape) for i, name in tensors.items()},
            constants=constants,
            results=len([name for name in node.output if name]),
            opset=self._opset,
        )
        translate = TRANSLATIONS.get(node.op_type)
        if translate is None:
            call.refuse("is no operation that systopack can lower")
        ordered = node.op_type not in ("Max", "Min")
        if ordered and list(tensors) != list(range(max(len(tensors), 1))):
            call.refuse("reads stored numbers where the images should be")
        if node.op_type == "Dropout" and any(self._readers.get(name) for name in node.output[1:]):
            call.refuse("gives a mask that is read; export the model after model.eval()")
        try:
            function = translate(call)
        except SystopackError:
            raise
        except Exception as error:  # attributes of another form, or too few inputs
            call.refuse(f"is used in a form that systopack cannot lower ({one_line(error)})")
        outputs = list(node.output[:1] if node.op_type == "Dropout" else node.output)
        step = self._append(place, function, list(tensors.values()), outputs)
        if node.op_type == "Conv" and len(tensors) == 2:
            self._open[node.output[0]] = step

    def _linear(self, node: Any, place: str, attributes: dict[str, Any]) -> None:
        """Gemm and MatMul; the weight is kept as (N, M), as torch keeps it."""

        def refuse(reason: str) -> NoReturn:
            reason = f"{reason}; run it outside the network"
            raise RefusedError(Refusal(layer=place, operation=node.op_type, reason=reason))

        stored = [name for name in node.input if name]
        if len(stored) < 2 or stored[0] not in self._tensors or attributes.get("transA", 0):
            refuse("is no product of a tensor with a stored weight")
        if any(name in self._tensors for name in stored[1:]):
            refuse("is no product of a tensor with a stored weight")
        weight = self._constants[stored[1]]
        if weight.ndim != 2 or weight.dtype.kind != "f":
            refuse("is no product with a filter matrix of floating point numbers")
        rows = weight.shape[0] if attributes.get("transB", 0) else weight.shape[1]
        weight = weight if attributes.get("transB", 0) else weight.T
        scaled = weight * np.float32(attributes.get("alpha", 1.0))
        names = [stored[0], self._keep(stored[1], scaled, trained=True)]
        if len(stored) > 2:
            bias = self._constants[stored[2]] * np.float32(attributes.get("beta", 1.0))
            if bias.size not in (1, rows) or bias.shape[-1:] not in ((), (1,), (rows,)):
                refuse("adds something other than one number a row")
            bias = np.broadcast_to(bias.reshape(-1), (rows,))
            names.append(self._keep(stored[2], bias, trained=True))
        step = self._append(place, torch.nn.functional.linear, names, list(node.output))
        if len(names) == 2:
            self._open[node.output[0]] = step

    def _absorb(self, node: Any) -> bool:
        """Make one number a row that is added to a layer without a bias its bias."""
        inputs = list(node.input)
        if len(inputs) == 2 and inputs[0] in self._constants:
            inputs.reverse()
        step = self._open.get(inputs[0]) if len(inputs) == 2 else None
        if step is None or inputs[1] in self._tensors or self._readers[inputs[0]] > 1:
            return False
        numbers = self._one_a_channel(self._tensors[inputs[0]], self._constants[inputs[1]])
        if numbers is None:
            return False
        names = [argument.name for argument in step.arguments]
        names.append(self._keep(inputs[1], numbers, trained=True))
        number = self._steps.index(step)
        del self._steps[number], self._open[inputs[0]]
        self._append(step.place, step.function, names, [node.output[0]], number)
        return True

    @staticmethod
    def _one_a_channel(tensor: Tensor, constant: NDArray[Any]) -> NDArray[Any] | None:
        """A stored operand as one number a channel (C,), None where it is anything else."""
        rows, rank = tensor.shape[1], tensor.ndim
        full = (1,) * (rank - constant.ndim) + constant.shape
        others = len(full) == rank and all(full[a] == 1 for a in range(rank) if a != 1)
        if not others or full[1] not in (1, rows) or constant.dtype.kind != "f":
            return None
        return np.broadcast_to(constant.reshape(-1), (rows,))

    def _append(
        self,
        place: str,
        function: Any,
        names: list[str],
        results: list[str],
        number: int | None = None,
    ) -> Step:
        """Add a step, and run it on tensors without content."""
        step = Step(
            place=place.strip("/").replace("/", "."),
            function=function,
            arguments=[Reference(name=name) for name in names],
            keywords={},
            results=tuple(results),
        )
        self._steps.insert(len(self._steps) if number is None else number, step)
        with without_content(f"Operation in '{place}'"):
            value = function(*(self._value(name) for name in names))
        values = [value] if isinstance(value, Tensor) else list(value)
        self._tensors.update(zip(results, values, strict=False))
        return step

    def _value(self, name: str) -> Tensor:
        return self._tensors[name] if name in self._tensors else self._state[name].to("meta")

    def _weight(self, place: str, name: str, *, trained: bool, flat: bool) -> str:
        """Keep a constant; its name in the state dict."""
        array = self._constants[name]
        if array.dtype.kind != "f":
            raise InvalidNetworkError(
                f"The operation in '{place}' computes with '{name}', which holds whole numbers; "
                "its numbers must be of floating point."
            )
        return self._keep(name, array.reshape(-1) if flat else array, trained=trained)

    def _keep(self, name: str, array: NDArray[Any], *, trained: bool) -> str:
        """Keep an array as a tensor of the state dict, under a name like `name`.

        Exporters store equal tensors once. Every use gets a copy of its own, so that each layer
        can be pruned and trained by itself.
        """
        key = ".".join(part or "_" for part in name.split("."))
        taken = any(k == key or k.startswith(f"{key}.") for k in self._state)
        inside = any(key.startswith(f"{k}.") for k in self._state)
        if taken or inside:
            plain = key.replace(".", "_") if inside or key not in self._state else key
            key, number = plain, 2
            while key in self._state:
                key, number = f"{plain}_{number}", number + 1
        self._state[key] = torch.from_numpy(np.array(array, dtype=np.float32, order="C"))
        if trained:
            self._trained.add(key)
        return key


def _plain(value: Any) -> Any:
    """An attribute as a Python value or an array."""
    from onnx import TensorProto, numpy_helper

    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return numpy_helper.to_array(value) if isinstance(value, TensorProto) else value
