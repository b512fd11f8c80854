"""Tiles per layer, and throughput, energy and tiles relative to the array without combining."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from systopack.errors import InvalidOptionError
from systopack.hardware.cycles import count_cycles
from systopack.hardware.energy.events import Organisation
from systopack.hardware.energy.model import NetworkEnergy, energy_of
from systopack.hardware.energy.pipelined_events import pipelined_events
from systopack.hardware.energy.tiled_events import tiled_events
from systopack.hardware.tiled import count_tiled
from systopack.reproduce.content import CITED, COMPUTED, Drawing, Section, Table, recorded
from systopack.reproduce.published import PaperNetwork, load_published
from systopack.reproduce.sources import (
    ALPHA,
    BANK_PARTS,
    COLUMNS,
    ROWS,
    SUBJECTS,
    Options,
    Pair,
    Sources,
    array_for,
)

OUTSIDE_ROWS = 8  # an input register, of the arrays whose logic outside was measured
WITH_OUTSIDE = "energy with the logic outside the array"
ENERGY_LIMIT = 1.15  # times what the throughput alone would leave of the energy


def tiles_per_layer(sources: Sources) -> Section:
    """How many tiles every layer takes, without and with combining."""
    rows: list[tuple[str, ...]] = []
    drawings = []
    figures: dict[str, Any] = {}
    for pair in sources.pairs:
        counts = _layer_tiles(pair)
        figures[pair.packed.name] = {name: list(values) for name, values in counts.items()}
        rows += [
            (pair.packed.name, name, str(before), str(after), COMPUTED)
            for name, (before, after) in counts.items()
        ]
        drawings.append(
            Drawing(
                name=f"tiles-{pair.packed.name}",
                caption=f"Tiles of {ROWS} x {COLUMNS} per layer, {pair.packed.name}",
                draw=_tile_bars(counts),
            )
        )
    return Section(
        title="Tiles per layer",
        text=(
            f"Tiles of {ROWS} x {COLUMNS} cells in which each layer runs: the dense network with "
            "one column a channel, and the packed one.",
        ),
        tables=(Table(header=("network", "layer", "alpha 1", "packed"), rows=tuple(rows)),),
        drawings=tuple(drawings),
        figures=figures,
    )


def relative(sources: Sources) -> Section:
    """The paper's bars: throughput, energy per sample and tiles in three settings."""
    published = load_published()
    middle = _gamma_zero(sources)
    rows: list[tuple[str, ...]] = []
    figures: dict[str, Any] = {}
    verdict: list[str] = []
    found_pairs = {pair.subject.paper: pair for pair in sources.pairs}
    for subject in SUBJECTS:
        paper = published.networks[subject.paper]
        for name, values in (
            ("throughput", paper.throughput),
            ("energy per sample", paper.energy),
            ("tiles", paper.tiles),
        ):
            rows.append((subject.paper, f"{name}, paper", *(f"{v:g}" for v in values), CITED))
        pair = found_pairs.get(subject.paper)
        if pair is None:
            verdict.append(f"{subject.paper}: no trained network of ours, so no figures of ours.")
            continue
        measured = _ratios(pair, sources)
        figures[subject.paper] = measured
        for name, value in measured.items():
            between = middle.get(name, "") if subject.paper == "ResNet-20, CIFAR-10" else ""
            mark = COMPUTED
            if name.startswith("energy"):
                mark += f", {recorded(_coefficients_name(sources))}"
                if name.startswith(WITH_OUTSIDE):
                    mark += f", {recorded(sources.outside_name)}"
            elif between:
                mark += f"; gamma 0: {recorded('gamma-0.0')}"
            rows.append((subject.paper, name, "1", between or "-", f"{value:.3f}", mark))
        for options, ratio, origin in _in_rtl(pair, sources):
            name = f"throughput, Verilog simulated, {options}"
            rows.append((subject.paper, name, "1", "-", f"{ratio:.3f}", recorded(origin)))
        verdict.append(f"{_verdict(paper, measured)} {_where(pair)}")
    if sources.coefficients is None:
        verdict.append(
            "Energy: there is no record of measured coefficients, so the energy rows of ours are "
            "left out."
        )
    return Section(
        title="Throughput, energy per sample and tiles",
        text=(
            "Relative to an array of the same size without combining: alpha 1; alpha 8 without "
            "pruning conflicts (gamma 0); alpha 8 with conflicts pruned (the paper: gamma 0.5; "
            "ours: budgets, docs/accuracy.md). Throughput is the ratio of cycles of the whole "
            "tiled accelerator, as the RTL takes them: with the streams from and to the host, and "
            "without them; beside it the array alone, with ideal memories. Activation banks are "
            f"made of {BANK_PARTS} parts in both accelerators (docs/hardware/streams.md).",
        ),
        tables=(
            Table(
                header=("network", "quantity", "alpha 1", "alpha 8, gamma 0", "alpha 8"),
                rows=tuple(rows),
            ),
        ),
        drawings=(
            Drawing(
                name="relative",
                caption="Throughput, energy and tiles, the paper's and ours",
                draw=_relative_bars(published.networks, figures),
            ),
        ),
        verdict=tuple(verdict),
        figures=figures,
    )


