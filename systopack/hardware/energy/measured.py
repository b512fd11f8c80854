"""What whole accelerators take that were measured at gate level: the record `headline`.

The record has for each network on the headline's design point energies, areas and the clock, and
beside it the dense network on the same array without multiplexers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from systopack.errors import InvalidFileError
from systopack.files import sha256_of
from systopack.hardware.array import Array
from systopack.hardware.named_arrays import NAMED_ARRAYS
from systopack.network.file import to_bytes
from systopack.network.network import PackedNetwork
from systopack.network.packaged import network_file
from systopack.records import STORE, read_record, sha256_of_file

_MEMORIES = ("activation_memory", "weight_memory", "partial_sums", "tables")


@dataclass(frozen=True, kw_only=True)
class MeasuredAccelerator:
    """One network on one accelerator, measured at gate level with its first test image.

    Args:
        network: `zoo:NAME`.
        array: of the accelerator.
        cycles: of an image.
        clock_mhz, area_mm2: of the whole accelerator, memories included.
        energy_pj: of an image, by part: array, periphery, the memories, clock tree and wires,
            leakage of cells.
    """

    network: str
    array: Array
    cycles: int
    clock_mhz: float
    area_mm2: float
    energy_pj: Mapping[str, float]

    @property
    def total_pj(self) -> float:
        """All parts."""
        return sum(self.energy_pj.values())

    @property
    def memory_pj(self) -> float:
        """Of it memories."""
        return sum(self.energy_pj[name] for name in _MEMORIES)


def measured_accelerators(array: Array) -> tuple[MeasuredAccelerator, ...]:
    """Those around an array, whatever its accumulators.

    Raises:
        InvalidFileError: the record is damaged.
    """
    record = read_record(STORE / "headline.json")
    try:
        found = tuple(_of(record["figures"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidFileError(
            f"'{STORE / 'headline.json'}' is no record of a headline ({error!r}); install "
            "systopack anew."
        ) from error
    return tuple(
        one
        for one in found
        if replace(array, accumulator_bits=one.array.accumulator_bits) == one.array
    )


def measured_like(network: PackedNetwork, array: Array) -> MeasuredAccelerator | None:
    """The measurement of exactly this network, to its last weight, on this array.

    Raises:
        InvalidFileError: see `measured_accelerators`.
    """
    candidates = measured_accelerators(array)
    if not candidates or network.accumulator_bits != candidates[0].array.accumulator_bits:
        return None
    digest = sha256_of([to_bytes(network)[0]])
    for one in candidates:
        if sha256_of_file(network_file(Path(one.network))) == digest:
            return one
    return None


def _of(figures: Mapping[str, Any]) -> Iterator[MeasuredAccelerator]:
    for entry in figures.values():
        array = NAMED_ARRAYS[entry["design_point"]].array
        dense = entry["baselines"].get("dense")
        for one, own in ((entry, array), (dense, replace(array, alpha=1))):
            if one is None or "area_um2" not in one:  # by the model alone
                continue
            parts = {name: float(pj) for name, pj in one["energy_pj"].items() if name != "total"}
            yield MeasuredAccelerator(
                network=f"zoo:{one['network']}",
                array=own,
                cycles=int(one["cycles"]),
                clock_mhz=float(one["clock_mhz"]),
                area_mm2=one["area_um2"]["total"] / 1e6,
                energy_pj=parts,
            )
