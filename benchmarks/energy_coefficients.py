"""Energy coefficients of the arrays that the results quote, see `systopack.synthesis.characterize`.

    python benchmarks/energy_coefficients.py --name energy_coefficients_nangate45.json \
        --library ../shared/pdk/nangate45/nangate45_typ.lib.gz

Tiles of ResNet-20 run, dense for alpha 1, packed for alpha 8; five layers are kept back and
predicted. Points that the record has already stay; --again measures them anew.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from systopack.data.open import open_data
from systopack.hardware.array import Array
from systopack.hardware.energy.coefficients import Gating, MeasuredPoint, read_coefficients
from systopack.network.file import load
from systopack.network.packaged import network_file
from systopack.network.reference import quantize_images
from systopack.records import STORE, read_record
from systopack.synthesis.characterize import WORDS, characterize, table_of
from systopack.synthesis.facts import DEFAULT_LIBRARY
from systopack.synthesis.liberty import open_library

NETWORKS = {1: "resnet20-cifar10-dense", 8: "resnet20-cifar10"}
KEPT_BACK = (
    "layer1.0.conv2",
    "layer1.2.conv1",
    "layer2.1.conv1",
    "layer3.0.conv2",
    "layer3.2.conv1",
)
CLOCK_NS = 1.5
BOTH: tuple[Gating, ...] = ("clock", "none")
# Cell, rows and columns, cells per stage, weight buffers, input fan-out, gatings.
FORMS: tuple[tuple[str, int, int, int, int, tuple[Gating, ...]], ...] = (
    ("bit-serial-compact", 8, 1, 2, 8, BOTH),
    ("bit-serial-compact", 8, 8, 1, 8, ("clock",)),
    ("bit-serial-compact", 32, 1, 2, 8, ("clock",)),
    ("bit-serial-compact", 32, 8, 1, 32, BOTH),
    ("bit-serial-compact", 32, 8, 1, 16, ("clock",)),
    ("bit-serial", 8, 1, 2, 8, ("clock",)),
    ("bit-serial", 8, 1, 1, 8, BOTH),
    ("bit-serial", 32, 1, 2, 8, ("clock",)),
    ("bit-serial", 32, 1, 1, 8, ("none",)),
    ("bit-serial", 32, 1, 1, 32, BOTH),
)


def arrays() -> list[tuple[Array, Gating]]:
    """All that is measured."""
    return [
        (
            Array(
                rows=size,
                columns=size,
                alpha=alpha,
                cell=cell,
                input_fanout=fanout,
                cells_per_stage=stage,
                weight_buffers=buffers,
            ),
            gating,
        )
        for cell, size, stage, buffers, fanout, gatings in FORMS
        for gating in gatings
        for alpha in NETWORKS
    ]


def main() -> None:
    """Measure what the record lacks; write it after each array."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", default=DEFAULT_LIBRARY)
    parser.add_argument("--name", default="energy_coefficients.json")
    parser.add_argument("--data", default="../shared/data/cifar10")
    parser.add_argument("--again", action="store_true", help="measure all anew")
    options = parser.parse_args()
    path = STORE / options.name
    library = open_library(options.library)
    pixels = open_data(options.data).test_images[:4]
    networks = {a: load(network_file(Path(f"zoo:{name}"))) for a, name in NETWORKS.items()}
    points: dict[tuple[Array, Gating], MeasuredPoint] = {}
    errors: dict[str, Mapping[str, float]] = {}
    if path.exists():
        points = {(point.array, point.gating): point for point in read_coefficients(path).points}
        errors = dict(read_record(path)["configuration"]["errors"])
    for array, gating in arrays():
        if (array, gating) in points and not options.again:
            continue
        network = networks[array.alpha]
        found = characterize(
            array,
            library=library,
            network=network,
            images=quantize_images(network, pixels),
            gating=gating,
            clock_ns=CLOCK_NS,
            kept_back=KEPT_BACK,
        )
        print(found, flush=True)
        points[array, gating] = found.point
        errors[f"{array.label}, gating {gating}"] = found.errors
        table_of(library, [*points.values()]).write(
            path,
            configuration={
                "clock_ns": CLOCK_NS,
                "words": WORDS,
                "kept_back": KEPT_BACK,
                "errors": errors,
                "library_file": library.path.name,
            },
        )


if __name__ == "__main__":
    main()
