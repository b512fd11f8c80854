"""`systopack demo`: every step of the product, on the bundled sample of MNIST."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from systopack.data.images import ImageData
from systopack.data.open import open_data
from systopack.data.split import TrainingPart, training_part
from systopack.files import write_atomically
from systopack.hardware.array import Array
from systopack.hardware.cycles import NetworkCycles, count_cycles
from systopack.hardware.pipelined.cycles import count_pipelined
from systopack.hardware.tiled.cycles import count_tiled
from systopack.network.file import save
from systopack.network.network import PackedNetwork
from systopack.network.permute import permute_rows
from systopack.network.reference import classify, quantize_images
from systopack.quantization.quantize import quantize
from systopack.quantization.settings import QuantizeSettings
from systopack.records import Record, sha256_of_file
from systopack.report.comparison import compare
from systopack.report.content import SummaryRow
from systopack.report.page import render
from systopack.report.text import number, ratio
from systopack.training.devices import DeviceOptions
from systopack.training.events import Observer
from systopack.training.model import TrainedModel
from systopack.training.run import combine, train
from systopack.training.session import accuracy_percent
from systopack.training.settings import CombineSettings, TrainSettings

ARCHITECTURE = "lenet5-shift"
DENSE = TrainSettings(epochs=6)
PACKED = CombineSettings(
    rho=0.25,
    beta=0.4,
    fine_tune_epochs=7,
    learning_rate=0.05,
    distill_weight=0.9,
    weight_decay=1e-4,
)
ROWS = COLUMNS = 32
FILES = ("dense.safetensors", "packed.safetensors", "dense.spk", "packed.spk", "report.html")


@dataclass(frozen=True, kw_only=True)
class DemoResult:
    """What the command line prints.

    Args:
        header, rows: the table, every cell as text.
        report: the page.
        files: all files written.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    report: Path
    files: tuple[Path, ...]


def run_demo(out: Path, *, seed: int, observer: Observer) -> DemoResult:
    """Run everything and write the results into the folder `out`.

    Raises:
        InvalidFileError: the folder cannot be written.
    """
    started = time.monotonic()
    data = open_data("sample")
    models = _models(out, data, seed=seed, observer=observer)
    part = training_part(data, fraction=1.0, held_out=0, seed=seed)
    networks = {
        name: _quantized(name, model, data, part, observer) for name, model in models.items()
    }
    arrays = {
        name: Array(rows=ROWS, columns=COLUMNS, alpha=alpha)
        for name, alpha in (("dense", 1), ("packed", PACKED.alpha))
    }
    cycles = {name: count_cycles(networks[name], array=array) for name, array in arrays.items()}
    accelerators = {name: count_tiled(networks[name], array=own) for name, own in arrays.items()}
    pipelined = {name: count_pipelined(networks[name], array=own) for name, own in arrays.items()}
    accuracies = {name: _accuracies(models[name], networks[name], data) for name in models}
    for name, network in networks.items():
        save(network, out / f"{name}.spk")
    record = _record(
        out,
        seed=seed,
        networks=networks,
        cycles=cycles,
        tiled_cycles={name: count.cycles for name, count in accelerators.items()},
        latency_cycles={name: count.latency_cycles for name, count in pipelined.items()},
        accuracies=accuracies,
        seconds=time.monotonic() - started,
    )
    content = compare(
        title="LeNet-5-Shift on the bundled digits",
        networks=networks,
        cycles=cycles,
        history=models["packed"].history,
        records=[json.loads(record.to_json())],
        accuracies=accuracies,
        accelerators=accelerators,
        pipelined=pipelined,
        image=quantize_images(networks["packed"], data.test_images[:1])[0],
    )
    report = out / FILES[-1]
    write_atomically(report, render(content))
    outputs = {**record.outputs, report.name: sha256_of_file(report)}
    replace(record, outputs=outputs).write(out / "demo.json")
    return DemoResult(
        header=("", "dense", "packed", "ratio"),
        rows=tuple(_printed(row) for row in content.summary),
        report=report,
        files=(*(out / name for name in FILES), out / "demo.json"),
    )


def _models(
    out: Path, data: ImageData, *, seed: int, observer: Observer
) -> dict[str, TrainedModel]:
    """Train the dense network, and pack it."""
    common: dict[str, Any] = {
        "fraction": 1.0,
        "resume": False,
        "devices": DeviceOptions(accelerator="cpu"),
        "observer": observer,
    }
    settings = DENSE.model_copy(update={"seed": seed})
    packing = PACKED.model_copy(update={"seed": seed})
    file = out / "dense.safetensors"
    dense = train(ARCHITECTURE, data, settings=settings, out=file, **common)
    file = out / "packed.safetensors"
    packed = combine(dense, data, settings=packing, out=file, **common)
    return {"dense": dense, "packed": packed}


def _quantized(
    name: str, model: TrainedModel, data: ImageData, part: TrainingPart, observer: Observer
) -> PackedNetwork:
    result = quantize(
        model,
        part,
        settings=QuantizeSettings(),
        augment=data.augment,
        name=name,
        devices=DeviceOptions(accelerator="cpu"),
        observer=observer,
    )
    return permute_rows(result.network)


def _accuracies(
    model: TrainedModel, network: PackedNetwork, data: ImageData
) -> Mapping[str, float]:
    """Percent of the test images right: in floating point, and in 8 bit."""
    eight_bit = (classify(network, data.test_images) == data.test_labels).mean()
    return {
        "float": accuracy_percent(
            model.to_module(), data.test_images, data.test_labels, mean=model.mean, std=model.std
        ),
        "8-bit": 100 * float(eight_bit),
    }


def _record(
    out: Path,
    *,
    seed: int,
    networks: Mapping[str, PackedNetwork],
    cycles: Mapping[str, NetworkCycles],
    tiled_cycles: Mapping[str, int],
    latency_cycles: Mapping[str, int],
    accuracies: Mapping[str, Mapping[str, float]],
    seconds: float,
) -> Record:
    figures: dict[str, Any] = {
        name: {
            "accuracy_percent": accuracies[name]["float"],
            "accuracy_8_bit_percent": accuracies[name]["8-bit"],
            "nonzeros": network.nonzeros,
            "packed_cells": network.packed_cells,
            "packing_efficiency": network.packing_efficiency,
            "tiles": cycles[name].tiles,
            "cycles": cycles[name].cycles,
            "tiled_accelerator_cycles": tiled_cycles[name],
            "layer_pipelined_latency_cycles": latency_cycles[name],
        }
        for name, network in networks.items()
    }
    figures["total_s"] = round(seconds, 1)
    return Record(
        kind="demo",
        figures=figures,
        configuration={
            "model": ARCHITECTURE,
            "train": DENSE.model_dump(),
            "combine": PACKED.model_dump(),
            "array": asdict(cycles["packed"].array),
        },
        seed=seed,
        outputs={name: sha256_of_file(out / name) for name in FILES[:-1]},
    )


def _printed(row: SummaryRow) -> tuple[str, ...]:
    unit = f" ({row.unit})" if row.unit else ""
    values = [number(row.values.get(design), row.unit) for design in ("dense", "packed")]
    return (row.quantity + unit, *values, "" if row.ratio is None else ratio(row.ratio))
