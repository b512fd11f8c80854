"""One iteration's pruning, by hand and as a property."""

from types import SimpleNamespace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from systopack.packing.pruning import conflicts
from systopack.packing.rule import PackingRule
from systopack.training.combining import (
    channel_blocks,
    prune_and_combine,
    prune_within_budget,
    weights_to_keep,
)


def test_every_layer_loses_the_same_share():
    assert weights_to_keep({"a": 100, "b": 10}, beta=0.25, target=1) == {"a": 75, "b": 8}


def test_the_last_iteration_prunes_exactly_to_the_target():
    kept = weights_to_keep({"a": 100, "b": 10, "c": 7}, beta=0.9, target=40)
    assert sum(kept.values()) == 40
    assert kept == {"a": 34, "b": 4, "c": 2}


@settings(max_examples=50, deadline=None)
@given(
    counts=st.lists(st.integers(0, 500), min_size=1, max_size=6),
    beta=st.floats(0, 1),
    share=st.floats(0, 1),
)
def test_no_layer_gains_weights_and_the_target_is_kept(counts, beta, share):
    nonzeros = {str(i): count for i, count in enumerate(counts)}
    target = int(share * sum(counts))
    kept = weights_to_keep(nonzeros, beta=beta, target=target)
    assert all(0 <= kept[name] <= nonzeros[name] for name in nonzeros)
    assert sum(kept.values()) >= target


def test_combined_layers_obey_the_rule():
    rng = np.random.default_rng(0)
    matrices = {"a": rng.standard_normal((20, 40)), "b": rng.standard_normal((7, 9))}
    rule = PackingRule(alpha=4, gamma=0.5)
    combined = prune_and_combine(matrices, beta=0.8, target=100, rule=rule)
    packed = combined.matrices
    assert all(gap.bound <= gap.groups for gap in combined.gaps.values())
    kept = sum(matrix.nonzeros for matrix in packed.values())
    assert 0 < kept <= 172  # 20 % of 863 weights, conflicts lost on top
    for name, matrix in packed.items():
        largest = np.sort(np.abs(matrices[name]), axis=None)[::-1]
        magnitude = np.abs(matrices[name]) >= largest[int(matrices[name].size * 0.2) - 1]
        limit = rule.conflicts_allowed(matrix.rows)
        assert max(conflicts(magnitude, matrix.groups)) <= limit + matrix.rows * 0.5
        assert matrix.largest_group <= 4
        dense = matrix.to_dense()
        assert np.array_equal(dense[dense != 0], matrices[name][dense != 0])


def test_pruning_within_a_budget_keeps_a_share_of_every_layer():
    rng = np.random.default_rng(0)
    matrices = {"a": rng.standard_normal((20, 40)), "b": rng.standard_normal((7, 9))}
    pruned = prune_within_budget(matrices, share=0.25).matrices
    assert (pruned["a"].nonzeros, pruned["b"].nonzeros) == (200, 16)
    assert pruned["a"].packed_cells == 800
    left = prune_within_budget({"a": pruned["a"].to_dense()}, share=0.5).matrices
    assert left["a"].nonzeros == 200  # nothing comes back


def test_blocks_are_of_neighbouring_channels_where_a_channel_has_several_columns():
    linear = SimpleNamespace(name="linear", columns=[(c, 0, x) for c in range(3) for x in (0, 1)])
    pointwise = SimpleNamespace(name="pointwise", columns=[(c, 0, 0) for c in range(3)])
    graph = SimpleNamespace(weighted_ops={"linear": linear, "pointwise": pointwise})
    found = channel_blocks(graph, channels=2)
    assert {name: blocks.tolist() for name, blocks in found.items()} == {
        "linear": [0] * 4 + [1] * 2
    }
    matrices = {"linear": np.eye(6), "pointwise": np.ones((2, 3))}
    rule = PackingRule(alpha=8, gamma=7)
    combined = prune_and_combine(matrices, beta=0, target=12, rule=rule, blocks=found)
    assert combined.matrices["linear"].groups == ((0, 1, 2, 3), (4, 5))
    assert combined.matrices["pointwise"].groups == ((0, 1, 2),)
