"""Where activations, weights and partial sums should lie: ways compared before any RTL.

    python benchmarks/memory_study.py [--data ../shared/data]

The ways are those of docs/hardware/memory.md, which `tools/tables.py` fills from the record.
Design points are named arrays, fixed before anything was computed; `PREDICTED` was written then.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import _memory_shapes
import numpy as np
from _memory_counts import BLOCK, feature_bytes, schedule
from _memory_prices import Assumed, Way, cost, macro
from _memory_ways import (
    BANKS,
    banks_way,
    rows_way,
    shared_memories,
    taps_way,
    tile_visits,
    windows_way,
)
from systopack.hardware.plan import plan_tiles

from systopack.data.open import open_data
from systopack.hardware.array import Array
from systopack.hardware.energy.activity import Activity, full_activity, measure_activity
from systopack.hardware.energy.coefficients import read_coefficients
from systopack.rtl.tiled_events import tiled_events
from systopack.hardware.named_arrays import NAMED_ARRAYS
from systopack.hardware.tiled.cycles import count_tiled
from systopack.network.file import load
from systopack.network.network import PackedNetwork
from systopack.network.nodes import MatrixLayer
from systopack.network.packaged import network_file
from systopack.network.reference import quantize_images
from systopack.packing.matrix import PackedBand, PackedMatrix
from systopack.packing.objective import MostNorm
from systopack.packing.pack import pack
from systopack.records import STORE, Record, read_record, sha256_of_file

ASIC = {"bit-serial": "compact-32x32", "bit-parallel": "parallel-32x32"}
FPGA = "fpga-ecp5"
# 128 products a cycle fit the 156 multipliers of the device; 32 x 16 bit-serial cells make 64.
FPGA_CELLS: Mapping[str, Mapping[str, Any]] = {
    "bit-serial 32x16": {},
    "bit-parallel 8x16": {"cell": "bit-parallel", "rows": 8},
}
SPLITS = (1, 2, 4)
CHOSEN = {  # by plan
    "pooled": "row words of 32, 8 banks",
    "rows split": "row words of 32, 8 banks, rows split",
}
CLOCK_MHZ = 1000 / 1.5  # at which the array was measured
IMAGES = 2
ZOO = {
    "LeNet-5": ("lenet5-mnist-dense", "lenet5-mnist", "mnist"),
    "VGG-16-Shift": ("vgg16-shift-cifar10-dense", "vgg16-shift-cifar10", "cifar10"),
    "ResNet-20": ("resnet20-cifar10-dense", "resnet20-cifar10-fast", "cifar10"),
}
# Written down before the first run. The last word of a key is the unit.
PREDICTED: Mapping[str, float] = {
    "ResNet-20 packed, no wait for sums, cycles": 112_500,
    "ResNet-20 packed, rows and columns split, cycles": 84_000,
    "ResNet-20 dense, no wait for sums, cycles": 462_000,
    "LeNet-5 dense, no wait for sums, cycles": 14_900,
    "LeNet-5 packed, no wait for sums, cycles": 12_500,
    "LeNet-5 packed, rows and columns split, cycles": 7_800,
    "ResNet-20 features in place, KiB": 32,
    "VGG-16-Shift features in place and pooled, KiB": 80,
    "ResNet-20 packed, banks, mm2": 4.7,
    "ResNet-20 packed, windows, mm2": 0.32,
    "ResNet-20 packed, taps, mm2": 0.46,
    "ResNet-20 packed, row words, mm2": 0.30,
    "ResNet-20 packed, banks, uJ": 21.0,
    "ResNet-20 packed, windows, uJ": 4.6,
    "ResNet-20 packed, taps, uJ": 7.0,
    "ResNet-20 packed, row words, uJ": 2.0,
}


def array_cost(
    network: PackedNetwork, array: Array, plan: Mapping[str, Any], activity: Activity
) -> dict[str, float]:
    """Measured area and energy of the array alone."""
    cells = array.rows * array.columns
    entered = plan["entered_words"] * cells
    if array.cell == "bit-parallel":
        cells_record = read_record(STORE / "asic_cells.json")["figures"]
        name = f"bit-parallel 8x8 alpha {array.alpha}, 1 columns per register, 1 per accumulator"
        found = cells_record[f"{name}, 2 weights"]
        return {"um2": cells * found["cell_area_um2"], "pj": entered * found["word_fj"] * 1e-3}
    table = read_coefficients(STORE / "energy_coefficients_nangate45.json")
    point = table.for_array(array, gating="clock")
    pj = point.coefficients
    steps = tiled_events(network, array=array, activity=activity).steps
    active, zero = sum(s.active for s in steps), sum(s.zero_input for s in steps)
    energy = (
        active * pj.active_pj
        + zero * pj.zero_input_pj
        + max(0.0, entered - active - zero) * pj.zero_weight_pj
        + plan["cycles"] * cells * pj.clock_pj
        + tile_visits(network, array) * cells * pj.load_pj
        + sum(s.hops for s in steps) * pj.hop_pj
    )
    return {"um2": cells * point.cell_area_um2, "pj": energy}


# ---- the record


def all_ways(network: PackedNetwork, array: Array) -> list[Way]:
    """Today's banks, the three ways of the review, and row words with several buffers."""
    kind = "bit-parallel" if array.word_cycles == 1 else "bit-serial"
    banks = BANKS[kind]
    return [
        banks_way(network, array),
        windows_way(network, array),
        taps_way(network, array),
        windows_way(network, array, homes=2),
        windows_way(network, array, homes=4),
        rows_way(network, array, banks=banks),
        rows_way(network, array, banks=2 * banks),
        rows_way(network, array, banks=2 * banks, word=4),
        rows_way(network, array, banks=4 * banks, word=4),
        rows_way(
            network,
            array,
            banks=2 * banks,
            word=4,
            splits=schedule(network, array, sums="lanes", pooled=True, down=(1, 2))["splits"],
        ),
    ]


