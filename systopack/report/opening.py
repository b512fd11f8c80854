"""The table at the head of a report: accuracy, energy, time and area of every design.

What was not computed has no row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from systopack.hardware.array import Array
from systopack.hardware.energy.model import NetworkEnergy
from systopack.hardware.named_arrays import NAMED_ARRAYS
from systopack.hardware.tiled.cycles import TiledCycles, count_tiled
from systopack.network.network import PackedNetwork
from systopack.network.uncombine import uncombined

UNCOMBINED = "uncombined"

_COUNTS = (
    "Of the cycle counts on this page, those of the tiled accelerator count: its Verilog takes "
    "exactly these for an image, with memories, pooling and the host's streams; the counts of the "
    "array alone take memories as ideal."
)
_UNCOMBINED = (
    "Uncombined is the same sparse network, with an array column for every column that holds a "
    "weight; what is not combined runs without multiplexers (alpha 1)."
)


def without_combining(network: PackedNetwork, array: Array) -> tuple[PackedNetwork, Array] | None:
    """The same weights uncombined, on the array without multiplexers; None where nothing packs."""
    if all(layer.matrix.largest_group <= 1 for layer in network.layers):
        return None
    return uncombined(network), replace(array, alpha=1)


def opening_values(
    networks: Mapping[str, PackedNetwork],
    accelerators: Mapping[str, TiledCycles],
    accuracies: Mapping[str, float],
    energies: Mapping[str, NetworkEnergy],
) -> dict[tuple[str, str], Mapping[str, float | int]]:
    """Values by (quantity, unit) and design, the uncombined network before the packed one.

    Args:
        networks: by design, the packed one last.
        accelerators: by design, on the tiled accelerator.
        accuracies: by design, percent.
        energies: by design, `UNCOMBINED` among them.
    """
    packed = list(networks)[-1]
    cycles: dict[str, float | int] = {d: count.cycles for d, count in accelerators.items()}
    accuracy = dict(accuracies)
    if packed in accelerators:
        plain = without_combining(networks[packed], accelerators[packed].array)
        if plain is not None:
            cycles[UNCOMBINED] = count_tiled(plain[0], array=plain[1]).cycles
            if packed in accuracy:
                accuracy[UNCOMBINED] = accuracy[packed]
    found: dict[tuple[str, str], dict[str, float | int]] = {
        ("accuracy, 8-bit", "%"): accuracy,
        ("energy of an image", "µJ"): {d: one.total_pj / 1e6 for d, one in energies.items()},
        ("images per second", ""): {
            d: 1e6 * one.clock_mhz / one.events.cycles for d, one in energies.items()
        },
        ("time of an image", "µs"): {
            d: one.events.cycles / one.clock_mhz for d, one in energies.items()
        },
        ("area of array and memories", "mm²"): {
            d: (one.array_um2 + one.memory_um2) / 1e6 for d, one in energies.items()
        },
        ("cycles of an image, tiled accelerator", ""): cycles,
    }
    order = [*list(networks)[:-1], UNCOMBINED, packed]
    return {
        quantity: {design: values[design] for design in order if design in values}
        for quantity, values in found.items()
        if values
    }


def opening_notes(
    packed: str, accelerators: Mapping[str, TiledCycles], energies: Mapping[str, NetworkEnergy]
) -> tuple[str, ...]:
    """What the values are of, the array that of the packed design, and which cycles count."""
    notes = [_COUNTS, _UNCOMBINED] if accelerators else []
    if packed in energies:
        energy = energies[packed]
        array = energy.events.array
        name = next(
            (
                name
                for name, entry in NAMED_ARRAYS.items()
                if replace(entry.array, accumulator_bits=array.accumulator_bits) == array
            ),
            array.label,
        )
        logic = "" if energy.periphery is None else ", of the logic around it"
        notes.append(
            f"Energy, time and area: {name} at {energy.clock_mhz:.0f} MHz in {energy.library}; "
            f"energy is that of the array{logic} and of the memories, area that of array and "
            f"memories alone. Coefficients of the array: {energy.origin}."
        )
    return tuple(notes)
