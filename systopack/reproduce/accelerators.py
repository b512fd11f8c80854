"""Frames per joule and latency beside published accelerators, at 8 bits and at other precisions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from systopack.hardware.energy.events import Organisation
from systopack.hardware.energy.technology import Node, load_technology
from systopack.hardware.pipelined.cycles import count_pipelined
from systopack.reproduce.accuracy import accuracies, packaged_record
from systopack.reproduce.content import MISSING, Notes, Section, Table
from systopack.reproduce.design_points import HEADLINE
from systopack.reproduce.energies import ORGANISATIONS, energy_pair
from systopack.reproduce.published import Accelerator, Published, load_published
from systopack.reproduce.rows import CITED, COMPUTED, Row, Rows, recorded, select
from systopack.reproduce.sources import SUBJECTS, Pair, Sources

ACCURACY, DENSE_ACCURACY = "accuracy, packed, 8 bit", "accuracy, dense"


def measure(sources: Sources) -> Rows:
    """Accuracy, energy, latency and clock of every packed network at the headline's design point.

    Networks that are trained for a few epochs only are left out.
    """
    return tuple(
        row
        for pair in sources.pairs
        if not pair.subject.short
        for organisation in ORGANISATIONS
        for row in _ours(pair, sources, organisation)
    )


def _ours(pair: Pair, sources: Sources, organisation: Organisation) -> Iterator[Row]:
    energies = energy_pair(pair, sources, organisation=organisation)
    if energies is None:
        return
    energy = energies[1]
    cycles, clock_mhz = energy.events.cycles, energy.clock_mhz
    beside = sources.periphery.get((pair.packed.name, energy.gating))
    marks = [COMPUTED, recorded(sources.coefficients_name)]
    if beside is not None:
        clock_mhz = min(clock_mhz, 1000 / beside.critical_ns)
        marks.append(recorded(sources.periphery_name))
    if organisation == "pipelined":
        cycles = count_pipelined(pair.packed, array=pair.arrays()[1]).latency_cycles
    dense, packed = accuracies(packaged_record(pair.subject.packed)["figures"])
    for quantity, value, unit in (
        (DENSE_ACCURACY, dense, "%"),
        (ACCURACY, packed, "%"),
        ("energy", energy.total_pj / 1e6, "uJ"),
        ("latency", cycles / clock_mhz, "us"),
        ("clock", clock_mhz, "MHz"),
    ):
        yield Row(
            network=pair.packed.name,
            organisation=organisation,
            design_point=HEADLINE.name,
            quantity=quantity,
            value=value,
            unit=unit,
            origin=tuple(marks),
        )


@dataclass(frozen=True, kw_only=True)
class _Run:
    """A packed network on one accelerator: the fields of its rows."""

    network: str
    data: str
    organisation: str
    accuracy_percent: float
    energy_uj: float
    latency_us: float
    clock_mhz: float
    origin: tuple[str, ...]


def _runs(rows: Rows) -> list[_Run]:
    found = []
    for subject in SUBJECTS:
        for organisation in ORGANISATIONS:
            of = select(rows, network=subject.packed, organisation=organisation)
            if of:
                values = {row.quantity: row.value for row in of}
                found.append(
                    _Run(
                        network=subject.packed,
                        data=subject.data,
                        organisation=organisation,
                        accuracy_percent=values[ACCURACY],
                        energy_uj=values["energy"],
                        latency_us=values["latency"],
                        clock_mhz=values["clock"],
                        origin=of[0].origin,
                    )
                )
    return found


def show(rows: Rows, notes: Notes) -> Section:
    """Tables at 8 bits and at other precisions, and whether the paper's two factors are reached."""
    published, technology = load_published(), load_technology()
    node = technology.node("45-hp")
    if notes.node_nm is not None:
        node = technology.nearest_node(notes.node_nm)
    runs, others = _runs(rows), published.accelerators
    return Section(
        title="Against published accelerators",
        text=(
            "Frames per joule as published, and with the energy scaled to "
            f"{node.nm:g} nm at its nominal supply (Stillmaker and Baas 2017; 28 nm counts as "
            "32 nm, 22 nm as 20 nm), from the published supply where there is one. Boards are not "
            "scaled in any other way. Where a source gives only a bound, the bound stands. Ours, "
            f"at design point {HEADLINE.name}, is the array, the memories and, of the tiled "
            f"accelerator, the periphery {'' if notes.periphery else '(not measured here) '}"
            "at gate level; a measured chip pays for its clock tree, wires and pins as well "
            "(docs/silicon.md has allowances). The clock is that of the slower of array and "
            "periphery; the periphery of the layer-pipelined accelerator was not measured, and is "
            "taken to be as slow.",
            "At 8 bits. The MLPerf Tiny entries run a smaller network than ours, a ResNet-8 (12.5 "
            "million products an image, the dense ResNet-20 40.6 million), and report accuracy on "
            "the 200 images of that benchmark.",
        ),
        tables=(
            _table([other for other in others if other.matched], node, runs),
            _table([other for other in others if not other.matched], node, []),
        ),
        verdict=_claims(published, runs, node),
    )


