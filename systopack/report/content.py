"""`ReportContent`: all that a report shows, as values that others have computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from systopack.errors import InvalidOptionError
from systopack.hardware.cycles import NetworkCycles
from systopack.hardware.piece import Piece
from systopack.network.network import PackedNetwork
from systopack.report.schedule import Schedule


@dataclass(frozen=True, kw_only=True)
class SummaryRow:
    """One quantity of the summary table.

    Args:
        quantity: what it is, for instance "Cycles for one image".
        unit: "%", "cycles" ... or empty for a count.
        values: design -> value; None or left out where a design has none.
        ratio: of the packed design to dense; None where it means nothing.
    """

    quantity: str
    unit: str
    values: Mapping[str, float | int | None]
    ratio: float | None


@dataclass(frozen=True, kw_only=True)
class ReportContent:
    """What a report is made from.

    Args:
        title: heading of the page.
        networks: design -> network, dense first, the packed one last; each design keeps its
            colour in the whole report.
        cycles: design -> cycles of one image, for the same designs.
        history: one entry per epoch, fields of `EpochResult`; may be empty.
        summary: rows of the summary table.
        provenance: records as written by `systopack.records`.
        piece: of the last network, to be followed word by word; None: no animation.
        schedules: drawn as a Gantt chart; may be empty.
        opening: rows of the table at the head of the page; may be empty.
        opening_notes: sentences about them.

    Raises:
        InvalidOptionError: no network, or networks and cycles name different designs or layers.
    """

    title: str
    networks: Mapping[str, PackedNetwork]
    cycles: Mapping[str, NetworkCycles]
    history: Sequence[Mapping[str, Any]]
    summary: Sequence[SummaryRow]
    provenance: Sequence[Mapping[str, Any]]
    piece: Piece | None = None
    schedules: Sequence[Schedule] = ()
    opening: Sequence[SummaryRow] = ()
    opening_notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not self.networks:
            raise InvalidOptionError("A report needs at least one network; give the packed one.")
        if set(self.networks) != set(self.cycles):
            raise InvalidOptionError(
                f"The networks of a report are {_names(self.networks)}, but its cycle counts "
                f"{_names(self.cycles)}; give both for the same designs."
            )
        for design, network in self.networks.items():
            if [layer.name for layer in network.layers] != [
                layer.name for layer in self.cycles[design].layers
            ]:
                raise InvalidOptionError(
                    f"The cycle counts of design '{design}' are of other layers than its network; "
                    "count the cycles of the network that is reported."
                )


def _names(designs: Mapping[str, Any]) -> str:
    return ", ".join(f"'{design}'" for design in designs) or "none"
