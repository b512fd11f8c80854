"""Energy of a dense and a packed network at one design point."""

from __future__ import annotations

from systopack.errors import InvalidOptionError
from systopack.hardware.energy.events import Organisation
from systopack.hardware.energy.model import NetworkEnergy, energy_of
from systopack.hardware.energy.pipelined_events import pipelined_events
from systopack.reproduce.design_points import HEADLINE, DesignPoint
from systopack.reproduce.sources import Pair, Sources
from systopack.rtl.tiled_events import tiled_events


def energy_pair(
    pair: Pair,
    sources: Sources,
    *,
    organisation: Organisation = "tiled",
    point: DesignPoint | None = None,
    periphery: bool = True,
) -> tuple[NetworkEnergy, NetworkEnergy] | None:
    """Energy of the dense and the packed network, each on its own array; None where the
    organisation cannot be built so, or an array like it was not measured.

    Args:
        pair: of networks.
        sources: with the coefficients.
        organisation: of the accelerator.
        point: array and gating; None: the headline's of the organisation.
        periphery: with the periphery, where that of both tiled accelerators was measured.
    """
    if sources.coefficients is None:
        return None
    point = point or HEADLINE
    count = tiled_events if organisation == "tiled" else pipelined_events
    networks = (pair.dense, pair.packed)
    logic = [sources.periphery.get((network.name, point.gating)) for network in networks]
    if not periphery or organisation != "tiled" or None in logic:
        logic = [None, None]
    found = []
    for network, array, activity, beside in zip(
        networks, pair.arrays(point), pair.activity, logic, strict=True
    ):
        try:
            key = (organisation, network.name, array)
            if key not in sources.counted:
                sources.counted[key] = count(network, array=array, activity=activity)
            events = sources.counted[key]
            found.append(
                energy_of(
                    events,
                    coefficients=sources.coefficients,
                    gating=point.gating,
                    periphery=beside,
                )
            )
        except InvalidOptionError:
            return None
    return found[0], found[1]
