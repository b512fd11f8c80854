"""The headline: packed networks on one named design point, each beside its baselines.

    python benchmarks/headline.py --data ../shared/data

All is taken from what was measured before: logic, clock and energy of a frame at gate level
(`gate_level.json`), accesses of memories counted as the Verilog does them and priced as macros,
accuracies of the networks' trainings, the neighbours' models. VGG-16 is too long for a netlist: its
cycles are exact, its energy is the model's.

Energies and areas add up to `total`. Leakage is that of the cells; what the memories of CACTI's
fast cells would leak stands beside, in no total. Ratios are packed over baseline for energy, and
packed over baseline for frames a second at one clock, that is of cycles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from _bench import arguments, save

from systopack.api.hardware import energy
from systopack.data.open import open_data
from systopack.hardware.energy.activity import measure_activity
from systopack.hardware.energy.events import NetworkEvents
from systopack.hardware.energy.macros import MacroCost, macro_cost
from systopack.hardware.energy.technology import load_technology
from systopack.hardware.named_arrays import array_from
from systopack.network.file import load
from systopack.network.network import PackedNetwork
from systopack.network.packaged import network_file, record_file
from systopack.network.reference import quantize_images
from systopack.network.uncombine import uncombined
from systopack.records import STORE, read_record
from systopack.rtl.tiled_events import tiled_events

ARRAY = "compact-32x32"
VOLTAGE_V = 1.1
NETWORKS = {"lenet5": "mnist", "resnet20": "cifar10"}
BASELINES = {"sparse_uncombined": "-sparse", "dense": "-dense"}
MODELLED = {"vgg16": "vgg16-shift-cifar10"}  # too long for a netlist; data: cifar10
GROUPS = {  # of memories; what is missing are tables
    "features": "activation_memory",
    "weights": "weight_memory",
    "partial sums": "partial_sums",
}
KEPT = ("array", "periphery", "activation_memory", "weight_memory", "partial_sums", "tables")


def memory_costs(events: NetworkEvents) -> dict[str, MacroCost]:
    """Price of one of each kind."""
    node = load_technology().node("45-hp")
    return {
        name: macro_cost(
            width_bits=memory.width_bits,
            words=memory.words,
            ports=memory.ports,
            node=node,
            voltage_v=VOLTAGE_V,
        )
        for name, memory in events.memories.items()
    }


def entry(case: Mapping[str, Any], events: NetworkEvents) -> dict[str, Any]:
    """One network on its array.

    Args:
        case: of the gate-level record.
        events: of the same image.
    """
    costs = memory_costs(events)
    area, energy = dict.fromkeys(KEPT, 0.0), dict.fromkeys(KEPT, 0.0)
    leakage_mw = 0.0
    for name, memory in events.memories.items():
        group, cost = GROUPS.get(name, "tables"), costs[name]
        area[group] += memory.instances * cost.area_um2
        leakage_mw += memory.instances * cost.leakage_mw
        for step in events.steps:
            access = step.accesses.get(name)
            if access is not None:
                energy[group] += access.reads * cost.read_pj + access.writes * cost.write_pj
    extra = {"clock_tree_and_wires": 0.0, "leakage": 0.0}
    for name, part in case["parts"].items():
        area["array" if name == "array" else "periphery"] += part["area_um2"]
    for node in case["nodes"]:
        for name, found in node["parts"].items():
            group = "array" if name == "array" else "periphery"
            energy[group] += found["cells_pj"] - found["leakage_pj"]
            extra["clock_tree_and_wires"] += found["clock_tree_pj"] + found["wires_pj"]
            extra["leakage"] += found["leakage_pj"]
    worst = max(case["parts"].values(), key=lambda part: part["critical_ns"])
    clock_mhz = 1000 / case["critical_ns"]
    features = events.memories["features"]
    return {
        "cycles": events.cycles,
        "clock_mhz": clock_mhz,
        "clock_slow_corner_mhz": 1000 / case["slow_critical_ns"],
        "critical_path": [worst["startpoint"], worst["endpoint"]],
        "frames_per_s": 1e6 * clock_mhz / events.cycles,
        "latency_us": events.cycles / clock_mhz,
        "area_um2": {**area, "total": sum(area.values())},
        "energy_pj": {**energy, **extra, "total": sum(energy.values()) + sum(extra.values())},
        "memory_leakage_pj": 1000 * leakage_mw / clock_mhz * events.cycles,
        "activation_memory_bytes": features.instances * features.words * features.width_bits // 8,
        "bits_compared": case["bits_checked"],
    }


def accuracy(name: str) -> list[float]:
    """Of the 8-bit network, in percent; one seed."""
    return [read_record(record_file(name))["figures"]["packed_8_bit_percent"]]


def events_of(network: PackedNetwork, pixels: Any, *, combined: bool) -> NetworkEvents:
    """Events of the first test image on the design point."""
    array = array_from(
        ARRAY, [] if combined else ["alpha=1"], accumulator_bits=network.accumulator_bits
    )
    words = quantize_images(network, pixels)
    return tiled_events(network, array=array, activity=measure_activity(network, words))


def modelled(network: PackedNetwork, data: str, *, combined: bool) -> dict[str, Any]:
    """Cycles, which the Verilog has too, and what the energy model says of the first test image."""
    found = energy(network, ARRAY, changes=[] if combined else ["alpha=1"], data=data, images=1)
    parts = {
        "array": found.compute_pj - found.periphery_pj,
        "periphery": found.periphery_pj,
        "memories": found.memory_pj,
    }
    return {
        "cycles": found.events.cycles,
        "model": "docs/energy.md",
        "energy_pj": {**parts, "total": sum(parts.values())},
    }


def by_model(packed_name: str, data: str) -> dict[str, Any]:
    """A network beside its baselines, all by the model."""
    packed = load(network_file(Path(f"zoo:{packed_name}")))
    own = modelled(packed, data, combined=True)
    others = {
        "sparse_uncombined": (packed_name, uncombined(packed)),
        "dense": (f"{packed_name}-dense", load(network_file(Path(f"zoo:{packed_name}-dense")))),
    }
    baselines = {}
    for baseline, (name, network) in others.items():
        other = modelled(network, data, combined=False)
        baselines[baseline] = {
            "network": name,
            "accuracy_percent": accuracy(name),
            **other,
            **compared(own, other),
        }
    return {
        "design_point": ARRAY,
        "network": packed_name,
        "accuracy_percent": accuracy(packed_name),
        **own,
        "baselines": baselines,
    }


def compared(packed: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, float]:
    """Ratios of a packed network to a baseline."""
    return {
        "energy_ratio": packed["energy_pj"]["total"] / other["energy_pj"]["total"],
        "throughput_ratio": other["cycles"] / packed["cycles"],
    }


def neighbours(schedule: str = "tenth") -> dict[str, Any]:
    """N:M and a smaller dense network, trained for themselves, beside column combining: one recipe
    and a tenth of the data for all, each in the model of its own machine."""
    found: dict[str, Any] = {}
    for path in sorted((STORE / "related").glob(f"*-{schedule}-seed*.json")):
        record = read_record(path)["figures"]
        name = path.stem.rpartition("-seed")[0].removesuffix(f"-{schedule}")
        one = found.setdefault(
            name,
            {
                "accuracy_percent": [],
                "design": record["design"],
                "cycles": record["cycles"],
                "energy_pj": record["energy_pj"],
            },
        )
        one["accuracy_percent"].append(record["percent_8_bit"])
    return found


def related(baseline: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """A neighbour as a baseline of column combining, both trained alike."""
    packed, other = found["combining"], found[baseline]
    return {
        **other,
        "weights": baseline,
        "packed": packed,
        "model": "docs/related-accelerators.md: products, registers, buffers",
        **compared(packed, other),
    }


def main() -> None:
    """Put all together and write the record."""
    options = arguments(__doc__, data=True).parse_args()
    gates = read_record(STORE / "gate_level.json")
    figures: dict[str, Any] = {}
    for name, data in NETWORKS.items():
        cases = gates["figures"]
        if name not in cases:
            continue
        pixels = open_data(str(options.data / data)).test_images[:1]
        packed_name = cases[name]["network"]
        packed = load(network_file(Path(f"zoo:{packed_name}")))
        own = entry(cases[name], events_of(packed, pixels, combined=True))
        figures[name] = {
            "design_point": ARRAY,
            "network": packed_name,
            "accuracy_percent": accuracy(packed_name),
            **own,
            "baselines": {},
        }
        for baseline, suffix in BASELINES.items():
            case = cases.get(f"{name}{suffix}")
            if case is None:
                continue
            network = (
                uncombined(packed)
                if case["apart"]
                else load(network_file(Path(f"zoo:{case['network']}")))
            )
            other = entry(case, events_of(network, pixels, combined=False))
            figures[name]["baselines"][baseline] = {
                "network": case["network"],
                "accuracy_percent": accuracy(case["network"]),
                **other,
                **compared(own, other),
            }
        if name == "resnet20":
            found = neighbours()
            figures[name]["baselines"]["n_of_m"] = related("2-of-8", found)
            figures[name]["baselines"]["n_of_m_more_accurate"] = related("3-of-8", found)
            figures[name]["baselines"]["smaller_dense"] = related("dense-0.875", found)
    for name, packed_name in MODELLED.items():
        figures[name] = by_model(packed_name, str(options.data / "cifar10"))
    save(
        "headline",
        figures,
        configuration={
            "array": asdict(array_from(ARRAY)),
            "gate_level": gates["configuration"],
            "memories": "memory_table.json, 45 nm, 1.1 V",
        },
    )


if __name__ == "__main__":
    main()
