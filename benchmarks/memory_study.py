"""Where activations, weights and partial sums should lie: ways compared before any RTL.

    python benchmarks/memory_study.py

The ways are those of docs/hardware/memory.md, which `tools/tables.py` fills from the record.
Design points are named arrays, fixed before anything was computed.
"""

from __future__ import annotations

import math
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from _memory_counts import BLOCK, feature_bytes, schedule, through_the_array
from _memory_prices import Assumed, Way, cost, macro
from _memory_ways import banks_way, rows_way, shared_memories, taps_way, windows_way

from systopack.hardware.array import Array
from systopack.hardware.named_arrays import NAMED_ARRAYS
from systopack.network.file import load
from systopack.network.network import PackedNetwork
from systopack.network.packaged import network_file
from systopack.network.uncombine import uncombined
from systopack.packing.objective import MostNorm
from systopack.packing.pack import pack
from systopack.records import STORE, Record, sha256_of_file

ARRAYS = {"bit-serial": "compact-32x32", "bit-parallel": "parallel-32x32"}
LOAD_PJ = 0.5  # energy of a weight written into a compact cell, docs/silicon.md
ZOO = {
    "LeNet-5": ("lenet5-mnist-dense", "lenet5-mnist", "mnist"),
    "VGG-16-Shift": ("vgg16-shift-cifar10-dense", "vgg16-shift-cifar10", "cifar10"),
    "ResNet-20": ("resnet20-cifar10-dense", "resnet20-cifar10-fast", "cifar10"),
}


def all_ways(network: PackedNetwork, array: Array) -> list[Way]:
    """A memory for each column, windows, taps, homes, and row words with several buffers."""
    split = schedule(network, array, pooled=True, down=(1, 2))["splits"]
    sizes = ((32, 8),) if array.word_cycles == 1 else ((4, 8), (8, 8), (8, 4), (16, 4))
    ways = [
        banks_way(network, array),
        windows_way(network, array),
        taps_way(network, array),
        windows_way(network, array, homes=2),
        windows_way(network, array, homes=4),
        *(rows_way(network, array, banks=banks, word=word) for banks, word in sizes),
    ]
    if array.word_cycles > 1:
        ways.append(rows_way(network, array, banks=16, word=4, splits=split))
    return ways


def schedules(network: PackedNetwork, array: Array) -> dict[str, Any]:
    """Cycles: sums through the array, sums added behind it, poolings there too, a split array."""
    plans = {
        "lanes": schedule(network, array, pooled=False),
        "pooled": schedule(network, array, pooled=True),
        "rows split": schedule(network, array, pooled=True, down=(1, 2)),
        "split": schedule(network, array, pooled=True, down=(1, 2, 4), across=(1, 2, 4)),
    }
    return {"array": through_the_array(network, array)} | {
        name: {key: plan[key] for key in ("cycles", "waiting_cycles")}
        for name, plan in plans.items()
    }


def study(network: PackedNetwork, array: Array) -> dict[str, Any]:
    """All figures of one network on one array."""
    found: dict[str, Any] = {
        "array": asdict(array),
        "schedules": schedules(network, array),
        "features_bytes": {
            "one copy": feature_bytes(network, in_place=False, pooled=False),
            "residuals in place": feature_bytes(network, pooled=False),
            "and poolings in the lanes": feature_bytes(network),
        },
        "ways": {
            way.name: {
                **cost(way, Assumed()),
                "ports": way.ports,
                "stall_cycles": way.stall_cycles,
                "memories": [asdict(memory) for memory in way.memories],
            }
            for way in all_ways(network, array)
        },
        "shared": {},
    }
    for name, memory in shared_memories(network, array).items():
        macros = macro(memory.width, memory.words, memory.ports).macros * memory.count
        alone = cost(Way(name=name, memories=[memory], ports=""), Assumed())
        found["shared"][name] = alone | {"width": memory.width, "macros": macros}
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
    found = []
    for item in fields(Assumed):
        for factor in (0.5, 2.0):
            changed = replace(Assumed(), **{item.name: factor * getattr(Assumed(), item.name)})
            each = {
                way.name: {k: v for k, v in cost(way, changed).items() if k[:3] in ("um2", "pj_")}
                for way in all_ways(network, array)
            }
            found.append({"assumption": item.name, "factor": factor, "ways": each})
    return found


def blocks_of_positions(network: PackedNetwork, array: Array) -> list[dict[str, float]]:
    """What the length of a block does to partial sums and to the loading of weights."""
    found = []
    for block in (32, 64, 128, 256, 1024):
        memories = shared_memories(network, array, block=block)
        sums, weights, descriptors = (
            cost(Way(name=name, memories=[memories[name]], ports=""), Assumed())
            for name in ("partial sums", "weights", "descriptors")
        )
        visits = memories["weights"].reads / array.load_cycles
        loading = visits * array.rows * array.columns * LOAD_PJ
        found.append(
            {
                "positions": block,
                "bytes": memories["partial sums"].bytes,
                "um2": sums["um2_memories"],
                "partial_sums_pj": sums["pj_memories"],
                "loading_pj": weights["pj_memories"] + descriptors["pj_memories"] + loading,
            }
        )
    return found


def main() -> None:
    """Compute everything and write the record."""
    figures: dict[str, Any] = {"networks": {}}
    inputs = {}
    for name, (plain, packed, _) in ZOO.items():
        entry = figures["networks"].setdefault(name, {})
        for kind, zoo, alpha in (
            ("dense", plain, 1),
            ("sparse, uncombined", packed, 1),
            ("packed", packed, 8),
        ):
            file = network_file(Path(f"zoo:{zoo}"))
            network = load(file)
            inputs[file.name] = sha256_of_file(file)
            if kind == "sparse, uncombined":
                network = uncombined(network)
            entry[kind] = {
                cells: study(network, replace(NAMED_ARRAYS[array].array, alpha=alpha))
                for cells, array in ARRAYS.items()
            }
            print(name, kind, flush=True)
    packed, plain = (load(network_file(Path(f"zoo:{ZOO['ResNet-20'][i]}"))) for i in (1, 0))
    array = NAMED_ARRAYS[ARRAYS["bit-serial"]].array
    figures["homes"] = homes_price()
    figures["assumed"] = asdict(Assumed()) | {"load_pj": LOAD_PJ}
    figures["sensitivity"] = sensitivity(packed, array)
    figures["blocks"] = {
        "packed": blocks_of_positions(packed, array),
        "dense": blocks_of_positions(plain, replace(array, alpha=1)),
    }
    Record(
        kind="memory_study",
        figures=figures,
        configuration={"arrays": ARRAYS, "block_positions": BLOCK},
        seed=0,
        inputs=inputs,
    ).write(STORE / "memory_study.json")


if __name__ == "__main__":
    main()
