"""The content of an ONNX file, checked: its nodes, and its stored tensors as arrays of numbers."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.errors import (
    InvalidFileError,
    InvalidNetworkError,
    MissingPackageError,
    SystopackError,
    one_line,
)
from systopack.files import open_file, read_file
from systopack.frontend.onnx_quantized import is_quantizer, without_quantizers
from systopack.requirements import missing

_OLDEST = 7
_DOMAINS = ("", "ai.onnx")
_QUANTIZED = "quantize it with QuantFormat.QDQ, or give the model in floating point"


def onnx_package() -> Any:
    """The `onnx` package, with all of it that is used here.

    Raises:
        MissingPackageError: it is not installed.
    """
    try:
        import onnx
        import onnx.checker
    except ImportError as error:
        raise MissingPackageError(missing("onnx")) from error
    return onnx


def read_onnx(path: Path) -> tuple[Any, bool]:
    """Read a file as an `onnx.ModelProto` that is whole, standard and in float32.

    Tensors in files beside it are read in. Numbers of 16 and 64 bits become float32, and a
    quantized model its equivalent in floating point.

    Returns:
        The model, and whether its tensors were quantized.

    Raises:
        InvalidFileError: no ONNX file, or a damaged one.
        InvalidNetworkError: it holds what is not read, by name.
    """
    onnx = onnx_package()
    content = read_file(path, what="an ONNX file")
    try:
        model = onnx.load_model_from_string(content)
        _check_nodes(path, model)
        for tensor in _tensors(model):
            _read_in(path, tensor)
            _check_tensor(path, tensor)
        onnx.checker.check_model(model)
        _to_float32(model)
        quantized = without_quantizers(model)
    except SystopackError:
        raise
    except Exception as error:  # protobuf and the checker raise errors of many kinds
        raise InvalidFileError(
            f"'{path}' is damaged or no ONNX file ({one_line(error)}); export it again."
        ) from error
    return model, quantized


def stored_arrays(path: Path, model: Any) -> dict[str, NDArray[Any]]:
    """The stored tensors by name; floating point ones are finite.

    Raises:
        InvalidFileError: a name is there twice.
        InvalidNetworkError: a tensor holds NaN or infinity.
    """
    from onnx import numpy_helper

    arrays: dict[str, NDArray[Any]] = {}
    for tensor in model.graph.initializer:
        if tensor.name in arrays:
            raise InvalidFileError(f"'{path}' stores '{tensor.name}' twice; export it again.")
        arrays[tensor.name] = numpy_helper.to_array(tensor)
        if arrays[tensor.name].dtype.kind == "f" and not np.isfinite(arrays[tensor.name]).all():
            raise InvalidNetworkError(
                f"'{tensor.name}' in '{path}' holds NaN or infinite numbers, or such as float32 "
                "cannot hold; train the model again."
            )
    return arrays


def _check_nodes(path: Path, model: Any) -> None:
    """Refuse by name what is not read, before any other tool looks at it."""
    versions = [entry.version for entry in model.opset_import if entry.domain in _DOMAINS]
    if versions and versions[0] < _OLDEST:
        raise InvalidFileError(
            f"'{path}' is of opset {versions[0]}, but {_OLDEST} and later are read; convert it "
            "with onnx.version_converter."
        )
    graph = model.graph
    named = [*graph.initializer, *graph.input, *graph.output]
    names = [entry.name for entry in named]
    for node in graph.node:
        names += [node.name, node.op_type, node.domain, *node.input, *node.output]
    # The library gives text that is no UTF-8 as bytes.
    if any(not isinstance(name, str) or not name.isprintable() for name in names):
        raise InvalidFileError(
            f"'{path}' has names that are no printable text; it is damaged, or rename them."
        )
    for node in graph.node:
        place = node.name or next(iter(node.output), "")
        if node.domain not in _DOMAINS and not is_quantizer(node):
            quantized = "quant" in f"{node.op_type} {node.domain}".lower()
            quantized |= node.op_type.startswith(("QLinear", "QGemm"))
            advice = _QUANTIZED if quantized else "export the model with the standard operations"
            raise InvalidNetworkError(
                f"Operation '{node.op_type}' in '{place}' is of the domain '{node.domain}', which "
                f"systopack does not read; {advice}."
            )
        if any(attribute.g.ByteSize() or attribute.graphs for attribute in node.attribute):
            raise InvalidNetworkError(
                f"Operation '{node.op_type}' in '{place}' holds a graph of its own, which "
                "systopack does not read; export the model without control flow."
            )


def _tensors(model: Any) -> Iterator[Any]:
    """Every stored tensor: initializers, and those of constant nodes."""
    yield from model.graph.initializer
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t


def _read_in(path: Path, tensor: Any) -> None:
    """Read a tensor that lies in a file beside the model."""
    onnx = onnx_package()
    if tensor.data_location != onnx.TensorProto.EXTERNAL:
        return
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = PurePosixPath(entries.get("location", ""))
    offset, size = int(entries.get("offset", 0)), _bytes(tensor)
    beside = (path.parent / location).resolve()
    if (
        location.is_absolute()
        or not location.name
        or ".." in location.parts
        or not beside.is_relative_to(path.parent.resolve())
    ):
        raise InvalidFileError(
            f"'{path}' keeps '{tensor.name}' in '{location}', which is not beside it; export it "
            "again with its weights in one file."
        )
    with open_file(beside, what=f"the weights of '{path}'") as stream:
        if offset < 0 or int(entries.get("length", size)) != size:
            raise ValueError(f"'{tensor.name}' has {size} bytes, but another length is stated")
        stream.seek(offset)
        tensor.raw_data = stream.read(size)
    del tensor.external_data[:]
    tensor.data_location = onnx.TensorProto.DEFAULT


def _bytes(tensor: Any) -> int:
    """How many bytes a tensor has by its shape and type."""
    from onnx import helper

    if min([*tensor.dims, 0]) < 0:
        raise ValueError(f"'{tensor.name}' has the shape {list(tensor.dims)}")
    return int(prod(tensor.dims)) * int(helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize)


def _check_tensor(path: Path, tensor: Any) -> None:
    """Refuse tensors of text, and those whose bytes are not as many as their shape says."""
    onnx = onnx_package()
    size = _bytes(tensor)
    kinds = (onnx.TensorProto.STRING, onnx.TensorProto.COMPLEX64, onnx.TensorProto.COMPLEX128)
    if tensor.data_type in kinds:
        raise InvalidFileError(
            f"'{path}' stores '{tensor.name}' as text or complex numbers; a weight must be real."
        )
    if tensor.HasField("raw_data") and len(tensor.raw_data) != size:
        raise ValueError(f"'{tensor.name}' has {len(tensor.raw_data)} bytes instead of {size}")
    if size > 64 and not tensor.ByteSize() > size // 16:
        raise ValueError(f"'{tensor.name}' has fewer bytes than its shape says")


def _to_float32(model: Any) -> None:
    """Floating point numbers of 16 and 64 bits as float32, wherever the file names them."""
    onnx = onnx_package()
    from onnx import numpy_helper

    kinds = onnx.TensorProto
    other = (kinds.FLOAT16, kinds.BFLOAT16, kinds.DOUBLE)
    values = [*model.graph.input, *model.graph.output]
    found = [value for value in values if value.type.tensor_type.elem_type in other]
    tensors = [tensor for tensor in _tensors(model) if tensor.data_type in other]
    stored = {tensor.name for tensor in model.graph.initializer}
    for value in model.graph.input:
        readers = {node.op_type for node in model.graph.node if value.name in node.input}
        if value.name not in stored and readers == {"Cast"}:  # pixels as whole numbers
            found.append(value)
    del model.graph.value_info[:]  # shapes and types that were inferred before
    for value in found:
        value.type.tensor_type.elem_type = kinds.FLOAT
    for tensor in tensors:
        with np.errstate(over="ignore"):
            array = numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    for node in model.graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i in other:
                attribute.i = kinds.FLOAT
