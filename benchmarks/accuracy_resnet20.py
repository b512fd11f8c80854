"""ResNet-20 on CIFAR-10: one packing experiment, from the dense network to the test images.

    python benchmarks/accuracy_resnet20.py ours-10 --data ../shared/data --seed 0 --out runs

Trains (checkpoint after every epoch; the same command resumes), quantizes to 8 bit, classifies the
test images and writes OUT/NAME-seedS.{safetensors,spk,json}. `--held-out N` takes N images out of
the fraction to choose hyperparameters on; then the test images are not read. The published dense
network has itself seen all training images.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.data.images import ImageData
from systopack.data.open import open_data
from systopack.data.split import training_part
from systopack.files import write_stream_atomically
from systopack.network.file import save
from systopack.network.group_order import order_groups
from systopack.network.network import PackedNetwork
from systopack.network.reference import classify
from systopack.quantization.fine_tune import QuantizeSettings
from systopack.quantization.quantize import quantize
from systopack.records import Record, sha256_of_file
from systopack.training.devices import DeviceOptions
from systopack.training.events import EpochResult, SilentObserver
from systopack.training.model import TrainedModel, load_model
from systopack.training.run import combine, train
from systopack.training.session import predictions
from systopack.training.settings import PRESETS, CombineSettings, TrainSettings

ROWS, COLUMNS = 32, 32
WEIGHTS = "pretrained/resnet20_cifar10.safetensors"


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """Data and settings of one run.

    Args:
        fraction: of the training images.
        settings: of `combine`, by name.
        scratch_epochs: first train a dense network on the fraction for so many epochs, instead
            of taking the published one; 0: take that.
    """

    fraction: float
    settings: Mapping[str, Any]
    scratch_epochs: int = 0


IMAGES, BATCH = 50_000, 128
SWEEP_STEPS = 156  # of the runs that compare alpha and gamma: 4 epochs of a tenth of the images
FRACTION_STEPS = 234  # of packing with every fraction of the images
SCRATCH_STEPS = 780  # before that, of the dense network that sees only the fraction
LONG_SCRATCH_STEPS = 6 * SCRATCH_STEPS  # as a check that the comparison is not one of patience
FRACTIONS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
ALPHAS = (1, 2, 4, 16)  # alpha 8 is the run at gamma 0.5
GAMMAS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75)


def epochs(steps: int, fraction: float) -> int:
    """Epochs of a fraction that take about so many steps."""
    return max(1, round(steps / max(1, round(IMAGES * fraction) // BATCH)))


# 192: of a time when that was the default; so that all runs of the tables are alike.
MIXED = {
    **PRESETS["budgets"],
    "cells": 0.256,
    "streamed_words_ratio": 3.9,
    "learning_rate": 0.05,
    "importance_images": 192,
}
BUDGETS = {**MIXED, "cutmix": 0.0}
SMALL = {"cells": 0.18, "streamed_words_ratio": None}
# 40 epochs in all; beta and rho give about the cells that the budgets allow.
PLAIN = {
    **PRESETS["paper"],
    "beta": 0.33,
    "rho": 0.3,
    "epochs_per_iteration": 3,
    "fine_tune_epochs": 34,
    "learning_rate": 0.05,
    "weight_decay": 1e-4,
}


def _loop(**settings: Any) -> Experiment:
    """A sweep's run: the loop with gamma and rho, grouped and distilled as ours."""
    iterations = 2  # beta 0.6 and 0.54 reach rho 0.2 within so many
    total = epochs(SWEEP_STEPS, 0.1)
    options = {
        "policy": "polish",
        "rho": 0.2,
        "beta": 0.6,
        "epochs_per_iteration": 1,
        "fine_tune_epochs": total - iterations,
        "learning_rate": 0.05,
        "weight_decay": 1e-4,
        "distill_weight": 1.0,
    }
    return Experiment(fraction=0.1, settings={**options, **settings})


def _regrouping(**settings: Any) -> Experiment:
    """A run that compares ways of grouping, at equal epochs and cells."""
    return Experiment(fraction=0.1, settings={**BUDGETS, **settings})


