"""The headline: one named design point, packed networks beside their baselines and the paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from systopack.reproduce.content import MISSING, Notes, Section, Table
from systopack.reproduce.design_points import HEADLINE
from systopack.reproduce.published import load_published
from systopack.reproduce.rows import CITED, Row, Rows, distinct, recorded, select, value_of
from systopack.reproduce.sources import Sources

PACKED = "packed"
BASELINES = {
    "sparse_uncombined": "the same, uncombined",
    "dense": "dense",
    "n_of_m": "2:8",
    "smaller_dense": "dense, 7/8 of the channels",
}
PAPER = "paper, against uncombined"
_PAPERS = {
    "lenet5": "LeNet-5, MNIST",
    "resnet20": "ResNet-20, CIFAR-10",
    "vgg16": "VGG-16, CIFAR-10",
}
_ACCURACY, _FRAMES, _ENERGY_RATIO = "accuracy, %", "frames a second", "energy, packed over it"
_ALIKE = "accuracy of the packed one that was trained alike, %"
_THROUGHPUT_RATIO = "throughput, packed over it"
FORMS: Mapping[str, str] = {  # in the order of the table
    _ACCURACY: ".2f",
    _ALIKE: ".2f",
    "cycles of a frame": ",.0f",
    "clock, MHz": ".0f",
    "clock at the slow corner, MHz": ".0f",
    _FRAMES: ",.0f",
    "latency, us": ".1f",
    "area, mm2": ".2f",
    "of it memories, mm2": ".2f",
    "activation memory, KiB": ".1f",
    "energy of a frame, uJ": ".2f",
    "energy of a frame, by the model, uJ": ".2f",
    "of it array, uJ": ".2f",
    "of it other logic, uJ": ".2f",
    "of it memories, uJ": ".2f",
    "of it clock tree and wires (allowance), uJ": ".2f",
    "of it leakage of cells, uJ": ".2f",
    "leakage of CACTI's fast memories, uJ, in no total": ".1f",
    _THROUGHPUT_RATIO: ".2f",
    _ENERGY_RATIO: ".3f",
}
_MEMORIES = ("activation_memory", "weight_memory", "partial_sums", "tables")


def measure(sources: Sources) -> Rows:
    """Rows of the headline's record; none where there is no record."""
    rows: list[Row] = []
    for name, record in sources.records_of("headline"):
        for network, entry in record["figures"].items():
            cases = {PACKED: entry}
            for baseline, label in BASELINES.items():
                if baseline in entry["baselines"]:
                    cases[label] = entry["baselines"][baseline]
            for variant, case in cases.items():
                rows += [
                    Row(
                        network=network,
                        quantity=quantity,
                        value=value,
                        variant=variant,
                        design_point=HEADLINE.name,
                        origin=(recorded(name),),
                    )
                    for quantity, value in _numbers(case).items()
                ]
            for quantity, value in zip(
                (_THROUGHPUT_RATIO, _ENERGY_RATIO), _published(network), strict=True
            ):
                rows.append(
                    Row(
                        network=network,
                        quantity=quantity,
                        value=value,
                        variant=PAPER,
                        origin=(CITED,),
                    )
                )
    return tuple(rows)


def _published(network: str) -> tuple[float, float]:
    """The paper's throughput and energy of the packed network over the uncombined one."""
    found = load_published().networks[_PAPERS[network]]
    return found.throughput[-1], found.energy[-1]


