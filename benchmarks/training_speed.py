"""Images a second of a training run with masks, against plain torch; and what regrouping takes.

    python benchmarks/training_speed.py --data ../shared/data

The run: `Trainer.train_epoch` with data path, augmentation and masks, without a teacher. Plain
torch: the dense network on batches that lie ready in memory. Single steps of both alternate, so
that whatever else the machine does falls on both alike. Regrouping: everything between two epochs
of `combine` with budgets, and of the paper's loop, against an epoch of all images.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from _bench import arguments, median_s, save

from systopack.data.images import ImageData
from systopack.data.open import open_data
from systopack.data.split import training_part
from systopack.frontend.capture import capture
from systopack.nn import zoo
from systopack.packing.rule import PackingRule
from systopack.training.allocation import TileSize
from systopack.training.combining import combine_within_budgets, prune_and_combine
from systopack.training.devices import DeviceOptions, launch
from systopack.training.events import Phase, SilentObserver
from systopack.training.importance import fisher_information
from systopack.training.limits import PAPER_CELLS, PAPER_RATIO
from systopack.training.session import Session
from systopack.training.settings import PRESETS, CombineSettings

IMAGES = 2560
ROUNDS = 8


def make_session(data: ImageData, settings: CombineSettings, precision: str) -> Session:
    """A run on the first images, a quarter of its weights left."""
    small = replace(
        data, train_images=data.train_images[:IMAGES], train_labels=data.train_labels[:IMAGES]
    )
    torch.manual_seed(0)
    module = zoo.build("resnet20", classes=data.classes)
    session = Session(
        fabric=launch(DeviceOptions(precision=precision)),
        module=module,
        graph=capture(module, data.shape),
        part=training_part(small),
        augment=data.augment,
        mean=data.mean,
        std=data.std,
        settings=settings,
    )
    session.prune_to(
        prune_and_combine(
            session.matrices(),
            beta=1.0,
            target=session.graph.dense_weights // 4,
            rule=PackingRule(alpha=8, gamma=0.5),
        ).matrices
    )
    return session


class PlainTorch(SilentObserver):
    """Steps of the dense network on ready batches: one after every step of the run beside it."""

    def __init__(self, data: ImageData, settings: CombineSettings, precision: str) -> None:
        self.seconds_s = 0.0
        self._module = zoo.build("resnet20", classes=data.classes)
        self._module.to(memory_format=torch.channels_last)
        self._optimizer = torch.optim.SGD(
            self._module.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4, nesterov=True
        )
        self._mixed = precision == "bf16-mixed"
        size = settings.batch_size
        self._batches = [
            (
                torch.randn(size, *data.shape).contiguous(memory_format=torch.channels_last),
                torch.randint(0, data.classes, (size,)),
            )
            for _ in range(IMAGES // size)
        ]

    def on_batch(self, phase: Phase, done: int, total: int) -> None:
        """Take one step."""
        images, labels = self._batches[done - 1]
        started = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=self._mixed):
            logits = self._module(images)
        loss = F.cross_entropy(logits.float(), labels)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._optimizer.step()
        self.seconds_s += time.perf_counter() - started


def compare(data: ImageData, precision: str) -> dict[str, float]:
    """Images a second of both, over all rounds, and the ratio of each round."""
    settings = CombineSettings(held_out=0)
    session = make_session(data, settings, precision)
    plain = PlainTorch(data, settings, precision)
    run_s, plain_s = [], []
    for number in range(ROUNDS + 1):  # the first one warms up
        plain.seconds_s = 0.0
        started = time.perf_counter()
        session.trainer.train_epoch(
            number, phase="fine-tune", learning_rate=lambda _: 0.01, offset=0, observer=plain
        )
        run_s.append(time.perf_counter() - started - plain.seconds_s)
        plain_s.append(plain.seconds_s)
    ratios = sorted(p / r for p, r in zip(plain_s[1:], run_s[1:], strict=True))
    run, dense = sum(run_s[1:]) / ROUNDS, sum(plain_s[1:]) / ROUNDS
    return {
        "plain_torch_images_per_s": round(IMAGES / dense, 1),
        "run_images_per_s": round(IMAGES / run, 1),
        "ratio": round(dense / run, 4),
        "least_ratio_of_a_round": round(ratios[0], 4),
        "largest_ratio_of_a_round": round(ratios[-1], 4),
        "epoch_of_all_images_s": round(len(data.train_labels) / IMAGES * run, 2),
    }


def regrouping(data: ImageData) -> dict[str, float]:
    """Seconds of what happens between two epochs, after one warm-up."""
    settings = CombineSettings(
        held_out=0,
        **{
            **PRESETS["budgets"],
            "cells": PAPER_CELLS,
            "streamed_words_ratio": PAPER_RATIO,
        },
    )
    session = make_session(data, settings, "bf16-mixed")
    matrices = session.matrices()

    def fisher() -> Any:
        return fisher_information(
            session,
            images=settings.importance_images,
            number=1,
            temperature=settings.distill_temperature,
        )

    sensitivity = fisher()

    def budgets() -> Any:
        return combine_within_budgets(
            matrices,
            session.graph,
            sensitivity=sensitivity,
            importance=None,
            alpha=settings.alpha,
            cells=PAPER_CELLS,
            streamed_words_ratio=PAPER_RATIO,
            tile=TileSize(rows=32, columns=32),
            policy=settings.policy,
            band_rows=32,
        )

    def paper() -> Any:
        return prune_and_combine(
            matrices,
            beta=0.3,
            target=0,
            rule=PackingRule(alpha=8, gamma=0.5),
            policy="dense-column-first",
        )

    return {
        "fisher_information_s": _seconds(fisher),
        "allotting_and_packing_s": _seconds(budgets),
        "paper_loop_grouping_s": _seconds(paper),
    }


def _seconds(action: Callable[[], Any]) -> float:
    action()
    return round(median_s(action, repeats=3), 3)


def main() -> None:
    """Measure and write the record."""
    options = arguments(__doc__, data=True).parse_args()
    data = open_data(str(options.data / "cifar10"))
    figures: dict[str, Any] = {
        precision: compare(data, precision) for precision in ("32-true", "bf16-mixed")
    }
    figures["regrouping"] = regrouping(data)
    epoch_s = figures["bf16-mixed"]["epoch_of_all_images_s"]
    found = figures["regrouping"]
    budgets_s = found["fisher_information_s"] + found["allotting_and_packing_s"]
    found["budgets_share_of_an_epoch"] = round(budgets_s / epoch_s, 5)
    found["budgets_share_of_40_epochs_regrouped_once"] = round(budgets_s / epoch_s / 40, 5)
    found["paper_loop_share_of_an_epoch"] = round(found["paper_loop_grouping_s"] / epoch_s, 5)
    save(
        "training_speed",
        figures,
        configuration={
            "network": "resnet20",
            "images": IMAGES,
            "rounds": ROUNDS,
            "threads": torch.get_num_threads(),
        },
    )


if __name__ == "__main__":
    main()