EXPERIMENTS = {
    "ours-10": Experiment(fraction=0.1, settings={**BUDGETS, "fine_tune_epochs": 40}),
    "ours-full": Experiment(fraction=1.0, settings={**BUDGETS, "fine_tune_epochs": 14}),
    "ours-full-fast": Experiment(
        fraction=1.0,
        settings={**BUDGETS, "streamed_words_ratio": 4.2, "fine_tune_epochs": 14},
    ),
    "ours-10-small": Experiment(
        fraction=0.1, settings={**BUDGETS, **SMALL, "fine_tune_epochs": 40}
    ),
    "ours-10-small-long": Experiment(
        fraction=0.1, settings={**BUDGETS, **SMALL, "fine_tune_epochs": 120}
    ),
    "ours-10-mixed": Experiment(fraction=0.1, settings={**MIXED, "fine_tune_epochs": 40}),
    "ours-10-mixed-small": Experiment(
        fraction=0.1, settings={**MIXED, **SMALL, "fine_tune_epochs": 40}
    ),
    "plain-10": Experiment(fraction=0.1, settings=PLAIN),
    "plain-10-gentle": Experiment(fraction=0.1, settings={**PLAIN, "learning_rate": 0.01}),
    "plain-10-small": Experiment(
        fraction=0.1, settings={**PLAIN, "beta": 0.3, "rho": 0.21, "fine_tune_epochs": 31}
    ),
    "every-iteration": _regrouping(budget_steps=4, epochs_per_iteration=1, fine_tune_epochs=8),
    "last-iteration": _regrouping(
        budget_steps=4, epochs_per_iteration=1, fine_tune_epochs=8, grouping="last"
    ),
    "one-shot": _regrouping(fine_tune_epochs=12),
    "fisher": _regrouping(fine_tune_epochs=12, importance="fisher", importance_images=1600),
    **{f"alpha-{alpha}": _loop(alpha=alpha, gamma=min(0.5, alpha - 1)) for alpha in ALPHAS},
    # Beyond gamma 1 conflicts alone reach rho 0.2 in one iteration; so that all group twice:
    **{f"gamma-{gamma}": _loop(gamma=gamma, rho=0.2 if gamma <= 1 else 0.12) for gamma in GAMMAS},
    **{
        f"fraction-{fraction}": Experiment(
            fraction=fraction,
            settings={**BUDGETS, "fine_tune_epochs": epochs(FRACTION_STEPS, fraction)},
        )
        for fraction in FRACTIONS
    },
    **{
        f"scratch-{fraction}": Experiment(
            fraction=fraction,
            settings={**BUDGETS, "fine_tune_epochs": epochs(FRACTION_STEPS, fraction)},
            scratch_epochs=epochs(SCRATCH_STEPS, fraction),
        )
        for fraction in FRACTIONS
    },
    **{
        f"long-scratch-{fraction}": Experiment(
            fraction=fraction,
            settings={**BUDGETS, "fine_tune_epochs": epochs(FRACTION_STEPS, fraction)},
            scratch_epochs=epochs(LONG_SCRATCH_STEPS, fraction),
        )
        for fraction in (0.1, 1.0)
    },
}


class Printer(SilentObserver):
    """One line an epoch, with the time it took."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def on_epoch(self, result: EpochResult) -> None:
        now = time.monotonic()
        held_out = result.held_out_accuracy_percent
        print(
            f"{result.phase:9s} {result.epoch:3d}  loss {result.loss:.4f}  "
            f"train {result.train_accuracy_percent:.2f} "
            f"held-out {'-' if held_out is None else f'{held_out:.2f}'} "
            f"nonzeros {result.nonzeros:,} cells {result.packed_cells:,} {now - self._last:.1f} s",
            flush=True,
        )
        self._last = now


def dense_resnet20(data: ImageData, weights: Path) -> TrainedModel:
    """The published dense network with its own normalisation."""
    from safetensors.torch import load_file

    return TrainedModel(
        architecture="resnet20",
        class_names=data.class_names,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        state=load_file(weights),
        provenance={"weights_sha256": sha256_of_file(weights)},
    )


def scratch_resnet20(
    experiment: Experiment, data: ImageData, *, seed: int, precision: str, out: Path
) -> TrainedModel:
    """A dense network that has seen nothing but the fraction."""
    if out.exists():
        return load_model(out)
    return train(
        "resnet20",
        data,
        settings=TrainSettings(epochs=experiment.scratch_epochs, seed=seed, held_out=0),
        fraction=experiment.fraction,
        out=out,
        resume=True,
        devices=DeviceOptions(precision=precision),
        observer=Printer(),
    )


def packed_model(
    experiment: Experiment,
    dense: TrainedModel,
    data: ImageData,
    *,
    settings: CombineSettings,
    precision: str,
    out: Path,
) -> TrainedModel:
    """Train, or go on, or read what is already trained."""
    if out.exists():
        return load_model(out)
    return combine(
        dense,
        data,
        settings=settings,
        fraction=experiment.fraction,
        out=out,
        resume=True,
        devices=DeviceOptions(precision=precision),
        observer=Printer(),
    )


def eight_bit(
    model: TrainedModel, data: ImageData, *, fraction: float, seed: int, name: str
) -> PackedNetwork:
    """Quantize by calibration on images of the fraction; deal the groups to the array's columns."""
    network = quantize(
        model,
        training_part(data, fraction=fraction, held_out=0, seed=seed),
        settings=QuantizeSettings(seed=seed),
        augment=data.augment,
        name=name,
        devices=DeviceOptions(),
        observer=SilentObserver(),
    ).network
    return order_groups(network, columns=COLUMNS)  # computes the same from smaller memories


