"""Prune and combine a dense model once, without data and without retraining."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from systopack.errors import InvalidOptionError
from systopack.frontend.weights import filter_matrix, stored_weight
from systopack.packing.rule import PackingRule
from systopack.training.combining import prune_and_combine
from systopack.training.model import TrainedModel
from systopack.training.run import groups_of


def combine_once(dense: TrainedModel, *, rule: PackingRule, rho: float) -> TrainedModel:
    """Keep the `rho` share of each layer's weights by magnitude, then combine columns.

    Raises:
        InvalidOptionError: rho is not above 0 and at most 1.
    """
    if not 0 < rho <= 1:
        raise InvalidOptionError(f"rho is {rho}, but it is a share of the weights, above 0 to 1.")
    graph = dense.capture()
    matrices = {
        op.name: filter_matrix(op, dense.state[weight]).numpy()
        for weight, op in graph.weighted_ops.items()
    }
    combined = prune_and_combine(
        matrices, beta=1.0, target=math.floor(rho * graph.dense_weights), rule=rule
    )
    state = dict(dense.state)
    for weight, op in graph.weighted_ops.items():
        packed = torch.from_numpy(combined.matrices[op.name].to_dense())
        state[weight] = stored_weight(op, packed).contiguous()
    gaps = {name: str(gap) for name, gap in combined.gaps.items()}
    return replace(dense, state=state, groups=groups_of(combined.matrices), gaps=gaps)
