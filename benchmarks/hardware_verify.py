"""Property: zoo networks run in Verilog with 0 differing words and the cycles of the models.

    python benchmarks/hardware_verify.py [CASE ...] --data ../shared/data

LeNet-5-Shift with 100 images under 5 minutes, the build of the hardware without a cache included;
ResNet-20 with 2 images; both on the tiled 32 x 32 array and layer-pipelined. Compact cells are the
headline's array, and take minutes to compile.
A case that is named is measured anew, the others stay in the record as they are.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from _bench import arguments, kept_cases, save, timed

from systopack.data.open import open_data
from systopack.hardware.array import Array
from systopack.hardware.pipelined.cycles import count_pipelined
from systopack.hardware.tiled.cycles import count_tiled
from systopack.network.file import load
from systopack.network.packaged import network_file
from systopack.network.reference import quantize_images
from systopack.records import sha256_of_file
from systopack.verification.verify import Organisation, verify


@dataclass(frozen=True, kw_only=True)
class Case:
    """One network on one accelerator."""

    network: str
    organisation: Organisation
    data: str
    images: int
    alpha: int = 8
    options: Mapping[str, Any] = field(default_factory=dict)  # of the array


# As `compact-32x32`, the design point of the headline.
COMPACT = {
    "cell": "bit-serial-compact",
    "cells_per_stage": 8,
    "input_fanout": 16,
    "weight_buffers": 1,
}
NETWORKS = {  # data and alpha
    "lenet5-mnist": ("mnist", 8),
    "lenet5-mnist-dense": ("mnist", 1),
    "resnet20-cifar10": ("cifar10", 8),
    "resnet20-cifar10-fast": ("cifar10", 8),
    "resnet20-cifar10-dense": ("cifar10", 1),
    "vgg16-shift-cifar10": ("cifar10", 8),
}
CASES = {
    name: Case(
        network=network,
        organisation=organisation,
        data=NETWORKS[network][0],
        images=images,
        alpha=NETWORKS[network][1],
        options=options,
    )
    for name, network, organisation, images, options in (
        ("lenet5-tiled", "lenet5-mnist", "tiled", 100, {}),
        ("lenet5-dense-tiled", "lenet5-mnist-dense", "tiled", 100, {}),
        ("lenet5-pipelined", "lenet5-mnist", "pipelined", 100, {}),
        ("resnet20-tiled", "resnet20-cifar10", "tiled", 2, {}),
        ("resnet20-pipelined", "resnet20-cifar10", "pipelined", 2, {}),
        ("lenet5-compact", "lenet5-mnist", "tiled", 10, COMPACT),
        ("lenet5-dense-compact", "lenet5-mnist-dense", "tiled", 10, COMPACT),
        ("resnet20-compact", "resnet20-cifar10-fast", "tiled", 2, COMPACT),
        ("resnet20-dense-compact", "resnet20-cifar10-dense", "tiled", 1, COMPACT),
        ("vgg16-shift-compact", "vgg16-shift-cifar10", "tiled", 1, COMPACT),
    )
}


def measure(case: Case, data: Path) -> dict[str, Any]:
    """Build, run, compare."""
    file = network_file(Path(f"zoo:{case.network}"))
    network = load(file)
    array = Array(alpha=case.alpha, accumulator_bits=network.accumulator_bits, **case.options)
    pixels = open_data(str(data / case.data)).test_images[: case.images]
    images = quantize_images(network, pixels)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache
        found, seconds = timed(verify, network, images, array=array, organisation=case.organisation)
    if not found.passed:
        raise SystemExit(f"{case.network}, {case.organisation}: {found.difference}")
    model = (
        count_tiled(network, array=array).cycles
        if case.organisation == "tiled"
        else count_pipelined(network, array=array).latency_cycles
    )
    return {
        "network": case.network,
        "network_sha256": sha256_of_file(file),
        "organisation": case.organisation,
        "array": array.label,
        "options": dict(case.options),
        "images": found.images,
        "words_compared": found.words,
        "words_different": 0,
        "starts_compared": found.instructions,
        "cycles_per_image": found.cycles,
        "model_cycles_per_image": model,
        "build_and_run_s": round(seconds, 1),
    }


def main() -> None:
    """Measure the cases and write the record."""
    parser = arguments(__doc__, data=True)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], default=[])
    options = parser.parse_args()
    figures = kept_cases("hardware_verify")
    asked = list(options.cases or CASES)
    for name in asked:
        figures[name] = measure(CASES[name], options.data)
        save(
            "hardware_verify",
            {case: figures[case] for case in CASES if case in figures},
            configuration={"measured_now": asked},
            seed=None,
        )


if __name__ == "__main__":
    main()
