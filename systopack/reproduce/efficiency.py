"""Energy of a frame: by part, against published accelerators, and against the optimum."""

from __future__ import annotations

from typing import Any

import numpy as np

from systopack.hardware.energy.events import Organisation
from systopack.hardware.energy.model import NetworkEnergy
from systopack.hardware.energy.optimum import array_efficiency, closeness, idle_ratio
from systopack.hardware.energy.technology import load_technology
from systopack.hardware.pipelined.cycles import count_pipelined
from systopack.reproduce.content import CITED, COMPUTED, Drawing, Section, Table, recorded
from systopack.reproduce.published import load_published
from systopack.reproduce.relative import best_options, energy_pair
from systopack.reproduce.sources import Pair, Sources

_ORGANISATIONS: tuple[Organisation, ...] = ("tiled", "pipelined")
_FASTEST_FIRST = tuple(reversed(_ORGANISATIONS))


def energy_by_part(sources: Sources) -> Section:
    """Energy of one frame of every network, array, memories and the rest apart."""
    if sources.coefficients is None:
        return Section(
            title="Energy of a frame",
            text=("There is no record of measured coefficients, so nothing is computed here.",),
        )
    table, name = sources.coefficients
    rows: list[tuple[str, ...]] = []
    figures: dict[str, Any] = {}
    for energy in [e for organisation in _ORGANISATIONS for e in _energies(sources, organisation)]:
        parts: dict[str, float] = {}
        for step in energy.steps:
            for part, pj in step.parts_pj.items():
                parts[part] = parts.get(part, 0.0) + pj
        organisation = energy.events.organisation
        name_of = f"{energy.events.network}, {organisation}"
        figures[name_of] = {
            "total_uj": energy.total_pj / 1e6,
            "compute_uj": energy.compute_pj / 1e6,
            "memory_uj": energy.memory_pj / 1e6,
            "memory_leakage_uj": energy.memory_leakage_pj / 1e6,
            "memory_um2": energy.memory_um2,
            "cycles": energy.events.cycles,
            "parts_uj": {part: pj / 1e6 for part, pj in parts.items()},
            "origin": energy.origin,
        }
        rows.append(
            (
                energy.events.network,
                organisation,
                f"{energy.total_pj / 1e6:.3f}",
                f"{energy.compute_pj / 1e6:.3f}",
                f"{energy.memory_pj / 1e6:.3f}",
                f"{100 * energy.memory_share:.0f}",
                energy.origin,
                f"{COMPUTED}, {recorded(name)}",
            )
        )
    return Section(
        title="Energy of a frame",
        text=(
            f"Gate level of {table.library}, real activations where images were given; memories "
            "from the cited table, their leakage not included (docs/energy.md). "
            f"Tiled: {best_options(sources, 'tiled')}. Layer-pipelined: "
            f"{best_options(sources, 'pipelined') or 'not measured'}. The tiled accelerator loads "
            "its weights for every image, the layer-pipelined one keeps them, and its images "
            "follow each other without a gap.",
        ),
        tables=(
            Table(
                header=(
                    "network",
                    "accelerator",
                    "energy, uJ",
                    "array and logic, uJ",
                    "memories, uJ",
                    "memories, %",
                    "coefficients",
                ),
                rows=tuple(rows),
            ),
        ),
        figures=figures,
    )


