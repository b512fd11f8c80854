"""The networks that come with systopack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from systopack.api.hardware import simulate
from systopack.api.sources import load, shown
from systopack.network.packaged import FOLDER, packaged_names
from systopack.records import read_record

if TYPE_CHECKING:
    from systopack.api.hardware import ArrayLike
    from systopack.network.network import PackedNetwork

_ACCURACIES = ("accuracy_8_bit_percent", "packed_8_bit_percent")


@dataclass(frozen=True, kw_only=True)
class ZooNetwork:
    """A network of the package.

    Args:
        name: `zoo:NAME`.
        network: itself.
        accuracy_percent: of its 8-bit form on the test images, as its record says.
        cycles: of an image on the tiled accelerator.
    """

    name: str
    network: PackedNetwork
    accuracy_percent: float | None
    cycles: int

    @property
    def figures(self) -> dict[str, Any]:
        """For a record."""
        return {
            "accuracy_percent": self.accuracy_percent,
            "packed_cells": self.network.packed_cells,
            "dense_cells": self.network.dense_cells,
            "cycles": self.cycles,
        }

    def __repr__(self) -> str:
        percent = self.accuracy_percent
        return shown(self, name=self.name, accuracy_percent=percent, cycles=self.cycles)


def zoo(array: ArrayLike | None = None, *, changes: Sequence[str] = ()) -> Iterator[ZooNetwork]:
    """The networks that come with systopack, in order of their names.

    Args:
        array, changes: on which cycles are counted; see `api.hardware.array_for`.

    Raises:
        InvalidFileError, InvalidOptionError: there is no such array, or a network does not fit it.
    """
    for name in packaged_names():
        network = load(f"zoo:{name}")
        figures = read_record(FOLDER / f"{name}.json")["figures"]
        percents = [figures[key] for key in _ACCURACIES if key in figures]
        yield ZooNetwork(
            name=f"zoo:{name}",
            network=network,
            accuracy_percent=percents[0] if percents else None,
            cycles=simulate(network, array, changes=changes).cycles,
        )
