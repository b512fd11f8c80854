"""The networks that come with systopack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from systopack.api.hardware import simulate
from systopack.api.sources import load
from systopack.network.packaged import packaged_names, record_file
from systopack.records import read_record

if TYPE_CHECKING:
    from systopack.api.hardware import ArrayLike

_ACCURACIES = ("accuracy_8_bit_percent", "packed_8_bit_percent")


@dataclass(frozen=True, kw_only=True)
class ZooNetwork:
    """A network of the package: `zoo:NAME`, its accuracy as its record says, cells and cycles."""

    name: str
    accuracy_percent: float | None
    packed_cells: int
    dense_cells: int
    cycles: int


def zoo(array: ArrayLike | None = None, *, changes: Sequence[str] = ()) -> Iterator[ZooNetwork]:
    """The networks that come with systopack, in order of their names.

    Args:
        array, changes: of the tiled accelerator on which cycles are counted; see `simulate`.

    Raises:
        InvalidFileError, InvalidOptionError: there is no such array, or a network does not fit it.
    """
    for name in packaged_names():
        network = load(f"zoo:{name}")
        yield ZooNetwork(
            name=f"zoo:{name}",
            accuracy_percent=recorded_accuracy(f"zoo:{name}"),
            packed_cells=network.packed_cells,
            dense_cells=network.dense_cells,
            cycles=simulate(network, array, changes=changes).cycles,
        )


def recorded_accuracy(name: str) -> float | None:
    """The accuracy in percent, 8-bit, of a network `zoo:NAME`, as its record says."""
    figures = read_record(record_file(name.removeprefix("zoo:")))["figures"]
    return next((figures[key] for key in _ACCURACIES if key in figures), None)