def _numbers(case: Mapping[str, Any]) -> dict[str, float]:
    accuracies = case["accuracy_percent"]
    found = {_ACCURACY: sum(accuracies) / len(accuracies)}
    for key, quantity in (
        ("throughput_ratio", _THROUGHPUT_RATIO),
        ("energy_ratio", _ENERGY_RATIO),
    ):
        if key in case:
            found[quantity] = case[key]
    if "packed" in case:  # a neighbour in its own model
        alike = case["packed"]["accuracy_percent"]
        return {**found, _ALIKE: sum(alike) / len(alike)}
    if "area_um2" not in case:
        return {
            **found,
            "cycles of a frame": case["cycles"],
            "energy of a frame, by the model, uJ": case["energy_pj"]["total"] / 1e6,
        }
    area, energy = case["area_um2"], case["energy_pj"]
    return {
        **found,
        "cycles of a frame": case["cycles"],
        "clock, MHz": case["clock_mhz"],
        "clock at the slow corner, MHz": case["clock_slow_corner_mhz"],
        _FRAMES: case["frames_per_s"],
        "latency, us": case["latency_us"],
        "area, mm2": area["total"] / 1e6,
        "of it memories, mm2": sum(area[name] for name in _MEMORIES) / 1e6,
        "activation memory, KiB": case["activation_memory_bytes"] / 1024,
        "energy of a frame, uJ": energy["total"] / 1e6,
        "of it array, uJ": energy["array"] / 1e6,
        "of it other logic, uJ": energy["periphery"] / 1e6,
        "of it memories, uJ": sum(energy[name] for name in _MEMORIES) / 1e6,
        "of it clock tree and wires (allowance), uJ": energy["clock_tree_and_wires"] / 1e6,
        "of it leakage of cells, uJ": energy["leakage"] / 1e6,
        "leakage of CACTI's fast memories, uJ, in no total": case["memory_leakage_pj"] / 1e6,
    }


def table(rows: Rows, network: str, quantities: Sequence[str] = tuple(FORMS)) -> Table:
    """A line for each quantity of a network, a column for each variant."""
    own = select(rows, network=network)
    variants = distinct(own, "variant")
    lines: list[tuple[str, ...]] = []
    for quantity in quantities:
        of = select(own, quantity=quantity)
        if not of:
            continue
        cells = []
        for variant in variants:
            value = value_of(of, variant=variant)
            cells.append(MISSING if value is None else format(value, FORMS[quantity]))
        marks = ", ".join(dict.fromkeys(mark for row in of for mark in row.origin))
        lines.append((quantity, *cells, marks))
    return Table(header=(network, *variants), lines=tuple(lines))


def show(rows: Rows, _: Notes) -> Section:
    """A table for each network."""
    title = "Headline"
    if not rows:
        return Section(title=title, text=("There is no record of the headline.",))
    networks = distinct(rows, "network")
    return Section(
        title=title,
        text=(
            f"One design point, `{HEADLINE.name}`, fixed by its name before logic, clock and "
            "energy were measured; networks that are not combined run on the same array with "
            "alpha 1, each with the schedule that the same search finds for it. Logic, clock "
            "and energy are those of the whole accelerator's netlist on a test image (NanGate "
            "45 nm, typical), accesses of memories those of the Verilog, priced as macros of "
            "CACTI 7. VGG-16 is too long for a netlist: its cycles are exact, its energy is the "
            "model's (docs/energy.md). Accuracies are of one training each. 2:8 and the smaller "
            "dense network were pruned and trained for themselves with a tenth of the data; their "
            "ratios are to column combining trained alike, each in its own model of equal "
            "multipliers (docs/related-accelerators.md).",
        ),
        tables=tuple(table(rows, network) for network in networks),
        verdict=tuple(_verdict(rows, network) for network in networks),
    )


def _verdict(rows: Rows, network: str) -> str:
    own = select(rows, network=network)
    label = BASELINES["sparse_uncombined"]
    energy = value_of(own, quantity=_ENERGY_RATIO, variant=label)
    throughput = value_of(own, quantity=_THROUGHPUT_RATIO, variant=label)
    if energy is None or throughput is None:
        return f"{network}: its baselines were not measured."
    times, share = _published(network)
    return (
        f"{network}: against the same sparse network uncombined, packing takes {energy:.3f} of the "
        f"energy (the paper {share}) at {throughput:.2f} times the throughput (the paper {times}): "
        f"{'better' if energy <= share else 'worse'} in energy, "
        f"{'better' if throughput >= times else 'worse'} in throughput."
    )
