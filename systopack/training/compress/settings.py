"""The options of `compress`: a goal, how it is searched, and the training that combine does."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from systopack.errors import InvalidOptionError
from systopack.options import option, refuse_idle
from systopack.training.settings import CombineSettings, PackedSettings

_GOAL, _SEARCH, _LOOP, _OPTIMIZER = "Goal", "Search", "Pruning and packing", "Optimizer"
_GOALS = ("max_loss", "cells", "words_ratio")
_SEARCHING = ("smallest", "probes", "probe_epochs", "full_runs")  # only with a largest loss
_LEAST_HELD_OUT = 20  # images; of fewer nobody can tell a loss


class CompressSettings(PackedSettings):
    """What `compress` looks for, and how its networks are packed and retrained.

    Exactly one of `max_loss`, `cells` and `words_ratio` is the goal.
    """

    max_loss: float | None = option(
        None,
        "The smallest network that loses at most so many percentage points of accuracy on held-out "
        "training images.",
        ge=0,
        le=100,
        group=_GOAL,
    )
    cells: float | None = option(
        None,
        "The network with this share of the dense cells that loses least.",
        gt=0,
        le=1,
        group=_GOAL,
    )
    words_ratio: float | None = option(
        None,
        "The network with so many times fewer streamed words (tiles x positions) on --array that "
        "loses least.",
        ge=1,
        le=1_000,
        group=_GOAL,
    )
    smallest: Literal["cells", "words"] = option(
        "cells", "What --max-loss makes small: packed cells, or streamed words.", group=_GOAL
    )
    sensitivity_images: int = option(
        500,
        "Held-out images on which each layer is tried alone.",
        ge=1,
        group=_SEARCH,
    )
    probes: int = option(4, "Sizes that are tried by a short training.", ge=1, le=20, group=_SEARCH)
    probe_epochs: float = option(
        0.5, "Share of an epoch that such a training has.", gt=0, le=1, group=_SEARCH
    )
    full_runs: int = option(
        2,
        "Full runs at most: a larger size after a miss, a smaller one where much was left.",
        ge=1,
        le=10,
        group=_SEARCH,
    )
    time_limit_min: float | None = option(
        None,
        "Minutes that the whole is planned for: fewer probes, and so many epochs as there is time "
        "for.",
        gt=0,
        le=1_000_000,
        shown_default="none",
        group=_SEARCH,
    )
    policy: str = option(
        "polish",
        "How columns are grouped; a policy that can be asked for a number of groups.",
        group=_LOOP,
    )
    layers: tuple[str, ...] = option(
        (),
        "NAME=SHARE: so much of the dense cells of a layer, in every network that is tried; 1 "
        "leaves it as it is. With * and ? for several layers; may be repeated.",
        flag="--layer",
        group=_GOAL,
    )
    fine_tune_epochs: int = option(
        40,
        "Epochs of a full run, the learning rate falling to zero (cosine).",
        ge=1,
        le=100_000,
        group=_LOOP,
    )
    weight_decay: float = option(
        1e-4, "Weight decay of SGD in probes and full runs.", ge=0, le=1, group=_OPTIMIZER
    )
    distill_weight: float = option(
        1.0,
        "Share of the loss that imitates the dense model's logits.",
        ge=0,
        le=1,
        group=_OPTIMIZER,
    )
    cutmix: float = option(
        0.5,
        "Share of the batches in which a square of each image is another image's; above 0 only "
        "with --distill-weight 1.",
        ge=0,
        le=1,
        group=_OPTIMIZER,
    )

    @property
    def in_words(self) -> bool:
        """Whether streamed words are to be few, not cells."""
        return self.words_ratio is not None or (
            self.max_loss is not None and self.smallest == "words"
        )

    def combining(self, *, layers: tuple[str, ...], epochs: int) -> CombineSettings:
        """The settings of a run of combine to given sizes of all layers."""
        shared = {
            name: getattr(self, name)
            for name in CombineSettings.model_fields
            if name in CompressSettings.model_fields and name not in ("cells", "layers")
        }
        return CombineSettings(
            **{**shared, "fine_tune_epochs": epochs}, epochs_per_iteration=0, layers=layers
        )


def check_compress(settings: CompressSettings, given: Collection[str]) -> None:
    """Refuse settings without exactly one goal, and such as have no effect.

    Args:
        settings: all of them.
        given: names of those that were given, in a call, on the command line or in a file.

    Raises:
        InvalidOptionError: naming the option.
    """
    goals = [name for name in _GOALS if getattr(settings, name) is not None]
    if len(goals) != 1:
        told = " and ".join(f"--{name.replace('_', '-')}" for name in goals) or "none"
        raise InvalidOptionError(
            "Exactly one of --max-loss, --cells and --words-ratio is the goal, but "
            f"{told} {'is' if not goals else 'are'} given; give one."
        )
    if settings.max_loss is None:
        why = "only --max-loss searches for a size"
        refuse_idle(given, _SEARCHING, why, kind=CompressSettings)
    if settings.distill_weight == 0:
        why = "without --distill-weight nothing is imitated"
        refuse_idle(given, ("distill_temperature",), why, kind=CompressSettings)
    if settings.held_out is not None and settings.held_out < _LEAST_HELD_OUT:
        raise InvalidOptionError(
            f"--held-out is {settings.held_out}, but accuracy is judged on the held-out images; "
            f"hold out at least {_LEAST_HELD_OUT}."
        )
