"""Tensors of one scale: max pooling keeps its input's, a concatenation joins all that it reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from systopack.frontend.graph import ConcatOp, LayerGraph, PoolOp

_Number = TypeVar("_Number", int, float)


def scale_holders(graph: LayerGraph) -> dict[str, str]:
    """For each tensor the one whose scale it has."""
    holder = {"input": "input"}
    for op in graph.ops:
        if isinstance(op, ConcatOp):
            joined = {holder[source] for source in op.sources}
            first = holder[op.sources[0]]
            holder = {name: first if held in joined else held for name, held in holder.items()}
            holder[op.name] = first
        else:
            keeps = isinstance(op, PoolOp) and op.kind == "max"
            holder[op.name] = holder[op.source] if keeps else op.name
    return holder


def highest_of_shared(graph: LayerGraph, values: Mapping[str, _Number]) -> dict[str, _Number]:
    """For each tensor the highest value among those that share its scale."""
    holder = scale_holders(graph)
    held: dict[str, _Number] = {}
    for name, value in values.items():
        held[holder[name]] = max(held.get(holder[name], value), value)
    return {name: held[holder[name]] for name in values}
