"""Throughput, energy and tiles relative to the array without combining, beside the paper's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from systopack.hardware.array import Array
from systopack.hardware.cycles import count_cycles
from systopack.hardware.tiled.cycles import TiledCycles, count_tiled
from systopack.reproduce.content import Column, Drawing, Notes, Section, Table, table_of
from systopack.reproduce.design_points import HEADLINE, design_point
from systopack.reproduce.energies import energy_pair
from systopack.reproduce.experiments import GAMMA_ZERO as GAMMA_ZERO_RUN
from systopack.reproduce.published import PaperNetwork, load_published
from systopack.reproduce.rows import (
    CITED,
    COMPUTED,
    Row,
    Rows,
    distinct,
    recorded,
    select,
    value_of,
)
from systopack.reproduce.sources import SUBJECTS, Pair, Sources

PAPER = "the paper's"  # design point of the paper's figures
GAMMA_ZERO, PACKED = "alpha 8, gamma 0", "alpha 8"
THROUGHPUT, ENERGY, TILES = "throughput", "energy per sample", "tiles"
WITHOUT_PERIPHERY = "energy per sample, array and memories"
WITHOUT_HOST = "throughput, without the host's streams"
ARRAY_ALONE = "throughput, array alone"
IN_VERILOG = "throughput, Verilog simulated"
PRODUCT = "energy x throughput"
_SHARE = "share of the packed network's cycles"


def measure(sources: Sources) -> Rows:
    """The paper's ratios, and ours at the headline's design point."""
    rows: list[Row] = []
    pairs = {pair.subject: pair for pair in sources.pairs}
    for subject in SUBJECTS:
        rows += _papers(load_published().networks[subject.paper])
        if subject in pairs:
            pair = pairs[subject]
            rows += _cycles(pair)
            rows += _energies(pair, sources)
            rows += _in_verilog(pair, sources)
            if subject.paper == "ResNet-20, CIFAR-10":
                rows += _gamma_zero(pair, sources)
    return tuple(rows)


def _papers(network: PaperNetwork) -> Iterator[Row]:
    for quantity, values in (
        (THROUGHPUT, network.throughput),
        (ENERGY, network.energy),
        (TILES, network.tiles),
    ):
        for variant, value in zip((GAMMA_ZERO, PACKED), values[1:], strict=True):
            yield Row(
                network=network.name,
                quantity=quantity,
                variant=variant,
                design_point=PAPER,
                value=value,
                origin=(CITED,),
            )


def _ours(pair: Pair, quantity: str, value: float, **changes: Any) -> Row:
    return Row(
        **{
            "network": pair.subject.paper,
            "quantity": quantity,
            "variant": PACKED,
            "design_point": HEADLINE.name,
            "value": value,
            "origin": (COMPUTED,),
            **changes,
        }
    )


def _cycles(pair: Pair) -> Iterator[Row]:
    dense, packed = pair.dense, pair.packed
    arrays = pair.arrays()
    whole = [count_tiled(n, array=a) for n, a in zip((dense, packed), arrays, strict=True)]
    alone = [count_cycles(n, array=a).cycles for n, a in zip((dense, packed), arrays, strict=True)]
    size = {"rows": arrays[1].rows, "columns": arrays[1].columns}
    yield _ours(pair, THROUGHPUT, whole[0].cycles / whole[1].cycles)
    yield _ours(pair, WITHOUT_HOST, whole[0].compute_cycles / whole[1].compute_cycles)
    yield _ours(pair, ARRAY_ALONE, alone[0] / alone[1])
    yield _ours(pair, TILES, packed.tile_count(**size) / dense.tile_count(**size))
    for variant, share in _where(whole[1]).items():
        yield _ours(pair, _SHARE, share, variant=variant, unit="%")


def _where(count: TiledCycles) -> dict[str, float]:
    """What the cycles are spent on, in percent."""
    layers = [step for step in count.steps if step.kind == "layer"]
    streams = {
        kind: sum(step.stream_cycles for step in count.steps if step.kind == kind)
        for kind in ("pool", "image", "send")
    }
    cycles = {
        "stream words": sum(step.stream_cycles for step in layers),
        "fetch descriptors and words": sum(step.fetch_cycles for step in count.steps),
        "wait for weights or the last word": sum(
            step.stall_cycles + step.drain_cycles for step in count.steps
        ),
        "pool": streams["pool"],
        "carry the image in and results out": streams["image"] + streams["send"],
    }
    return {name: 100 * number / count.cycles for name, number in cycles.items()}


def _energies(pair: Pair, sources: Sources) -> Iterator[Row]:
    marks = (COMPUTED, recorded(sources.coefficients_name))
    energies = energy_pair(pair, sources, periphery=False)
    if energies is None:
        return
    dense, packed = energies
    faster = dense.events.cycles / packed.events.cycles
    own = {"design_point": HEADLINE.name, "origin": marks}
    ratio = packed.total_pj / dense.total_pj
    yield _ours(pair, WITHOUT_PERIPHERY, ratio, **own)
    whole = energy_pair(pair, sources)
    if whole is not None and whole[1].periphery is not None:
        ratio = whole[1].total_pj / whole[0].total_pj
        own["origin"] = (*marks, recorded(sources.periphery_name))
        yield _ours(pair, ENERGY, ratio, **own)
    yield _ours(pair, PRODUCT, ratio * faster, **own)


def _in_verilog(pair: Pair, sources: Sources) -> Iterator[Row]:
    """Cycles of the dense over the packed network, simulated, by design point."""
    known = {item.name for item in fields(Array)}
    for origin, record in sources.records_of("hardware_verify"):
        cycles: dict[str, dict[str, int]] = {}
        for case in record["figures"].values():
            if case["organisation"] == "tiled" and set(case.get("options", "?")) <= known:
                point = design_point(Array(**case["options"]), HEADLINE.gating)
                cycles.setdefault(point.name, {})[case["network"]] = case["cycles_per_image"]
        for name, counts in sorted(cycles.items()):
            dense, packed = counts.get(pair.dense.name), counts.get(pair.packed.name)
            if dense is not None and packed is not None:
                mark = (recorded(origin),)
                yield _ours(pair, IN_VERILOG, dense / packed, design_point=name, origin=mark)


def _gamma_zero(pair: Pair, sources: Sources) -> Iterator[Row]:
    """Our own run with gamma 0, where it has a record: streamed words and tiles."""
    for name, record in sources.records_of("accuracy-resnet20"):
        figures, configuration = record["figures"], record["configuration"]
        if configuration.get("experiment") == GAMMA_ZERO_RUN:
            own = {"variant": GAMMA_ZERO, "origin": (recorded(name),)}
            array = HEADLINE.array
            tiles = pair.dense.tile_count(rows=array.rows, columns=array.columns)
            yield _ours(pair, ARRAY_ALONE, figures["streamed_words_ratio"], **own)
            yield _ours(pair, TILES, figures["tiles_32x32"] / tiles, **own)
            return


def show(rows: Rows, notes: Notes) -> Section:
    """The paper's bars beside ours."""
    told = [select(rows, network=subject.paper) for subject in SUBJECTS]
    verdict = [_verdict(of) for of in told]
    if not select(rows, quantity=WITHOUT_PERIPHERY):
        verdict.append(
            "Energy: there is no record of measured coefficients, so the energy rows of ours are "
            "left out."
        )
    return Section(
        title="Throughput, energy per sample and tiles",
        text=(
            "Relative to an array of the same size without combining: alpha 8 without pruning "
            "conflicts (gamma 0), and alpha 8 with conflicts pruned (the paper: gamma 0.5; "
            "ours: budgets, docs/accuracy.md). Throughput is the ratio of cycles of the whole "
            "tiled accelerator, as the RTL takes them: with the streams from and to the host, and "
            "without them; beside it the array alone, with ideal memories. Energy is that of "
            "array, memories and periphery at gate level, with real activations.",
            f"All numbers of ours are of one design point, {HEADLINE.name}: {notes.headline}. "
            "Energies here are the model's, against the unpruned network; the headline above has "
            "what was measured, against the same sparse network uncombined too.",
        ),
        tables=(_headline_table(rows),),
        drawings=(
            Drawing(
                name="relative",
                caption="Throughput, energy with the periphery, and tiles, the paper's and ours",
                draw=_bars(rows),
            ),
        ),
        verdict=tuple(verdict),
    )


