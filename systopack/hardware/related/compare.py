"""All neighbours on the layers of one network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidNetworkError
from systopack.hardware.related.design import Design, Machine
from systopack.hardware.related.s2engine import S2ENGINE
from systopack.hardware.related.stationary import (
    COMBINING,
    COMBINING_PER_TILE,
    DENSE,
    GATED,
    TWO_OF_FOUR,
)
from systopack.hardware.related.vdbb import VDBB
from systopack.hardware.related.workload import LayerWork, network_work
from systopack.network.network import PackedNetwork

DESIGNS: tuple[Design, ...] = (
    DENSE,
    GATED,
    TWO_OF_FOUR,
    VDBB,
    S2ENGINE,
    COMBINING,
    COMBINING_PER_TILE,
)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One design on all layers of a network.

    Args:
        design, source: its name and where it was published.
        cycles: of one image.
        products_pj, registers_pj, buffers_pj: energy of one image.
        utilization: useful products for each multiplier and cycle, 0..1.
    """

    design: str
    source: str
    cycles: int
    products_pj: float
    registers_pj: float
    buffers_pj: float
    utilization: float

    @property
    def total_pj(self) -> float:
        """All parts."""
        return self.products_pj + self.registers_pj + self.buffers_pj


def compare_designs(
    network: PackedNetwork,
    image: NDArray[np.int8],
    *,
    machine: Machine | None = None,
    designs: Sequence[Design] = DESIGNS,
) -> tuple[Comparison, ...]:
    """Run every layer of a network on every design, and check what each computes.

    Args:
        network: its weights, zeros and all, are what every design runs; none prunes further.
        image: shape (C, H, W), int8.
        machine: multipliers and buffers, the same for all.
        designs: which ones.

    Raises:
        InvalidNetworkError: a design computes something else than the reference, a fault here.
    """
    machine = machine or Machine()
    works = list(network_work(network, image))
    useful = sum(work.products for work in works)
    found = []
    for design in designs:
        cycles, parts = 0, {"products": 0.0, "registers": 0.0, "buffers": 0.0}
        for work in works:
            outcome = design.outcome(work, machine)
            _check(design, work, outcome.outputs)
            cycles += outcome.cycles
            for part, energy in outcome.energy_pj.items():
                parts[part] += energy
        found.append(
            Comparison(
                design=design.name,
                source=design.source,
                cycles=cycles,
                products_pj=parts["products"],
                registers_pj=parts["registers"],
                buffers_pj=parts["buffers"],
                utilization=useful / (cycles * machine.multipliers) if cycles else 0.0,
            )
        )
    return tuple(found)


def _check(design: Design, work: LayerWork, outputs: NDArray[np.int64]) -> None:
    expected = work.finish(work.weights @ work.words.astype(np.int64))
    if not np.array_equal(outputs, expected):
        raise InvalidNetworkError(
            f"Layer '{work.name}': the model of '{design.name}' computes something else than the "
            "integer reference; this is a fault of the model, please report it."
        )