def energy_pair(
    pair: Pair,
    sources: Sources,
    options: Options,
    *,
    organisation: Organisation = "tiled",
    outside: bool = False,
) -> tuple[NetworkEnergy, NetworkEnergy] | None:
    """Energy of the dense and the packed network, each on its own array; None where the
    organisation cannot be built so, or an array like it was not measured.

    Args:
        outside: with the logic outside the array, where that of both tiled accelerators was
            measured.
    """
    if sources.coefficients is None:
        return None
    table, _ = sources.coefficients
    count = tiled_events if organisation == "tiled" else pipelined_events
    networks = (pair.dense, pair.packed)
    logic = [sources.outside.get((network.name, options.gating)) for network in networks]
    if not outside or organisation != "tiled" or None in logic:
        logic = [None, None]
    found = []
    for network, alpha, activity, beside in zip(
        networks, (1, ALPHA), pair.activity, logic, strict=True
    ):
        array = array_for(network, alpha, options)
        try:
            events = count(network, array=array, activity=activity)
            found.append(
                energy_of(events, coefficients=table, gating=options.gating, outside=beside)
            )
        except InvalidOptionError:
            return None
    return found[0], found[1]


def best_options(sources: Sources, organisation: Organisation) -> Options | None:
    """The options with which the packed networks take the least energy; None if not measured."""
    totals = {}
    for options in sources.options:
        energies = [
            energy_pair(pair, sources, options, organisation=organisation) for pair in sources.pairs
        ]
        if energies and all(energy is not None for energy in energies):
            totals[options] = sum(energy[1].total_pj for energy in energies if energy is not None)
    return min(totals, key=lambda options: totals[options]) if totals else None


def best_energies(
    pair: Pair, sources: Sources, organisation: Organisation, *, outside: bool = True
) -> tuple[NetworkEnergy, ...]:
    """Energy of the dense and the packed network with the best options; empty if not measured.

    Args:
        outside: with the logic outside the array, where it was measured.
    """
    options = best_options(sources, organisation)
    if options is None:
        return ()
    return energy_pair(pair, sources, options, organisation=organisation, outside=outside) or ()


def one_kind(
    figures: Mapping[str, Mapping[str, float]], papers: Mapping[str, PaperNetwork]
) -> str | None:
    """The kind of array to compare all networks with, as the rows name it.

    It reaches the paper's throughput with every network (but for those that are not trained to the
    end), with at most 1.15 times the energy that
    the throughput alone would give; of such kinds the one with the least energy, packed over dense.

    Args:
        figures: per network of the paper, the ratios of the section.
        papers: the paper's figures of it.

    Returns:
        The kind; None where no measured one is good enough for all networks.
    """
    short = {subject.paper for subject in SUBJECTS if subject.short}
    judged = {name: ratios for name, ratios in figures.items() if name not in short}
    if not judged:
        return None
    common = set.intersection(
        *(_reached(ratios, papers[name].throughput[-1]) for name, ratios in judged.items())
    )
    return min(
        sorted(common),
        key=lambda kind: sum(ratios[f"energy per sample, {kind}"] for ratios in judged.values()),
        default=None,
    )


def _reached(ratios: Mapping[str, float], throughput: float) -> set[str]:
    found = set()
    for name, energy in ratios.items():
        quantity, _, kind = name.partition(", ")
        if quantity == "energy per sample":
            faster = ratios[f"throughput, {kind}"]
            if faster >= throughput and energy <= ENERGY_LIMIT / faster:
                found.add(kind)
    return found


