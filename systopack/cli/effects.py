"""Options that would change nothing are refused, so that nobody relies on one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import cast

import typer

from systopack.errors import InvalidOptionError

NO_CONTEXT = cast(typer.Context, None)  # of a command that is called as a function


def given(context: typer.Context) -> frozenset[str]:
    """The parameters that stand on the command line, by their names in the function."""
    if context is NO_CONTEXT:
        return frozenset()
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return frozenset(
        name for name, source in sources.items() if source and source.name == "COMMANDLINE"
    )


def refuse_idle(options: Collection[str], idle: Iterable[str], why: str) -> None:
    """Refuse options that have no effect here.

    Args:
        options: what was given, by name.
        idle: names of options without effect.
        why: for instance "without --data no image is counted".

    Raises:
        InvalidOptionError: one of them was given.
    """
    for name in idle:
        if name in options:
            option = "--" + name.replace("_", "-")
            raise InvalidOptionError(f"{option} would change nothing: {why}; leave {option} out.")


# Settings of `combine` that count only without, or only with, a budget.
_WITHOUT_BUDGET = (
    "rho",
    "gamma",
    "beta",
    "beta_decay",
    "beta_floor",
    "iteration_limit",
    "channels_per_group",
)
_WITH_BUDGET = (
    "importance",
    "importance_images",
    "budget_steps",
    "grouping",
    "array",
    "array_rows",
    "array_columns",
)
_DISTILLING = ("distill_temperature",)


def check_combine(
    options: Collection[str], *, has_budget: bool, distills: bool, steps: int
) -> None:
    """Refuse settings of `combine`, from the command line or its file, without effect.

    Args:
        options: the settings that were given, by name.
        has_budget: whether there is a budget.
        distills: whether the loss has a part that imitates the dense model.
        steps: iterations in which the budgets fall.

    Raises:
        InvalidOptionError: naming the option.
    """
    if has_budget:
        refuse_idle(
            options,
            _WITHOUT_BUDGET,
            "a budget (--cells, --streamed-words-ratio) decides what is kept",
        )
    else:
        refuse_idle(
            options,
            _WITH_BUDGET,
            "it counts only with a budget (--cells or --streamed-words-ratio)",
        )
    if has_budget and steps == 1:
        refuse_idle(options, ("grouping",), "the budget is reached in one iteration")
    if not distills:
        refuse_idle(options, _DISTILLING, "without --distill-weight nothing is imitated")
