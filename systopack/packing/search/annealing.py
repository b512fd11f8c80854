"""Cool a grouping: optimal reassignments under noise that shrinks to nothing.

Annealing by assignments of many columns at a time: large neighbourhood search (P. Shaw, 1998)
whose neighbourhoods are solved exactly, with the noise of simulated annealing (Kirkpatrick and
others, 1983) in its costs.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from systopack.packing.problem import GroupingProblem
from systopack.packing.search.state import Grouping, Worth

_ONE_BLOCK = 128  # so many groups are searched as one block, more in islands side by side
_LARGEST_BLOCK = 320  # groups whose columns are priced against each other in one step
_SLOW = 1000  # with fewer sweeps it starts cooler, in proportion
_SWEEPS_A_PAIR = 20  # per pair of columns: a small matrix is searched through long before the cells
_NOTHING = 1e-12  # share of the squared norm that is rounding
_TURN_CELLS = 60_000_000  # work between two looks at the clock, in cells priced


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How long to search: so many sweeps, or until a moment.

    A sweep reassigns every group once on average.

    Args:
        sweeps: sweeps to take; ignored where a deadline is set.
        deadline: a `time.monotonic()` value, or None.
    """

    sweeps: int
    deadline: float | None = None

    def part(self, share: float) -> Budget:
        """A share, 0..1, of what is left of this budget."""
        if self.deadline is None:
            return Budget(sweeps=max(1, round(self.sweeps * share)))
        now = time.monotonic()
        return Budget(sweeps=self.sweeps, deadline=now + share * max(0.0, self.deadline - now))

    @property
    def spent(self) -> bool:
        """Whether the deadline, if there is one, has passed."""
        return self.deadline is not None and time.monotonic() >= self.deadline


def sweeps_of(problem: GroupingProblem, *, cells: float) -> int:
    """How many sweeps price about so many cells; the same on every machine.

    Fewer where the columns are few: then a number in proportion to the pairs of columns.
    """
    _, block = _islands(max(1, problem.occupied // problem.alpha))
    most = min(20_000, max(20, _SWEEPS_A_PAIR * problem.occupied**2))
    return int(np.clip(cells / max(1.0, _sweep_cells(problem, block)), 4, most))


def anneal(
    problem: GroupingProblem,
    grouping: Grouping,
    *,
    budget: Budget,
    heat: float,
    seed: int,
) -> Worth:
    """Cool a grouping, changed in place; return what it is worth.

    Each number of groups and each seed gives one result, whatever the number of cores, unless
    the budget has a deadline. Conflicts beyond those allowed are penalized, the more the cooler,
    so that a grouping that breaks the rule is mended if that can be done.

    Args:
        heat: noise at the start, as a share of the squared norm pruned per column; 0 only descends.
    """
    groups = grouping.sizes.size
    worth = grouping.worth(problem)
    if groups < 2 or problem.occupied < 2:
        return worth
    total = float(problem.column_squared_norm.sum())
    if not worth.excess and total - worth.squared_norm <= _NOTHING * total:
        return worth  # nothing is pruned
    noise = heat * (total - worth.squared_norm) / problem.occupied
    islands, block = _islands(groups)
    generator = np.random.default_rng(seed)
    sweep = _sweep_cells(problem, block)
    turns = min(budget.sweeps, max(20, round(budget.sweeps * sweep / _TURN_CELLS)))
    sweeps_a_turn = budget.sweeps / turns
    if budget.deadline is not None:
        span = max(0.0, budget.deadline - time.monotonic())
        sweeps_a_turn = max(1.0, _TURN_CELLS / sweep * min(1.0, span))
    noise *= min(1.0, budget.sweeps / _SLOW) if budget.deadline is None else 1.0
    began = time.monotonic()
    turn = 0
    while True:
        if budget.deadline is None:
            progress = turn / turns
        else:
            span = max(budget.deadline - began, 1e-9)
            progress = (time.monotonic() - began) / span
        if progress >= 1:
            break
        _turn(
            problem,
            grouping,
            order=generator.permutation(groups),
            islands=islands,
            block=block,
            steps=max(1, round(sweeps_a_turn * groups / (islands * block))),
            penalty=problem.mean_squared_norm * (1 + 19 * progress),
            noise=noise * (1 - progress) ** 2,
            seed=int(generator.integers(2**31)),
        )
        turn += 1
        if turn == 1 and budget.deadline is not None:  # now the speed is known
            sweeps = (budget.deadline - began) / (time.monotonic() - began) * sweeps_a_turn
            noise *= min(1.0, sweeps / _SLOW)
    return grouping.worth(problem)


def mend(problem: GroupingProblem, grouping: Grouping, *, sweeps: int, seed: int) -> Worth:
    """Trade squared norm for conflicts until none is too many or the sweeps are over."""
    groups = grouping.sizes.size
    islands, block = _islands(groups)
    generator = np.random.default_rng(seed)
    worth = grouping.worth(problem)
    for _ in range(sweeps):
        if not worth.excess:
            break
        _turn(
            problem,
            grouping,
            order=generator.permutation(groups),
            islands=islands,
            block=block,
            steps=4,
            penalty=100 * problem.mean_squared_norm,
            noise=0.0,
            seed=int(generator.integers(2**31)),
        )
        worth = grouping.worth(problem)
    return worth


def _islands(groups: int) -> tuple[int, int]:
    """Islands that are searched side by side, and the groups of a block in each."""
    if groups <= _ONE_BLOCK:
        return 1, groups
    islands = int(np.clip(-(-groups // _LARGEST_BLOCK), 2, 16))
    return islands, min(_LARGEST_BLOCK, groups // islands)


def _sweep_cells(problem: GroupingProblem, block: int) -> float:
    """Cells priced by one sweep, with the assignments counted as so many cells more."""
    groups = max(1, problem.occupied / problem.alpha)
    laying_out = 2.0 * problem.squared_norm.size + problem.rows * groups
    return problem.squared_norm.size / problem.alpha * block + laying_out + 16.0 * groups * block


def _turn(
    problem: GroupingProblem,
    grouping: Grouping,
    *,
    order: np.ndarray,
    islands: int,
    block: int,
    steps: int,
    penalty: float,
    noise: float,
    seed: int,
) -> None:
    from systopack.packing.search import reassignment

    matrix = (problem.starts, problem.row_of, problem.squared_norm, problem.rows, problem.kept)
    state = (grouping.members, grouping.sizes)
    if islands == 1:  # no threads to wake
        reassignment.reassign_island(
            *matrix, *state, order, block, steps, problem.conflicts_allowed, penalty, noise, seed, 1
        )
    else:
        reassignment.reassign_islands(
            *matrix,
            *state,
            order,
            islands,
            block,
            steps,
            problem.conflicts_allowed,
            penalty,
            noise,
            seed,
        )
