"""Frames per joule and latency beside published accelerators, at 8 bits and at other precisions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from systopack.hardware.energy.events import Organisation
from systopack.hardware.energy.technology import Node, load_technology
from systopack.hardware.pipelined.cycles import count_pipelined
from systopack.reproduce.accuracy import accuracies, packaged_record
from systopack.reproduce.content import MISSING, Notes, Section, Table
from systopack.reproduce.design_points import HEADLINE, ORGANISATIONS
from systopack.reproduce.energies import energy_pair
from systopack.reproduce.published import Accelerator, Published, load_published
from systopack.reproduce.rows import CITED, COMPUTED, Row, Rows, recorded, rows_of, select
from systopack.reproduce.sources import SUBJECTS, Pair, Sources, Subject

ACCURACY, DENSE_ACCURACY = "accuracy, packed, 8 bit", "accuracy, dense"


def measure(sources: Sources) -> Rows:
    """Accuracy, energy, latency and clock of every packed network, at a fixed design point of each
    organisation.

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
        cycles = count_pipelined(pair.packed, array=energy.events.array).latency_cycles
    dense, packed = accuracies(packaged_record(pair.subject.packed)["figures"])
    numbers = (
        (DENSE_ACCURACY, dense, "%"),
        (ACCURACY, packed, "%"),
        ("energy", energy.total_pj / 1e6, "uJ"),
        ("latency", cycles / clock_mhz, "us"),
        ("clock", clock_mhz, "MHz"),
    )
    yield from rows_of(
        numbers,
        network=pair.packed.name,
        organisation=organisation,
        design_point=HEADLINE.name,
        origin=tuple(marks),
    )


@dataclass(frozen=True, kw_only=True)
class _Run:
    """A packed network on one accelerator: what its rows say."""

    subject: Subject
    organisation: str
    values: Mapping[str, float]
    origin: tuple[str, ...]


def _runs(rows: Rows) -> list[_Run]:
    return [
        _Run(
            subject=subject,
            organisation=organisation,
            values={row.quantity: row.value for row in of},
            origin=of[0].origin,
        )
        for subject in SUBJECTS
        for organisation in ORGANISATIONS
        if (of := select(rows, network=subject.packed, organisation=organisation))
    ]


def show(rows: Rows, notes: Notes) -> Section:
    """Tables at 8 bits and at other precisions, and whether the paper's two factors are reached."""
    published, technology = load_published(), load_technology()
    node = technology.node("45-hp")
    if notes.node_nm is not None:
        node = technology.nearest_node(notes.node_nm)
    runs, others = _runs(rows), published.accelerators
    beside = "" if notes.periphery else " (not measured here)"
    return Section(
        title="Against published accelerators",
        text=(
            f"Frames per joule as published, and with the energy scaled to {node.nm:g} nm at its "
            "nominal supply (Stillmaker and Baas 2017; 28 nm counts as 32 nm, 22 nm as 20 nm), "
            "from the published supply where there is one. Boards are not scaled in any other "
            "way. Where a source gives only a bound, the bound stands. Ours (cells and "
            f"array of {HEADLINE.name}) is the array, the memories and, of "
            f"the tiled accelerator{beside}, the periphery at gate level; a measured chip pays "
            "for its clock tree, wires and pins as well (docs/silicon.md has allowances). The "
            "clock is that of the slower of array and periphery; the periphery of the "
            "layer-pipelined accelerator was not measured, and is taken to be as slow.",
            "At 8 bits. The MLPerf Tiny entries run a smaller network than ours, a ResNet-8 (12.5 "
            "million products an image, the dense ResNet-20 40.6 million), and report accuracy on "
            "the 200 images of that benchmark.",
        ),
        tables=(
            _table([other for other in others if other.matched], node, runs),
            _table([other for other in others if not other.matched], node, []),
            *((_claims(published, runs, node),) if runs else ()),
        ),
        verdict=_verdict(published, runs, node),
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
    per_j = f"{1e6 / run.values['energy']:,.0f}"
    return (
        f"ours, {run.subject.packed}, {run.organisation}",
        run.subject.data,
        f"{node.nm:g} nm, gate level, memories from a table",
        "8 bit",
        f"{run.values[ACCURACY]:.2f}",
        per_j,
        per_j,
        f"{run.values['latency']:.1f}",
        ", ".join(run.origin),
    )


def _verdict(published: Published, runs: list[_Run], node: Node) -> tuple[str, ...]:
    if not runs:
        return (
            "Without measured coefficients there is no energy of ours, so nothing is claimed "
            f"about the paper's {published.energy_efficiency:g} times energy efficiency and "
            f"{published.latency:g} times latency.",
        )
    told = [
        f"{data}, {what}, against the best of others ({which}: {best}): {theirs} there, {ours} "
        f"here, theirs over ours {factor}; the paper claims {wanted}."
        for data, what, which, best, theirs, ours, factor, wanted, _ in _claims(
            published, runs, node
        ).lines
        if wanted != MISSING
    ]
    return (*told, "Latencies of others are measured, ours is a clock from gate level.")


def _claims(published: Published, runs: list[_Run], node: Node) -> Table:
    """Ours against the best of others, for energy, for latency, and against the most accurate."""
    lines = []
    for data in dict.fromkeys(run.subject.data for run in runs):
        ours = [run for run in runs if run.subject.data == data]
        others = [other for other in published.accelerators if data in other.data]
        matched = [other for other in others if other.matched]
        frugal = min(ours, key=lambda run: run.values["energy"])
        fast = min(ours, key=lambda run: run.values["latency"])

        def scaled(other: Accelerator) -> float | None:
            return other.scaled_uj(node)

        exact = _best(others, lambda other: _negative(other.accuracy_percent))
        energy = f"energy at {node.nm:g} nm, uJ", frugal, "energy", scaled
        latency = "latency, us", fast, "latency", lambda other: other.latency_us
        for which, among, (what, run, quantity, value), wanted in (
            ("8 bit", matched, energy, published.energy_efficiency),
            ("any", others, energy, published.energy_efficiency),
            ("the most accurate", [exact] if exact else [], energy, None),
            ("8 bit", matched, latency, published.latency),
            ("any", others, latency, published.latency),
        ):
            best = _best(among, value)
            theirs = None if best is None else value(best)
            if best is None or theirs is None:
                continue
            factor = theirs / run.values[quantity]
            reached = "" if wanted is None else "no" if factor < wanted else "yes"
            lines.append(
                (
                    data,
                    what,
                    which,
                    f"{best.name}, {best.precision}, {best.technology}",
                    f"{theirs:.3g}"
                    + (f" ({best.energy_uj:.3g} as published)" if quantity == "energy" else ""),
                    f"{run.values[quantity]:.3g} ({run.organisation})",
                    f"{factor:.2g}",
                    MISSING if wanted is None else f"{wanted:g}: {reached}",
                    ", ".join((CITED, *run.origin)),
                )
            )
    return Table(
        header=(
            *("data", "quantity", "of precision", "the best of others", "theirs", "ours"),
            *("times better", "the paper's claim"),
        ),
        lines=tuple(lines),
    )


def _negative(value: float | None) -> float | None:
    return None if value is None else -value


def _best(
    others: list[Accelerator], value: Callable[[Accelerator], float | None]
) -> Accelerator | None:
    """The one with the smallest value, of those that have one."""
    known = [other for other in others if value(other) is not None]
    return min(known, key=lambda other: value(other) or 0.0, default=None)
