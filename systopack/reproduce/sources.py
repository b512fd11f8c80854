"""Where a reproduction takes networks, images and records from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidFileError
from systopack.hardware.array import Array
from systopack.hardware.energy.activity import Activity, full_activity, measure_activity
from systopack.hardware.energy.coefficients import (
    RECORD_KIND,
    CoefficientTable,
    Gating,
    read_coefficients,
)
from systopack.hardware.energy.model import Periphery
from systopack.network.file import load
from systopack.network.network import PackedNetwork
from systopack.network.packaged import network_file, packaged_names
from systopack.records import read_record

PACKAGED_RECORDS = Path(__file__).resolve().parent.parent / "records_data"
_CHECKOUT_RECORDS = Path(__file__).resolve().parents[2] / "benchmarks" / "records"
ROWS = COLUMNS = 32
ALPHA = 8
SUB_BANKS = 2  # of both accelerators of a comparison


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A network of the paper and the networks of the package that stand for it.

    Args:
        paper: its name among the published figures.
        dense, packed: names in the package, without prefix.
        shape: of its images, (channels, height, width).
        short: trained for a few epochs only: it shows tiles and cycles, and is in no claim.
    """

    paper: str
    dense: str
    packed: str
    shape: tuple[int, int, int]
    short: bool = False


SUBJECTS = (
    Subject(
        paper="LeNet-5, MNIST",
        dense="lenet5-mnist-dense",
        packed="lenet5-mnist",
        shape=(1, 28, 28),
    ),
    Subject(
        paper="VGG-16, CIFAR-10",
        dense="vgg16-shift-cifar10-dense",
        packed="vgg16-shift-cifar10",
        shape=(3, 32, 32),
        short=True,
    ),
    Subject(
        paper="ResNet-20, CIFAR-10",
        dense="resnet20-cifar10-dense",
        packed="resnet20-cifar10-fast",
        shape=(3, 32, 32),
    ),
)


@dataclass(frozen=True, kw_only=True, order=True)
class Options:
    """What both arrays of a comparison have in common, apart from alpha.

    Args:
        gating, cell, cells_per_stage, input_fanout, weight_bits, weight_buffers: see `Array` and `MeasuredPoint`.
    """

    gating: Gating
    cell: str
    cells_per_stage: int
    input_fanout: int
    weight_bits: int
    weight_buffers: int

    def __str__(self) -> str:
        words = [f"gating '{self.gating}'"]
        if self.cell == "bit-serial-compact":
            words.append("compact cells")
        if self.cells_per_stage > 1:
            words.append(f"{self.cells_per_stage} columns a sum register")
        if self.input_fanout > 1:
            words.append(f"{self.input_fanout} rows an input register")
        if self.weight_bits < 8:
            words.append(f"weights of {self.weight_bits} bits")
        if self.weight_buffers == 1:
            words.append("one weight a cell")
        return ", ".join(words)


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """A dense network and a packed one, each with its own array and its activity.

    Args:
        subject: what they stand for.
        dense, packed: the networks, called as in the package.
        image: shape (C, H, W), int8, the first image; None where no images were given.
        activity: of dense and packed, in this order.
    """

    subject: Subject
    dense: PackedNetwork
    packed: PackedNetwork
    image: NDArray[np.int8] | None
    activity: tuple[Activity, Activity]

    @property
    def arrays(self) -> tuple[Array, Array]:
        """Alpha 1 for the dense network, 8 for the packed one."""
        return array_for(self.dense, 1), array_for(self.packed, ALPHA)


