"""Every option of a training run, checked before anything starts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field

from systopack.data.augment import Augment
from systopack.errors import InvalidOptionError
from systopack.options import Options, option, refuse_idle

_OPTIMIZER, _LOOP, _BUDGET = "Optimizer", "Pruning and packing", "Budgets"


class OptimizerSettings(Options):
    """SGD with Nesterov momentum, and the batches; biases and norms decay too."""

    batch_size: int = option(
        128, "Images per step, over all devices.", ge=1, le=65536, group=_OPTIMIZER
    )
    momentum: float = option(0.9, "Momentum of SGD.", ge=0, lt=1, group=_OPTIMIZER)
    weight_decay: float = option(5e-4, "Weight decay of SGD.", ge=0, le=1, group=_OPTIMIZER)
    label_smoothing: float = option(
        0.0, "Share of the target spread over all classes.", ge=0, lt=1, group=_OPTIMIZER
    )
    held_out: int | None = option(
        None,
        "Training images held out to watch the run.",
        ge=0,
        shown_default="a tenth, at most 5,000",
        group=_OPTIMIZER,
    )
    seed: int = option(
        0,
        "Seed of the data order, the augmentation, the images of --fraction, the held-out part and "
        "fresh weights.",
        ge=0,
        lt=2**31,
        group=_OPTIMIZER,
    )

    def augmented(self, augment: Augment) -> Augment:
        """How images of a data set are varied in this run."""
        return augment


class DistillSettings(OptimizerSettings):
    """A run that starts from a float model, which it can imitate."""

    distill_weight: float = option(
        0.0,
        "Share of the loss that imitates the logits of the float model that a run starts from.",
        ge=0,
        le=1,
        group=_OPTIMIZER,
    )
    distill_temperature: float = option(
        4.0, "Softmax temperature of both sides of that comparison.", gt=0, le=100, group=_OPTIMIZER
    )
    cutmix: float = option(
        0.0,
        "Share of the batches in which a square of each image is another image's; only with "
        "--distill-weight 1, where the dense model says what the mixture shows.",
        ge=0,
        le=1,
        group=_OPTIMIZER,
    )

    def augmented(self, augment: Augment) -> Augment:
        """How images of a data set are varied in this run.

        Raises:
            InvalidOptionError: mixtures whose labels nobody knows.
        """
        if self.cutmix and self.distill_weight < 1:
            raise InvalidOptionError(
                f"--cutmix mixes images, but with distill-weight {self.distill_weight} labels "
                "count, which mixtures do not have; set distill-weight to 1 or cutmix to 0."
            )
        return replace(augment, cutmix=self.cutmix)


class TrainSettings(OptimizerSettings):
    """A dense training run: one cosine over `epochs`, after a linear warm-up of one epoch."""

    learning_rate: float = option(0.1, "Peak of the schedule.", gt=0, le=100, group=_OPTIMIZER)
    epochs: int = option(30, "Epochs of the whole run.", ge=1, le=100_000, group=_OPTIMIZER)


class GroupSize(Options):
    """How large the column groups of a filter matrix may be, and which rows share them."""

    alpha: int = option(8, "Largest column group.", group=_LOOP)
    band_rows: int | None = option(
        None,
        "Rows that share column groups, for instance 32.",
        ge=1,
        shown_default="all rows; of combine with a budget, and of compress, those of the array",
        group=_LOOP,
    )


class GroupSettings(GroupSize):
    """How the columns of a filter matrix may be grouped, by the conflicts of a group."""

    gamma: float = option(0.5, "Conflicts per row of a group.", group=_LOOP)


class PackedSettings(GroupSize, DistillSettings):
    """A run that packs and retrains."""

    learning_rate: float | None = option(
        None,
        "Constant in the iterations, where the cosine of fine-tuning starts.",
        gt=0,
        le=100,
        shown_default="measured by a short range test on the pruned network",
        group=_OPTIMIZER,
    )
    array_rows: int = option(32, "Rows of the array.", ge=1, le=65536, hidden=True, flag="--array")
    array_columns: int = option(32, "Its columns.", ge=1, le=65536, hidden=True, flag="--array")


class CombineSettings(GroupSettings, PackedSettings):
    """Joint optimization (docs/method.md, section 2), the paper's way or towards budgets.

    Without budgets the loop prunes `beta` by `beta` down to `rho` and groups with `gamma`. With a
    budget (`cells`, `streamed_words_ratio` or both) `rho`, `beta` and `gamma` are not used: each
    iteration allots column groups to the layers (`training.allocation`), so that the predicted
    loss is least, and column-combine pruning does all the pruning.
    """

    rho: float = option(0.15, "Share of the dense weights that stays.", gt=0, le=1, group=_LOOP)
    beta: float = option(
        0.3,
        "Share of the remaining weights pruned in the first iteration.",
        ge=0,
        lt=1,
        group=_LOOP,
    )
    beta_decay: float = option(
        0.9, "Factor of beta from iteration to iteration.", gt=0, le=1, group=_LOOP
    )
    beta_floor: float = option(0.05, "Beta never falls below it.", ge=0, lt=1, group=_LOOP)
    iteration_limit: int = option(
        40, "Iterations within which rho must be reached.", ge=1, le=10_000, group=_LOOP
    )
    epochs_per_iteration: int = option(
        1, "Retraining after each pruning.", ge=0, le=10_000, group=_LOOP
    )
    fine_tune_epochs: int = option(
        10,
        "Epochs with the groups fixed, the learning rate falling to zero (cosine).",
        ge=0,
        le=100_000,
        group=_LOOP,
    )
    policy: str = option(
        "best", "How columns are grouped; a policy of 'systopack pack'.", group=_LOOP
    )
    channels_per_group: int | None = option(
        None,
        "Neighbouring input channels that a group may mix in layers where a channel has several "
        "columns (k x k windows, linear layers on feature maps); fewer need less memory in "
        "hardware.",
        ge=1,
        shown_default="any",
        group=_LOOP,
    )
    cells: Annotated[float, Field(gt=0, le=1)] | Literal["fit"] | None = option(
        None,
        "Share of the dense cells that the packed cells may be; fit: that of the paper's "
        "throughput, more where the network needs more.",
        group=_BUDGET,
    )
    streamed_words_ratio: Annotated[float, Field(ge=1, le=1_000)] | Literal["fit"] | None = option(
        None,
        "Times fewer streamed words (tiles x positions) than dense, on the array; fit: the paper's "
        "3.9, less where the network does not allow it.",
        group=_BUDGET,
    )
    layers: tuple[str, ...] = option(
        (),
        "NAME=SHARE: so much of the dense cells of a layer, whatever the budgets; 1 leaves it as "
        "it is. With * and ? for several layers; may be repeated. Without --cells and "
        "--streamed-words-ratio the layers that are not named are left as they are.",
        flag="--layer",
        group=_BUDGET,
    )
    budget_steps: int = option(
        1,
        "Iterations in which the budgets fall, by equal factors, from dense.",
        ge=1,
        le=1_000,
        group=_BUDGET,
    )
    grouping: Literal["every", "last"] = option(
        "every",
        "Group columns in every one of these iterations, or only in the last one after pruning by "
        "magnitude alone (to compare with).",
        group=_BUDGET,
    )
    importance: Literal["magnitude", "fisher"] = option(
        "magnitude",
        "Which weight survives a conflict: that of largest magnitude, or of largest Fisher "
        "information times square.",
        group=_BUDGET,
    )
    importance_images: int = option(
        96,
        "Training images on which Fisher information is measured, at the temperature of "
        "distillation where there is any.",
        ge=1,
        group=_BUDGET,
    )

    @property
    def has_budget(self) -> bool:
        """Whether the layers' groups come from budgets, not from gamma and rho."""
        sizes = (self.cells, self.streamed_words_ratio)
        return any(size is not None for size in sizes) or bool(self.layers)


