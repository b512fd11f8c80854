"""A local folder of parquet files in the Hugging Face hub's schema."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from systopack.data.decode import Rows, Schema, find_columns
from systopack.errors import InvalidFileError

SPLITS = ("train", "test")
_BLOCK_ROWS = 1000
_SHARD = re.compile(r"-(\d+)-of-(\d+)\.parquet$")


@dataclass(frozen=True, kw_only=True)
class ParquetFolder:
    """The parquet files of a data set, split -> shards in order."""

    folder: Path
    files: dict[str, tuple[Path, ...]]

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.folder.resolve().name

    def open(self) -> tuple[Schema, dict[str, Rows]]:
        """Read the schema and prepare the rows of both splits.

        Raises:
            InvalidFileError: a file is damaged, has the wrong columns, or its columns differ
                from those of the first file.
        """
        schemas = {
            path: find_columns(f"'{path}'", _read_features(path))
            for split in SPLITS
            for path in self.files[split]
        }
        first = next(iter(schemas))
        for path, schema in schemas.items():
            if schema != schemas[first]:
                raise InvalidFileError(
                    f"'{path}' has other columns or class names than '{first}'; all files of a "
                    "data set need the same schema."
                )
        rows = {
            split: Rows(
                where=f"Data set '{self.folder}', split '{split}'",
                count=sum(_open_file(path).metadata.num_rows for path in self.files[split]),
                blocks=_blocks(self.files[split], schemas[first]),
            )
            for split in SPLITS
        }
        return schemas[first], rows


def find_parquet(folder: Path) -> ParquetFolder:
    """Find `train*.parquet` and `test*.parquet` in a folder, its `data/`, or one subfolder.

    Raises:
        InvalidFileError: the folder or a split is missing, several subfolders hold data sets,
            or a shard of a numbered series is missing.
    """
    if not folder.is_dir():
        raise InvalidFileError(
            f"'{folder}' is not a folder; give 'sample', a folder of parquet files or a hub id "
            "such as 'ylecun/mnist'."
        )
    try:
        place = _find_place(folder)
        files = {split: _shards(place, split) for split in SPLITS}
    except OSError as error:
        raise InvalidFileError(
            f"'{folder}' cannot be read: {error.strerror or error}; mend its permissions."
        ) from error
    for split in SPLITS:
        if not files[split]:
            raise InvalidFileError(
                f"'{place}' has no {split} split; add a file named {split}-*.parquet."
            )
    return ParquetFolder(folder=folder, files=files)


def _find_place(folder: Path) -> Path:
    subfolders = sorted(path for path in folder.iterdir() if path.is_dir())
    data = [path for path in subfolders if path.name == "data"]
    places = [place for place in (folder, *data) if _any_split(place)][:1]
    places = places or [place for place in subfolders if _any_split(place)]
    if not places:
        raise InvalidFileError(
            f"'{folder}' holds no parquet files named train-*.parquet and test-*.parquet; give "
            "the folder that holds them."
        )
    if len(places) > 1:
        names = ", ".join(place.name for place in places)
        raise InvalidFileError(
            f"'{folder}' holds several data sets ({names}); give the folder of one of them."
        )
    return places[0]


def _any_split(place: Path) -> bool:
    return any(_shards(place, split) for split in SPLITS)


def _shards(place: Path, split: str) -> tuple[Path, ...]:
    pattern = re.compile(rf"{split}([-_.].*)?\.parquet")
    files = tuple(sorted(path for path in place.iterdir() if pattern.fullmatch(path.name)))
    for path in files:
        numbers = _SHARD.search(path.name)
        if numbers and int(numbers[2]) != len(files):
            raise InvalidFileError(
                f"'{place}' has {len(files)} files of the {split} split, but '{path.name}' is one "
                f"of {int(numbers[2])}; complete the folder."
            )
    return files


def _read_features(path: Path) -> Any:
    from datasets import Features

    try:
        return Features.from_arrow_schema(_open_file(path).schema_arrow)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidFileError(
            f"'{path}' has a schema that the 'datasets' library cannot read ({error}); write it "
            "with that library."
        ) from error


def _blocks(paths: tuple[Path, ...], schema: Schema) -> Iterator[Any]:
    import pyarrow

    columns = [schema.image_column, schema.label_column]
    for path in paths:
        try:
            yield from _open_file(path).iter_batches(batch_size=_BLOCK_ROWS, columns=columns)
        except (pyarrow.ArrowException, OSError) as error:
            raise InvalidFileError(_damaged(path, error)) from error


def _open_file(path: Path) -> Any:
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(path, page_checksum_verification=True)
    except (pyarrow.ArrowException, OSError) as error:
        raise InvalidFileError(_damaged(path, error)) from error


def _damaged(path: Path, error: Exception) -> str:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return f"'{path}' is damaged or not a parquet file ({reason.rstrip('.')}); get it again."