def _layer_tiles(pair: Pair) -> dict[str, tuple[int, int]]:
    size = {"rows": ROWS, "columns": COLUMNS}
    after = {layer.name: layer.matrix.tile_count(**size) for layer in pair.packed.layers}
    return {
        layer.name: (layer.matrix.tile_count(**size), after[layer.name])
        for layer in pair.dense.layers
        if layer.name in after
    }


def _ratios(pair: Pair, sources: Sources) -> dict[str, float]:
    dense, packed = pair.dense, pair.packed
    arrays = pair.arrays
    whole = [count_tiled(n, array=a) for n, a in zip((dense, packed), arrays, strict=True)]
    alone = [count_cycles(n, array=a).cycles for n, a in zip((dense, packed), arrays, strict=True)]
    size = {"rows": ROWS, "columns": COLUMNS}
    found = {
        "throughput, tiled accelerator": whole[0].cycles / whole[1].cycles,
        "throughput, the same without the host's streams": (
            whole[0].compute_cycles / whole[1].compute_cycles
        ),
        "throughput, array alone": alone[0] / alone[1],
        "tiles": packed.tile_count(**size) / dense.tile_count(**size),
    }
    for options in sources.options:
        energies = energy_pair(pair, sources, options)
        if energies is not None:
            cycles = [energy.events.cycles for energy in energies]
            found[f"throughput, {options}"] = cycles[0] / cycles[1]
            found[f"energy per sample, {options}"] = energies[1].total_pj / energies[0].total_pj
        if not _like_the_outside(options):
            continue
        energies = energy_pair(pair, sources, options, outside=True)
        if energies is not None and energies[1].outside is not None:
            name = f"{WITH_OUTSIDE}, {options}"
            found[name] = energies[1].total_pj / energies[0].total_pj
    return found


def _like_the_outside(options: Options) -> bool:
    """Whether the logic outside was measured around such an array."""
    return not options.lean and options.rows_per_register == OUTSIDE_ROWS


def _coefficients_name(sources: Sources) -> str:
    return "" if sources.coefficients is None else sources.coefficients[1]


def _in_rtl(pair: Pair, sources: Sources) -> list[tuple[str, float, str]]:
    """Cycles of the dense over the packed network, simulated: options of both arrays, the ratio
    and the record.
    """
    found = []
    for origin, record in sources.records_of("hardware_verify"):
        cycles: dict[str, dict[str, int]] = {}
        for case in record["figures"].values():
            if case["organisation"] == "tiled" and "options" in case:
                options = ", ".join(
                    f"{name.replace('_', ' ')} {value}" if value is not True else name
                    for name, value in case["options"].items()
                )
                of_options = cycles.setdefault(options or "as it is", {})
                of_options[case["network"]] = case["cycles_per_image"]
        names = (pair.subject.dense, pair.subject.packed)
        for options, counts in sorted(cycles.items()):
            dense, packed = (counts.get(str(name)) for name in names)
            if dense is not None and packed is not None:
                found.append((options, dense / packed, origin))
    return found


def _gamma_zero(sources: Sources) -> dict[str, str]:
    """Our own run with gamma 0, where it has a record: throughput and tiles."""
    for _, record in sources.records_of("accuracy-resnet20"):
        if record["configuration"].get("experiment") == "gamma-0.0":
            figures = record["figures"]
            dense_tiles = 0
            for pair in sources.pairs:
                if pair.subject.paper == "ResNet-20, CIFAR-10":
                    dense_tiles = pair.dense.tile_count(rows=ROWS, columns=COLUMNS)
            found = {"throughput, array alone": f"{figures['streamed_words_ratio']:.3f}"}
            if dense_tiles:
                found["tiles"] = f"{figures['tiles_32x32'] / dense_tiles:.3f}"
            return found
    return {}