def against_published(sources: Sources) -> Section:
    """Frames per joule and latency beside published accelerators, scaled to one node and not."""
    published, technology = load_published(), load_technology()
    node = technology.node("45-hp")
    if sources.coefficients is not None:
        node = technology.nearest_node(sources.coefficients[0].node_nm)
    rows: list[tuple[str, ...]] = [
        (
            other.name,
            other.data,
            f"{other.node_nm:g} nm, {other.technology}",
            other.precision,
            "-" if other.accuracy_percent is None else f"{other.accuracy_percent:g}",
            f"{'>= ' if other.energy_bound else ''}{other.frames_per_j:,.0f}",
            f"{'>= ' if other.energy_bound else ''}{1e6 / other.scaled_uj(node):,.0f}",
            "-" if other.latency_us is None else f"{other.latency_us:g}",
            f"{CITED}: {other.source}",
        )
        for other in published.accelerators
    ]
    ours = _ours(sources)
    rows += ours
    return Section(
        title="Against published accelerators",
        text=(
            "Frames per joule as published, and with the energy scaled to "
            f"{node.nm:g} nm at nominal supplies (Stillmaker and Baas 2017; 28 nm counts as "
            "32 nm). Boards are not scaled in any other way. Where a source gives only a bound, "
            "the bound stands. Ours is 8 bit; none of the others found is, so there is no row at "
            "equal precision, and a one-bit product costs far less than an eight-bit one.",
        ),
        tables=(
            Table(
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
                rows=tuple(rows),
            ),
        ),
        verdict=_claims(sources, bool(ours)),
    )


def optimum(sources: Sources) -> Section:
    """How close packed arrays come to the energy optimum."""
    rows: list[tuple[str, ...]] = []
    figures: dict[str, Any] = {}
    ratio = 1.0
    if sources.coefficients is not None:
        table, name = sources.coefficients
        for energy in _energies(sources, "tiled"):
            point = table.for_array(energy.events.array, gating=energy.gating)
            ratio = idle_ratio(point)
            used = array_efficiency(energy)
            share = energy.memory_share
            close = closeness(used, idle_ratio=ratio, memory_share=share).item()
            figures[energy.events.network] = {
                "array_efficiency": used,
                "idle_ratio": ratio,
                "memory_share": share,
                "closeness": close,
            }
            rows.append(
                (
                    energy.events.network,
                    f"{used:.3f}",
                    f"{ratio:.3f}",
                    f"{share:.3f}",
                    f"{close:.3f}",
                    f"{COMPUTED}, {recorded(name)}",
                )
            )
    tables: tuple[Table, ...] = ()
    if rows:
        tables = (
            Table(
                header=(
                    "network",
                    "cell words with a weight",
                    "idle / active cell word",
                    "memory share",
                    "optimum / energy",
                ),
                rows=tuple(rows),
            ),
        )
    return Section(
        title="How close to the energy optimum",
        text=(
            "The optimum is an array whose cells all do useful work. With packing efficiency u, "
            "energy i of an idle cell word over an active one, memory share m and its part g that "
            "grows with the cells: `optimum / energy = 1 / (1 + (1/u - 1) ((1 - m) i + m g))` "
            "(docs/energy.md). g is 1 in the table and 0.5 in the figure.",
        ),
        tables=tables,
        drawings=(
            Drawing(
                name="optimum",
                caption="Closeness to the energy optimum against packing efficiency",
                draw=_optimum_curves(ratio),
            ),
        ),
        verdict=tuple(
            f"{name}: {100 * values['closeness']:.0f} % of the optimum for its own weights; cells "
            f"that all hold one would take {100 * (1 - values['closeness']):.0f} % less energy by "
            "this formula."
            for name, values in figures.items()
        ),
        figures=figures,
    )


def _energies(sources: Sources, organisation: Organisation) -> list[NetworkEnergy]:
    """Dense and packed network of every pair, with the best options."""
    return [energy for pair in sources.pairs for energy in _best(pair, sources, organisation)]


def _best(pair: Pair, sources: Sources, organisation: Organisation) -> tuple[NetworkEnergy, ...]:
    options = best_options(sources, organisation)
    if options is None:
        return ()
    return energy_pair(pair, sources, options, organisation=organisation) or ()


