"""Files that an input names: parts of a sharded file, weights beside an ONNX graph."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from systopack.errors import SystopackError
from systopack.files import read_file


def referred_files(source: Path) -> tuple[Path, ...]:
    """The files that a file refers to, whether they exist or not.

    Those of a file that is damaged are not known; who opens it says what is wrong with it.
    """
    if source.name.endswith(".safetensors.index.json"):
        names = _parts(source)
    elif source.suffix == ".onnx" and source.is_file():
        names = _external(source)
    else:
        return ()
    return tuple(source.parent / name for name in sorted(names))


def _parts(source: Path) -> set[str]:
    try:
        places = json.loads(read_file(source, what="an index of weights"))["weight_map"]
        return {name for name in places.values() if isinstance(name, str)}
    except (SystopackError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return set()


def _external(source: Path) -> set[str]:
    from systopack.frontend.onnx_content import onnx_package

    try:
        onnx = onnx_package()
        model = onnx.load_model_from_string(read_file(source, what="an ONNX file"))
    except Exception:  # protobuf raises errors of many kinds
        return set()
    return {
        entry.value
        for tensor in _tensors(model.graph)
        for entry in tensor.external_data
        if entry.key == "location"
    }


def _tensors(graph: Any) -> Iterator[Any]:
    """All tensors of a graph and of the graphs inside its nodes."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield attribute.t
            yield from attribute.tensors
            for inner in (attribute.g, *attribute.graphs):
                if inner.ByteSize():
                    yield from _tensors(inner)
