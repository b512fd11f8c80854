"""Shift networks on CIFAR-10, all of it by this project: dense, packed, quantized, tested.

    python benchmarks/accuracy_shift.py resnet20-shift --data ../shared/data --out runs
    python benchmarks/accuracy_shift.py vgg16-shift --data ../shared/data --out runs

Needs no network access; a checkpoint after every epoch, and the same command resumes. On a GPU
with bf16 a full run is made for one hour. Shorter runs: `--epochs` of the dense network and
`--combine-epochs` of packing, as for `resnet20-shift-small` on two CPU cores. Writes
OUT/NAME-seedS.{safetensors,spk,json}, and the same of the dense network as NAME-seedS-dense.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from _bench import SIZE, arguments
from _training import eight_bit, ready, right_answers, tested, with_suffix, write_network

from systopack.data.open import open_data
from systopack.network.group_order import order_groups
from systopack.training.devices import DeviceOptions
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
    """Train, pack, quantize, test; write the records."""
    parser = arguments(__doc__, data=True, out=True)
    parser.add_argument("network", choices=sorted(PLANS))
    parser.add_argument("--epochs", type=int, help="of the dense network")
    parser.add_argument("--combine-epochs", type=int, help="of packing")
    options = parser.parse_args()
    full, seed = PLANS[options.network], options.seed
    asked = {"epochs": options.epochs, "combine_epochs": options.combine_epochs}
    plan = replace(full, **{name: value for name, value in asked.items() if value is not None})
    data = open_data(str(options.data / "cifar10"))
    common = {"fraction": 1.0, "devices": DeviceOptions(precision=options.precision)}
    options.out.mkdir(parents=True, exist_ok=True)
    stem = options.out / f"{options.network}-seed{seed}"
    dense_stem = with_suffix(stem, "-dense")
    settings = TrainSettings(epochs=plan.epochs, seed=seed, held_out=0)
    packing = packed_within(plan, seed=seed)
    dense_file, packed_file = (with_suffix(of, ".safetensors") for of in (dense_stem, stem))
    dense = ready(dense_file, train, options.network, data, settings=settings, **common)
    packed = ready(packed_file, combine, dense, data, settings=packing, **common)
    right = right_answers(dense, data)
    for kind, file, model in (
        ("dense-shift", dense_stem, dense),
        ("accuracy-shift", stem, packed),
    ):
        name = options.network + ("" if model is packed else "-dense")
        network = order_groups(eight_bit(model, data, name=name, seed=seed), columns=SIZE)
        write_network(
            network,
            file,
            {"history": list(model.history), **tested(network, model, data, dense=right)},
            kind=kind,
            configuration={
                "network": options.network,
                "full_run": plan == full,
                "precision": options.precision,
                "data_sha256": data.sha256,
                "dense": settings.model_dump(),
                "packed": packing.model_dump(),
            },
            seed=seed,
        )


if __name__ == "__main__":
    main()
