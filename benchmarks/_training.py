"""What the benchmarks of accuracy share: runs that resume, 8-bit networks, right answers."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from _bench import SIZE
from numpy.typing import NDArray

from systopack.data.images import ImageData
from systopack.data.split import training_part
from systopack.files import write_atomically, write_stream_atomically
from systopack.network.file import save
from systopack.network.network import PackedNetwork
from systopack.network.reference import classify
from systopack.quantization.fine_tune import QuantizeSettings
from systopack.quantization.quantize import quantize
from systopack.records import Record, sha256_of_file
from systopack.training.devices import DeviceOptions
from systopack.training.events import EpochResult, SilentObserver
from systopack.training.model import TrainedModel, load_model
from systopack.training.session import predictions

RESNET20_WEIGHTS = Path("pretrained") / "resnet20_cifar10.safetensors"


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


def ready(
    file: Path, make: Callable[..., TrainedModel], *inputs: Any, **options: Any
) -> TrainedModel:
    """The model in a file, which `train` or `combine` finishes first where it is not there.

    Checkpoints lie beside it, so that the same call goes on where it was stopped.
    """
    if file.exists():
        return load_model(file)
    return make(*inputs, out=file, resume=True, observer=Printer(), **options)


def published_resnet20(data: ImageData, folder: Path) -> TrainedModel:
    """The published dense network with its own normalisation."""
    from safetensors.torch import load_file

    weights = folder / RESNET20_WEIGHTS
    return TrainedModel(
        architecture="resnet20",
        class_names=data.class_names,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        state=load_file(weights),
        provenance={"weights_sha256": sha256_of_file(weights)},
    )


def eight_bit(
    model: TrainedModel, data: ImageData, *, name: str, fraction: float = 1.0, seed: int = 0
) -> PackedNetwork:
    """Quantize by calibration on images of the fraction."""
    return quantize(
        model,
        training_part(data, fraction=fraction, held_out=0, seed=seed),
        settings=QuantizeSettings(seed=seed),
        augment=data.augment,
        name=name,
        devices=DeviceOptions(),
        observer=SilentObserver(),
    ).network


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


def tested(
    network: PackedNetwork, model: TrainedModel, data: ImageData, *, dense: NDArray[np.bool_]
) -> dict[str, Any]:
    """Classify the test images once and count, beside the dense network's right answers."""
    eight = classify(network, data.test_images) == data.test_labels
    words = network.streamed_words(rows=SIZE, columns=SIZE)
    uncombined = sum(
        -(-layer.matrix.rows // SIZE) * -(-layer.matrix.columns // SIZE) * layer.positions
        for layer in network.layers
    )
    return {
        "test_images": len(data.test_labels),
        "dense_float_correct": int(dense.sum()),
        "packed_float_correct": int(right_answers(model, data).sum()),
        "packed_8_bit_correct": int(eight.sum()),
        "packed_8_bit_percent": 100 * float(eight.mean()),
        "only_packed_correct": int((eight & ~dense).sum()),
        "only_dense_correct": int((~eight & dense).sum()),
        "packed_cells": network.packed_cells,
        "dense_cells": network.dense_cells,
        "packed_cells_ratio": network.packed_cells / network.dense_cells,
        "packing_efficiency": network.packing_efficiency,
        "nonzeros": network.nonzeros,
        "tiles_32x32": network.tile_count(rows=SIZE, columns=SIZE),
        "streamed_words_32x32": words,
        "streamed_words_ratio": uncombined / words,
        "groups": {
            layer.name: [len(band.groups) for band in layer.matrix.bands]
            for layer in network.layers
        },
    }


def with_suffix(stem: Path, suffix: str) -> Path:
    """The stem's name may hold dots, as in alpha-0.5, which `Path.with_suffix` would cut."""
    return stem.with_name(stem.name + suffix)


def write_network(
    network: PackedNetwork,
    stem: Path,
    figures: Mapping[str, Any],
    *,
    kind: str,
    configuration: Mapping[str, Any],
    seed: int,
) -> None:
    """Write STEM.spk and its record STEM.json, and print what it reached."""
    save(network, with_suffix(stem, ".spk"))
    write_run(stem, figures, kind=kind, configuration=configuration, seed=seed)


def write_run(
    stem: Path,
    figures: Mapping[str, Any],
    *,
    kind: str,
    configuration: Mapping[str, Any],
    seed: int,
) -> None:
    """Write STEM.json, the record of a run, and STEM.history.json with its epochs and groups."""
    outputs = [with_suffix(stem, suffix) for suffix in (".safetensors", ".spk")]
    history = {name: figures[name] for name in ("history", "groups") if name in figures}
    own = {name: figure for name, figure in figures.items() if name not in history}
    write_atomically(with_suffix(stem, ".history.json"), json.dumps(history, indent=1) + "\n")
    Record(
        kind=kind,
        figures=own,
        configuration=configuration,
        seed=seed,
        outputs={path.name: sha256_of_file(path) for path in outputs if path.exists()},
    ).write(with_suffix(stem, ".json"))
    print(own)