def _ours(sources: Sources) -> list[tuple[str, ...]]:
    if sources.coefficients is None:
        return []
    table, name = sources.coefficients
    rows: list[tuple[str, ...]] = []
    for pair in sources.pairs:
        for organisation in _ORGANISATIONS:
            energies = _best(pair, sources, organisation)
            if not energies:
                continue
            energy = energies[1]
            cycles = energy.events.cycles
            if organisation == "pipelined":
                cycles = count_pipelined(pair.packed, array=pair.arrays[1]).latency_cycles
            per_j = 1e12 / energy.total_pj
            rows.append(
                (
                    f"ours, {energy.events.network}, {organisation}",
                    pair.subject.paper.split(", ")[1],
                    f"{table.node_nm:g} nm, gate level, memories from a table",
                    "8 bit",
                    "see Accuracy",
                    f"{per_j:,.0f}",
                    f"{per_j:,.0f}",
                    f"{cycles / energy.clock_mhz:.1f}",
                    f"{COMPUTED}, {recorded(name)}",
                )
            )
    return rows


def _claims(sources: Sources, have_ours: bool) -> tuple[str, ...]:
    published = load_published()
    if not have_ours:
        return (
            "Without measured coefficients there is no energy of ours, so nothing is claimed "
            f"about the paper's {published.energy_efficiency:g} times energy efficiency and "
            f"{published.latency:g} times latency.",
        )
    technology = load_technology()
    assert sources.coefficients is not None
    node = technology.nearest_node(sources.coefficients[0].node_nm)
    sentences = []
    for pair in sources.pairs:
        found = {name: _best(pair, sources, name) for name in _ORGANISATIONS}
        packed = [energies[1] for energies in found.values() if energies]
        if not packed:
            continue
        data = pair.subject.paper.split(", ")[1]
        own_uj = min(energy.total_pj for energy in packed) / 1e6
        others = [other for other in published.accelerators if data in other.data]
        best = min(others, key=lambda other: other.scaled_uj(node))
        factor = best.scaled_uj(node) / own_uj
        reached = "reached" if factor >= published.energy_efficiency else "not reached"
        sentences.append(
            f"{data}: against the most efficient of them at one node ({best.name}, "
            f"{best.precision}), ours takes {1 / factor:.2f} times the energy of a frame: "
            f"{published.energy_efficiency:g} times energy efficiency is {reached}."
        )
        known = [other for other in others if other.accuracy_percent is not None]
        if known:
            exact = max(known, key=lambda other: other.accuracy_percent or 0)
            sentences.append(
                f"Against the most accurate of them ({exact.name}, {exact.accuracy_percent:g} %, "
                f"{exact.precision}) ours is {exact.scaled_uj(node) / own_uj:.2g} times as energy "
                "efficient at one node."
            )
        timed = [other for other in others if other.latency_us is not None]
        if timed:
            how, energies = next((name, found[name]) for name in _FASTEST_FIRST if found[name])
            mhz, cycles = energies[1].clock_mhz, energies[1].events.cycles
            if how == "pipelined":
                cycles = count_pipelined(pair.packed, array=pair.arrays[1]).latency_cycles
            own_us = cycles / mhz
            fastest = min(timed, key=lambda other: other.latency_us or 0)
            gain = (fastest.latency_us or 0) / own_us
            word = "reached" if gain >= published.latency else "not reached"
            sentences.append(
                f"Latency against {fastest.name}, {fastest.technology} ({fastest.latency_us:g} "
                "us), the only one with a published latency: ours, "
                f"{how}, {own_us:.1f} us at {mhz:.0f} MHz, a factor of {gain:.2g}: "
                f"{published.latency:g} times is {word}. One is an FPGA board as built, the other "
                "a clock from gate level."
            )
    return tuple(sentences)


def _optimum_curves(measured: float) -> Any:
    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        efficiency = np.linspace(0.05, 1, 100)
        for share, style in ((0.0, "-"), (0.3, "--"), (0.6, ":")):
            for ratio, color in ((measured, "tab:blue"), (0.3, "tab:orange")):
                axes.plot(
                    efficiency,
                    closeness(efficiency, idle_ratio=ratio, memory_share=share, growing_part=0.5),
                    style,
                    color=color,
                    label=f"i {ratio:.2f}, m {share:g}",
                )
        axes.set_xlabel("packing efficiency u")
        axes.set_ylabel("optimum / energy")
        axes.legend(fontsize=7)

    return draw
