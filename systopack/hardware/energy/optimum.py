"""How close a packed array comes to the energy optimum, in closed form.

The optimum is an array in which every cell does useful work. A matrix with packing efficiency
`u` occupies `1 / u` cells for every cell that works, so for one useful cell word

    energy = (active + (1 / u - 1) * idle) + memory

where `active` and `idle` are a cell word with and without a weight, their clocks included, and
memory energy has a part that grows with the cells (words and weights read for each tile) and one
that does not (outputs). With

    i   idle / active, 0..1
    m   the share of memory in the optimum's energy, 0..1
    g   the part of memory that grows with the cells, 0..1

the optimum over the energy is

    closeness = 1 / (1 + (1 / u - 1) * ((1 - m) * i + m * g))

It is 1 for u = 1, and falls the less the more cells hold still when they have no weight (i) and
the more of the memory traffic does not depend on packing (g).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from systopack.errors import InvalidOptionError
from systopack.hardware.energy.coefficients import MeasuredPoint
from systopack.hardware.energy.model import NetworkEnergy


def closeness(
    packing_efficiency: ArrayLike,
    *,
    idle_ratio: float,
    memory_share: ArrayLike,
    growing_part: float = 1.0,
) -> NDArray[np.float64]:
    """Energy of the optimum over energy, 0..1; arguments are broadcast.

    Args:
        packing_efficiency: u, above 0, at most 1.
        idle_ratio: i, energy of a cell word without a weight over one with, 0..1.
        memory_share: m, of the optimum's energy, 0..1.
        growing_part: g, the part of the memories' energy that grows with the cells, 0..1.

    Raises:
        InvalidOptionError: an argument is outside its range.

    >>> closeness(0.5, idle_ratio=1.0, memory_share=0.0).item()
    0.5
    >>> closeness(0.5, idle_ratio=0.0, memory_share=0.0).item()
    1.0
    """
    efficiency = np.asarray(packing_efficiency, dtype=np.float64)
    share = np.asarray(memory_share, dtype=np.float64)
    if (efficiency <= 0).any() or (efficiency > 1).any():
        raise InvalidOptionError("A packing efficiency lies above 0 and at most at 1.")
    for name, value in (
        ("idle_ratio", np.asarray(idle_ratio)),
        ("memory_share", share),
        ("growing_part", np.asarray(growing_part)),
    ):
        if (value < 0).any() or (value > 1).any():
            raise InvalidOptionError(f"{name} is {value}, but it is a share from 0 to 1.")
    waste = (1 / efficiency - 1) * ((1 - share) * idle_ratio + share * growing_part)
    found: NDArray[np.float64] = 1 / (1 + waste)
    return found


def idle_ratio(point: MeasuredPoint) -> float:
    """Measured energy of a cell word without a weight over one with, clocks included; 0..1."""
    energies, cycles = point.coefficients, point.array.word_cycles
    clock = cycles * energies.clock_pj
    active = energies.active_pj + clock
    idle = energies.zero_weight_pj + clock
    return min(1.0, idle / active) if active else 1.0


def array_efficiency(energy: NetworkEnergy) -> float:
    """Cell words with a weight over all cell words of an image, 0..1: u with tiles and all."""
    steps = energy.events.steps
    words = sum(step.cell_words for step in steps)
    useful = sum(step.active + step.zero_input for step in steps)
    return useful / words if words else 1.0
