"""Shift networks on CIFAR-10, all of it by this project: dense, packed, quantized, tested.

    python benchmarks/accuracy_shift.py resnet20-shift --data ../shared/data/cifar10 --out runs
    python benchmarks/accuracy_shift.py vgg16-shift --data ../shared/data/cifar10 --out runs

Needs no network access; a checkpoint after every epoch, and the same command resumes. On a GPU
with bf16 a full run is made for one hour. Shorter runs: `--epochs` of the dense network and
`--combine-epochs` of packing, as for `resnet20-shift-small` on two CPU cores. Writes
OUT/NAME-seedS.{safetensors,spk,json}, and the same of the dense network as NAME-seedS-dense.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from accuracy_resnet20 import Printer, eight_bit, figures, right_answers

from systopack.data.open import open_data
from systopack.network.file import save
from systopack.records import Record, sha256_of_file
from systopack.training.devices import DeviceOptions
from systopack.training.model import TrainedModel, load_model
from systopack.training.run import combine, train
from systopack.training.settings import PRESETS, CombineSettings, TrainSettings


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A full run.

    Args:
        epochs: of the dense network.
        combine_epochs: of packing.
        ratio: times fewer cells than dense.
        words: as many times fewer streamed words on 32 x 32 too; layers that fill one column of
            tiles already, as most of the small network's, cannot have fewer.
    """

    epochs: int
    combine_epochs: int
    ratio: float
    words: bool


PLANS: Mapping[str, Plan] = {
    "resnet20-shift": Plan(epochs=200, combine_epochs=100, ratio=3.9, words=True),
    "resnet20-shift-small": Plan(epochs=200, combine_epochs=100, ratio=3.9, words=False),
    "vgg16-shift": Plan(epochs=200, combine_epochs=100, ratio=3.5, words=True),
}


def packed_within(plan: Plan, *, seed: int) -> CombineSettings:
    """The preset `budgets` at the plan's ratio."""
    return CombineSettings(
        **{
            **PRESETS["budgets"],
            "learning_rate": 0.05,
            "cells": 1 / plan.ratio,
            "streamed_words_ratio": plan.ratio if plan.words else None,
            "fine_tune_epochs": plan.combine_epochs,
            "seed": seed,
            "held_out": 0,
        }
    )


def main() -> None:
    """Train, pack, quantize, test; write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=sorted(PLANS))
    parser.add_argument("--data", default="../shared/data/cifar10")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, help="of the dense network")
    parser.add_argument("--combine-epochs", type=int, help="of packing")
    parser.add_argument("--precision", default="bf16-mixed")
    parser.add_argument("--out", type=Path, default=Path("runs"))
    options = parser.parse_args()
    full = PLANS[options.network]
    asked = {"epochs": options.epochs, "combine_epochs": options.combine_epochs}
    plan = replace(full, **{name: value for name, value in asked.items() if value is not None})
    data = open_data(options.data)
    devices = DeviceOptions(precision=options.precision)
    options.out.mkdir(parents=True, exist_ok=True)
    stem = f"{options.network}-seed{options.seed}"
    dense_file = options.out / f"{stem}-dense.safetensors"
    packed_file = options.out / f"{stem}.safetensors"
    settings = TrainSettings(epochs=plan.epochs, seed=options.seed, held_out=0)
    dense = _ready(dense_file) or train(
        options.network,
        data,
        settings=settings,
        fraction=1.0,
        out=dense_file,
        resume=True,
        devices=devices,
        observer=Printer(),
    )
    packing = packed_within(plan, seed=options.seed)
    packed = _ready(packed_file) or combine(
        dense,
        data,
        settings=packing,
        fraction=1.0,
        out=packed_file,
        resume=True,
        devices=devices,
        observer=Printer(),
    )
    reference = right_answers(dense, data)
    configuration = {
        "network": options.network,
        "full_run": plan == full,
        "precision": options.precision,
        "data_sha256": data.sha256,
        "dense": settings.model_dump(),
        "packed": packing.model_dump(),
    }
    for suffix, kind, model in (("-dense", "dense-shift", dense), ("", "accuracy-shift", packed)):
        name = options.network + suffix
        network = eight_bit(model, data, fraction=1.0, seed=options.seed, name=name)
        file = options.out / f"{stem}{suffix}.spk"
        save(network, file)
        measured: dict[str, Any] = {
            "history": list(model.history),
            **figures(network, model, data, reference=reference),
        }
        trained = file.with_suffix(".safetensors")
        Record(
            kind=kind,
            figures=measured,
            configuration=configuration,
            seed=options.seed,
            outputs={path.name: sha256_of_file(path) for path in (trained, file)},
        ).write(file.with_suffix(".json"))
        print({n: value for n, value in measured.items() if n not in ("history", "groups")})


def _ready(file: Path) -> TrainedModel | None:
    """The model, where an earlier call has finished it."""
    return load_model(file) if file.exists() else None


if __name__ == "__main__":
    main()
