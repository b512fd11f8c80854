"""The default policy against the simple rules: never more groups, never less kept in as many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from systopack.packing.objective import FewestTiles, MostNorm
from systopack.packing.pack import pack
from tests.packing.matrices import filter_matrices, packing_limits

RULES = ("authors", "dense-column-first")


def uneven_matrix(seed: int, rows: int, columns: int, density: float, spread: float) -> np.ndarray:
    """Lognormal rows and columns, so that the columns left by pruning differ in nonzeros."""
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((rows, columns))
    weights *= np.exp(spread * rng.standard_normal((rows, 1)))
    weights *= np.exp(spread * rng.standard_normal((1, columns)))
    smallest = np.sort(np.abs(weights), axis=None)[round((1 - density) * (weights.size - 1))]
    return np.where(np.abs(weights) >= smallest, weights, 0)


@st.composite
def uneven_matrices(draw: st.DrawFn) -> np.ndarray:
    return uneven_matrix(
        draw(st.integers(0, 2**32)),
        rows=draw(st.sampled_from([3, 16, 63, 64, 65, 130])),
        columns=draw(st.integers(2, 90)),
        density=draw(st.sampled_from([0.02, 0.05, 0.1, 0.2, 0.5])),
        spread=draw(st.sampled_from([0.0, 0.5, 1.0, 2.0])),
    )


def measure(matrix, packed) -> tuple[int, float]:
    """Groups, and the share of the squared norm that is kept, both from the unpacked matrix."""
    groups = sum(len(band.groups) for band in packed.bands)
    return groups, float((packed.to_dense().astype(np.float64) ** 2).sum())


def check_never_worse(matrix, alpha, gamma, **options) -> None:
    default, kept = measure(matrix, pack(matrix, alpha=alpha, gamma=gamma, **options))
    slack = 1e-6 * float((matrix.astype(np.float64) ** 2).sum())
    for rule in RULES:
        packed = pack(matrix, alpha=alpha, gamma=gamma, policy=rule, **options)
        groups, squared_norm = measure(matrix, packed)
        assert default <= groups, rule
        assert default < groups or kept >= squared_norm - slack, rule


# Without conflicts `authors` takes 94 groups of it, `dense-column-first` 95.
HARDER = uneven_matrix(0, 64, 128, 0.2, 0.7)


@given(matrix=uneven_matrices(), limits=packing_limits(), kept=st.integers(1, 2))
@settings(max_examples=150)
def test_never_worse_than_a_rule_on_uneven_matrices(matrix, limits, kept):
    check_never_worse(matrix, *limits, kept=min(kept, limits[0]))


@given(matrix=filter_matrices, limits=packing_limits(), rows=st.integers(1, 70))
@settings(max_examples=100)
def test_never_worse_than_a_rule_on_any_matrix(matrix, limits, rows):
    check_never_worse(matrix, *limits, band_rows=rows)


@given(matrix=uneven_matrices(), limits=packing_limits(), rule=st.sampled_from(RULES))
@example(matrix=HARDER, limits=(8, 0), rule="authors")
@settings(max_examples=80)
def test_keeps_as_much_in_the_groups_of_a_rule(matrix, limits, rule):
    alpha, gamma = limits
    packed = pack(matrix, alpha=alpha, gamma=gamma, policy=rule)
    groups, squared_norm = measure(matrix, packed)
    aimed = pack(matrix, alpha=alpha, gamma=gamma, objective=MostNorm(groups=groups))
    reached, kept = measure(matrix, aimed)
    assert reached <= groups
    assert kept >= squared_norm * (1 - 1e-6)


@given(matrix=uneven_matrices(), limits=packing_limits(), columns=st.integers(1, 9))
@settings(max_examples=80)
def test_filling_tiles_never_takes_more_of_them(matrix, limits, columns):
    alpha, gamma = limits
    objective = FewestTiles(columns=columns)
    filled = pack(matrix, alpha=alpha, gamma=gamma, objective=objective)
    groups, kept = measure(matrix, filled)
    for rule in (*RULES, "least-loss"):
        few, squared_norm = measure(matrix, pack(matrix, alpha=alpha, gamma=gamma, policy=rule))
        tiles, fewest = -(-groups // columns), -(-few // columns)
        assert tiles <= fewest, rule
        assert tiles < fewest or kept >= squared_norm * (1 - 1e-6), rule


@pytest.mark.parametrize("policy", ["least-loss", "assignment", "polish", "refine", "best"])
def test_all_policies_profit(policy):
    assert len(pack(HARDER, alpha=8, gamma=0, policy="authors").groups) == 94
    assert len(pack(HARDER, alpha=8, gamma=0, policy="dense-column-first").groups) == 95
    assert len(pack(HARDER, alpha=8, gamma=0, policy=policy).groups) <= 94


def test_a_rule_that_wins_by_groups_is_not_left_as_blind_as_it_is():
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((48, 64), dtype=np.float32)
    matrix[rng.random(matrix.shape) > 0.2] = 0
    rule, blind = measure(matrix, pack(matrix, alpha=8, gamma=0.5, policy="authors"))
    groups, kept = measure(matrix, pack(matrix, alpha=8, gamma=0.5))
    assert groups == rule == 10
    assert kept > 1.1 * blind