def _table(others: list[Accelerator], node: Node, runs: list[_Run]) -> Table:
    return Table(
        header=(
            "accelerator",
            "data",
            "technology",
            "precision",
            "accuracy, %",
            "frames / J",
            f"at {node.nm:g} nm",
            "latency, us",
        ),
        lines=(*(_line(other, node) for other in others), *(_own_line(run, node) for run in runs)),
    )


def _line(other: Accelerator, node: Node) -> tuple[str, ...]:
    at_least = ">= " if other.energy_bound else ""
    scaled = other.scaled_uj(node)
    size = "" if other.node_nm is None else f"{other.node_nm:g} nm, "
    return (
        other.name,
        other.data,
        f"{size}{other.technology}",
        other.precision,
        MISSING if other.accuracy_percent is None else f"{other.accuracy_percent:g}",
        MISSING if other.frames_per_j is None else f"{at_least}{other.frames_per_j:,.0f}",
        MISSING if scaled is None else f"{at_least}{1e6 / scaled:,.0f}",
        MISSING if other.latency_us is None else f"{other.latency_us:,g}",
        f"{CITED}: {other.source}",
    )


def _own_line(run: _Run, node: Node) -> tuple[str, ...]:
    per_j = f"{1e6 / run.energy_uj:,.0f}"
    return (
        f"ours, {run.network}, {run.organisation}",
        run.data,
        f"{node.nm:g} nm, gate level, memories from a table",
        "8 bit",
        f"{run.accuracy_percent:.2f}",
        per_j,
        per_j,
        f"{run.latency_us:.1f}",
        ", ".join(run.origin),
    )


def _claims(published: Published, ours: list[_Run], node: Node) -> tuple[str, ...]:
    """Whether the paper's two factors are reached, one data set after the other."""
    if not ours:
        return (
            "Without measured coefficients there is no energy of ours, so nothing is claimed "
            f"about the paper's {published.energy_efficiency:g} times energy efficiency and "
            f"{published.latency:g} times latency.",
        )
    sentences = []
    for data in dict.fromkeys(run.data for run in ours):
        runs = [run for run in ours if run.data == data]
        others = [other for other in published.accelerators if data in other.data]
        matched = [other for other in others if other.matched]
        frugal = min(runs, key=lambda run: run.energy_uj)
        fast = min(runs, key=lambda run: run.latency_us)
        if matched:
            sentences += _energy_claim(published, frugal, matched, node, "8-bit")
            sentences += _latency_claim(published, fast, matched, "8-bit")
        else:
            sentences.append(f"{data}: no accelerator was found that states 8 bits.")
        sentences += _energy_claim(published, frugal, others, node, "any precision")
        sentences += _latency_claim(published, fast, others, "any precision")
        exact = _best(others, lambda other: other.accuracy_percent, largest=True)
        scaled = exact.scaled_uj(node) if exact else None
        if exact is not None and scaled is not None:
            sentences.append(
                f"{data}: against the most accurate of them ({exact.name}, "
                f"{exact.accuracy_percent:g} %, {exact.precision}) ours "
                f"({frugal.accuracy_percent:.2f} %) is {scaled / frugal.energy_uj:.2g} times as "
                "energy efficient at one node."
            )
    return tuple(sentences)


def _energy_claim(
    published: Published, run: _Run, others: list[Accelerator], node: Node, which: str
) -> list[str]:
    best = _best(others, lambda other: other.scaled_uj(node))
    if best is None:
        return []
    scaled, own = best.scaled_uj(node) or 0.0, best.energy_uj or 0.0
    factor = scaled / run.energy_uj
    reached = "reached" if factor >= published.energy_efficiency else "not reached"
    return [
        f"{run.data}, {which}: against the most energy efficient at one node ({best.name}, "
        f"{best.precision}) ours is {factor:.2g} times as energy efficient at {node.nm:g} nm "
        f"({own / run.energy_uj:.2g} times as published): {published.energy_efficiency:g} times "
        f"energy efficiency is {reached}."
    ]


def _latency_claim(
    published: Published, run: _Run, others: list[Accelerator], which: str
) -> list[str]:
    best = _best(others, lambda other: other.latency_us)
    if best is None or best.latency_us is None:
        return []
    gain = best.latency_us / run.latency_us
    reached = "reached" if gain >= published.latency else "not reached"
    return [
        f"{run.data}, {which}: latency against the fastest ({best.name}, {best.technology}, "
        f"{best.latency_us:g} us): ours, {run.organisation}, {run.latency_us:.1f} us at "
        f"{run.clock_mhz:.0f} MHz, a factor of {gain:.2g}: {published.latency:g} times is "
        f"{reached}. Theirs is measured, ours is a clock from gate level."
    ]


def _best(
    others: list[Accelerator],
    value: Callable[[Accelerator], float | None],
    *,
    largest: bool = False,
) -> Accelerator | None:
    """The one with the smallest (or largest) value, of those that have one."""
    known = [(other, number) for other in others if (number := value(other)) is not None]
    if not known:
        return None
    return (max if largest else min)(known, key=lambda pair: pair[1])[0]
