"""Area, clock and energy of cells at gate level, for every alpha and cell.

    python benchmarks/asic_cells.py --data CIFAR10 [--library nangate45_typ.lib.gz]
        [--out asic_cells.json] [--again]

Real tiles of zoo:resnet20-cifar10 with real test images run on the netlist; every sum is checked.
All cells do the same work: a cell reads its channel modulo alpha; without a multiplier it holds the
nearest power of two of each weight. Arrays that the record has stay; --again measures them anew.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from systopack.data.open import open_data
from systopack.hardware.array import Array
from systopack.network.file import load
from systopack.network.packaged import network_file
from systopack.network.powers import with_powers_of_two
from systopack.network.reference import quantize_images
from systopack.records import STORE, Record, read_record, sha256_of_file
from systopack.synthesis.asic import MappingOptions
from systopack.synthesis.facts import DEFAULT_LIBRARY
from systopack.synthesis.liberty import open_library
from systopack.synthesis.measure import measure_array

NETWORK = Path("zoo:resnet20-cifar10")
SIZE = 8
ALL, ENDS = (1, 2, 4, 8, 16), (1, 8)
# Cell, cells per stage, weight buffers, alphas.
FORMS = (
    ("bit-serial-compact", 1, 2, ENDS),
    ("bit-serial-compact", 2, 1, ENDS),
    ("bit-serial-compact", 4, 1, ENDS),
    ("bit-serial-compact", 8, 1, ALL),
    ("bit-serial-compact", 8, 2, ENDS),
    ("balanced", 1, 2, ALL),
    ("bit-parallel", 1, 2, ALL),
    ("bit-parallel-compact", 8, 1, ALL),
    ("bit-parallel-compact", 4, 1, ENDS),
    ("bit-parallel-compact", 8, 2, ENDS),
    ("power-of-two", 8, 1, ENDS),
)


def main() -> None:
    """Measure what the record lacks; write it after each array."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", default=DEFAULT_LIBRARY)
    parser.add_argument("--data", default="../shared/data/cifar10")
    parser.add_argument("--out", default="asic_cells.json")
    parser.add_argument("--again", action="store_true", help="measure all anew")
    given = parser.parse_args()
    library, options = open_library(given.library), MappingOptions()
    file = network_file(NETWORK)
    network = load(file)
    images = quantize_images(network, open_data(given.data).test_images[:4])
    out = STORE / given.out
    figures = dict(read_record(out)["figures"]) if out.exists() else {}
    known = [entry["array"] for entry in figures.values()]
    for cell, stage, buffers, alphas in FORMS:
        for alpha in alphas:
            array = Array(
                rows=SIZE,
                columns=SIZE,
                alpha=alpha,
                cell=cell,
                input_fanout=SIZE,
                cells_per_stage=stage,
                weight_buffers=buffers,
            )
            if asdict(array) in known and not given.again:
                continue
            multiplies = array.cell_kind.weights == "integers"
            found = measure_array(
                array,
                library=library,
                options=options,
                network=network if multiplies else with_powers_of_two(network),
                images=images,
                fold=True,
            )
            figures = {
                name: entry for name, entry in figures.items() if entry["array"] != asdict(array)
            }
            figures[array.label] = {**found.figures, "network_sha256": sha256_of_file(file)}
            print(array.label, figures[array.label], flush=True)
            Record(
                kind="asic_cells",
                figures=figures,
                configuration={
                    "library": library.name,
                    "options": asdict(options),
                    "network": str(NETWORK),
                    "input_fanout": SIZE,
                },
                seed=0,
                inputs={library.path.name: sha256_of_file(library.path)},
            ).write(out)


if __name__ == "__main__":
    main()
