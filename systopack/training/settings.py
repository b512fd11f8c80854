"""Every option of a training run, checked before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from systopack.data.augment import Augment
from systopack.errors import InvalidOptionError
from systopack.fields import shown

Settings = TypeVar("Settings", bound=BaseModel)


class OptimizerSettings(BaseModel):
    """SGD with Nesterov momentum, the batches, and distillation.

    Args:
        batch_size: images a step, over all devices.
        momentum, weight_decay: of SGD; biases and norms are decayed too.
        label_smoothing: share of the target spread over all classes.
        distill_weight: share of the loss that compares with the dense model's logits, 0..1.
        distill_temperature: softmax temperature of both sides of that comparison.
        cutmix: share of the batches in which a square of each image is another image's; only
            with `distill_weight` 1, where the dense model says what the mixture shows.
        held_out: images taken out of the training part to watch the run; None: a tenth of it,
            at most 5,000.
        seed: of the data order, the augmentation, the held-out part and fresh weights.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    batch_size: int = Field(default=128, ge=1, le=65536)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=5e-4, ge=0, le=1)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    distill_weight: float = Field(default=0.0, ge=0, le=1)
    distill_temperature: float = Field(default=4.0, gt=0, le=100)
    cutmix: float = Field(default=0.0, ge=0, le=1)
    held_out: int | None = Field(default=None, ge=0)
    seed: int = Field(default=0, ge=0, lt=2**31)

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
    """A dense training run: one cosine over `epochs`, after a linear warm-up of one epoch.

    Args:
        epochs: of the whole run.
        learning_rate: peak of the schedule.
    """

    learning_rate: float = Field(default=0.1, gt=0, le=100)
    epochs: int = Field(default=30, ge=1, le=100_000)


Importance = Literal["magnitude", "fisher"]
Grouping = Literal["every", "last"]


class CombineSettings(OptimizerSettings):
    """Joint optimization (docs/method.md, section 2), the paper's way or towards budgets.

    Without budgets the loop prunes `beta` by `beta` down to `rho` and groups with `gamma`. With a
    budget (`cells`, `streamed_words_ratio` or both) `rho`, `beta` and `gamma` are not used: each
    iteration allots column groups to the layers (`training.allocation`), so that the predicted
    loss is least, and column-combine pruning does all the pruning.

    Args:
        alpha, gamma: limits of a column group.
        rho: target share of the dense weights that stay nonzero.
        beta: share of the remaining weights pruned in the first iteration.
        beta_decay: factor of beta from iteration to iteration.
        beta_floor: beta never falls below it.
        iteration_limit: iterations within which rho must be reached.
        epochs_per_iteration: retraining after each pruning.
        fine_tune_epochs: with the groups fixed, learning rate falling to zero (cosine).
        learning_rate: constant in the iterations, where the cosine starts; None: measured on the
            pruned network by a short range test (`training.learning_rate`).
        policy: how columns are grouped; a policy of `systopack.packing`.
        band_rows: rows that share column groups (per-tile grouping); None: all of a layer, with
            a budget the rows of the array.
        channels_per_group: without budgets: neighbouring input channels that a group may mix in
            layers where a channel has several columns (k x k windows, linear layers on feature
            maps); fewer make the banks of the tiled accelerator smaller. None: any.
        cells: budget: share of the dense cells that the packed cells may be, 0..1; "fit": that of
            the paper's throughput, more where the network needs more (`training.limits`).
        streamed_words_ratio: budget: times fewer streamed words than dense, on the array; "fit":
            the paper's 3.9, less where the network does not allow it.
        array_rows, array_columns: the array on which streamed words are counted.
        budget_steps: iterations in which the budgets fall, by equal factors, from dense.
        grouping: group columns in every one of these iterations, or only in the last one, after
            pruning by magnitude alone (to compare with).
        importance: which weight survives a conflict: that of largest magnitude, or of largest
            Fisher information times square.
        importance_images: training images on which Fisher information is measured, at the
            temperature of distillation where there is any.
    """

    learning_rate: float | None = Field(default=None, gt=0, le=100)
    alpha: int = 8
    gamma: float = 0.5
    rho: float = Field(default=0.15, gt=0, le=1)
    beta: float = Field(default=0.3, ge=0, lt=1)
    beta_decay: float = Field(default=0.9, gt=0, le=1)
    beta_floor: float = Field(default=0.05, ge=0, lt=1)
    iteration_limit: int = Field(default=40, ge=1, le=10_000)
    epochs_per_iteration: int = Field(default=1, ge=0, le=10_000)
    fine_tune_epochs: int = Field(default=10, ge=0, le=100_000)
    policy: str = "best"
    band_rows: int | None = Field(default=None, ge=1)
    channels_per_group: int | None = Field(default=None, ge=1)
    cells: Annotated[float, Field(gt=0, le=1)] | Literal["fit"] | None = None
    streamed_words_ratio: Annotated[float, Field(ge=1, le=1_000)] | Literal["fit"] | None = None
    array_rows: int = Field(default=32, ge=1, le=65536)
    array_columns: int = Field(default=32, ge=1, le=65536)
    budget_steps: int = Field(default=1, ge=1, le=1_000)
    grouping: Grouping = "every"
    importance: Importance = "magnitude"
    importance_images: int = Field(default=96, ge=1)

    @property
    def has_budget(self) -> bool:
        """Whether the layers' groups come from budgets, not from gamma and rho."""
        return self.cells is not None or self.streamed_words_ratio is not None


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


def checked(settings: type[Settings], **options: Any) -> Settings:
    """Build settings, turning pydantic's report into one sentence.

    Raises:
        InvalidOptionError: naming the option, the value and the rule.
    """
    try:
        return settings(**options)
    except ValidationError as error:
        name, value, rule = _flaw(settings, error)
        option = "array" if name.startswith("array_") else name.replace("_", "-")
        raise InvalidOptionError(f"--{option} is {value}, but it must be {rule}.") from error


def check_file(settings: type[BaseModel], content: Mapping[str, Any], path: Path) -> None:
    """Check the settings that a file gives.

    Raises:
        InvalidOptionError: naming the file, the key, the value and the rule.
    """
    try:
        settings(**content)
    except ValidationError as error:
        name, value, rule = _flaw(settings, error)
        raise InvalidOptionError(
            f"'{path}' sets {name} to {value}, but it must be {rule}."
        ) from error


def _flaw(settings: type[BaseModel], error: ValidationError) -> tuple[str, str, str]:
    """Name, value and rule of the first setting that is wrong."""
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else "option"
    schema = settings.model_json_schema()
    field = schema["properties"].get(name)
    return name, shown(first["input"]), "one that exists" if field is None else _rule(field)


_BOUNDS = {
    "exclusiveMinimum": "above",
    "minimum": "at least",
    "exclusiveMaximum": "below",
    "maximum": "at most",
}
_KINDS = {"integer": "a whole number", "number": "a finite number", "boolean": "true or false"}


def _rule(schema: Mapping[str, Any]) -> str:
    """What a value of a JSON schema may be, in words."""
    if "anyOf" in schema:
        return " or ".join(_rule(option) for option in schema["anyOf"] if option != _NULL)
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if values is not None:
        return " or ".join(f"'{value}'" for value in values)
    bounds = [f"{word} {schema[key]:,}" for key, word in _BOUNDS.items() if key in schema]
    kind = _KINDS.get(schema.get("type", ""), "a text")
    return f"{kind} {' and '.join(bounds)}".rstrip()


_NULL = {"type": "null"}
