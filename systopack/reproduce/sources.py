"""Where a reproduction takes networks, images and records from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
from systopack.hardware.energy.events import NetworkEvents, Organisation
from systopack.hardware.energy.periphery import Periphery
from systopack.network.file import load
from systopack.network.network import PackedNetwork
from systopack.network.packaged import network_file, packaged_names
from systopack.network.reference import quantize_images
from systopack.records import STORE, read_record
from systopack.reproduce.design_points import HEADLINE, DesignPoint


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A network of the paper and the networks of the package that stand for it.

    Args:
        paper: its name among the published figures.
        dense, packed: names in the package, without prefix.
        data: what they classify.
        shape: of its images, (channels, height, width).
        short: trained for a few epochs only: it shows tiles and cycles, and is in no claim.
    """

    paper: str
    dense: str
    packed: str
    data: str
    shape: tuple[int, int, int]
    short: bool = False


SUBJECTS = (
    Subject(
        paper="LeNet-5, MNIST",
        dense="lenet5-mnist-dense",
        packed="lenet5-mnist",
        data="MNIST",
        shape=(1, 28, 28),
    ),
    Subject(
        paper="VGG-16, CIFAR-10",
        dense="vgg16-shift-cifar10-dense",
        packed="vgg16-shift-cifar10",
        data="CIFAR-10",
        shape=(3, 32, 32),
        short=True,
    ),
    Subject(
        paper="ResNet-20, CIFAR-10",
        dense="resnet20-cifar10-dense",
        packed="resnet20-cifar10-fast",
        data="CIFAR-10",
        shape=(3, 32, 32),
    ),
)


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

    def arrays(self, point: DesignPoint = HEADLINE) -> tuple[Array, Array]:
        """The arrays of the dense and of the packed network."""
        return (
            point.array_for(self.dense, combined=False),
            point.array_for(self.packed, combined=True),
        )


@dataclass(frozen=True, kw_only=True)
class Sources:
    """All inputs of a reproduction.

    Args:
        records: folder of records, with `accuracy` inside.
        pixels: uint8 images by data set shape, for real activity; empty: every word counts as
            not zero.
        images: how many of them are used.
        counted: events that were counted already, by organisation, network and array.
    """

    records: Path
    pixels: Mapping[tuple[int, int, int], NDArray[np.uint8]]
    images: int = 4
    counted: dict[tuple[Organisation, str, Array], NetworkEvents] = field(default_factory=dict)

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
    def coefficients(self) -> CoefficientTable | None:
        """Measured coefficients; None where no record has any."""
        return read_coefficients(self._coefficients[0]) if self._coefficients else None

    @property
    def coefficients_name(self) -> str:
        """The record of them; empty where there is none."""
        return self._coefficients[0].name if self._coefficients else ""

    @cached_property
    def _coefficients(self) -> list[Path]:
        return [path for path, record in self._records if record.get("kind") == RECORD_KIND][:1]

    @cached_property
    def periphery(self) -> Mapping[tuple[str, Gating], Periphery]:
        """The periphery of tiled accelerators, by network and gating."""
        found: dict[tuple[str, Gating], Periphery] = {}
        for _, record in self._periphery_records:
            for case in record["figures"].values():
                if not case["apart"]:
                    found[case["network"], "clock"] = Periphery(
                        cycle_pj=_outside_pj(case) / case["cycles"],
                        critical_ns=case["critical_ns"],
                    )
        return found

    @property
    def periphery_name(self) -> str:
        """The record of it; empty where there is none."""
        return next((name for name, _ in self._periphery_records), "")

    @cached_property
    def _periphery_records(self) -> list[tuple[str, dict[str, Any]]]:
        """Of the library that the coefficients are of."""
        library = None if self.coefficients is None else self.coefficients.library
        return [
            (name, record)
            for name, record in self.records_of("gate_level")
            if record["configuration"].get("library") == library
        ]

    def records_of(self, kind: str) -> list[tuple[str, dict[str, Any]]]:
        """File name and content of all records of a kind, sorted by name."""
        return [(path.name, record) for path, record in self._records if record["kind"] == kind]

    @cached_property
    def _records(self) -> list[tuple[Path, dict[str, Any]]]:
        return [(path, read_record(path)) for path in sorted(self.records.rglob("*.json"))]

    def _pair(self, subject: Subject, dense: str, packed: str) -> Pair:
        networks = [
            replace(load(network_file(Path(f"zoo:{name}"))), name=name) for name in (dense, packed)
        ]
        pixels = self.pixels.get(subject.shape)
        if pixels is None:
            image, activity = None, [full_activity(network) for network in networks]
        else:
            words = [quantize_images(network, pixels[: self.images]) for network in networks]
            image = words[1][0]
            activity = [measure_activity(*both) for both in zip(networks, words, strict=True)]
        return Pair(
            subject=subject,
            dense=networks[0],
            packed=networks[1],
            image=image,
            activity=(activity[0], activity[1]),
        )


def _outside_pj(case: Mapping[str, Any]) -> float:
    """Of an image: cells outside the array, and the allowance for wires and clock tree of all."""
    total = 0.0
    for node in case["nodes"]:
        for part, found in node["parts"].items():
            total += found["clock_tree_pj"] + found["wires_pj"]
            total += 0.0 if part == "array" else found["cells_pj"]
    return total


def records_folder(given: Path | None) -> Path:
    """The folder of records: the given one, or the package's own.

    Raises:
        InvalidFileError: the given folder does not exist.
    """
    if given is not None:
        if not given.is_dir():
            raise InvalidFileError(
                f"There is no folder '{given}'; give one with records, or leave --records out."
            )
        return given
    return STORE
