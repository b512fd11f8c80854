"""A data set of the Hugging Face hub, through the `datasets` library."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from systopack.data.decode import Kind, Rows, Schema, find_columns
from systopack.data.parquet import SPLITS
from systopack.errors import InvalidFileError

_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_BLOCK_ROWS = 200


def is_hub_id(source: str) -> bool:
    """Whether the text has the form `owner/name`."""
    return _ID.fullmatch(source) is not None


@dataclass(frozen=True, kw_only=True)
class HubData:
    """A loaded hub data set.

    Args:
        name: the hub id.
        splits: split name -> `datasets.Dataset`.
        files: the Arrow files of the `datasets` cache that hold the rows; their paths contain
            the hub's revision.
    """

    name: str
    splits: dict[str, Any]
    files: tuple[Path, ...]

    def open(self) -> tuple[Schema, dict[str, Rows]]:
        """Find the columns and prepare the rows of both splits.

        Raises:
            InvalidFileError: the columns are wrong, or differ between the splits.
        """
        where = f"Hub data set '{self.name}'"
        schemas = [find_columns(where, _kinds(self.splits[split].features)) for split in SPLITS]
        if schemas[0] != schemas[1]:
            raise InvalidFileError(
                f"{where} has other columns or class names in its test split than in train; "
                "both need the same schema."
            )
        rows = {
            split: Rows(
                where=f"{where}, split '{split}'",
                count=self.splits[split].num_rows,
                file_bytes=sum(path.stat().st_size for path in self.files),
                blocks=self.splits[split].with_format("arrow").iter(batch_size=_BLOCK_ROWS),
            )
            for split in SPLITS
        }
        return schemas[0], rows


def _kinds(features: Any) -> dict[str, Kind]:
    """What the columns hold, of a `datasets.Features`."""
    from datasets import ClassLabel, Value

    return {
        name: Kind(
            name=str(kind.dtype) if isinstance(kind, Value) else type(kind).__name__,
            classes=tuple(map(str, kind.names)) if isinstance(kind, ClassLabel) else (),
        )
        for name, kind in features.items()
    }


def load_hub(source: str) -> HubData:
    """Download a data set, or take it from the cache of the `datasets` library.

    Args:
        source: hub id, `owner/name`.

    Raises:
        InvalidFileError: the hub cannot be reached, does not know the id, or the set has no
            train or no test split.
    """
    from datasets import load_dataset

    try:
        with _quiet():
            loaded = load_dataset(source)
    # The hub's client raises errors of many libraries; each means the set cannot be had.
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0].rstrip(".")
        raise InvalidFileError(
            f"There is no folder '{source}', and the hub data set of that name cannot be loaded "
            f"({type(error).__name__}: {reason}); check the name and the network, or give a local "
            "folder of its parquet files."
        ) from error
    for split in SPLITS:
        if split not in loaded:
            found = ", ".join(loaded)
            raise InvalidFileError(
                f"Hub data set '{source}' has no {split} split, only {found}; download it and "
                f"name the files train-*.parquet and test-*.parquet."
            )
    splits = {split: loaded[split] for split in SPLITS}
    files = tuple(Path(file["filename"]) for split in SPLITS for file in splits[split].cache_files)
    return HubData(name=source, splits=splits, files=files)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the libraries from printing progress bars and retries; restore both afterwards."""
    from datasets.utils import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    were_disabled = are_progress_bars_disabled()
    loggers = [logging.getLogger(name) for name in ("huggingface_hub", "datasets")]
    levels = [logger.level for logger in loggers]
    disable_progress_bars()
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if not were_disabled:
            enable_progress_bars()
