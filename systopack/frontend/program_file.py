"""Read a saved `torch.export` program (.pt2) as plain data.

`torch.export.load` unpickles the sample inputs and evaluates expressions; both can run code that
somebody put into the file. Here only the JSON of the graph and the raw bytes of the weights are
read, and every operation must be one that the rules in `frontend.reading` read.
"""

from __future__ import annotations

import io
import json
import operator
import re
import zipfile
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch._ops import OpOverload, OpOverloadPacket

from systopack.errors import InvalidFileError, SystopackError, one_line
from systopack.files import read_file
from systopack.frontend.bounds import check_run
from systopack.frontend.comparison import take_lines
from systopack.frontend.reading.operations import may_be_called
from systopack.frontend.steps import Reference, Step, Steps
from systopack.network.nodes import Shape

_TARGET = re.compile(r"torch\.ops\.(aten|systopack)\.(\w+)\.(\w+)")
_DTYPES = {
    1: torch.uint8,
    2: torch.int8,
    3: torch.int16,
    4: torch.int32,
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    12: torch.bool,
    13: torch.bfloat16,
}
_AS_THEY_ARE = {
    "as_int", "as_ints", "as_float", "as_floats", "as_bool", "as_bools", "as_string", "as_strings",
}  # fmt: skip
_NAMELESS = {"as_none": None, "as_memory_format": None, "as_layout": None, "as_device": None}


def load_program(path: Path) -> tuple[Steps, Shape, int]:
    """Read a program.

    Returns:
        The program as a module, (C, H, W) of its images, and how many it takes at once.

    Raises:
        InvalidFileError: the file is damaged, of an old kind, or holds pickled tensors.
    """
    content = read_file(path, what="a saved torch.export program (.pt2)")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            module, shape, batch = _program(path, _members(path, archive, len(content)))
    except SystopackError:
        raise
    except Exception as error:  # content of any form, which zipfile, json and torch judge
        raise InvalidFileError(
            f"'{path}' is damaged or no program of torch.export.save "
            f"({one_line(error)}); save it again."
        ) from error
    check_run(f"The program '{path}'", module, batch, shape)
    return module, shape, batch


def _members(path: Path, archive: zipfile.ZipFile, size: int) -> dict[str, bytes]:
    """The members by their path below the archive's one folder; `size` is the archive's."""
    names = {name.partition("/")[2]: name for name in archive.namelist()}
    if "models/model.json" not in names:
        raise InvalidFileError(
            f"'{path}' holds no program called 'model' in the present format; save it again with "
            "torch.export.save of torch 2.9 or newer."
        )
    wanted = [n for n in names if n.startswith(("models/", "data/weights/", "data/constants/"))]
    infos = [archive.getinfo(names[name]) for name in wanted]
    if sum(info.file_size for info in infos) > size or any(info.compress_type for info in infos):
        raise InvalidFileError(
            f"'{path}' is compressed, or holds more than its own size, which torch.export.save "
            "never writes; save it again."
        )
    return {name: archive.read(names[name]) for name in wanted}


def _program(path: Path, members: Mapping[str, bytes]) -> tuple[Steps, Shape, int]:
    module = json.loads(members["models/model.json"])["graph_module"]
    stored = _tensors(path, members, "weights") | _tensors(path, members, "constants")
    state: dict[str, Tensor] = {}
    trained: set[str] = set()
    known: dict[str, Reference] = {}
    images = []
    for spec in module["signature"]["input_specs"]:
        ((kind, content),) = spec.items()
        if kind == "user_input":
            images.append(content["arg"]["as_tensor"]["name"])
            continue
        label = {"parameter": "parameter_name", "buffer": "buffer_name"}.get(kind)
        label = label or "tensor_constant_name"
        name = content[label]
        state[name] = stored[name]
        known[content["arg"]["name"]] = Reference(name=name)
        trained |= {name} if kind == "parameter" else set()
    outputs = [spec["user_output"]["arg"] for spec in module["signature"]["output_specs"]]
    if len(images) != 1 or len(outputs) != 1:
        raise InvalidFileError(
            f"'{path}' has {len(images)} inputs and {len(outputs)} outputs; systopack reads "
            "programs with one input, the images, and one output, the logits."
        )
    steps = [_step(node, known) for node in module["graph"]["nodes"] if node["outputs"]]
    sizes = module["graph"]["tensor_values"][images[0]]["sizes"]
    batch, *shape = (int(size.get("as_int", 2)) for size in sizes)
    lines = len(shape) == 2  # signals (B, C, L), read as images of one row
    if len(shape) != 3 and not lines:
        raise InvalidFileError(
            f"'{path}' reads tensors of {len(sizes)} axes, but images have 4 and signals 3."
        )
    steps_module = Steps(
        state=state,
        trained=trained,
        steps=steps,
        images=images[0],
        logits=outputs[0]["as_tensor"]["name"],
    )
    if lines:
        take_lines(steps_module)
        shape.insert(1, 1)
    return steps_module.eval(), (shape[0], shape[1], shape[2]), batch


