"""Tiles per layer, and throughput, energy and tiles relative to the array without combining."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from systopack.hardware.cycles import count_cycles
from systopack.hardware.tiled import count_tiled
from systopack.reproduce.content import CITED, COMPUTED, Drawing, Section, Table, recorded
from systopack.reproduce.kinds import (
    ENERGY_LIMIT,
    KIND_HEADER,
    WITH_PERIPHERY,
    energies_by_kind,
    energy_pair,
    kind_rows,
    one_kind,
)
from systopack.reproduce.published import PaperNetwork, load_published
from systopack.reproduce.sources import (
    COLUMNS,
    ROWS,
    SUB_BANKS,
    SUBJECTS,
    Pair,
    Sources,
)


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
    kinds: list[tuple[str, ...]] = []
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
        kinds += kind_rows(subject.paper, measured, sources)
        of_kinds = {f"throughput, {options}" for options in energies_by_kind(measured)}
        for name, value in measured.items():
            if name.startswith("energy") or name in of_kinds:
                continue
            between = middle.get(name, "") if subject.paper == "ResNet-20, CIFAR-10" else ""
            mark = f"{COMPUTED}; gamma 0: {recorded('gamma-0.0')}" if between else COMPUTED
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
            f"made of {SUB_BANKS} parts in both accelerators (docs/hardware/streams.md).",
            "The second table has the energy per sample, packed on alpha 8 over dense on alpha 1, "
            "for every kind of array that was measured: gate level of the array with real "
            "activations, and memories; then with the periphery too, which was "
            "measured around full cells with 8 rows an input register and two weights (around "
            "another array delays of single bits differ). An array that only ran for fewer "
            "cycles would take 1 / "
            f"throughput of the energy; {ENERGY_LIMIT:g} times that is what packing may cost.",
        ),
        tables=(
            Table(
                header=("network", "quantity", "alpha 1", "alpha 8, gamma 0", "alpha 8"),
                rows=tuple(rows),
            ),
            Table(header=KIND_HEADER, rows=tuple(kinds)),
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
        energies = energy_pair(pair, sources, options, periphery=True)
        if energies is not None and energies[1].periphery is not None:
            name = f"{WITH_PERIPHERY}, {options}"
            found[name] = energies[1].total_pj / energies[0].total_pj
    return found


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
    energies = energies_by_kind(measured)
    if energies:
        best = min(energies.values())
        sentences.append(
            f"Energy per sample is {_word(paper.energy[-1], best)} than the paper's "
            f"{paper.energy[-1]:g} at best."
        )
        told = [_within(measured, "energy per sample")]
        if any(name.startswith(WITH_PERIPHERY) for name in measured):
            told.append(f"{_within(measured, WITH_PERIPHERY)} with the periphery")
        sentences.append(
            f"Of {len(energies)} kinds of array within {ENERGY_LIMIT:g} / throughput: "
            f"{', '.join(told)}."
        )
    return " ".join(sentences)


def _within(measured: Mapping[str, float], quantity: str) -> str:
    """How many kinds of array stay within the limit."""
    return str(
        sum(
            measured.get(f"{quantity}, {options}", math.inf)
            <= ENERGY_LIMIT / measured[f"throughput, {options}"]
            for options in energies_by_kind(measured)
        )
    )


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