@dataclass(frozen=True, kw_only=True)
class Sources:
    """All inputs of a reproduction.

    Args:
        records: folder of records, with `accuracy` inside.
        pixels: uint8 images by data set shape, for real activity; empty: every word counts as
            not zero.
        images: how many of them are used.
    """

    records: Path
    pixels: Mapping[tuple[int, int, int], NDArray[np.uint8]]
    images: int = 4

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """Dense and packed networks of every subject that has both."""
        names = packaged_names()
        return tuple(
            self._pair(subject, subject.dense, subject.packed)
            for subject in SUBJECTS
            if subject.dense in names and subject.packed in names
        )

    @cached_property
    def coefficients(self) -> tuple[CoefficientTable, str] | None:
        """Measured coefficients for both arrays and the name of their record, or None."""
        for path in sorted(self.records.rglob("*.json")):
            record = read_record(path)
            if record.get("kind") == RECORD_KIND:
                return read_coefficients(path), path.name
        return None

    @cached_property
    def periphery(self) -> Mapping[tuple[str, Gating], Periphery]:
        """Logic outside the array of tiled accelerators, by network and gating."""
        found: dict[tuple[str, Gating], Periphery] = {}
        for _, record in self._outside_records:
            for case in record["figures"].values():
                gating: Gating = "clock" if case["clock_gates"] else "none"
                found[case["network"], gating] = Periphery(
                    pj_per_cycle=case["total_pj"], critical_ns=case["critical_ns"]
                )
        return found

    @property
    def periphery_name(self) -> str:
        """The record of it; empty where there is none."""
        return next((name for name, _ in self._outside_records), "")

    @cached_property
    def _outside_records(self) -> list[tuple[str, dict[str, Any]]]:
        """Of the library that the coefficients are of."""
        library = None if self.coefficients is None else self.coefficients[0].library
        return [
            (name, record)
            for name, record in self.records_of("periphery")
            if record["configuration"].get("library") == library
        ]

    @cached_property
    def options(self) -> tuple[Options, ...]:
        """Options with which arrays of alpha 1 and of alpha 8 have been measured, in full size."""
        if self.coefficients is None:
            return ()
        found: dict[int, set[Options]] = {1: set(), ALPHA: set()}
        for point in self.coefficients[0].points:
            array = point.array
            whole = (array.rows, array.columns) == (ROWS, COLUMNS)
            if whole and array.alpha in found and array.cell_kind.sums == "lanes":
                found[array.alpha].add(
                    Options(
                        gating=point.gating,
                        cell=array.cell,
                        cells_per_stage=array.cells_per_stage,
                        input_fanout=array.input_fanout,
                        weight_bits=array.weight_bits,
                        weight_buffers=array.weight_buffers,
                    )
                )
        return tuple(sorted(found[1] & found[ALPHA]))

    def records_of(self, kind: str) -> list[tuple[str, dict[str, Any]]]:
        """File name and content of all records of a kind, sorted by name."""
        found = []
        for path in sorted(self.records.rglob("*.json")):
            record = read_record(path)
            if record.get("kind") == kind:
                found.append((path.name, record))
        return found

    def _pair(self, subject: Subject, dense: str, packed: str) -> Pair:
        networks = [
            replace(load(network_file(Path(f"zoo:{name}"))), name=name) for name in (dense, packed)
        ]
        pixels = self.pixels.get(subject.shape)
        if pixels is None:
            return Pair(
                subject=subject,
                dense=networks[0],
                packed=networks[1],
                image=None,
                activity=(full_activity(networks[0]), full_activity(networks[1])),
            )
        from systopack.network.reference import quantize_images

        words = [quantize_images(network, pixels[: self.images]) for network in networks]
        return Pair(
            subject=subject,
            dense=networks[0],
            packed=networks[1],
            image=words[1][0],
            activity=(
                measure_activity(networks[0], words[0]),
                measure_activity(networks[1], words[1]),
            ),
        )


def array_for(network: PackedNetwork, alpha: int, options: Options | None = None) -> Array:
    """The 32 x 32 array of a network, with the default options or those given."""
    array = Array(
        rows=ROWS,
        columns=COLUMNS,
        alpha=alpha,
        accumulator_bits=network.accumulator_bits,
        sub_banks=SUB_BANKS,
    )
    if options is None:
        return array
    return replace(
        array,
        cell=options.cell,
        cells_per_stage=options.cells_per_stage,
        input_fanout=options.input_fanout,
        weight_bits=options.weight_bits,
        weight_buffers=options.weight_buffers,
    )


def records_folder(given: Path | None) -> Path:
    """The folder of records: the given one, the checkout's, or the package's own copy.

    Raises:
        InvalidFileError: the given folder does not exist.
    """
    if given is not None:
        if not given.is_dir():
            raise InvalidFileError(
                f"There is no folder '{given}'; give one with records, or leave --records out."
            )
        return given
    return _CHECKOUT_RECORDS if _CHECKOUT_RECORDS.is_dir() else PACKAGED_RECORDS