PRESETS: Mapping[str, Mapping[str, Any]] = {
    # The paper's loop: its grouping policy, magnitude, plain cross-entropy.
    "paper": {
        "policy": "dense-column-first",
        "importance": "magnitude",
        "distill_weight": 0.0,
        "label_smoothing": 0.0,
    },
    # The paper's throughput (3.9 times fewer streamed words), as far as the network allows it,
    # with the least accuracy lost.
    "budgets": {
        "policy": "polish",
        "cells": "fit",
        "streamed_words_ratio": "fit",
        "epochs_per_iteration": 0,
        "fine_tune_epochs": 40,
        "weight_decay": 1e-4,
        "distill_weight": 1.0,
        "cutmix": 0.5,
    },
}


def preset(name: str) -> Mapping[str, Any]:
    """Settings of `combine` that go together, by name: `paper` or `budgets`.

    Raises:
        InvalidOptionError: there is no such preset.
    """
    if name not in PRESETS:
        raise InvalidOptionError(
            f"There is no preset '{name}'; choose one of {', '.join(sorted(PRESETS))}."
        )
    return PRESETS[name]


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
    "array_rows",
    "array_columns",
)
_DISTILLING = ("distill_temperature",)


def check_combine(settings: CombineSettings, given: Collection[str]) -> None:
    """Refuse settings that were given, but have no effect.

    Args:
        settings: all of them.
        given: names of those that were given, in a call, on the command line or in a file.

    Raises:
        InvalidOptionError: naming the option.
    """

    def refuse(idle: Collection[str], why: str) -> None:
        refuse_idle(given, idle, why, kind=CombineSettings)

    if settings.has_budget:
        refuse(
            _WITHOUT_BUDGET,
            "a budget (--cells, --streamed-words-ratio, --layer) decides what is kept",
        )
        if settings.budget_steps == 1:
            refuse(("grouping",), "the budget is reached in one iteration")
    else:
        refuse(
            _WITH_BUDGET,
            "it counts only with a budget (--cells, --streamed-words-ratio or --layer)",
        )
    if settings.distill_weight == 0:
        refuse(_DISTILLING, "without --distill-weight nothing is imitated")
