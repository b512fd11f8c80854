"""Save and load packed networks: `.spk`, a safetensors file with a JSON header of its own.

The safetensors metadata has one key, `systopack`: JSON text with the format version, the sha256
of the file and the graph. The digest is taken over the whole file with its own 64 digits set to
zero, so that any flipped bit is found. Equal networks give equal files.
"""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from systopack.errors import InvalidFileError, SystopackError
from systopack.files import read_file, write_atomically
from systopack.network.network import PackedNetwork
from systopack.network.nodes import ConcatLayer, InputNode, MatrixLayer, Node, PoolLayer, Residual
from systopack.packing.file import matrix_from_tensors, matrix_to_tensors

FORMAT_VERSION = 2
_KEY = "systopack"
_NO_DIGEST = "0" * 64
Tensors = dict[str, NDArray[Any]]


def save(network: PackedNetwork, path: Path | str) -> str:
    """Write a network atomically.

    Returns:
        The sha256 of the content, 64 hexadecimal digits, as stored in the file.

    Raises:
        InvalidFileError: the file cannot be written; nothing is left behind.
    """
    content, digest = to_bytes(network)
    write_atomically(path, content)
    return digest


def to_bytes(network: PackedNetwork) -> tuple[bytes, str]:
    """The file's content and its sha256."""
    from safetensors.numpy import save as save_tensors

    tensors: Tensors = {}
    header = {
        "format_version": FORMAT_VERSION,
        "sha256": _NO_DIGEST,
        "name": network.name,
        "accumulator_bits": network.accumulator_bits,
        "class_names": list(network.class_names),
        "history": dict(sorted(network.history.items())),
        "nodes": [_node_to_json(node, tensors) for node in network.nodes],
    }
    content = save_tensors(tensors, metadata={_KEY: json.dumps(header)})
    digest = hashlib.sha256(content).hexdigest()
    return content.replace(_NO_DIGEST.encode(), digest.encode(), 1), digest


def load(path: Path | str) -> PackedNetwork:
    """Read a network; every rule is checked again.

    Raises:
        InvalidFileError: the file is missing, truncated, changed, of a newer version, or not a
            packed network at all.
        InvalidNetworkError: the content breaks a rule of `PackedNetwork`.
    """
    content = read_file(path, what="a packed network (.spk)")
    header, tensors = _open(path, content)
    try:
        nodes = tuple(_node_from_json(node, tensors) for node in header["nodes"])
        return PackedNetwork(
            name=str(header["name"]),
            nodes=nodes,
            accumulator_bits=int(header["accumulator_bits"]),
            class_names=tuple(str(name) for name in header["class_names"]),
            history={str(key): str(value) for key, value in header["history"].items()},
        )
    except SystopackError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise InvalidFileError(
            f"'{path}' is not a complete packed network ({type(error).__name__}: {error}); "
            "make it anew with 'systopack quantize'."
        ) from error


def content_sha256(network: PackedNetwork) -> str:
    """The sha256 that `save` would store."""
    return to_bytes(network)[1]


def _open(path: Path | str, content: bytes) -> tuple[dict[str, Any], Tensors]:
    from safetensors import SafetensorError
    from safetensors.numpy import load as load_tensors

    damaged = (
        f"'{path}' is damaged or not a packed network (.spk); make it anew with "
        "'systopack quantize', or copy it again."
    )
    try:
        (length,) = struct.unpack("<Q", content[:8])
        outer = json.loads(content[8 : 8 + length])
        header = json.loads(outer["__metadata__"][_KEY])
        version = header["format_version"]
        digest = header["sha256"]
    except (struct.error, ValueError, KeyError, TypeError) as error:
        if content[:1] == b"\x80" or content[:2] == b"PK":
            raise InvalidFileError(
                f"'{path}' is a Python pickle, which can run code when it is read; systopack "
                "reads only .spk files."
            ) from error
        raise InvalidFileError(damaged) from error
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise InvalidFileError(
            f"'{path}' has format version {version}, but this systopack reads up to "
            f"{FORMAT_VERSION}; update systopack."
        )
    if version == 1:
        raise InvalidFileError(
            f"'{path}' has format version 1, whose overflow proof rested on calibration images; "
            "make it anew with 'systopack quantize'."
        )
    if version != FORMAT_VERSION or not isinstance(digest, str) or len(digest) != 64:
        raise InvalidFileError(damaged)
    blank = content.replace(digest.encode(), _NO_DIGEST.encode(), 1)
    if hashlib.sha256(blank).hexdigest() != digest:
        raise InvalidFileError(damaged)
    try:
        return header, load_tensors(content)
    except (SafetensorError, ValueError, KeyError) as error:
        raise InvalidFileError(damaged) from error


