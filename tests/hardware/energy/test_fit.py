"""Coefficients found again from runs whose energy they made."""

from __future__ import annotations

import numpy as np
import pytest

from systopack.errors import InvalidOptionError
from systopack.hardware.energy.fit import (
    ArrayEvents,
    MeasuredRun,
    fit_coefficients,
    tile_events,
)

TRUE = np.array([0.05, 0.9, 0.3, 0.2, 0.4, 0.02])  # clock, active, zero input, zero weight, ...


def run_of(rng: np.random.Generator, name: str, noise: float = 0.0) -> MeasuredRun:
    words = rng.dirichlet([2, 1, 1]) * 10_000
    events = ArrayEvents(
        cell_cycles=8 * words.sum() * rng.uniform(1, 1.5),
        active=words[0],
        zero_input=words[1],
        zero_weight=words[2],
        loads=rng.uniform(50, 500),
        hops=rng.uniform(1000, 20_000),
    )
    energy = float(np.dot(events.counts, TRUE)) * (1 + noise * rng.normal())
    return MeasuredRun(name=name, events=events, energy_pj=energy)


def test_exact_runs_give_the_coefficients_back():
    rng = np.random.default_rng(0)
    fit = fit_coefficients(
        [run_of(rng, f"run{n}") for n in range(12)],
        kept_back=[run_of(rng, "kept")],
        origin="made up",
    )
    found = fit.coefficients
    values = (
        found.clock_pj,
        found.active_pj,
        found.zero_input_pj,
        found.zero_weight_pj,
        found.load_pj,
        found.hop_pj,
    )
    assert values == pytest.approx(TRUE, rel=1e-6)
    assert fit.errors["kept"] == pytest.approx(0, abs=1e-6)
    assert found.stopped_pj == found.clock_pj


def test_noisy_runs_still_predict():
    rng = np.random.default_rng(1)
    fit = fit_coefficients(
        [run_of(rng, f"run{n}", noise=0.02) for n in range(15)],
        kept_back=[run_of(rng, f"kept{n}") for n in range(5)],
        origin="made up",
    )
    assert max(abs(error) for error in fit.errors.values()) < 0.1


def test_too_few_runs_are_refused():
    rng = np.random.default_rng(2)
    with pytest.raises(InvalidOptionError, match="5 runs cannot set 6"):
        fit_coefficients([run_of(rng, str(n)) for n in range(5)], kept_back=[], origin="")


def test_runs_in_which_loads_and_cycles_go_together_are_refused():
    rng = np.random.default_rng(3)
    runs = [
        MeasuredRun(
            name=str(number),
            events=ArrayEvents(
                cell_cycles=1000.0,
                active=float(rng.integers(1, 100)),
                zero_input=float(rng.integers(1, 100)),
                zero_weight=float(rng.integers(1, 100)),
                loads=50.0,
                hops=float(rng.integers(1, 100)),
            ),
            energy_pj=100.0,
        )
        for number in range(10)
    ]
    with pytest.raises(InvalidOptionError, match="same proportion"):
        fit_coefficients(runs, kept_back=[], origin="nowhere")


def test_events_of_a_tile_by_hand():
    weights, index = np.array([[3, 0], [0, -1]]), np.array([[1, 0], [0, 1]])
    words = np.array([[[5, 5], [0, 5]], [[0, 0], [7, 0]]])  # (T, alpha, columns)
    events = tile_events(weights, index, words)
    # Row 0 takes channel 1 of column 0: 0 then 7; row 1 channel 1 of column 1: 5 then 0.
    assert (events.active, events.zero_input, events.zero_weight) == (2, 2, 4)
    assert (events.loads, events.hops) == (4, 8)
    doubled = events + events
    assert doubled.counts == tuple(2 * count for count in events.counts)
