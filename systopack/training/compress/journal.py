"""What a search has found out so far: written after every step of it, read to go on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from systopack.codec import from_plain, to_plain
from systopack.errors import InvalidFileError
from systopack.fields import MalformedError
from systopack.files import write_atomically
from systopack.sealed import sealed
from systopack.training.checkpoint import check_same_run
from systopack.training.compress.sensitivity import LayerSensitivity
from systopack.training.compress.sizes import Point
from systopack.training.model import read_safetensors

_KEY = "systopack_compress"
_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A full run that is about to begin, or has begun.

    Args:
        size: of its network, as `sizes` counts it.
        layers: `NAME=SHARE` of every layer.
        epochs: of its training.
    """

    size: float
    layers: tuple[str, ...]
    epochs: int


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A network against the dense one, on the held-out images.

    Args:
        images: held out.
        dense_right, packed_right: how many each has right.
        lost, gained: images that only the dense one, only the packed one has right.
    """

    images: int
    dense_right: int
    packed_right: int
    lost: int
    gained: int

    @property
    def loss_points(self) -> float:
        """Accuracy lost, in percentage points."""
        return 100 * (self.lost - self.gained) / self.images

    @property
    def error_points(self) -> float:
        """Standard error of the loss, from the images that the two judge differently."""
        return 100 * float((self.lost + self.gained) ** 0.5) / self.images


@dataclass(frozen=True, kw_only=True)
class FullRun:
    """A full run that ended.

    Args:
        planned: what it was.
        cells: packed cells.
        streamed_words: of one image.
        judged: on the held-out images.
    """

    planned: Planned
    cells: int
    streamed_words: int
    judged: Judged

    @property
    def point(self) -> Point:
        """Its size and loss."""
        return Point(size=self.planned.size, loss_points=self.judged.loss_points)


@dataclass(kw_only=True)
class Journal:
    """How far a search is.

    Args:
        table: of the layers alone; None: not measured yet.
        learning_rate: of the probes; None: not measured yet.
        step_s: seconds that a step of training takes, 0: not known.
        judge_s: seconds that judging takes.
        probes: that were made.
        planned: the full run that is under way.
        runs: full ones that ended.
        spent_s: seconds of work, of all starts together.
    """

    table: tuple[LayerSensitivity, ...] | None = None
    learning_rate: float | None = None
    step_s: float = 0.0
    judge_s: float = 0.0
    probes: list[Point] = field(default_factory=list)
    planned: Planned | None = None
    runs: list[FullRun] = field(default_factory=list)
    spent_s: float = 0.0


def save_journal(path: Path, journal: Journal, configuration: dict[str, Any]) -> None:
    """Write the journal; the one before stays until the new one is complete."""
    from safetensors.torch import save

    header = {"version": _VERSION, "configuration": configuration, "journal": to_plain(journal)}
    write_atomically(path, sealed(save({}, metadata={_KEY: json.dumps(header)})))


def load_journal(path: Path, configuration: dict[str, Any]) -> Journal:
    """Read a journal.

    Raises:
        InvalidFileError: it is damaged.
        InvalidOptionError: it belongs to a search with other options, model or data.
    """
    header, _ = read_safetensors(path, key=_KEY, what="a checkpoint of compress")
    if header.get("version") != _VERSION:
        raise InvalidFileError(f"'{path}' is a checkpoint of another version; start anew.")
    try:
        theirs = from_plain(dict[str, Any], header.get("configuration"), "its configuration")
        journal: Journal = from_plain(Journal, header.get("journal"), "its journal")
    except MalformedError as error:
        raise InvalidFileError(
            f"The checkpoint '{path}' is of another run or damaged: {error}; start anew without "
            "--resume."
        ) from error
    check_same_run(path, theirs, configuration)
    sizes = [probe.size for probe in journal.probes]
    sizes += [run.planned.size for run in journal.runs]
    if not all(0 < size <= 1 for size in sizes) or journal.spent_s < 0:
        raise InvalidFileError(
            f"The checkpoint '{path}' is damaged: a size or time in it is impossible; start anew "
            "without --resume."
        )
    return journal
