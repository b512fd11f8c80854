"""The packed matrices of a run that is under way: a folder beside its output, one file each.

A matrix is there when its figures are, which are written last; so whatever stops the run, what is
there is whole, and a later run need not pack it again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from systopack.errors import InvalidFileError, InvalidOptionError
from systopack.files import explain, read_file, write_atomically
from systopack.packing.file import Named, read_matrices, write_matrices
from systopack.packing.layers import PackedLayer
from systopack.packing.weights import WeightFile

_PLAN = "run.json"
_KIND = "systopack pack, unfinished"


class Parts:
    """The folder.

    Args:
        folder: its place.
        configuration: plain data; what must be the same to go on.
    """

    def __init__(self, folder: Path, configuration: Mapping[str, Any]) -> None:
        self._folder = folder
        self._plan = {"kind": _KIND, "configuration": json.loads(json.dumps(configuration))}

    def begin(self, *, resume: bool) -> None:
        """Make the folder, or go on with the one there is.

        Raises:
            InvalidOptionError: it is no such folder, or of a run with other options or weights.
            InvalidFileError: it cannot be made.
        """
        if self._folder.exists():
            theirs = self._read_plan()
            if resume and theirs != self._plan:
                ours, given = self._plan["configuration"], theirs["configuration"]
                key = next((k for k in ours if given.get(k) != ours[k]), "")
                raise InvalidOptionError(
                    f"The checkpoint '{self._folder}' is of a run with another {key or 'option'}; "
                    "resume with the same options and weights, or start anew without --resume."
                )
            if not resume:
                self.remove()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidFileError(explain(self._folder, error)) from error
        try:
            write_atomically(self._folder / _PLAN, json.dumps(self._plan))
        except InvalidFileError:
            if not any(self._folder.iterdir()):
                self.remove()
            raise

    def _read_plan(self) -> dict[str, Any]:
        try:
            plan = json.loads(read_file(self._folder / _PLAN, what="a checkpoint of pack"))
            if plan["kind"] != _KIND or not isinstance(plan["configuration"], dict):
                raise ValueError("of another kind")
        except (InvalidFileError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise InvalidOptionError(
                f"'{self._folder}' is needed for what is packed before the whole is written, but "
                "exists and was not made by 'systopack pack'; move it away, or choose another "
                "--out."
            ) from error
        return dict(plan)

    def figures(self, index: int) -> dict[str, Any] | None:
        """What became of a weight; None where it is not there, or not whole."""
        try:
            text = read_file(self._folder / f"{index}.json", what="figures of a packed matrix")
            found = json.loads(text)
            self.named(index)
        except (InvalidFileError, ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    def named(self, index: int) -> Named:
        """A packed matrix with its name and note.

        Raises:
            InvalidFileError: it is damaged.
        """
        path = self._folder / f"{index}.safetensors"
        found = list(read_matrices(path))
        if len(found) != 1:
            raise InvalidFileError(f"'{path}' does not hold one matrix; start anew.")
        return found[0]

    def store(self, index: int, layer: PackedLayer, figures: Mapping[str, Any]) -> None:
        """Keep a packed matrix."""
        note = "" if layer.gap is None else str(layer.gap)
        matrix = [(layer.name, layer.matrix, note)]
        write_matrices(self._folder / f"{index}.safetensors", matrix)
        write_atomically(self._folder / f"{index}.json", json.dumps(figures))

    def remove(self) -> None:
        """Take the folder away."""
        shutil.rmtree(self._folder, ignore_errors=True)


def fingerprint(file: WeightFile) -> list[list[Any]]:
    """What tells whether the weights of a file are still those of an earlier run."""
    states = {path: path.stat() for path in {weight.file for weight in file.weights}}
    return [
        [
            *(weight.name, list(weight.shape), weight.dtype, weight.offset, weight.file.name),
            *(states[weight.file].st_size, states[weight.file].st_mtime_ns),
        ]
        for weight in file.weights
    ]