def _node_to_json(node: Node, tensors: Tensors) -> dict[str, Any]:
    common: dict[str, Any] = {"name": node.name, "exponent": node.exponent}
    if isinstance(node, InputNode):
        return {
            "type": "input",
            **common,
            "shape": list(node.shape),
            "mean": list(node.mean),
            "std": list(node.std),
        }
    if isinstance(node, ConcatLayer):
        tensors[f"{node.name}/operands"] = node.operands
        tensors[f"{node.name}/channels"] = node.channels
        return {
            "type": "concat",
            **common,
            "sources": list(node.sources),
            "output_size": list(node.output_size),
        }
    common |= {
        "source": node.source,
        "kind": node.kind,
        "stride": list(node.stride),
        "padding": list(node.padding),
        "output_size": list(node.output_size),
    }
    if isinstance(node, PoolLayer):
        return {
            "type": "pool",
            **common,
            "kernel": list(node.kernel),
            "multiplier": node.multiplier,
            "shift": node.shift,
        }
    for key in ("columns", "bias", "clip", "shift"):
        if getattr(node, key) is not None:
            tensors[f"{node.name}/{key}"] = getattr(node, key)
    if node.residual is not None:
        tensors[f"{node.name}/residual_channels"] = node.residual.channels
        tensors[f"{node.name}/residual_shift"] = node.residual.shift
        common["residual"] = {
            "source": node.residual.source,
            "stride": list(node.residual.stride),
        }
    tensors |= matrix_to_tensors(node.name, node.matrix)
    return {
        "type": "matrix",
        **common,
        "activation": node.activation,
        "bands": len(node.matrix.bands),
    }


def _node_from_json(content: dict[str, Any], tensors: Tensors) -> Node:
    name = str(content["name"])
    exponent = int(content["exponent"])
    kind = content["type"]
    if kind == "input":
        channels, height, width = (int(size) for size in content["shape"])
        return InputNode(
            name=name,
            exponent=exponent,
            shape=(channels, height, width),
            mean=tuple(float(value) for value in content["mean"]),
            std=tuple(float(value) for value in content["std"]),
        )
    if kind == "concat":
        return ConcatLayer(
            name=name,
            exponent=exponent,
            sources=tuple(str(source) for source in content["sources"]),
            operands=tensors[f"{name}/operands"],
            channels=tensors[f"{name}/channels"],
            output_size=_pair(content["output_size"]),
        )
    top, bottom, left, right = (int(size) for size in content["padding"])
    if kind == "pool":
        return PoolLayer(
            name=name,
            source=str(content["source"]),
            kind=content["kind"],
            kernel=_pair(content["kernel"]),
            stride=_pair(content["stride"]),
            padding=(top, bottom, left, right),
            output_size=_pair(content["output_size"]),
            multiplier=int(content["multiplier"]),
            shift=int(content["shift"]),
            exponent=exponent,
        )
    if kind != "matrix":
        raise ValueError(f"node '{name}' is of the unknown type '{kind}'")
    residual = None
    if "residual" in content:
        residual = Residual(
            source=str(content["residual"]["source"]),
            stride=_pair(content["residual"]["stride"]),
            channels=tensors[f"{name}/residual_channels"],
            shift=tensors[f"{name}/residual_shift"],
        )
    columns = tensors[f"{name}/columns"]
    return MatrixLayer(
        name=name,
        source=str(content["source"]),
        kind=content["kind"],
        matrix=matrix_from_tensors(
            name, tensors, columns=len(columns), bands=int(content["bands"])
        ),
        columns=columns,
        bias=tensors[f"{name}/bias"],
        stride=_pair(content["stride"]),
        padding=(top, bottom, left, right),
        output_size=_pair(content["output_size"]),
        residual=residual,
        activation=content["activation"],
        clip=tensors.get(f"{name}/clip"),
        shift=tensors.get(f"{name}/shift"),
        exponent=exponent,
    )


def _pair(content: Any) -> tuple[int, int]:
    first, second = content
    return int(first), int(second)
