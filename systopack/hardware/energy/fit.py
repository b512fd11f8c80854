"""Coefficients of an array from the energy of whole runs on its gate-level netlist.

The energy of a run is the sum over its events of count times coefficient; with more runs than
coefficients, of different layers, non-negative least squares finds the coefficients. Runs that were
kept back tell how well they predict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidOptionError
from systopack.hardware.energy.coefficients import Coefficients

_WORST_CONDITION = 1e6
_NAMES = ("clock", "active", "zero_input", "zero_weight", "load", "hop")


@dataclass(frozen=True, kw_only=True)
class ArrayEvents:
    """Events of an array alone, see `StepEvents`.

    Args:
        cell_cycles: cells times clock cycles.
        active, zero_input, zero_weight: cell words.
        loads: weights written.
        hops: words that are not zero, times the cells that they pass.
    """

    cell_cycles: float
    active: float
    zero_input: float
    zero_weight: float
    loads: float
    hops: float

    @property
    def counts(self) -> tuple[float, ...]:
        """In the order of the fitted coefficients."""
        return (
            self.cell_cycles,
            self.active,
            self.zero_input,
            self.zero_weight,
            self.loads,
            self.hops,
        )

    def __add__(self, other: ArrayEvents) -> ArrayEvents:
        return ArrayEvents(
            cell_cycles=self.cell_cycles + other.cell_cycles,
            active=self.active + other.active,
            zero_input=self.zero_input + other.zero_input,
            zero_weight=self.zero_weight + other.zero_weight,
            loads=self.loads + other.loads,
            hops=self.hops + other.hops,
        )


@dataclass(frozen=True, kw_only=True)
class MeasuredRun:
    """A run on a netlist.

    Args:
        name: what ran.
        events: of it.
        energy_pj: measured at gate level.
    """

    name: str
    events: ArrayEvents
    energy_pj: float


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Coefficients and how well they predict.

    Args:
        coefficients: of the array.
        errors: run -> predicted over measured, less 1, of runs that were kept back.
    """

    coefficients: Coefficients
    errors: dict[str, float]


def tile_events(
    weights: NDArray[np.int64], index: NDArray[np.int64], words: NDArray[np.int64]
) -> ArrayEvents:
    """Events of a tile, apart from the cycles, its own load counted.

    Args:
        weights, index: shape (rows, columns).
        words: shape (T, alpha, columns).

    >>> weights, index = np.array([[3, 0]]), np.array([[1, 0]])
    >>> words = np.array([[[5, 5], [0, 5]], [[0, 0], [7, 0]]])
    >>> events = tile_events(weights, index, words)
    >>> events.active, events.zero_input, events.zero_weight, events.hops
    (1.0, 1.0, 2.0, 4.0)
    """
    positions = len(words)
    nonzero = np.count_nonzero(words, axis=0)
    columns = np.arange(weights.shape[1])
    chosen = nonzero[index, columns[None]]
    held = weights != 0
    active = float(chosen[held].sum())
    return ArrayEvents(
        cell_cycles=0.0,
        active=active,
        zero_input=float(held.sum() * positions) - active,
        zero_weight=float((~held).sum() * positions),
        loads=float(weights.size),
        hops=float(nonzero.sum() * len(weights)),
    )


def fit_coefficients(
    runs: Sequence[MeasuredRun], *, kept_back: Sequence[MeasuredRun], origin: str
) -> Fit:
    """Find the coefficients that explain the energy of runs.

    Args:
        runs: at least as many as there are coefficients; one in which nothing streams sets the
            clock apart.
        kept_back: runs to predict.
        origin: where the measurements come from.

    Raises:
        InvalidOptionError: too few runs, or runs in which events are always in one proportion.
    """
    if len(runs) < len(_NAMES):
        raise InvalidOptionError(
            f"{len(runs)} runs cannot set {len(_NAMES)} coefficients; measure more layers."
        )
    from scipy.optimize import nnls

    counts = np.array([run.events.counts for run in runs])
    seen = counts[:, counts.any(axis=0)]
    if np.linalg.cond(seen / np.linalg.norm(seen, axis=0)) > _WORST_CONDITION:
        raise InvalidOptionError(
            "The runs have some of their events always in the same proportion, so that the energy "
            "of each cannot be told; measure tiles of different lengths and layers."
        )
    energies = np.array([run.energy_pj for run in runs])
    # Every run weighs the same, and every coefficient about 1, whatever their sizes.
    scaled = counts / energies[:, None]
    size = np.maximum(scaled.max(axis=0), np.finfo(np.float64).tiny)
    solution, _ = nnls(scaled / size, np.ones(len(runs)))
    found = {name: float(v) for name, v in zip(_NAMES, solution / size, strict=True)}
    errors = {}
    for run in kept_back:
        predicted = float(np.dot(run.events.counts, list(found.values())))
        errors[run.name] = predicted / run.energy_pj - 1
    return Fit(
        coefficients=Coefficients(
            active_pj=found["active"],
            zero_input_pj=found["zero_input"],
            zero_weight_pj=found["zero_weight"],
            clock_pj=found["clock"],
            stopped_pj=found["clock"],
            load_pj=found["load"],
            hop_pj=found["hop"],
            origin=origin,
        ),
        errors=errors,
    )