def _headline_table(rows: Rows) -> Table:
    shown = (
        *(THROUGHPUT, WITHOUT_HOST, ARRAY_ALONE, IN_VERILOG),
        *(ENERGY, WITHOUT_PERIPHERY, PRODUCT, TILES),
    )
    return table_of(
        tuple(
            row
            for row in rows
            if row.quantity in shown
            and (row.design_point in (PAPER, HEADLINE.name) or row.quantity == IN_VERILOG)
        ),
        keys={"network": "network", "quantity": "quantity", "design_point": "design point"},
        columns=[
            Column(header=variant, where={"variant": variant}, form=".4g")
            for variant in (GAMMA_ZERO, PACKED)
        ],
    )


def _verdict(rows: Rows) -> str:
    network = rows[0].network
    papers = {row.quantity: row.value for row in select(rows, design_point=PAPER, variant=PACKED)}
    ours = {
        row.quantity: row.value for row in select(rows, design_point=HEADLINE.name, variant=PACKED)
    }
    if not ours:
        return f"{network}: no trained network of ours, so no figures of ours."
    sentences = [
        f"{network}: {ours[THROUGHPUT]:.2f} times the throughput, "
        f"{_word(ours[THROUGHPUT], papers[THROUGHPUT])} than the paper's {papers[THROUGHPUT]:g}; "
        f"{ours[TILES]:.3f} of the tiles, {_word(papers[TILES], ours[TILES])} than "
        f"{papers[TILES]:g}."
    ]
    energy = ours.get(ENERGY, ours.get(WITHOUT_PERIPHERY))
    if energy is not None:
        beside = "" if ENERGY in ours else " without the periphery, which was not measured"
        sentences.append(
            f"Energy per sample is {energy:.3f}{beside}, {_word(papers[ENERGY], energy)} than the "
            f"paper's {papers[ENERGY]:g}."
        )
    shares = select(rows, quantity=_SHARE)
    told = ", ".join(f"{row.value:.0f} % {row.variant}" for row in shares)
    return " ".join([*sentences, f"Of the packed network's cycles {told}."])


def _word(ours: float, theirs: float) -> str:
    """How `ours` compares where more is better."""
    if abs(ours - theirs) <= 0.01 * abs(theirs):
        return "no better or worse"
    return "better" if ours > theirs else "worse"


def _bars(rows: Rows) -> Any:
    def draw(figure: Any) -> None:
        names = distinct(rows, "network")
        for index, quantity in enumerate((THROUGHPUT, ENERGY, TILES)):
            axes = figure.add_subplot(1, 3, index + 1)
            for shift, point, color in ((-0.2, PAPER, "gray"), (0.2, HEADLINE.name, "blue")):
                for place, name in enumerate(names):
                    where = {"network": name, "design_point": point, "variant": PACKED}
                    value = value_of(rows, quantity=quantity, **where) or 0.0
                    axes.bar(place + shift, value, 0.4, color=f"tab:{color}")
            axes.axhline(1, color="black", linewidth=0.5)
            axes.set_xticks(
                range(len(names)),
                [name.replace(", ", "\n") for name in names],
                rotation=30,
                fontsize=7,
            )
            axes.set_title(f"{quantity} / alpha 1", fontsize=9)
        figure.suptitle(f"gray: the paper's, blue: ours, {HEADLINE.name}", fontsize=8)

    return draw
