"""Grouping policies: worked by hand, their definitions, and what must hold for all of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from systopack.errors import InvalidOptionError
from systopack.packing.bounds import combinatorial_bound, exact_bound, group_gap
from systopack.packing.grouping import groups_from_labels
from systopack.packing.objective import FewestGroups, FewestTiles, MostNorm, parse_objective
from systopack.packing.pack import group_columns, n_of_m, pack, pack_groups
from systopack.packing.policies.authors import authors_definition
from systopack.packing.policies.registry import policy_named, policy_names
from systopack.packing.problem import grouping_problem
from systopack.packing.pruning import conflicts
from systopack.packing.rule import PackingRule
from systopack.packing.search import annealing
from systopack.packing.search.annealing import sweeps_of
from systopack.packing.search.matching import match_by_swaps, match_least_cost
from systopack.packing.search.state import Grouping, insert
from tests.packing.matrices import filter_matrices, packing_limits, random_filter_matrix

POLICIES = (
    "assignment", "authors", "best", "dense-column-first", "least-loss", "polish", "refine",
)  # fmt: skip
AIMING = ("assignment", "best", "least-loss", "polish", "refine")
QUICK = ("assignment", "authors", "dense-column-first", "least-loss")

# Columns 0 and 1 lose 1 together, 0 and 2 lose 4, 1 and 2 lose 9; column 3 is empty.
TRIANGLE = np.array([[3.0, 1, 0, 0], [2, 0, 4, 0], [0, 5, 3, 0]])


def random_matrix(rows: int, columns: int, density: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((rows, columns), dtype=np.float32)
    weights[rng.random(weights.shape) > density] = 0
    return weights


def kept_squared_norm(packed) -> float:
    return float(sum((band.values.astype(float) ** 2).sum() for band in packed.bands))


def test_all_policies_are_registered():
    assert policy_names() == POLICIES


def test_insertion_decides_column_by_column():
    # Columns 0 and 1 open the two groups; column 2 loses 4 with column 0, 9 with column 1.
    problem = grouping_problem(TRIANGLE, rule=PackingRule(alpha=2, gamma=1))
    labels, groups = insert(problem, groups=2)
    assert (labels.tolist(), groups) == ([0, 1, 0, -1], 2)


@pytest.mark.parametrize("policy", ["least-loss", "assignment", "polish", "refine", "best"])
def test_puts_the_pair_that_loses_least_together(policy):
    packed = pack(TRIANGLE, alpha=2, gamma=1, policy=policy, objective=MostNorm(groups=2))
    assert sorted(packed.groups) == [(0, 1), (2,)]
    assert kept_squared_norm(packed) == 9 + 4 + 25 + 16 + 9


@pytest.mark.parametrize("policy", POLICIES)
def test_uses_two_groups_where_two_are_needed(policy):
    packed = pack(TRIANGLE, alpha=2, gamma="0.34", policy=policy)
    assert len(packed.groups) == 2
    assert all(3 not in group for group in packed.groups)


def test_the_authors_rule_by_hand():
    # Group 0 starts with column 0 (rows 0 1); column 3 leaves no row empty, so it joins first.
    mask = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 1, 1, 1]])
    assert authors_definition(mask != 0, alpha=2, conflicts_allowed=0).tolist() == [0, 1, 2, 0]


@given(filter_matrices, packing_limits())
def test_compiled_authors_rule_is_its_definition(matrix, limits):
    rule = PackingRule(alpha=limits[0], gamma=limits[1])
    expected = authors_definition(
        matrix != 0, alpha=rule.alpha, conflicts_allowed=rule.conflicts_allowed(len(matrix))
    )
    assert group_columns(matrix, rule, policy="authors") == groups_from_labels(expected)


def check_everything(matrix, alpha, gamma, policy, seed):
    rule = PackingRule(alpha=alpha, gamma=gamma)
    packed = pack(matrix, alpha=alpha, gamma=gamma, policy=policy, seed=seed)
    listed = [column for group in packed.groups for column in group]
    assert sorted(listed) == np.flatnonzero((matrix != 0).any(axis=0)).tolist()
    assert packed.largest_group <= alpha
    assert max(conflicts(matrix != 0, packed.groups), default=0) <= rule.conflicts_allowed(
        len(matrix)
    )
    dense = packed.to_dense()
    assert np.array_equal(dense[dense != 0], matrix[dense != 0])
    assert np.array_equal(pack_groups(dense, packed.groups).to_dense(), dense)
    again = pack(matrix, alpha=alpha, gamma=gamma, policy=policy, seed=seed)
    assert again.groups == packed.groups
    bound = combinatorial_bound(grouping_problem(matrix, rule=rule))
    assert bound.groups <= len(packed.groups)


@pytest.mark.parametrize("policy", QUICK)
@given(matrix=filter_matrices, limits=packing_limits(), seed=st.integers(0, 3))
@settings(max_examples=500)
def test_every_grouping_is_valid_and_repeatable(policy, matrix, limits, seed):
    check_everything(matrix, *limits, policy, seed)


@pytest.mark.parametrize("policy", ["polish", "refine", "best"])
@given(seed=st.integers(0, 2**32), limits=packing_limits())
@settings(max_examples=8)
def test_every_searched_grouping_is_valid_and_repeatable(policy, seed, limits):
    matrix = random_filter_matrix(np.random.default_rng(seed), largest_rows=20, largest_columns=12)
    check_everything(matrix, *limits, policy, seed % 3)


CHUNKS, CHUNK = 10, 1000


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize("policy", POLICIES)
def test_ten_thousand_matrices(policy, chunk):
    rng = np.random.default_rng([2026, chunk])
    for _ in range(CHUNK):
        alpha = int(rng.integers(1, 10))
        gamma = float(rng.choice([g for g in (0, 0.1, 0.25, 0.5, 1, 2.75) if g <= alpha - 1]))
        check_everything(random_filter_matrix(rng), alpha, gamma, policy, int(rng.integers(3)))


@pytest.mark.slow
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("shape", [(20, 1300), (200, 300), (1, 400), (300, 2)])
def test_wide_and_tall_matrices(policy, shape):
    check_everything(random_matrix(*shape, 0.15, seed=shape[1]), 3, 0.25, policy, 1)


def test_a_small_matrix_is_searched_in_proportion():
    small, large = (
        sweeps_of(
            grouping_problem(random_matrix(12, columns, 1), rule=PackingRule(alpha=2, gamma=1)),
            cells=1e12,
        )
        for columns in (4, 40)
    )
    assert (small, large) == (320, 20_000)


def test_nothing_pruned_is_nothing_to_search(monkeypatch):
    def turn(*_, **__):
        raise AssertionError("searched")

    monkeypatch.setattr(annealing, "_turn", turn)
    packed = pack(np.eye(8), alpha=4, gamma=1, policy="best")
    assert packed.groups == pack(np.eye(8), alpha=4, gamma=1).groups


@pytest.mark.parametrize("uneven", [False, True])
def test_search_is_never_worse_than_what_it_starts_from(uneven):
    matrix = random_matrix(64, 80, 0.16, seed=3)
    if uneven:
        matrix *= np.exp(np.random.default_rng(4).standard_normal((1, 80))).astype(np.float32)
    packed = {p: pack(matrix, alpha=8, gamma=0.5, policy=p) for p in POLICIES}
    simple = packed["least-loss"]
    for name in ("refine", "best"):
        assert len(packed[name].groups) <= len(simple.groups)
        assert kept_squared_norm(packed[name]) >= kept_squared_norm(simple)
    assert kept_squared_norm(packed["polish"]) >= kept_squared_norm(packed["assignment"])
    assert len(packed["best"].groups) <= len(packed["authors"].groups)


def test_exact_without_conflicts_equals_trying_everything():
    for seed in range(6):
        matrix = random_matrix(10, 5, 0.25, seed)
        used = np.flatnonzero((matrix != 0).any(axis=0))
        fewest = min(
            len(set(labels))
            for labels in itertools.product(range(used.size), repeat=used.size)
            if all(
                (matrix[:, used[np.array(labels) == g]] != 0).sum(axis=1).max(initial=0) <= 1
                and labels.count(g) <= 3
                for g in set(labels)
            )
        )
        problem = grouping_problem(matrix, rule=PackingRule(alpha=3, gamma=0))
        packed = pack(matrix, alpha=3, gamma=0, policy="best")
        assert len(packed.groups) == fewest == exact_bound(problem).groups
        gap = group_gap(packed, matrix, alpha=3, gamma=0, exact=True)
        assert gap.optimal
        assert str(gap).startswith(f"{fewest} groups, proven optimal")


@pytest.mark.parametrize(("twins", "gamma"), [(5, 0), (17, 0), (30, 0), (6, 0.05)])
def test_columns_that_can_stand_in_for_each_other(twins, gamma):
    # Twins fill groups of nine; each of the two full columns needs a group of its own.
    matrix = np.zeros((65, twins + 2))
    matrix[np.arange(65), np.arange(65) % twins] = 1
    matrix[:, twins:] = 1
    packed = pack(matrix, alpha=9, gamma=gamma, policy="best")
    gap = group_gap(packed, matrix, alpha=9, gamma=gamma, exact=True)
    assert gap.groups == gap.bound == -(-twins // 9) + 2


def test_bounds_by_hand():
    # One row of five nonzeros, at most one conflict a group: G groups cover G and lose G.
    row = grouping_problem(np.ones((1, 5)), rule=PackingRule(alpha=8, gamma=1))
    assert (combinatorial_bound(row).groups, combinatorial_bound(row).proof) == (3, "conflicts")
    spread = grouping_problem(np.eye(9), rule=PackingRule(alpha=4, gamma=0))
    assert (combinatorial_bound(spread).groups, combinatorial_bound(spread).proof) == (3, "columns")
    # Three columns of which every two share a row of their own.
    cycle = grouping_problem(
        np.array([[1.0, 1, 0], [0, 1, 1], [1, 0, 1]]), rule=PackingRule(alpha=3, gamma=0)
    )
    assert combinatorial_bound(cycle).groups == 3


def test_the_matching_is_optimal():
    rng = np.random.default_rng(0)
    for size in (1, 2, 3, 8, 33, 64):
        cost = rng.random((size, size)).astype(np.float32)
        column_of, row_at, came_from = np.zeros((3, size), np.int32)
        scratch = np.empty((4, size), np.float32)
        match_least_cost(cost, size, column_of, row_at, scratch, came_from)
        expected = cost[linear_sum_assignment(cost)].sum()
        assert np.isclose(cost[np.arange(size), column_of].sum(), expected, rtol=1e-5)
        assert np.array_equal(row_at[column_of], np.arange(size))
        match_by_swaps(cost, size, column_of, row_at, scratch)
        assert cost[np.arange(size), column_of].sum() <= np.trace(cost) + 1e-5
        assert np.array_equal(row_at[column_of], np.arange(size))


def test_the_search_measures_what_packing_keeps():
    matrix = random_matrix(40, 30, 0.3)
    problem = grouping_problem(matrix, rule=PackingRule(alpha=4, gamma=1))
    packed = pack(matrix, alpha=4, gamma=1)
    labels = np.full(30, -1)
    for number, group in enumerate(packed.groups):
        labels[list(group)] = number
    worth = Grouping.from_labels(labels, alpha=4).worth(problem)
    scale = float((matrix.astype(float) ** 2).max())
    assert np.isclose(worth.squared_norm * scale, kept_squared_norm(packed), rtol=1e-5)
    assert (worth.groups, worth.excess) == (len(packed.groups), 0)


@pytest.mark.parametrize("policy", AIMING)
def test_more_groups_keep_more_squared_norm(policy):
    matrix = random_matrix(48, 64, 0.2)
    energies = [
        kept_squared_norm(
            pack(matrix, alpha=8, gamma=4, policy=policy, objective=MostNorm(groups=g))
        )
        for g in (8, 12, 16, 64)
    ]
    assert energies == sorted(energies)
    assert np.isclose(energies[-1], (matrix.astype(float) ** 2).sum())


def test_tiles_are_filled():
    matrix = random_matrix(48, 64, 0.2)
    few = pack(matrix, alpha=8, gamma=0.5, policy="refine")
    full = pack(matrix, alpha=8, gamma=0.5, policy="refine", objective=FewestTiles(columns=8))
    assert len(full.groups) % 8 == 0
    assert full.tile_count(rows=16, columns=8) == few.tile_count(rows=16, columns=8)
    assert kept_squared_norm(full) > kept_squared_norm(few)


def test_importance_decides_what_is_kept():
    matrix = np.array([[3.0, 2.0], [1.0, 4.0]])
    importance = np.array([[1.0, 9.0], [100.0, 1.0]])
    packed = pack(matrix, alpha=2, gamma=1, importance=importance, objective=MostNorm(groups=1))
    assert packed.to_dense().tolist() == [[0, 2], [1, 0]]
    rows = pack(matrix, alpha=2, gamma=1, importance=[5, 0], objective=MostNorm(groups=1))
    assert rows.to_dense().tolist() == [[3, 0], [1, 0]]  # of what does not matter the first stays


@given(filter_matrices, packing_limits(), st.integers(1, 80))
@settings(max_examples=30)
def test_row_bands_have_groups_of_their_own(matrix, limits, band_rows):
    packed = pack(matrix, alpha=limits[0], gamma=limits[1], band_rows=band_rows)
    assert packed.shape == matrix.shape
    assert len(packed.bands) == -(-len(matrix) // band_rows)
    for start, band in zip(packed.row_starts, packed.bands, strict=True):
        alone = pack(matrix[start : start + band.rows], alpha=limits[0], gamma=limits[1])
        assert band.groups == alone.groups
        assert np.array_equal(band.values, alone.values)


@given(filter_matrices, st.integers(1, 4))
@settings(max_examples=20)
def test_permuted_n_of_m_is_valid(matrix, n):
    packed = n_of_m(matrix, n=n, m=4, permute="least-loss")
    dense = packed.to_dense()
    assert np.array_equal(dense[dense != 0], matrix[dense != 0])
    for group in packed.groups:
        block = matrix[:, list(group)] != 0
        assert ((dense[:, list(group)] != 0).sum(axis=1) == np.minimum(block.sum(axis=1), n)).all()


def test_permutation_keeps_more_than_consecutive_blocks():
    matrix = np.abs(random_matrix(64, 32, 1.0)) + 0.01
    plain = kept_squared_norm(n_of_m(matrix, n=2, m=4))
    best = n_of_m(matrix, n=2, m=4, permute="best")
    assert kept_squared_norm(best) > plain
    assert all(len(group) == 4 for group in best.groups)
    assert np.count_nonzero(best.to_dense()) == matrix.size / 2


def test_time_limit_is_kept():
    import time

    matrix = random_matrix(128, 256, 0.15)
    pack(matrix, alpha=8, gamma=0.5, policy="best", time_limit_s=0.2)
    began = time.monotonic()
    pack(matrix, alpha=8, gamma=0.5, policy="best", time_limit_s=0.5)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "options",
    [
        {"policy": "nonsense"},
        {"policy": "authors", "objective": MostNorm(groups=2)},
        {"objective": MostNorm(groups=1)},
        {"time_limit_s": 0},
        {"band_rows": 0},
        {"importance": [1.0]},
        {"importance": [1.0, -1, 1]},
        {"kept": 3},
    ],
)
def test_refuses_options_that_make_no_sense(options):
    with pytest.raises(InvalidOptionError, match=r"\.$"):
        pack(TRIANGLE, alpha=2, gamma=0, **options)


def test_objectives_as_text():
    assert parse_objective("groups") == FewestGroups()
    assert parse_objective("groups!") == FewestGroups(at_any_cost=True)
    assert parse_objective("norm:17") == MostNorm(groups=17)
    assert parse_objective("tiles:32") == FewestTiles(columns=32)
    for text in ("", "norm", "tiles:x", "tiles:0"):
        with pytest.raises(InvalidOptionError):
            parse_objective(text)


def test_a_policy_is_found_by_its_name():
    assert policy_named("best").aims
    assert not policy_named("authors").aims
