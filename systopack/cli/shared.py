"""Options that several commands share; each is declared here and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from systopack.errors import InvalidOptionError
from systopack.hardware.named_arrays import DEFAULT_ARRAY, array_from
from systopack.options import Options, argument, option

DATA = "'sample' (bundled digits), a folder of parquet files, or a Hugging Face hub id"
OUTPUT, _DATA, _RUN, _IMPORT = "Output", "Data", "Run", "Models of others"


class DataOptions(Options):
    """The images."""

    data: str = option("sample", f"{DATA}.", group=_DATA)


class NetworkArgument(Options):
    """A packed network."""

    network: Path = argument("Packed network (.spk), or one of the package: zoo:NAME.")


class ImageCount(Options):
    """How many images are run."""

    images: int = option(4, "Test images to run.", ge=1, group=_DATA)


class PartOptions(DataOptions):
    """The images that a run may read."""

    fraction: float = option(
        1.0, "Class-balanced share of the training images to read.", gt=0, le=1, group=_DATA
    )


class ResumeOptions(Options):
    """A run that can be interrupted."""

    resume: bool = option(False, "Go on from the checkpoint of an interrupted run.", group=_RUN)


class ConfigOptions(ResumeOptions):
    """A run whose settings may stand in a file."""

    config: Path | None = option(None, "TOML file of settings; options win over it.", group=_RUN)


class ModelFile(Options):
    """A model to write."""

    out: Path = option(..., "Model file to write (.safetensors).", group=OUTPUT)


class RecordFile(Options):
    """The record of a command that writes nothing else."""

    out: Path | None = option(
        None, "Record to write.", shown_default="FILE.COMMAND.json", group=OUTPUT
    )


class ReadNetwork(NetworkArgument, RecordFile):
    """A network that is read, and the record about it."""


class Folder(Options):
    """A folder to write."""

    out: Path = option(..., "Folder to write.", group=OUTPUT)


class ArraySize(Options):
    """An array of which rows and columns count."""

    array: str = option(
        DEFAULT_ARRAY,
        "The array: a name ('systopack arrays' lists them), a TOML file, or ROWSxCOLUMNS.",
        group="Array",
    )

    @property
    def file(self) -> str | None:
        """The array where it is a file, which is then an input."""
        return self.array if self.array.endswith(".toml") else None

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns.

        Raises:
            InvalidFileError, InvalidOptionError: there is no such array.
        """
        found = array_from(self.array)
        return found.rows, found.columns


class ArrayOptions(ArraySize):
    """An array."""

    changes: tuple[str, ...] = option(
        (),
        "Another value of one of its fields, key=value, for instance alpha=4; may be repeated.",
        flag="--set",
        group="Array",
    )


class OrganisationOptions(ArrayOptions):
    """An accelerator around an array."""

    organisation: Literal["tiled", "pipelined"] = option(
        "tiled",
        "tiled: one array runs all tiles of all layers in turn. pipelined: every layer has its own "
        "cells, in tiles of at most --array, and starts on the first data it needs.",
        group="Array",
    )


class ImportOptions(Options):
    """What a model of others does not tell."""

    input_shape: str | None = option(
        None,
        "Channels x height x width of the images, or channels x length of signals, where neither "
        "model nor data tell.",
        group=_IMPORT,
    )
    mean: str | None = option(
        None,
        "Mean of pixels divided by 255, as trained; a number, or one per channel.",
        group=_IMPORT,
    )
    std: str | None = option(None, "Standard deviation, likewise.", group=_IMPORT)
    weights: Path | None = option(
        None, "State dict (.safetensors) for module:function or a zoo name.", group=_IMPORT
    )
    partial: bool = option(
        False, "Pack the layers that can be, and report what is left out.", group=_IMPORT
    )

    def shape(self) -> tuple[int, int, int] | None:
        """The sizes.

        Raises:
            InvalidOptionError: the text is something else.
        """
        if self.input_shape is None:
            return None
        sizes = self.input_shape.lower().split("x")
        if len(sizes) == 2:  # a signal is an image of one row
            sizes.insert(1, "1")
        if len(sizes) != 3 or not all(size.isdecimal() and int(size) for size in sizes):
            raise InvalidOptionError(
                f"--input-shape is '{self.input_shape}'; give channels x height x width, for "
                "instance 3x32x32, or channels x length of signals."
            )
        return int(sizes[0]), int(sizes[1]), int(sizes[2])

    def numbers(self, name: str) -> tuple[float, ...] | None:
        """The numbers of `mean` or `std`.

        Raises:
            InvalidOptionError: the text is something else.
        """
        text = getattr(self, name)
        try:
            return None if text is None else tuple(map(float, text.split(",")))
        except ValueError as error:
            raise InvalidOptionError(
                f"--{name} is '{text}'; give numbers with commas between, for instance 0.5,0.5,0.5."
            ) from error
