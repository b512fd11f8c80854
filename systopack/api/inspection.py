"""What a file holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from systopack.errors import InvalidFileError
from systopack.network.packaged import network_file
from systopack.network.text import describe


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a file holds.

    Args:
        kind: "network", "matrices" or "model".
        sentences: what it is.
        header, rows: a table of its parts, every cell as text.
        figures: for a record.
    """

    kind: str
    sentences: Sequence[str] = ()
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)


def contents_of(file: Path | str, *, size: tuple[int, int] = (32, 32)) -> Contents:
    """Read a network, packed matrices or a model, and tell what is in it.

    Args:
        file: .spk, .safetensors, or `zoo:NAME`.
        size: rows and columns of the array on which tiles are counted.

    Raises:
        InvalidFileError, InvalidNetworkError: the file is none of them, or damaged.
    """
    path = network_file(Path(file))
    if path.suffix == ".spk":
        return _network(path, size)
    try:
        return _matrices(path, size)
    except InvalidFileError:
        return _model(path)


def _network(path: Path, size: tuple[int, int]) -> Contents:
    from systopack.network.file import load_with_sha256
    from systopack.network.permute import count_streams_out_of_place

    rows, columns = size
    network, digest = load_with_sha256(path)
    figures = {
        "nonzeros": network.nonzeros,
        "packed_cells": network.packed_cells,
        "dense_cells": network.dense_cells,
        "packing_efficiency": network.packing_efficiency,
        "tiles": network.tile_count(rows=rows, columns=columns),
        "streams_out_of_place": sum(count_streams_out_of_place(network).values()),
        "sha256": digest,
    }
    sentences = (
        describe(network),
        f"tiles on {rows}x{columns}: {figures['tiles']:,}",
        f"streams out of place: {figures['streams_out_of_place']:,}",
        f"sha256 {digest}",
    )
    return Contents(kind="network", sentences=sentences, figures=figures)


def _matrices(path: Path, size: tuple[int, int]) -> Contents:
    from systopack.packing.file import read_matrices

    rows, columns = size
    found, lines = {}, []
    for name, matrix, note in read_matrices(path):
        groups = [len(band.groups) for band in matrix.bands]
        found[name] = {
            "rows": matrix.rows,
            "columns": matrix.columns,
            "groups": groups,
            "nonzeros": matrix.nonzeros,
            "packing_efficiency": matrix.packing_efficiency,
            "tiles": matrix.tile_count(rows=rows, columns=columns),
        }
        lines.append(
            [
                name,
                f"{matrix.rows} x {matrix.columns}",
                "+".join(map(str, groups)),
                f"{matrix.nonzeros:,}",
                f"{matrix.packing_efficiency:.3f}",
                str(found[name]["tiles"]),
                note,
            ]
        )
    header = ("matrix", "size", "groups", "nonzeros", "efficiency", "tiles", "lower bound")
    return Contents(kind="matrices", header=header, rows=lines, figures=found)


def _model(path: Path) -> Contents:
    from systopack.api.learning import load_model

    model = load_model(path)
    combined = "combined" if model.groups is not None else "dense"
    found, lines = {}, []
    for name, tensor in model.state.items():
        if tensor.ndim < 2 or not tensor.is_floating_point():
            continue
        bands = (model.groups or {}).get(name.removesuffix(".weight"), ())
        groups = [len(groups) for _, groups in bands]
        found[name] = {
            "shape": list(tensor.shape),
            "nonzeros": int(tensor.count_nonzero()),
            "groups": groups,
        }
        shape = "x".join(map(str, tensor.shape))
        lines.append([name, shape, f"{found[name]['nonzeros']:,}", "+".join(map(str, groups))])
    return Contents(
        kind="model",
        sentences=(
            f"{combined} {model.architecture}, {len(model.class_names)} classes, "
            f"{len(model.history)} epochs",
        ),
        header=("weight", "shape", "nonzeros", "groups"),
        rows=lines,
        figures=found,
    )
