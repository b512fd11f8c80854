"""Save and load packed networks: `.spk`, a safetensors file with a JSON header of its own.

The safetensors metadata has one key, `systopack`: JSON text with the format version, the sha256
of the file and the graph. The digest is taken over the whole file with its own 64 digits set to
zero, so that any flipped bit is found. Equal networks give equal files. A file that holds anything
else than what would be written again (a field or tensor more, a number of another type) is refused;
only the order of the tensors and the spaces of the outer header are free.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from systopack.codec import LongText, from_plain, to_plain
from systopack.errors import InvalidFileError
from systopack.fields import MalformedError, parse_json, shown
from systopack.files import is_pickle, read_file, sha256_of, write_atomically
from systopack.network.network import PackedNetwork
from systopack.network.nodes import Node
from systopack.tensor_bytes import read_tensors, texts_of, write_tensors
from systopack.tensor_set import TensorSet

FORMAT_VERSION = 2
_KEY = "systopack"
_NO_DIGEST = "0" * 64
_OTHERS = {  # what else of ours is a safetensors file
    "systopack_model": "a trained model; make a network of it with 'systopack quantize'",
    "systopack_packed": "a file of packed matrices; look at it with 'systopack inspect'",
    "systopack_checkpoint": "the checkpoint of a run; finish the run with --resume",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class _Header:
    """The JSON of a file; `nodes` come as they are in the network."""

    format_version: int
    sha256: str
    name: str
    accumulator_bits: int
    class_names: tuple[str, ...]
    history: Mapping[str, LongText]
    nodes: tuple[Node, ...]


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
    """The file's content and its sha256.

    Raises:
        InvalidNetworkError: two nodes would store a tensor of the same name.
    """
    tensors = TensorSet()
    header = _header(network, tensors)
    content = write_tensors(tensors.tensors, {_KEY: json.dumps(header)})
    digest = sha256_of([content])
    return content.replace(_NO_DIGEST.encode(), digest.encode(), 1), digest


def _header(network: PackedNetwork, tensors: TensorSet) -> dict[str, Any]:
    header = _Header(
        format_version=FORMAT_VERSION,
        sha256=_NO_DIGEST,
        name=network.name,
        accumulator_bits=network.accumulator_bits,
        class_names=network.class_names,
        history=dict(sorted(network.history.items())),
        nodes=network.nodes,
    )
    return to_plain(header, tensors)


def load(path: Path | str) -> PackedNetwork:
    """Read a network; every rule is checked again.

    Raises:
        InvalidFileError: the file is missing, truncated, changed, of a newer version, not written
            as systopack writes it, or not a packed network at all.
        InvalidNetworkError: the content breaks a rule of `PackedNetwork`.
    """
    return load_with_sha256(path)[0]


def load_with_sha256(path: Path | str) -> tuple[PackedNetwork, str]:
    """Read a network, and the sha256 of its content as the file says and was checked.

    Raises:
        InvalidFileError, InvalidNetworkError: see `load`.
    """
    content = read_file(path, what="a packed network (.spk)")
    plain, tensors = _open(path, content)
    try:
        header: _Header = from_plain(_Header, plain, "the header", tensors)
        network = PackedNetwork(
            name=header.name,
            nodes=header.nodes,
            accumulator_bits=header.accumulator_bits,
            class_names=header.class_names,
            history=header.history,
        )
        _check_same(network, plain, tensors)
    except ValueError as error:
        raise _malformed(path, error) from error
    return network, header.sha256


def _malformed(path: Path | str, error: Exception) -> InvalidFileError:
    return InvalidFileError(
        f"'{path}' is not a packed network as it should be ({error}); make it anew with "
        "'systopack quantize'."
    )


def _check_same(network: PackedNetwork, header: dict[str, Any], tensors: TensorSet) -> None:
    """Refuse what a network that was read would not be saved as.

    Raises:
        MalformedError: naming a field or a tensor.
    """
    again = TensorSet()
    ours = _header(network, again) | {"sha256": header["sha256"]}
    for key in sorted({*ours, *header}):
        if key not in ours or json.dumps(ours[key]) != json.dumps(header.get(key)):
            raise MalformedError(f"the header's {shown(key)} is not as systopack writes it")
    tensors.end()
    for name, tensor in again.tensors.items():
        if not np.array_equal(tensor, tensors[name]):
            raise MalformedError(f"tensor {shown(name)} is not as systopack writes it")


def _open(path: Path | str, content: bytes) -> tuple[dict[str, Any], TensorSet]:
    """The header and the tensors of a file whose digest is right."""
    if is_pickle(content):
        raise InvalidFileError(
            f"'{path}' is a Python pickle, which can run code when it is read; systopack reads "
            "only .spk files."
        )
    damaged = InvalidFileError(
        f"'{path}' is damaged or not a packed network (.spk); make it anew with "
        "'systopack quantize', or copy it again."
    )
    try:
        texts = texts_of(content)
        for key, what in _OTHERS.items():
            if key in texts:
                raise InvalidFileError(f"'{path}' is no packed network (.spk) but {what}.")
        header = from_plain(dict[str, Any], parse_json(texts.get(_KEY, "")), "the header")
        version = from_plain(int, header.get("format_version"), "the version")
        if version > FORMAT_VERSION:
            raise InvalidFileError(
                f"'{path}' has format version {version}, but this systopack reads up to "
                f"{FORMAT_VERSION}; update systopack."
            )
        digest = from_plain(str, header.get("sha256"), "the sha256")
        blank = content.replace(digest.encode(), _NO_DIGEST.encode(), 1)
        if version < 1 or sha256_of([blank]) != digest:
            raise damaged
        _, tensors = read_tensors(content)
    except MalformedError as error:
        raise damaged from error
    if version == 1:
        try:
            header = _without_ranges(header)
        except MalformedError as error:
            raise _malformed(path, error) from error
    return header, TensorSet(tensors)


def _without_ranges(header: dict[str, Any]) -> dict[str, Any]:
    """A header of version 1 as one of version 2.

    Version 1 kept the range that calibration images gave each tensor. Nothing rests on it: the
    bounds are computed anew, for all images.

    Raises:
        MalformedError: a node has no such range.
    """
    kept = []
    for node in from_plain(list[dict[str, Any]], header.get("nodes"), "the nodes"):
        if "range" not in node:
            raise MalformedError("a node of version 1 has no 'range'")
        found = from_plain(tuple[int, int] | None, node.pop("range"), "a range")
        if found is not None and not -128 <= found[0] <= found[1] <= 127:
            raise MalformedError(f"the range {shown(found)} is not inside -128..127")
        kept.append(node)
    return {**header, "format_version": FORMAT_VERSION, "nodes": kept}
