"""The two LeNet-5-Shift networks that come with the package: dense and packed, on all of MNIST.

    python benchmarks/lenet5_packaged.py --data ../shared/data/mnist --out runs

Trains the dense network, packs it, quantizes both to 8 bit, classifies the test images once and
writes OUT/lenet5-mnist{,-dense}.{spk,json}. Groups of the first linear layer mix two channels at
most, and groups are dealt to 32 array columns so that the banks of the tiled accelerator are small;
neither changes what is computed. The same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from systopack.data.images import ImageData
from systopack.data.open import open_data
from systopack.data.split import training_part
from systopack.hardware.array import Array
from systopack.hardware.cycles import count_cycles
from systopack.hardware.tiled import count_tiled
from systopack.network.file import save
from systopack.network.group_order import order_groups, spread_groups
from systopack.network.network import PackedNetwork
from systopack.network.permute import permute_rows
from systopack.network.reference import classify
from systopack.quantization.fine_tune import QuantizeSettings
from systopack.quantization.quantize import quantize
from systopack.records import Record, sha256_of_file
from systopack.training.devices import DeviceOptions
from systopack.training.events import EpochResult, SilentObserver
from systopack.training.model import TrainedModel, load_model
from systopack.training.run import combine, train
from systopack.training.session import predictions
from systopack.training.settings import CombineSettings, TrainSettings

SIZE = 32
DENSE = TrainSettings(epochs=15, learning_rate=0.1)
PACKED = CombineSettings(
    alpha=8,
    gamma=0.5,
    rho=0.09,
    beta=0.4,
    fine_tune_epochs=8,
    learning_rate=0.05,
    distill_weight=0.5,
    channels_per_group=2,
)


class Printer(SilentObserver):
    """One line an epoch."""

    def on_epoch(self, result: EpochResult) -> None:
        print(
            f"{result.phase:9s} {result.epoch:3d}  loss {result.loss:.4f}  held-out "
            f"{result.held_out_accuracy_percent:.2f}  nonzeros {result.nonzeros:,} "
            f"cells {result.packed_cells:,}",
            flush=True,
        )


def main() -> None:
    """Train, pack, quantize and write both networks with their records."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="../shared/data/mnist")
    parser.add_argument("--out", type=Path, default=Path("runs"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    data, seed = open_data(options.data), options.seed
    options.out.mkdir(parents=True, exist_ok=True)
    common: dict[str, Any] = {
        "fraction": 1.0,
        "resume": True,
        "devices": DeviceOptions(accelerator="cpu"),
        "observer": Printer(),
    }
    dense_settings = DENSE.model_copy(update={"seed": seed})
    packed_settings = PACKED.model_copy(update={"seed": seed})
    files = {name: options.out / f"{name}.safetensors" for name in ("dense", "packed")}
    if not files["dense"].exists():
        train("lenet5-shift", data, settings=dense_settings, out=files["dense"], **common)
    dense = load_model(files["dense"])
    if not files["packed"].exists():
        combine(dense, data, settings=packed_settings, out=files["packed"], **common)
    packed = load_model(files["packed"])
    networks = {
        "lenet5-mnist-dense": _eight_bit(dense, data, seed),
        "lenet5-mnist": _eight_bit(packed, data, seed),
    }
    # The test images are read here, once.
    dense_right = (
        predictions(dense.to_module(), data.test_images, mean=dense.mean, std=dense.std)
        == data.test_labels
    )
    words = {n: x.streamed_words(rows=SIZE, columns=SIZE) for n, x in networks.items()}
    cycles = {n: _cycles(x, dense=n.endswith("dense")) for n, x in networks.items()}
    for name, network in networks.items():
        file = options.out / f"{name}.spk"
        save(network, file)
        right = classify(network, data.test_images) == data.test_labels
        alone = {key: cycles["lenet5-mnist-dense"][key] / n for key, n in cycles[name].items()}
        is_dense = name.endswith("dense")
        Record(
            kind="lenet5-packaged",
            figures={
                "test_images": len(data.test_labels),
                "dense_float_correct": int(dense_right.sum()),
                "correct_8_bit": int(right.sum()),
                "accuracy_8_bit_percent": 100 * float(right.mean()),
                "difference_to_dense_points": 100 * float(right.mean() - dense_right.mean()),
                "only_this_correct": int((right & ~dense_right).sum()),
                "only_dense_float_correct": int((~right & dense_right).sum()),
                "nonzeros": network.nonzeros,
                "packed_cells": network.packed_cells,
                "dense_cells": network.dense_cells,
                "packed_cells_ratio": network.packed_cells / network.dense_cells,
                "packing_efficiency": network.packing_efficiency,
                "tiles_32x32": network.tile_count(rows=SIZE, columns=SIZE),
                "streamed_words_32x32": words[name],
                "streamed_words_ratio": words["lenet5-mnist-dense"] / words[name],
                "cycles_32x32": cycles[name],
                "cycles_ratio": alone,
                "history": list((dense if is_dense else packed).history),
            },
            configuration={
                "data_sha256": data.sha256,
                "dense": dense_settings.model_dump(),
                **({} if is_dense else {"packed": packed_settings.model_dump()}),
            },
            seed=seed,
            outputs={file.name: sha256_of_file(file)},
        ).write(file.with_suffix(".json"))
        print(f"{name}: {np.count_nonzero(right):,} right, {cycles[name]} cycles, ratio {alone}")


def _eight_bit(model: TrainedModel, data: ImageData, seed: int) -> PackedNetwork:
    quantized = quantize(
        model,
        training_part(data, fraction=1.0, held_out=0, seed=seed),
        settings=QuantizeSettings(seed=seed),
        augment=data.augment,
        name="lenet5-shift",
        devices=DeviceOptions(accelerator="cpu"),
        observer=SilentObserver(),
    )
    permuted = permute_rows(quantized.network)
    return order_groups(spread_groups(permuted, columns=SIZE), columns=SIZE)


def _cycles(network: PackedNetwork, *, dense: bool) -> dict[str, int]:
    """Cycles of an image: layers on the array alone, and on the tiled accelerator."""
    array = Array(rows=SIZE, columns=SIZE, alpha=1 if dense else PACKED.alpha)
    return {
        "array": count_cycles(network, array=array).cycles,
        "tiled_accelerator": count_tiled(network, array=array).cycles,
    }


if __name__ == "__main__":
    main()
