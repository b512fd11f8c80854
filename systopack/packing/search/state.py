"""A grouping that a search changes, what it is worth, and the two ways to make one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from systopack.packing.problem import GroupingProblem

Labels = NDArray[np.int64]
_SMALL_CELLS = 50_000  # up to here one thread measures faster than several


@dataclass(frozen=True, kw_only=True)
class Worth:
    """What a grouping is worth.

    Args:
        groups: number of groups.
        squared_norm: squared norm kept, in units of the problem's largest.
        excess: conflicts beyond those allowed, over all groups; 0 for a valid grouping.
    """

    groups: int
    squared_norm: float
    excess: int

    @property
    def rank(self) -> tuple[int, int, float]:
        """Sorts groupings: valid ones first, then fewest groups, then most squared norm."""
        return (self.excess, self.groups, -self.squared_norm)


@dataclass(frozen=True, kw_only=True, eq=False)
class Grouping:
    """Groups as a rectangle of columns; the search changes both arrays in place.

    Args:
        members: shape (groups, alpha), int32: columns of each group, -1 where a place is free.
        sizes: shape (groups,), int64: places in use, the first of each row.
    """

    members: NDArray[np.int32]
    sizes: NDArray[np.int64]

    @classmethod
    def from_labels(cls, labels: Labels, *, alpha: int, groups: int | None = None) -> Grouping:
        """From a group number per column, -1 for columns in none."""
        count = int(labels.max(initial=-1)) + 1
        count = count if groups is None else max(count, groups)
        columns = np.flatnonzero(labels >= 0)
        columns = columns[np.argsort(labels[columns], kind="stable")]
        group = labels[columns]
        sizes = np.bincount(group, minlength=count)
        place = np.arange(columns.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        members = np.full((count, alpha), -1, dtype=np.int32)
        members[group, place] = columns
        return cls(members=members, sizes=sizes.astype(np.int64))

    def labels(self, columns: int) -> Labels:
        """A group number per column, -1 for columns in none; empty groups are left out."""
        used = np.flatnonzero(self.sizes > 0)
        number = np.full(self.sizes.size, -1, dtype=np.int64)
        number[used] = np.arange(used.size)
        labels = np.full(columns, -1, dtype=np.int64)
        group, place = np.nonzero(self.members >= 0)
        labels[self.members[group, place]] = number[group]
        return labels

    def copy(self) -> Grouping:
        """Arrays of its own."""
        return Grouping(members=self.members.copy(), sizes=self.sizes.copy())

    def worth(self, problem: GroupingProblem) -> Worth:
        """Measure the groups on a problem."""
        energies, conflicts = _measured(problem, self)
        return Worth(
            groups=int(np.count_nonzero(self.sizes)),
            squared_norm=float(energies.sum()),
            excess=int(np.maximum(conflicts - problem.conflicts_allowed, 0).sum()),
        )


def insert(
    problem: GroupingProblem, *, groups: int, order: NDArray[np.int64] | None = None
) -> tuple[Labels, int]:
    """Insert columns by least loss into `groups` balanced groups, more where they do not fit.

    Args:
        groups: groups to begin with, at least 1.
        order: the columns in the order of insertion; the densest first by default.

    Returns:
        A group number per column, and how many groups it took.
    """
    from systopack.packing.search import insertion

    columns = problem.densest_first if order is None else order
    labels, count = insertion.insert_least_loss(
        problem.starts,
        problem.row_of,
        problem.squared_norm,
        columns,
        problem.rows,
        groups,
        min(problem.alpha, -(-columns.size // groups)),
        problem.kept,
        problem.conflicts_allowed,
    )
    placed = labels >= 0
    used = np.bincount(labels[placed]) > 0  # groups that nothing joined are left out
    number = np.cumsum(used) - 1
    return np.where(placed, number[labels], -1), min(int(count), int(used.sum()))


def insert_into(problem: GroupingProblem, *, groups: int, placed: Labels | None = None) -> Grouping:
    """Insert the columns into exactly `groups` groups, perhaps with conflicts too many.

    Args:
        groups: at least `ceil(occupied / alpha)`.
        placed: the group, below `groups`, of every column that stays where it is, -1 elsewhere.
    """
    from systopack.packing.search import insertion

    kept_place = np.full(problem.columns, -1, dtype=np.int64) if placed is None else placed
    order = problem.densest_first
    labels = insertion.insert_anyhow(
        problem.starts,
        problem.row_of,
        problem.squared_norm,
        np.concatenate([order[kept_place[order] >= 0], order[kept_place[order] < 0]]),
        kept_place,
        problem.rows,
        groups,
        problem.alpha,
        problem.kept,
        problem.conflicts_allowed,
        problem.mean_squared_norm,
    )
    return Grouping.from_labels(labels, alpha=problem.alpha, groups=groups)


def dissolve(problem: GroupingProblem, grouping: Grouping, *, groups: int) -> Grouping:
    """Do with `groups` groups: the columns of those that keep the least join the others.

    Args:
        groups: at least `ceil(occupied / alpha)`, fewer than there are.
    """
    energies, _ = _measured(problem, grouping)
    staying = np.sort(np.argsort(-energies, kind="stable")[:groups])
    rest = Grouping(members=grouping.members[staying], sizes=grouping.sizes[staying])
    placed = np.full(problem.columns, -1, dtype=np.int64)
    group, place = np.nonzero(rest.members >= 0)
    placed[rest.members[group, place]] = group
    return insert_into(problem, groups=groups, placed=placed)


def _measured(
    problem: GroupingProblem, grouping: Grouping
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Kept squared norm and conflicts of every group."""
    from systopack.packing.search import reassignment

    small = problem.squared_norm.size + problem.rows * grouping.sizes.size <= _SMALL_CELLS
    measure = reassignment.measure_alone if small else reassignment.measure_apart
    energies, conflicts = measure(
        problem.starts,
        problem.row_of,
        problem.squared_norm,
        problem.rows,
        problem.kept,
        grouping.members,
        grouping.sizes,
    )
    return energies, conflicts
