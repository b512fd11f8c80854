"""LeNet-5-Shift on all of MNIST: dense, packed with all data, packed with a tenth of it.

    python benchmarks/mnist.py --data ../shared/data/mnist --seeds 0 1 2

Writes benchmarks/records/mnist.json. Hyperparameters were chosen on held-out training images;
the test images are read by the last step alone.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.data.images import ImageData
from systopack.data.open import open_data
from systopack.data.split import training_part
from systopack.network.network import PackedNetwork
from systopack.network.reference import classify
from systopack.quantization.fine_tune import QuantizeSettings
from systopack.quantization.quantize import quantize
from systopack.records import Record
from systopack.training.devices import DeviceOptions
from systopack.training.events import EpochResult, SilentObserver
from systopack.training.model import TrainedModel
from systopack.training.run import combine, train
from systopack.training.session import predictions
from systopack.training.settings import CombineSettings, TrainSettings

RECORD = Path(__file__).parent / "records" / "mnist.json"
DENSE = TrainSettings(epochs=15, learning_rate=0.1)
PACKED = CombineSettings(
    rho=0.2, beta=0.4, fine_tune_epochs=8, learning_rate=0.05, distill_weight=0.5
)
TENTH = CombineSettings(
    rho=0.2,
    beta=0.4,
    epochs_per_iteration=4,
    fine_tune_epochs=30,
    learning_rate=0.02,
    weight_decay=1e-4,
    distill_weight=0.9,
)


class Printer(SilentObserver):
    """One line an epoch."""

    def on_epoch(self, result: EpochResult) -> None:
        held_out = result.held_out_accuracy_percent
        print(
            f"{result.phase:9s} {result.epoch:3d}  loss {result.loss:.4f}  held-out {held_out:.2f} "
            f"nonzeros {result.nonzeros:,} cells {result.packed_cells:,}",
            flush=True,
        )


def run_seed(data: ImageData, seed: int) -> dict[str, Any]:
    """Train, pack twice, quantize and classify the test images."""
    folder = Path(tempfile.mkdtemp(prefix="systopack-mnist-"))
    common: dict[str, Any] = {"resume": False, "devices": DeviceOptions(), "observer": Printer()}
    started = time.monotonic()
    dense = train(
        "lenet5-shift",
        data,
        settings=DENSE.model_copy(update={"seed": seed}),
        fraction=1.0,
        out=folder / "dense.safetensors",
        **common,
    )
    packed = combine(
        dense,
        data,
        settings=PACKED.model_copy(update={"seed": seed}),
        fraction=1.0,
        out=folder / "packed.safetensors",
        **common,
    )
    network = _eight_bit(packed, data, 1.0, seed)
    minutes = (time.monotonic() - started) / 60
    tenth = combine(
        dense,
        data,
        settings=TENTH.model_copy(update={"seed": seed}),
        fraction=0.1,
        out=folder / "tenth.safetensors",
        **common,
    )
    tenth_network = _eight_bit(tenth, data, 0.1, seed)
    # The test images are read here, once.
    dense_right = (
        predictions(dense.to_module(), data.test_images, mean=dense.mean, std=dense.std)
        == data.test_labels
    )
    return {
        "seed": seed,
        "dense_correct": int(dense_right.sum()),
        "packed": _compared(network, data, dense_right),
        "packed_with_a_tenth": _compared(tenth_network, data, dense_right),
        "train_combine_quantize_minutes": round(minutes, 2),
    }


def _eight_bit(model: TrainedModel, data: ImageData, fraction: float, seed: int) -> PackedNetwork:
    return quantize(
        model,
        training_part(data, fraction=fraction, held_out=0, seed=seed),
        settings=QuantizeSettings(seed=seed),
        augment=data.augment,
        name="lenet5-shift",
        devices=DeviceOptions(),
        observer=SilentObserver(),
    ).network


def _compared(
    network: PackedNetwork, data: ImageData, dense_right: NDArray[np.bool_]
) -> dict[str, Any]:
    right = classify(network, data.test_images) == data.test_labels
    return {
        "correct_8_bit": int(right.sum()),
        "difference_to_dense_points": 100 * float(right.mean() - dense_right.mean()),
        "only_packed_correct": int((right & ~dense_right).sum()),
        "only_dense_correct": int((~right & dense_right).sum()),
        "packed_cells": network.packed_cells,
        "dense_cells": network.dense_cells,
        "packed_cells_ratio": network.packed_cells / network.dense_cells,
        "packing_efficiency": network.packing_efficiency,
        "tiles_32x32": network.tile_count(rows=32, columns=32),
    }


def main() -> None:
    """Run every seed and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="../shared/data/mnist")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    data = open_data(options.data)
    Record(
        kind="mnist",
        figures={
            "test_images": len(data.test_labels),
            "runs": [run_seed(data, seed) for seed in options.seeds],
        },
        configuration={
            "data_sha256": data.sha256,
            "dense": DENSE.model_dump(),
            "packed": PACKED.model_dump(),
            "tenth": {"fraction": 0.1, **TENTH.model_dump()},
        },
    ).write(RECORD)


if __name__ == "__main__":
    main()