def _where(pair: Pair) -> str:
    """What the packed network's cycles are spent on."""
    count = count_tiled(pair.packed, array=pair.arrays[1])
    layers = [step for step in count.steps if step.kind == "layer"]
    shares = {
        "stream words": sum(step.stream_cycles for step in layers),
        "wait for banks to be written": sum(step.write_cycles for step in layers),
        "wait for weights, partial sums or the last word": sum(
            step.stall_cycles + step.drain_cycles for step in count.steps
        ),
        "pool": sum(step.stream_cycles for step in count.steps if step.kind == "pool"),
        "carry the image in and results out": sum(
            step.stream_cycles for step in count.steps if step.kind in ("image", "send")
        ),
    }
    told = ", ".join(f"{100 * value / count.cycles:.0f} % {name}" for name, value in shares.items())
    return f"Of the packed network's cycles {told}."


def _verdict(paper: PaperNetwork, measured: dict[str, float]) -> str:
    throughput, tiles = measured["throughput, tiled accelerator"], measured["tiles"]
    without = measured["throughput, the same without the host's streams"]
    sentences = [
        f"{paper.name}: {throughput:.2f} times the throughput with the host's streams and "
        f"{without:.2f} times without them, {_word(without, paper.throughput[-1])} than the "
        f"paper's {paper.throughput[-1]:g}; "
        f"{tiles:.3f} of the tiles, {_word(paper.tiles[-1], tiles)} than {paper.tiles[-1]:g}."
    ]
    energies = {
        name.removeprefix("energy per sample, "): value
        for name, value in measured.items()
        if name.startswith("energy per sample, ")
    }
    if energies:
        best = min(energies.values())
        sentences.append(
            f"Energy per sample is {_word(paper.energy[-1], best)} than the paper's "
            f"{paper.energy[-1]:g} at best."
        )
    for options, energy in energies.items():
        faster = measured[f"throughput, {options}"]
        limit = ENERGY_LIMIT / faster
        sentences.append(
            f"{str(options).capitalize()}: {energy:.3f} at {faster:.2f} times the throughput, "
            f"{_judged(energy, limit)} {ENERGY_LIMIT:g} / throughput = {limit:.3f}."
        )
        whole = measured.get(f"{WITH_OUTSIDE}, {options}")
        if whole is not None:
            sentences.append(
                f"With the logic outside the array {whole:.3f}, {_judged(whole, limit)} that."
            )
    return " ".join(sentences)


def _judged(energy: float, limit: float) -> str:
    return "within" if energy <= limit else "beyond"


def _word(ours: float, theirs: float) -> str:
    """How `ours` compares where more is better."""
    if abs(ours - theirs) <= 0.01 * abs(theirs):
        return "no better or worse"
    return "better" if ours > theirs else "worse"


def _tile_bars(counts: dict[str, tuple[int, int]]) -> Any:
    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        places = range(len(counts))
        axes.bar([p - 0.2 for p in places], [v[0] for v in counts.values()], 0.4, label="alpha 1")
        axes.bar([p + 0.2 for p in places], [v[1] for v in counts.values()], 0.4, label="packed")
        axes.set_xticks(list(places), list(counts), rotation=60, ha="right", fontsize=7)
        axes.set_ylabel("tiles")
        axes.legend()

    return draw


def _relative_bars(papers: dict[str, PaperNetwork], figures: dict[str, Any]) -> Any:
    kind = one_kind(figures, papers)
    panels: Sequence[tuple[str, str, str]] = (
        ("throughput", "throughput", f"throughput, {kind or 'tiled accelerator'}"),
        ("energy", "energy per sample", f"energy per sample, {kind}"),
        ("tiles", "tiles", "tiles"),
    )

    def draw(figure: Any) -> None:
        names = list(papers)
        for index, (attribute, label, key) in enumerate(panels):
            axes = figure.add_subplot(1, 3, index + 1)
            for place, name in enumerate(names):
                axes.bar(place - 0.2, getattr(papers[name], attribute)[-1], 0.4, color="tab:gray")
                ours = figures.get(name, {}).get(key)
                if ours is not None:
                    axes.bar(place + 0.2, ours, 0.4, color="tab:blue")
            axes.axhline(1, color="black", linewidth=0.5)
            axes.set_xticks(
                range(len(names)), [name.split(",")[0] for name in names], rotation=30, fontsize=7
            )
            axes.set_title(f"{label} / alpha 1", fontsize=9)
        title = "gray: the paper's, blue: ours"
        figure.suptitle(f"{title}, {kind}" if kind else title, fontsize=8)

    return draw