def schedules(network: PackedNetwork, array: Array) -> dict[str, Any]:
    """Cycles step by step: today, no wait for sums, poolings in the lanes, a split array."""
    today = plan_tiles(network, array=array)
    counted = count_tiled(network, array=array, plan=today)
    steps = {
        "interleaved": schedule(network, array, sums="interleaved", pooled=False),
        "lanes": schedule(network, array, sums="lanes", pooled=False),
        "pooled": schedule(network, array, sums="lanes", pooled=True),
        "rows split": schedule(network, array, sums="lanes", pooled=True, down=(1, 2)),
        "split": schedule(network, array, sums="lanes", pooled=True, down=SPLITS, across=SPLITS),
    }
    return {
        "today": {
            "cycles": counted.cycles,
            "stall_cycles": sum(step.stall_cycles for step in counted.steps),
            "write_cycles": sum(step.write_cycles for step in counted.steps),
            "tiles": counted.tiles,
        },
        **steps,
    }


def study(network: PackedNetwork, array: Array, activity: Activity) -> dict[str, Any]:
    """All figures of one network on one array."""
    plans = schedules(network, array)
    found: dict[str, Any] = {
        "array": asdict(array),
        "schedules": {
            name: {key: value for key, value in plan.items() if key != "splits" or name == "split"}
            for name, plan in plans.items()
        },
        "ways": {},
        "array_alone": {
            plan: array_cost(network, array, plans[plan], activity)
            for plan in ("pooled", "rows split")
        },
        "features_bytes": {
            "one copy": feature_bytes(network, in_place=False, pooled=False),
            "residuals in place": feature_bytes(network, in_place=True, pooled=False),
            "and poolings in the lanes": feature_bytes(network, in_place=True, pooled=True),
        },
    }
    for way in all_ways(network, array):
        found["ways"][way.name] = {
            **cost(way, Assumed()),
            "ports": way.ports,
            "stall_cycles": way.stall_cycles,
            "slow_tiles": way.slow_tiles,
            "memories": [
                f"{m.name}: {m.count} x {m.words} x {m.width} bit, {m.ports} ports, "
                f"{m.reads:.0f} reads, {m.writes:.0f} writes"
                for m in way.memories
            ],
        }
    for name, memory in shared_memories(network, array).items():
        alone = Way(name=name, memories=[memory], ports="")
        found.setdefault("shared", {})[name] = cost(alone, Assumed()) | {
            "width": memory.width,
            "macros": macro(memory.width, memory.words, memory.ports)["macros"] * memory.count,
        }
    return found


