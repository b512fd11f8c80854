"""What a file holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from systopack.errors import InvalidFileError
from systopack.network.packaged import network_file


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a file holds.

    Args:
        kind: "network", "matrices" or "model".
        sentences: what it is.
        figures: of the network.
        parts: figures of every matrix or weight, by name.
    """

    kind: str
    sentences: Sequence[str] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


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
        return _network(path, *size)
    try:
        return _matrices(path, *size)
    except InvalidFileError:
        return _model(path)


def _network(path: Path, rows: int, columns: int) -> Contents:
    from systopack.network.file import load_with_sha256
    from systopack.network.permute import count_streams_out_of_place
    from systopack.network.text import describe

    network, digest = load_with_sha256(path)
    names = ("nonzeros", "packed_cells", "dense_cells", "packing_efficiency")
    tiles = network.tile_count(rows=rows, columns=columns)
    away = sum(count_streams_out_of_place(network).values())
    return Contents(
        kind="network",
        sentences=(
            describe(network),
            f"tiles on {rows}x{columns}: {tiles:,}",
            f"streams out of place: {away:,}",
            f"sha256 {digest}",
        ),
        figures={name: getattr(network, name) for name in names}
        | {"tiles": tiles, "streams_out_of_place": away, "sha256": digest},
    )


def _matrices(path: Path, rows: int, columns: int) -> Contents:
    from systopack.packing.file import read_matrices

    parts = {
        name: {
            "size": (matrix.rows, matrix.columns),
            "groups": [len(band.groups) for band in matrix.bands],
            "nonzeros": matrix.nonzeros,
            "efficiency": matrix.packing_efficiency,
            "tiles": matrix.tile_count(rows=rows, columns=columns),
            "lower bound": note,
        }
        for name, matrix, note in read_matrices(path)
    }
    return Contents(kind="matrices", parts=parts)


def _model(path: Path) -> Contents:
    from systopack.api.learning import load_model

    model = load_model(path)
    combined = "combined" if model.groups is not None else "dense"
    bands = {f"{name}.weight": layer for name, layer in (model.groups or {}).items()}
    return Contents(
        kind="model",
        sentences=(
            f"{combined} {model.architecture}, {len(model.class_names)} classes, "
            f"{len(model.history)} epochs",
        ),
        parts={
            name: {
                "size": tuple(tensor.shape),
                "nonzeros": int(tensor.count_nonzero()),
                "groups": [len(groups) for _, groups in bands.get(name, ())],
            }
            for name, tensor in model.state.items()
            if tensor.ndim > 1 and tensor.is_floating_point()
        },
    )
