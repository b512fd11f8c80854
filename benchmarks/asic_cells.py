"""Area, clock and energy of MX cells at gate level: alpha 8 against alpha 1, lean cells.

Run: python benchmarks/asic_cells.py LIBERTY CIFAR10 [--columns-per-register K ...]
Real tiles of zoo:resnet20-cifar10 with real test images run on the netlist; every sum is checked.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from systopack.data.open import open_data
from systopack.hardware.array import Array
from systopack.network.file import load
from systopack.network.packaged import network_file
from systopack.network.reference import quantize_images
from systopack.records import Record, sha256_of_file
from systopack.synthesis.asic import Options
from systopack.synthesis.liberty import read_library
from systopack.synthesis.measure import measure_array

OUT = Path(__file__).parent / "records" / "asic_cells.json"
NETWORK = Path("zoo:resnet20-cifar10")


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("liberty", type=Path)
    parser.add_argument("data")
    parser.add_argument("--columns-per-register", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--alpha", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--size", type=int, default=8)
    given = parser.parse_args()
    library, options = read_library(given.liberty), Options()
    file = network_file(NETWORK)
    network = load(file)
    images = quantize_images(network, open_data(given.data).test_images[:4])
    figures = {}
    for shared in given.columns_per_register:
        for alpha in given.alpha:
            array = Array(
                rows=given.size,
                columns=given.size,
                alpha=alpha,
                lean=True,
                rows_per_register=given.size,
                columns_per_register=shared,
            )
            found = measure_array(
                array, library=library, options=options, network=network, images=images
            )
            assert found.energy is not None
            figures[f"{array.name}, {shared} columns per register"] = {
                "cell_area_um2": found.cell_area_um2,
                "flip_flops": found.flip_flops,
                "clock_gates": found.clock_gates,
                "critical_ns": found.critical_ns,
                "energy_fj_per_cell_cycle": asdict(found.energy),
                "cells_fj": found.energy.cells_fj,
                "sums_checked": found.sums_checked,
            }
            print(array.name, shared, figures[f"{array.name}, {shared} columns per register"])
            Record(
                kind="asic_cells",
                figures=figures,
                configuration={
                    "library": library.name,
                    "options": asdict(options),
                    "network": str(NETWORK),
                    "rows_per_register": given.size,
                },
                seed=0,
                inputs={
                    given.liberty.name: sha256_of_file(given.liberty),
                    str(NETWORK): sha256_of_file(file),
                },
            ).write(OUT)


if __name__ == "__main__":
    main()