def right_answers(model: TrainedModel, data: ImageData) -> NDArray[np.bool_]:
    """Which test images a float model has right."""
    classes = predictions(model.to_module(), data.test_images, mean=model.mean, std=model.std)
    return np.asarray(classes == data.test_labels)


def dense_right_answers(dense: TrainedModel, data: ImageData, folder: Path) -> NDArray[np.bool_]:
    """Those of the dense network, which many runs share: kept in a file of its name."""
    digest = hashlib.sha256(data.sha256.encode())
    for name, tensor in sorted(dense.state.items()):
        digest.update(name.encode() + tensor.numpy().tobytes())
    file = folder / f"dense-{digest.hexdigest()[:16]}.npy"
    if not file.exists():
        right = right_answers(dense, data)
        write_stream_atomically(file, lambda stream: np.save(stream, right))
    return np.asarray(np.load(file, allow_pickle=False), dtype=np.bool_)


def dense_words(network: PackedNetwork) -> int:
    """Streamed words of the network without combining, on the array."""
    return sum(
        -(-layer.matrix.rows // ROWS) * -(-layer.matrix.columns // COLUMNS) * layer.positions
        for layer in network.layers
    )


def figures(
    network: PackedNetwork,
    packed: TrainedModel,
    data: ImageData,
    *,
    reference: NDArray[np.bool_],
) -> dict[str, Any]:
    """Read the test images once and count."""
    eight = classify(network, data.test_images) == data.test_labels
    real = right_answers(packed, data)
    words = network.streamed_words(rows=ROWS, columns=COLUMNS)
    return {
        "test_images": len(data.test_labels),
        "dense_float_correct": int(reference.sum()),
        "packed_float_correct": int(real.sum()),
        "packed_8_bit_correct": int(eight.sum()),
        "packed_8_bit_percent": 100 * float(eight.mean()),
        "only_packed_correct": int((eight & ~reference).sum()),
        "only_dense_correct": int((~eight & reference).sum()),
        "packed_cells": network.packed_cells,
        "dense_cells": network.dense_cells,
        "packed_cells_ratio": network.packed_cells / network.dense_cells,
        "packing_efficiency": network.packing_efficiency,
        "nonzeros": network.nonzeros,
        "tiles_32x32": network.tile_count(rows=ROWS, columns=COLUMNS),
        "streamed_words_32x32": words,
        "streamed_words_ratio": dense_words(network) / words,
        "groups": {
            layer.name: [len(band.groups) for band in layer.matrix.bands]
            for layer in network.layers
        },
    }


def _with(stem: Path, suffix: str) -> Path:
    """The stem's name holds dots, as in alpha-0.5, which `with_suffix` would cut."""
    return stem.with_name(stem.name + suffix)


def main() -> None:
    """Run one experiment and write its record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", choices=sorted(EXPERIMENTS))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--held-out", type=int, default=0)
    parser.add_argument("--precision", default="bf16-mixed")
    parser.add_argument("--out", type=Path, default=Path("runs"))
    options = parser.parse_args()
    experiment = EXPERIMENTS[options.experiment]
    data = open_data(str(options.data / "cifar10"))
    dense = dense_resnet20(data, options.data / WEIGHTS)
    settings = CombineSettings(
        **{**experiment.settings, "seed": options.seed, "held_out": options.held_out}
    )
    options.out.mkdir(parents=True, exist_ok=True)
    held_out = f"-held{options.held_out}" if options.held_out else ""
    stem = options.out / f"{options.experiment}-seed{options.seed}{held_out}"
    if experiment.scratch_epochs:
        dense = scratch_resnet20(
            experiment,
            data,
            seed=options.seed,
            precision=options.precision,
            out=stem.with_name(f"{stem.name}-dense.safetensors"),
        )
    model_file, network_file = _with(stem, ".safetensors"), _with(stem, ".spk")
    packed = packed_model(
        experiment,
        dense,
        data,
        settings=settings,
        precision=options.precision,
        out=model_file,
    )
    measured: dict[str, Any] = {"history": list(packed.history)}
    outputs = {model_file.name: sha256_of_file(model_file)}
    if not options.held_out:
        network = eight_bit(
            packed,
            data,
            fraction=experiment.fraction,
            seed=options.seed,
            name="resnet20-cifar10",
        )
        save(network, network_file)
        outputs[network_file.name] = sha256_of_file(network_file)
        reference = dense_right_answers(dense, data, options.out)
        measured |= figures(network, packed, data, reference=reference)
    Record(
        kind="accuracy-resnet20",
        figures=measured,
        configuration={
            "experiment": options.experiment,
            "fraction": experiment.fraction,
            "scratch_epochs": experiment.scratch_epochs,
            "precision": options.precision,
            "data_sha256": data.sha256,
            "dense_weights_sha256": sha256_of_file(options.data / WEIGHTS),
            **settings.model_dump(),
        },
        seed=options.seed,
        outputs=outputs,
    ).write(_with(stem, ".json"))
    print({name: value for name, value in measured.items() if name not in ("history", "groups")})


if __name__ == "__main__":
    main()
