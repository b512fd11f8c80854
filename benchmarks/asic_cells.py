"""Area, clock and energy of cells at gate level, for every alpha and kind of cell.

Run: python benchmarks/asic_cells.py LIBERTY CIFAR10 [--alpha 1 2 4 8 16]
     [--cell mx bl bit-parallel] [--cells-per-stage 1 2] [--cells-per-accumulator 1]
     [--weight-buffers 2] [--out asic_cells.json]
Real tiles of zoo:resnet20-cifar10 with real test images run on the netlist; every sum is checked.
All cells do the same work: a cell reads its channel modulo alpha. A record's other cells stay.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import asdict
from pathlib import Path

from systopack.data.open import open_data
from systopack.hardware.array import Array
from systopack.network.file import load
from systopack.network.packaged import network_file
from systopack.network.reference import quantize_images
from systopack.records import STORE, Record, read_record, sha256_of_file
from systopack.synthesis.asic import Options
from systopack.synthesis.liberty import read_library
from systopack.synthesis.measure import measure_array

NETWORK = Path("zoo:resnet20-cifar10")


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("liberty", type=Path)
    parser.add_argument("data")
    parser.add_argument("--cells-per-stage", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--cells-per-accumulator", type=int, default=1)
    parser.add_argument("--weight-buffers", type=int, default=2)
    parser.add_argument("--alpha", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--cell", nargs="+", default=["mx"], help="mx is compact")
    parser.add_argument("--size", type=int, default=8)
    parser.add_argument("--out", default="asic_cells.json")
    given = parser.parse_args()
    library, options = read_library(given.liberty), Options()
    file = network_file(NETWORK)
    network = load(file)
    images = quantize_images(network, open_data(given.data).test_images[:4])
    out = STORE / given.out
    figures = dict(read_record(out)["figures"]) if out.exists() else {}
    forms = [("mx", shared) for shared in given.cells_per_stage if "mx" in given.cell]
    forms += [(cell, 1) for cell in given.cell if cell != "mx"]
    for (cell, shared), alpha in itertools.product(forms, given.alpha):
        array = Array(
            rows=given.size,
            columns=given.size,
            alpha=alpha,
            cell=cell,
            compact=cell == "mx",
            input_fanout=given.size,
            cells_per_stage=shared,
            cells_per_accumulator=given.cells_per_accumulator if cell == "mx" else 1,
            weight_buffers=given.weight_buffers,
        )
        found = measure_array(
            array, library=library, options=options, network=network, images=images, fold=True
        )
        assert found.energy is not None
        name = (
            f"{array.label}, {shared} columns per register, {array.cells_per_accumulator} per "
            f"accumulator, {array.weight_buffers} weights"
        )
        figures[name] = {
            "array": asdict(array),
            "cell_area_um2": found.cell_area_um2,
            "flip_flops": found.flip_flops,
            "clock_gates": found.clock_gates,
            "critical_ns": found.critical_ns,
            "opensta_ns": found.opensta_ns,
            "energy_fj_per_cell_cycle": asdict(found.energy),
            "cells_fj": found.energy.cells_fj,
            "word_fj": found.word_fj,
            "sums_checked": found.sums_checked,
            "network_sha256": sha256_of_file(file),
        }
        print(name, figures[name], flush=True)
        Record(
            kind="asic_cells",
            figures=figures,
            configuration={
                "library": library.name,
                "options": asdict(options),
                "network": str(NETWORK),
                "input_fanout": given.size,
            },
            seed=0,
            inputs={given.liberty.name: sha256_of_file(given.liberty)},
        ).write(out)


if __name__ == "__main__":
    main()
