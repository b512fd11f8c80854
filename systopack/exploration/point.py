"""One design point: what its packing keeps, what its array takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidOptionError, SystopackError
from systopack.exploration.repack import Packing, Repacked, repacked
from systopack.exploration.space import ARRAY_FIELDS, PACKING, Choice, Value
from systopack.hardware.array import Array
from systopack.hardware.cycles import count_cycles
from systopack.hardware.energy.activity import Activity, measure_activity
from systopack.hardware.energy.coefficients import CoefficientTable
from systopack.hardware.energy.events import NetworkEvents
from systopack.hardware.energy.model import NetworkEnergy, energy_of
from systopack.hardware.energy.periphery import read_periphery
from systopack.hardware.energy.pipelined_events import pipelined_events
from systopack.hardware.named_arrays import array_from
from systopack.hardware.pipelined.cycles import count_pipelined
from systopack.hardware.tiled.cycles import count_tiled
from systopack.hardware.tiled.weight_ring import WeightMemory
from systopack.network.network import PackedNetwork
from systopack.network.reference import classify, quantize_images
from systopack.records import PERIPHERY
from systopack.rtl.tiled_events import tiled_events

_ACTIVITY_IMAGES = 4
_KEPT = 64  # networks of earlier points
# Of every point that can be built; None where it was not measured.
FIGURES = (
    "accuracy_percent",
    "norm_kept",
    "nonzeros",
    "packed_cells",
    "cells_share",
    "streamed_words",
    "latency_cycles",
    "period_cycles",
    "clock_mhz",
    "latency_us",
    "frames_per_s",
    "energy_uj",
    "area_mm2",
)


@dataclass(frozen=True, kw_only=True)
class Point:
    """A design point.

    Args:
        choice: its values.
        figures: of `FIGURES`; empty where it cannot be built.
        coefficients: where its energy comes from; empty where it was not measured.
        problem: why it cannot be built, a sentence; else empty.
    """

    choice: Choice
    figures: Mapping[str, float | None] = field(default_factory=dict)
    coefficients: str = ""
    problem: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """What all points of a run share.

    Args:
        network: packed anew where the space says so.
        array: where the space says nothing.
        table: coefficients of arrays.
        images: uint8, shape (B, C, H, W); None: no accuracy, and every word counts as not zero.
        labels: shape (B,).
    """

    network: PackedNetwork
    array: Array
    table: CoefficientTable
    images: NDArray[np.uint8] | None = None
    labels: NDArray[np.int64] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class _Packed:
    """A network of some points, and what does not hang on their arrays."""

    repacked: Repacked
    accuracy_percent: float | None
    activity: Activity | None


class Evaluation:
    """Computes points; networks that several points share are packed and classified once.

    Args:
        case: what they share.
    """

    def __init__(self, case: Case) -> None:
        self._case = case
        self._packed: dict[Packing | None, _Packed] = {}

    def point(self, choice: Choice) -> Point:
        """All of a point; one that cannot be built says why."""
        try:
            return self._point(choice)
        except SystopackError as error:
            return Point(choice=choice, problem=str(error))

    def _point(self, choice: Choice) -> Point:
        case = self._case
        array = array_of(choice, case.array)
        found = self._network(choice, array)
        network = found.repacked.network
        counted = count_cycles(network, array=array)
        weights = None
        organisation = choice.get("organisation", "tiled")
        if "weight_memory" in choice:
            if organisation != "tiled":
                raise InvalidOptionError("weight_memory is of the tiled accelerator alone.")
            weights = WeightMemory(capacity_bytes=int(choice["weight_memory"]))
        if organisation == "tiled":
            latency = period = count_tiled(network, array=array, weights=weights).cycles
        else:
            pipelined = count_pipelined(network, array=array)
            latency, period = pipelined.latency_cycles, pipelined.period_cycles
        energy = None if weights else self._energy(network, array, organisation, found.activity)
        clock = _clock(choice, energy)
        return Point(
            choice=choice,
            figures={
                "accuracy_percent": found.accuracy_percent,
                "norm_kept": found.repacked.norm_kept,
                "nonzeros": network.nonzeros,
                "packed_cells": network.packed_cells,
                "cells_share": network.packed_cells / network.dense_cells,
                "streamed_words": counted.streamed_words,
                "latency_cycles": latency,
                "period_cycles": period,
                "clock_mhz": clock,
                "latency_us": None if clock is None else latency / clock,
                "frames_per_s": None if clock is None else 1e6 * clock / period,
                "energy_uj": None if energy is None else energy.total_pj / 1e6,
                "area_mm2": None
                if energy is None
                else (energy.array_um2 + energy.memory_um2) / 1e6,
            },
            coefficients="" if energy is None else energy.origin,
        )

    def _network(self, choice: Choice, array: Array) -> _Packed:
        packing = packing_of(choice, array)
        if packing not in self._packed:
            if len(self._packed) >= _KEPT:
                del self._packed[next(iter(self._packed))]
            network = self._case.network
            changed = Repacked(network=network, norm_kept=1.0)
            if packing is not None:
                changed = repacked(network, packing)
            self._packed[packing] = self._classified(changed)
        return self._packed[packing]

    def _classified(self, changed: Repacked) -> _Packed:
        images, labels = self._case.images, self._case.labels
        if images is None or labels is None:
            return _Packed(repacked=changed, accuracy_percent=None, activity=None)
        right = classify(changed.network, images) == labels
        words = quantize_images(changed.network, images[:_ACTIVITY_IMAGES])
        return _Packed(
            repacked=changed,
            accuracy_percent=100 * float(right.mean()),
            activity=measure_activity(changed.network, words),
        )

    def _energy(
        self, network: PackedNetwork, array: Array, organisation: Value, activity: Activity | None
    ) -> NetworkEnergy | None:
        """By the model; None where no such array was measured."""
        if not self._case.table.covers(array, gating="clock"):
            return None
        beside = None
        events: NetworkEvents
        if organisation == "tiled":
            events = tiled_events(network, array=array, activity=activity)
            beside = read_periphery(PERIPHERY, array)
        else:
            events = pipelined_events(network, array=array, activity=activity)
        return energy_of(events, coefficients=self._case.table, periphery=beside)


def array_of(choice: Choice, base: Array) -> Array:
    """The array of a point.

    Args:
        choice: its values.
        base: where it names none.

    Raises:
        InvalidFileError, InvalidOptionError: there is no such array.
    """
    array = base
    if "array" in choice:
        array = array_from(str(choice["array"]), accumulator_bits=base.accumulator_bits)
    changes: dict[str, Any] = {
        "alpha" if name == "array_alpha" else name: choice[name]
        for name in ARRAY_FIELDS
        if name in choice
    }
    return replace(array, **changes)


def packing_of(choice: Choice, array: Array) -> Packing | None:
    """How the network of a point is packed; None: as it is.

    Only what it depends on: points whose networks are alike have equal packings.
    """
    values: dict[str, Any] = {name: choice[name] for name in PACKING if name in choice}
    if not values:
        return None
    if "words" in values:
        values["columns"] = array.columns
    return Packing(**values)


def _clock(choice: Choice, energy: NetworkEnergy | None) -> float | None:
    """MHz: that of the choice, else the measured one.

    Raises:
        InvalidOptionError: the array was measured to be slower.
    """
    asked = choice.get("clock_mhz")
    if asked is None:
        return None if energy is None else energy.clock_mhz
    if energy is not None and float(asked) > energy.clock_mhz:
        raise InvalidOptionError(
            f"clock_mhz is {float(asked):g}, but the array was measured at "
            f"{energy.clock_mhz:.0f} MHz; choose less."
        )
    return float(asked)