def totals(name: str, entry: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """The whole accelerator on the chosen way, every part beside each other.

    Lanes and control are those of today's accelerator, as measured; a network without a measurement
    of its own takes ResNet-20's.
    """
    blocks = read_record(STORE / "asic_accelerator.json")["figures"]["blocks"]
    lanes_um2 = sum(b["logic_um2"] for b in blocks if b["name"] in ("output lanes", "control"))
    measured = read_record(STORE / "periphery.json")["figures"]
    key = ("lenet5" if name == "LeNet-5" else "resnet20") + (
        "-dense" if entry["array"]["alpha"] == 1 else ""
    )
    lanes_pj = sum(measured[key]["blocks_pj"][block] for block in ("output lanes", "control"))
    found = {}
    for plan, way in CHOSEN.items():
        cycles = entry["schedules"][plan]["cycles"] + entry["ways"][way]["stall_cycles"]
        one, shared = entry["ways"][way], entry["shared"]
        leakage = one["leakage_mw"] + sum(part["leakage_mw"] for part in shared.values())
        found[plan] = {
            "cycles": cycles,
            "um2_array": entry["array_alone"][plan]["um2"],
            "um2_activations": one["um2_memories"] + one["um2_logic"],
            **{f"um2_{part}": value["um2_memories"] for part, value in shared.items()},
            "um2_lanes and control": lanes_um2,
            "pj_array": entry["array_alone"][plan]["pj"],
            "pj_activations": one["pj_memories"] + one["pj_logic"],
            **{f"pj_{part}": value["pj_memories"] for part, value in shared.items()},
            "pj_lanes and control": lanes_pj * cycles,
            "leakage_pj": 1e3 * leakage * cycles / CLOCK_MHZ,
        }
        for unit in ("um2", "pj"):
            parts = [value for key, value in found[plan].items() if key.startswith(f"{unit}_")]
            found[plan][f"{unit}_total"] = sum(parts)
    return found


def homes_price() -> list[dict[str, Any]]:
    """Share of the norm kept by the package's packer, free and with homes of array columns."""
    network = load(network_file(Path("zoo:resnet20-cifar10-dense")))
    found = []
    for name, groups, bands in (
        ("layer1.0.conv1", 32, 16),
        ("layer1.2.conv2", 32, 16),
        ("layer2.1.conv1", 64, 32),
        ("layer3.1.conv1", 128, 32),
    ):
        layer = next(la for la in network.layers if la.name == name)
        weights = layer.matrix.to_dense().astype(np.float64)
        whole = float(np.square(weights).sum())
        entry: dict[str, Any] = {"layer": name, "groups": groups}
        for homes in (0, 2, 4):
            memories = 32 // homes if homes else 1
            packed = pack(
                weights,
                alpha=8,
                gamma=7,
                objective=MostNorm(groups=groups // memories),
                band_rows=bands,
                blocks=layer.columns[:, 0] % memories if homes else None,
            )
            kept = sum(float(np.square(band.values).sum()) for band in packed.bands)
            entry[f"homes of {homes}" if homes else "free"] = math.sqrt(kept / whole)
        found.append(entry)
    return found


def sensitivity(network: PackedNetwork, array: Array) -> list[dict[str, Any]]:
    """Every assumption at half and at twice its value: what each way then takes."""
    ways = all_ways(network, array)
    found = []
    for item in fields(Assumed):
        for factor in (0.5, 2.0):
            changed = replace(Assumed(), **{item.name: factor * getattr(Assumed(), item.name)})
            each = {way.name: brief(cost(way, changed)) for way in ways}
            found.append({"assumption": item.name, "factor": factor, "ways": each})
    return found


def brief(priced: Mapping[str, float]) -> dict[str, float]:
    """Area and energy, memories and logic."""
    return {key: value for key, value in priced.items() if key.startswith(("um2_", "pj_"))}


def blocks_of_positions(network: PackedNetwork, array: Array) -> list[dict[str, float]]:
    """What the length of a block does to partial sums and to the loading of weights."""
    table = read_coefficients(STORE / "energy_coefficients_nangate45.json")
    load_pj = table.for_array(array, gating="clock").coefficients.load_pj
    cells = array.rows * array.columns
    found = []
    for block in (32, 64, 128, 256, 1024):
        memories = shared_memories(network, array, block=block)
        each = {
            name: cost(Way(name=name, memories=[memories[name]], ports=""), Assumed())
            for name in ("partial sums", "weights", "descriptors")
        }
        found.append(
            {
                "positions": block,
                "bytes": memories["partial sums"].bytes,
                "um2": each["partial sums"]["um2_memories"],
                "partial_sums_pj": each["partial sums"]["pj_memories"],
                "loading_pj": each["weights"]["pj_memories"]
                + each["descriptors"]["pj_memories"]
                + tile_visits(network, array, block=block) * cells * load_pj,
            }
        )
    return found


def main() -> None:
    """Compute everything and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    options = parser.parse_args()
    figures: dict[str, Any] = {"networks": {}, "fpga": {}}
    inputs = {}
    for name, (plain, packed, data) in ZOO.items():
        images = open_data(str(options.data / data)).test_images[:IMAGES]
        for kind, zoo, alpha in (
            ("dense", plain, 1),
            ("sparse, uncombined", packed, 1),
            ("packed", packed, 8),
        ):
            file = network_file(Path(f"zoo:{zoo}"))
            network = load(file)
            inputs[file.name] = sha256_of_file(file)
            activity = measure_activity(network, quantize_images(network, images))
            if alpha == 1 and zoo == packed:
                network = uncombined(network)
            entry = figures["networks"].setdefault(name, {}).setdefault(kind, {})
            for cells, array in ASIC.items():
                entry[cells] = study(
                    network, replace(NAMED_ARRAYS[array].array, alpha=alpha), activity
                )
            entry["totals"] = totals(name, entry["bit-serial"])
            for cells, changes in FPGA_CELLS.items():
                array = replace(NAMED_ARRAYS[FPGA].array, alpha=alpha, **changes)
                figures["fpga"][f"{name} {kind}, {cells}"] = fpga(network, array)
            print(name, kind, flush=True)
    for name, shapes in _memory_shapes.NETWORKS.items():
        for kind, alpha in (("dense", 1), ("packed", 8)):
            network = shapes(alpha)
            array = replace(NAMED_ARRAYS[ASIC["bit-serial"]].array, alpha=alpha)
            entry = figures["networks"].setdefault(name, {}).setdefault(kind, {})
            entry["bit-serial"] = study(network, array, full_activity(network))
            entry["totals"] = totals(name, entry["bit-serial"])
            print(name, kind, flush=True)
    network = load(network_file(Path("zoo:resnet20-cifar10-fast")))
    array = NAMED_ARRAYS[ASIC["bit-serial"]].array
    figures["homes"] = homes_price()
    figures["assumed"] = asdict(Assumed())
    figures["sensitivity"] = sensitivity(network, array)
    plain = load(network_file(Path("zoo:resnet20-cifar10-dense")))
    figures["blocks"] = {
        "packed": blocks_of_positions(network, array),
        "dense": blocks_of_positions(plain, replace(array, alpha=1)),
    }
    figures["predicted"] = compared(figures["networks"])
    Record(
        kind="memory_study",
        figures=figures,
        configuration={
            "asic": ASIC,
            "fpga": FPGA,
            "banks": BANKS,
            "images": IMAGES,
            "block_positions": BLOCK,
            "shapes_density": _memory_shapes.DENSITY,
        },
        seed=0,
        inputs=inputs,
    ).write(STORE / "memory_study.json")


def compared(networks: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every prediction with what came out."""
    plans = {
        "no wait for sums": "lanes",
        "rows and columns split": "split",
        "features in place": "residuals in place",
        "features in place and pooled": "and poolings in the lanes",
        "row words": CHOSEN["pooled"],
    }
    found = []
    for key, predicted in PREDICTED.items():
        *what, unit = key.replace(" features", ", features").split(", ")
        name, kind = what[0].removesuffix(" packed").removesuffix(" dense"), what[0].split()[-1]
        entry = networks[name]["dense" if kind == "dense" else "packed"]["bit-serial"]
        plan = plans.get(what[1], what[1])
        if unit == "cycles":
            value = entry["schedules"][plan]["cycles"]
        elif unit == "KiB":
            value = entry["features_bytes"][plan] / 1024
        else:
            way = entry["ways"][plan]
            part = {"mm2": "um2", "uJ": "pj"}[unit]
            value = (way[f"{part}_memories"] + way[f"{part}_logic"]) / 1e6
        found.append({"what": key, "predicted": predicted, "computed": value})
    return found


def uncombined(network: PackedNetwork) -> PackedNetwork:
    """The same sparse weights, an array column for each column that a band has weights in."""
    nodes = []
    for node in network.nodes:
        if isinstance(node, MatrixLayer):
            bands: list[PackedBand] = []
            for band in node.matrix.bands:
                row, column, value = band.columns_of_cells()
                used, place = np.unique(column, return_inverse=True)
                values = np.zeros((band.rows, len(used)), dtype=band.values.dtype)
                values[row, place] = value
                groups = tuple((int(one),) for one in used)
                none = np.zeros(values.shape, np.uint8)
                bands.append(PackedBand(groups=groups, values=values, channels=none))
            matrix = PackedMatrix(columns=node.matrix.columns, bands=tuple(bands))
            nodes.append(replace(node, matrix=matrix))
        else:
            nodes.append(node)
    return replace(network, nodes=tuple(nodes))


def fpga(network: PackedNetwork, array: Array) -> dict[str, Any]:
    """Block RAMs and LUT4 of memories and selection on an FPGA's array, and its cycles."""
    plan = schedule(network, array, sums="lanes", pooled=True)
    found: dict[str, Any] = {"cycles": plan["cycles"]}
    parts = [*all_ways(network, array)]
    parts += [
        Way(name=name, memories=[memory], ports="")
        for name, memory in shared_memories(network, array).items()
    ]
    for way in parts:
        priced = cost(way, Assumed())
        found[way.name] = {key: priced[key] for key in ("block_rams", "lut4", "bytes")}
    return found


if __name__ == "__main__":
    main()
