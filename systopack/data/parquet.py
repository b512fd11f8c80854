"""A local folder of parquet files in the Hugging Face hub's schema."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from systopack.codec import from_plain
from systopack.data.decode import Kind, Rows, Schema, find_columns
from systopack.errors import InvalidFileError, one_line
from systopack.fields import MalformedError, parse_json, shown
from systopack.files import open_file

SPLITS = ("train", "test")
_BLOCK_ROWS = 200
_NOTES = b"huggingface"
_FREE = 1 << 28  # bytes that a file may unpack to, whatever its size
_TIMES = 200  # and so many times its size
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
            path: find_columns(f"'{path}'", _kinds(path))
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
                count=sum(_rows_of(path) for path in self.files[split]),
                file_bytes=sum(path.stat().st_size for path in self.files[split]),
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


def _kinds(path: Path) -> dict[str, Kind]:
    """What the columns hold, as the `datasets` library notes it in the metadata of a schema."""
    import pyarrow

    stored = {
        "Image": pyarrow.struct({"bytes": pyarrow.binary(), "path": pyarrow.string()}),
        "ClassLabel": pyarrow.int64(),
    }
    schema = _open_file(path).schema_arrow
    try:
        notes = _object(parse_json((schema.metadata or {}).get(_NOTES, b"{}")), "its metadata")
        told = _object(notes["info"], "'info'").get("features") if "info" in notes else {}
        features = _object(told, "'features'")
        kinds = {}
        for field in schema:
            kind = Kind(name=_arrow_name(field.type))
            feature = _object(features.get(field.name, {}), f"'{field.name}'")
            name = feature.get("_type")
            if isinstance(name, str) and stored.get(name) == field.type:
                told = feature.get("names") if name == "ClassLabel" else ()
                classes = from_plain(tuple[str, ...], told, f"'names' of '{field.name}'")
                kind = Kind(name=name, classes=classes)
            kinds[field.name] = kind
    except (MalformedError, UnicodeDecodeError) as error:
        raise InvalidFileError(
            f"'{path}' has a schema that is not as the 'datasets' library writes it "
            f"({one_line(error)}); write it with that library."
        ) from error
    return kinds


def _object(value: Any, what: str) -> dict[str, Any]:
    """One whose other entries, such as a description, are nobody's business here."""
    if not isinstance(value, dict):
        raise MalformedError(f"{what} is {shown(value)}, not an object")
    return value


def _arrow_name(kind: Any) -> str:
    import pyarrow

    if pyarrow.types.is_list(kind):
        return "List"
    return "struct" if pyarrow.types.is_struct(kind) else str(kind)


def _rows_of(path: Path) -> int:
    """How many rows a file says it has; refuses one that unpacks to far more than its size."""
    metadata = _open_file(path).metadata
    unpacked = sum(
        max(metadata.row_group(index).total_byte_size, 0)
        for index in range(metadata.num_row_groups)
    )
    if unpacked > _FREE + _TIMES * path.stat().st_size or metadata.num_rows < 0:
        raise InvalidFileError(
            f"'{path}' unpacks to {unpacked:,} bytes, far more than its size; get it again."
        )
    return int(metadata.num_rows)


def _blocks(paths: tuple[Path, ...], schema: Schema) -> Iterator[Any]:
    import pyarrow

    columns = [schema.image_column, schema.label_column]
    for path in paths:
        try:
            batches = _open_file(path).iter_batches(batch_size=_BLOCK_ROWS, columns=columns)
            while (batch := next(batches, None)) is not None:
                yield batch
        except (pyarrow.ArrowException, OSError, ValueError, MemoryError) as error:
            raise InvalidFileError(_damaged(path, error)) from error


def _open_file(path: Path) -> Any:
    import pyarrow.parquet

    open_file(path, what="a parquet file").close()
    try:
        return pyarrow.parquet.ParquetFile(path, page_checksum_verification=True)
    except Exception as error:  # the footer is data of any form
        raise InvalidFileError(_damaged(path, error)) from error


def _damaged(path: Path, error: Exception) -> str:
    return f"'{path}' is damaged or not a parquet file ({one_line(error)}); get it again."
