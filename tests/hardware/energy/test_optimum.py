"""Closeness to the energy optimum: by hand, and the same as the event model."""

from __future__ import annotations

import numpy as np
import pytest

from systopack.errors import InvalidOptionError
from systopack.hardware.array import Array
from systopack.hardware.energy.model import energy_of
from systopack.hardware.energy.optimum import array_efficiency, closeness, idle_ratio
from systopack.rtl.tiled_events import tiled_events
from tests.hardware.energy.test_coefficients import point, table
from tests.report.contents import hand_made


def test_by_hand():
    # Two cells for one that works, the other one at half its energy, no memory: 1 / 1.5.
    assert closeness(0.5, idle_ratio=0.5, memory_share=0.0).item() == pytest.approx(2 / 3)
    # Half of the optimum's energy is memory that does not grow: 1 / (1 + 0.25).
    assert closeness(
        0.5, idle_ratio=0.5, memory_share=0.5, growing_part=0.0
    ).item() == pytest.approx(0.8)


def test_it_grows_with_packing_efficiency_and_ends_at_one():
    found = closeness(np.linspace(0.1, 1, 10), idle_ratio=0.7, memory_share=0.3)
    assert (np.diff(found) > 0).all() and found[-1] == 1


def test_it_is_the_energy_of_the_cells_of_the_event_model():
    """Cells alone: the model's energy against that of the useful cell words."""
    measured = point(2)
    network = hand_made().networks["packed"]
    events = tiled_events(network, array=Array(rows=2, columns=2, alpha=8))
    energy = energy_of(events, coefficients=table(measured), gating="clock")
    c, cycles = measured.coefficients, measured.array.word_cycles
    words = sum(s.cell_words for s in events.steps)
    useful = sum(s.active for s in events.steps)
    active, idle = c.active_pj + cycles * c.clock_pj, c.zero_weight_pj + cycles * c.clock_pj
    total = useful * active + (words - useful) * idle
    assert closeness(
        array_efficiency(energy), idle_ratio=idle_ratio(measured), memory_share=0.0
    ).item() == pytest.approx(useful * active / total)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"packing_efficiency": 0.0}, "packing efficiency"),
        ({"packing_efficiency": 1.1}, "packing efficiency"),
        ({"idle_ratio": 1.5}, "idle_ratio"),
        ({"memory_share": -0.1}, "memory_share"),
        ({"growing_part": 2.0}, "growing_part"),
    ],
)
def test_what_is_outside_its_range_is_refused(changes, message):
    options = {"packing_efficiency": 0.5, "idle_ratio": 0.5, "memory_share": 0.5, **changes}
    efficiency = options.pop("packing_efficiency")
    with pytest.raises(InvalidOptionError, match=message):
        closeness(efficiency, **options)
