"""From rows of encoded images to uint8 arrays: columns found by type, decoded in threads."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from threading import Lock
from typing import Any

import numpy as np

from systopack.data.images import Images, Labels
from systopack.errors import InvalidFileError, one_line

_FORMATS = ("PNG", "JPEG")  # every other of Pillow's many readers stays shut
_PIXELS = 1 << 24  # of one image
_FREE = 1 << 28  # bytes that a split may decode to, whatever its files hold
_TIMES = 200  # and so many times the bytes of its files


@dataclass(frozen=True, kw_only=True)
class Schema:
    """Where a set keeps its images and labels.

    Args:
        image_column, label_column: names of the columns.
        class_names: one per class.
    """

    image_column: str
    label_column: str
    class_names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The rows of one split, not yet decoded.

    Args:
        where: names the split in messages.
        count: rows in all.
        file_bytes: of the files that hold them.
        blocks: pyarrow record batches or tables that hold the schema's two columns.
    """

    where: str
    count: int
    file_bytes: int
    blocks: Iterable[Any]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What a column holds.

    Args:
        name: of the type, in the words of the `datasets` library: Image, ClassLabel, int64, ...
        classes: names of the classes, of a ClassLabel.
    """

    name: str
    classes: tuple[str, ...] = ()


def find_columns(where: str, kinds: Mapping[str, Kind]) -> Schema:
    """Find the one image column and the one label column by their type.

    Args:
        where: names the data set in messages.
        kinds: of every column.

    Raises:
        InvalidFileError: there is not exactly one column of each; it names what was found.
    """
    images = [name for name, kind in kinds.items() if kind.name == "Image"]
    labels = [name for name, kind in kinds.items() if kind.name == "ClassLabel"]
    if len(images) != 1 or len(labels) != 1 or not kinds[labels[0]].classes:
        found = ", ".join(f"{name} ({kind.name})" for name, kind in kinds.items())
        raise InvalidFileError(
            f"{where} has the columns {found or 'none'}, but exactly one of type Image and one "
            "of type ClassLabel are needed; write it with the 'datasets' library and these types."
        )
    return Schema(
        image_column=images[0],
        label_column=labels[0],
        class_names=kinds[labels[0]].classes,
    )


def decode_rows(rows: Rows, schema: Schema) -> tuple[Images, Labels]:
    """Decode a split.

    Returns:
        Images, shape (count, channels, height, width), uint8, one channel where they are
        grayscale and three otherwise; labels, shape (count,), int64.

    Raises:
        InvalidFileError: the split is empty, an image cannot be decoded or differs in size from
            the first, or a label is missing.
    """
    if not rows.count:
        raise InvalidFileError(f"{rows.where} holds no rows; give at least one image.")
    decoder = _Decoder(rows, schema)
    workers = os.cpu_count() or 1
    with warnings.catch_warnings(), ThreadPoolExecutor(workers) as pool:
        warnings.simplefilter("ignore")  # Pillow's of what is refused below
        # A few blocks at a time: encoded rows must not pile up in memory.
        numbered = _numbered(rows.blocks)
        while chunk := list(islice(numbered, 4 * workers)):
            list(pool.map(lambda item: decoder.decode(*item), chunk))
    decoder.check_whole()
    return decoder.images, decoder.labels


class _Decoder:
    def __init__(self, rows: Rows, schema: Schema) -> None:
        self._rows = rows
        self._schema = schema
        self._lock = Lock()
        self._decoded = 0
        self.images = np.empty((0, 0, 0, 0), dtype=np.uint8)
        self._check_size(8)
        self.labels = np.empty(rows.count, dtype=np.int64)

    def check_whole(self) -> None:
        """Refuse files that hold fewer rows than they say."""
        if self._decoded != self._rows.count:
            raise self._other_count(self._decoded)

    def _other_count(self, found: int) -> InvalidFileError:
        return InvalidFileError(
            f"{self._rows.where} says that it has {self._rows.count} rows, but holds {found}; get "
            "its files again."
        )

    def decode(self, start: int, block: Any) -> None:
        import pyarrow

        column = block[self._schema.label_column]
        if not pyarrow.types.is_integer(column.type):
            raise InvalidFileError(
                f"{self._rows.where}: the labels are of type {column.type}, not whole numbers; "
                "write them as ClassLabel."
            )
        labels = column.to_pylist()
        pictures = block[self._schema.image_column].to_pylist()
        if None in labels:
            row = start + labels.index(None)
            raise InvalidFileError(
                f"{self._rows.where}, row {row}: there is no label; leave such rows out."
            )
        if len(labels) != len(pictures) or start + len(labels) > self._rows.count:
            raise self._other_count(start + max(len(labels), len(pictures)))
        self.labels[start : start + len(labels)] = labels
        for row, picture in enumerate(pictures, start):
            self._store(row, self._pixels(row, picture))
        with self._lock:
            self._decoded += len(labels)

    def _pixels(self, row: int, picture: Any) -> Images:
        from PIL import Image as Pillow

        where = f"{self._rows.where}, row {row}"
        if not isinstance(picture, dict) or not picture.get("bytes"):
            raise InvalidFileError(
                f"{where}: the image has no bytes in the file; store the encoded images inside."
            )
        try:
            with Pillow.open(BytesIO(picture["bytes"]), formats=_FORMATS) as image:
                if image.width * image.height > _PIXELS:
                    raise ValueError(f"{image.width} x {image.height} are too many pixels")
                if image.mode[0] in "IF":
                    raise ValueError(f"mode {image.mode} has more than 8 bits a channel")
                mode = "L" if image.mode in ("1", "L", "LA") else "RGB"
                pixels = np.asarray(image if image.mode == mode else image.convert(mode))
        except Pillow.UnidentifiedImageError as error:  # its text names an object in memory
            raise InvalidFileError(
                f"{where}: the image is none of {', '.join(_FORMATS)}, or damaged; get the file "
                "again, or write the image anew as PNG or JPEG."
            ) from error
        except Exception as error:  # Pillow's readers raise errors of many kinds
            raise InvalidFileError(
                f"{where}: the image cannot be decoded ({type(error).__name__}: "
                f"{one_line(error)}); get the file again, or write the image anew as PNG or JPEG."
            ) from error
        return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)

    def _store(self, row: int, pixels: Images) -> None:
        with self._lock:  # whichever image is first sets the size
            if not self.images.size:
                self._check_size(pixels.size)
                self.images = np.empty((self._rows.count, *pixels.shape), dtype=np.uint8)
        if pixels.shape != self.images.shape[1:]:
            channels, height, width = self.images.shape[1:]
            raise InvalidFileError(
                f"{self._rows.where}, row {row}: the image is {pixels.shape[1]} x "
                f"{pixels.shape[2]} with {pixels.shape[0]} channels, but another is {height} x "
                f"{width} with {channels}; bring all images to one size."
            )
        self.images[row] = pixels

    def _check_size(self, pixels: int) -> None:
        """Refuse rows that say far more than their files can hold."""
        rows = self._rows
        if rows.count * pixels > _FREE + _TIMES * rows.file_bytes:
            raise InvalidFileError(
                f"{rows.where} decodes to {rows.count * pixels:,} bytes, but its files have "
                f"{rows.file_bytes:,}; give a set that is not made of one image many times."
            )


def _numbered(blocks: Iterable[Any]) -> Iterator[tuple[int, Any]]:
    start = 0
    for block in blocks:
        yield start, block
        start += block.num_rows