def _tensors(path: Path, members: Mapping[str, bytes], kind: str) -> dict[str, Tensor]:
    config = f"data/{kind}/model_{kind}_config.json"
    if config not in members:
        return {}
    tensors = {}
    for name, payload in json.loads(members[config])["config"].items():
        meta = payload["tensor_meta"]
        if payload["use_pickle"] or meta is None:
            raise InvalidFileError(
                f"'{path}' holds '{name}' as a Python pickle, which can run code when it is read; "
                "save the program again with plain dense tensors."
            )
        raw = members[f"data/{kind}/{payload['path_name']}"]
        tensors[name] = _tensor(raw, meta)
    return tensors


def _tensor(raw: bytes, meta: Mapping[str, Any]) -> Tensor:
    """A tensor from its bytes; its view must lie inside them."""
    sizes = [int(size["as_int"]) for size in meta["sizes"]]
    strides = [int(stride["as_int"]) for stride in meta["strides"]]
    offset = int(meta["storage_offset"]["as_int"])
    flat = torch.from_numpy(np.frombuffer(raw, dtype=np.uint8).copy()).view(_DTYPES[meta["dtype"]])
    last = offset + sum((n - 1) * s for n, s in zip(sizes, strides, strict=True))
    beyond = min([*sizes, 1]) > 0 and last >= len(flat)
    if min([*sizes, *strides, offset, 1]) < 0 or beyond or prod(sizes) > len(flat):
        raise ValueError("a weight is larger than its data")
    tensor = flat.as_strided(sizes, strides, offset).contiguous()
    return tensor.float() if tensor.is_floating_point() else tensor


def _step(node: Mapping[str, Any], known: Mapping[str, Reference]) -> Step:
    arguments, keywords = [], {}
    for given in node["inputs"]:
        value = _argument(given["arg"], known)
        if given["kind"] == 1:
            arguments.append(value)
        else:
            keywords[given["name"]] = value
    return Step(
        place=_place(node),
        function=_function(node["target"]),
        arguments=arguments,
        keywords=keywords,
        results=tuple(name for output in node["outputs"] for name in _names(output)),
    )


def _function(target: str) -> Any:
    """One of the operations that are read; anything else is refused."""
    if target == "_operator.getitem":
        return operator.getitem
    found = _TARGET.fullmatch(target)
    if found is None:
        raise _not_run(target)
    space, name, overload = found.groups()
    if f"{space}.{name}" == "aten.sym_size":
        return _size
    packet = getattr(getattr(torch.ops, space), name, None)
    function = getattr(packet, overload, None) if isinstance(packet, OpOverloadPacket) else None
    if not isinstance(function, OpOverload) or not may_be_called(space, name, function):
        raise _not_run(target)
    if f"{space}.{name}" in ("aten.to", "aten._to_copy", "aten.type_as"):
        return lambda tensor, *rest, **named: (
            tensor if tensor.is_floating_point() else function(tensor, *rest, **named)
        )
    return function


def _not_run(target: str) -> InvalidFileError:
    return InvalidFileError(
        f"The program calls '{target[:100]}', which systopack does not run; "
        "docs/import.md lists the operations that it reads."
    )


def _size(tensor: Tensor, axis: int) -> int:
    return tensor.shape[axis]


def _argument(argument: Mapping[str, Any], known: Mapping[str, Reference]) -> Any:
    ((kind, value),) = argument.items()
    if kind in _NAMELESS:
        return None
    if kind in _AS_THEY_ARE:
        return value
    if kind == "as_tensor":
        return known.get(value["name"], Reference(name=value["name"]))
    if kind == "as_tensors":
        return [_argument({"as_tensor": item}, known) for item in value]
    if kind in ("as_optional_tensors", "as_sym_ints"):
        return [_argument(item, known) for item in value]
    if kind in ("as_sym_int", "as_name"):
        return _argument(value, known) if kind == "as_sym_int" else Reference(name=value)
    if kind == "as_scalar_type":
        return _DTYPES[value]
    raise ValueError(f"an argument of the kind '{kind}'")


def _names(output: Mapping[str, Any]) -> list[str]:
    ((kind, value),) = output.items()
    if kind == "as_tensors":
        return [str(item["name"]) for item in value]
    return [str(value["as_name"] if kind == "as_sym_int" else value["name"])]


def _place(node: Mapping[str, Any]) -> str:
    """The path of the innermost module, from text such as `key,path,class;key,path,class`."""
    stack = str(node["metadata"].get("nn_module_stack", "")).split(";")
    paths = [entry.split(",")[1] for entry in stack if entry.count(",") >= 2]
    return next((path for path in reversed(paths) if path), str(node.get("name") or ""))
