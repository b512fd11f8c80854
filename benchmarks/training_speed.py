"""Images a second of a training run with masks, against plain torch; and what regrouping takes.

    python benchmarks/training_speed.py --data ../shared/data

The run: `Session.train_epoch` with data path, augmentation and masks, without a teacher. Plain
torch: the dense network on batches that lie ready in memory. Epochs of both alternate, so that
whatever else the machine does falls on both alike. Regrouping: everything between two epochs of
`combine` with budgets, and of the paper's loop, against an epoch of all images.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from systopack.data.images import ImageData
from systopack.data.open import open_data
from systopack.data.split import training_part
from systopack.frontend.capture import capture
from systopack.nn import zoo
from systopack.packing.rule import PackingRule
from systopack.records import Record
from systopack.training.allocation import TileSize
from systopack.training.combining import combine_within_budgets, prune_and_combine
from systopack.training.devices import DeviceOptions, launch
from systopack.training.events import SilentObserver
from systopack.training.importance import fisher_information
from systopack.training.session import Session
from systopack.training.settings import PRESETS, CombineSettings

RECORD = Path(__file__).parent / "records" / "training_speed.json"
IMAGES = 2560
ROUNDS = 5


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


def masked_epoch(session: Session) -> Callable[[int], float]:
    """Seconds of an epoch of the run."""

    def epoch(number: int) -> float:
        started = time.perf_counter()
        session.train_epoch(
            number,
            phase="fine-tune",
            learning_rate=lambda _: 0.01,
            offset=0,
            observer=SilentObserver(),
        )
        return time.perf_counter() - started

    return epoch


def plain_epoch(
    data: ImageData, settings: CombineSettings, precision: str
) -> Callable[[int], float]:
    """Seconds of an epoch of the dense network on ready batches."""
    module = zoo.build("resnet20", classes=data.classes).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        module.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4, nesterov=True
    )
    size = settings.batch_size
    batches = [
        (
            torch.randn(size, *data.shape).contiguous(memory_format=torch.channels_last),
            torch.randint(0, data.classes, (size,)),
        )
        for _ in range(IMAGES // size)
    ]
    mixed = precision == "bf16-mixed"

    def epoch(_: int) -> float:
        started = time.perf_counter()
        for images, labels in batches:
            with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
                logits = module(images)
            loss = F.cross_entropy(logits.float(), labels)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        return time.perf_counter() - started

    return epoch


def compare(data: ImageData, precision: str) -> dict[str, float]:
    """Images a second of both."""
    settings = CombineSettings(held_out=0)
    masked = masked_epoch(make_session(data, settings, precision))
    plain = plain_epoch(data, settings, precision)
    plain(0), masked(0)
    times = [(plain(n), masked(n)) for n in range(1, ROUNDS + 1)]
    plain_s = statistics.median(time for time, _ in times)
    masked_s = statistics.median(time for _, time in times)
    return {
        "plain_torch_images_per_s": round(IMAGES / plain_s, 1),
        "run_images_per_s": round(IMAGES / masked_s, 1),
        "ratio": round(plain_s / masked_s, 4),
        "epoch_of_all_images_s": round(len(data.train_labels) / IMAGES * masked_s, 2),
    }


def regrouping(data: ImageData) -> dict[str, float]:
    """Seconds of what happens between two epochs, after one warm-up."""
    settings = CombineSettings(held_out=0, **PRESETS["budgets"])
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
            cells=settings.cells,
            streamed_words_ratio=settings.streamed_words_ratio,
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
    times = []
    for _ in range(3):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return round(statistics.median(times), 3)


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    data = open_data(str(parser.parse_args().data / "cifar10"))
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
    print(figures)
    Record(
        kind="training_speed",
        figures=figures,
        configuration={
            "network": "resnet20",
            "images": IMAGES,
            "rounds": ROUNDS,
            "threads": torch.get_num_threads(),
        },
        seed=0,
    ).write(RECORD)


if __name__ == "__main__":
    main()
