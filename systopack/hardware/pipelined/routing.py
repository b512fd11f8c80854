"""What the wires between layers cost: streams out of place, and how far they have to go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from systopack.network.network import PackedNetwork
from systopack.network.permute import (
    channels_of_groups,
    count_streams_out_of_place,
    permute_rows,
)


@dataclass(frozen=True, kw_only=True)
class LayerRouting:
    """The wires into one layer.

    Args:
        name: the layer.
        streams: channels of all column groups.
        out_of_place: streams that do not arrive beside the others of their group.
        crossed_rows: rows of the layer before that lie between the rows of a group without being
            in it, summed over groups: 0 where every group is contiguous.
    """

    name: str
    streams: int
    out_of_place: int
    crossed_rows: int


def layer_routing(network: PackedNetwork) -> tuple[LayerRouting, ...]:
    """The routing of every layer, as the network is."""
    out_of_place = count_streams_out_of_place(network)
    found = []
    for layer in network.layers:
        groups = channels_of_groups(layer)
        crossed = 0
        for group in groups:
            rows = np.unique(group)
            crossed += int(rows[-1] - rows[0]) + 1 - len(rows)
        found.append(
            LayerRouting(
                name=layer.name,
                streams=sum(len(group) for group in groups),
                out_of_place=out_of_place[layer.name],
                crossed_rows=crossed,
            )
        )
    return tuple(found)


def routing(network: PackedNetwork) -> tuple[tuple[LayerRouting, ...], tuple[LayerRouting, ...]]:
    """The routing of every layer, before and after the row permutation."""
    return layer_routing(network), layer_routing(permute_rows(network))
