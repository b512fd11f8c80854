"""Accuracy against alpha, gamma and the share of the training images, from records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from systopack.network.packaged import packaged_names, record_file
from systopack.records import read_record
from systopack.reproduce.content import Drawing, Notes, Section, Table, columns, table_of
from systopack.reproduce.experiments import MAIN, SWEEPS
from systopack.reproduce.published import load_published
from systopack.reproduce.rows import (
    CITED,
    Row,
    Rows,
    distinct,
    recorded,
    rows_of,
    select,
    value_of,
)
from systopack.reproduce.sources import Sources

DENSE, PACKED, DIFFERENCE = "accuracy, dense", "accuracy, packed", "difference"
LEAST, LARGEST, SEEDS = "accuracy, packed, least", "accuracy, packed, largest", "seeds"
CELLS, EFFICIENCY = "cells", "packing efficiency"
_RESNET, _LENET, _VGG = "ResNet-20, CIFAR-10", "LeNet-5, MNIST", "VGG-16, CIFAR-10"
_LABELS = {
    "alpha": "alpha, at gamma 0.5",
    "gamma": "gamma, at alpha 8",
    "fraction": "share of the training images, pretrained",
    "scratch": "share of the training images, from scratch",
    "long-scratch": "the same, six times the steps",
}
_SHARES = (
    ("fraction", "pretrained, then packed", "o-"),
    ("scratch", "from scratch, then packed", "s--"),
    ("long-scratch", "from scratch, six times the steps", "^:"),
)


def measure(sources: Sources) -> Rows:
    """What packing costs, and how it depends on alpha, gamma and data."""
    rows: list[Row] = []
    for name, network in load_published().networks.items():
        dense, packed = network.accuracy_percent[0], network.accuracy_percent[-1]
        rows += _run(name, "paper", dense, packed, origin=CITED)
    runs = [
        (str(record["configuration"]["experiment"]), name, record)
        for name, record in sources.records_of("accuracy-resnet20")
        if "packed_8_bit_percent" in record["figures"]
    ]
    for wanted, label in MAIN.items():
        for experiment, name, record in runs:
            if experiment == wanted:
                mark = recorded(name)
                percents = accuracies(record["figures"])
                rows += _run(_RESNET, f"ours, {label}", *percents, origin=mark, seed=record["seed"])
    rows += _lenet(sources)
    rows += _packaged()
    for sweep in _LABELS:
        for experiment, value in SWEEPS[sweep].items():
            rows += _point(sweep, value, [run[1:] for run in runs if run[0] == experiment])
    return tuple(rows)


def _run(
    network: str,
    variant: str,
    dense: float,
    packed: float,
    *,
    origin: str,
    seed: int | None = None,
) -> Iterator[Row]:
    numbers = (
        (DENSE, dense, "%"),
        (PACKED, packed, "%"),
        (DIFFERENCE, packed - dense, "points"),
    )
    return rows_of(numbers, network=network, variant=variant, seed=seed, origin=(origin,))


def accuracies(figures: Mapping[str, Any]) -> tuple[float, float]:
    """Of the dense network in floating point and of the packed one in 8 bit, in percent."""
    images = figures["test_images"]
    return 100 * figures["dense_float_correct"] / images, figures["packed_8_bit_percent"]


def packaged_record(name: str) -> dict[str, Any]:
    """The record of a network that comes with the package."""
    return read_record(record_file(name))


def _lenet(sources: Sources) -> Iterator[Row]:
    for name, record in sources.records_of("mnist"):
        for run in record["figures"]["runs"]:
            for key, label in (("packed", "all images"), ("packed_with_a_tenth", "10 % of them")):
                mark, percents = recorded(name), accuracies(run[key])
                yield from _run(_LENET, f"ours, {label}", *percents, origin=mark, seed=run["seed"])


def _packaged() -> Iterator[Row]:
    """Networks of the package that are in the other tables and that no run above has made."""
    for name in ("lenet5-mnist", "vgg16-shift-cifar10"):
        if name in packaged_names():
            record = packaged_record(name)
            of, label = _LENET, f"ours, `zoo:{name}`"
            if record["kind"] == "accuracy-shift":
                setup = record["configuration"]
                of, epochs = _VGG, setup["packed"]["fine_tune_epochs"]
                label += f", {setup['dense']['epochs']} + {epochs} epochs"
            mark, percents = recorded(record_file(name).name), accuracies(record["figures"])
            yield from _run(of, label, *percents, origin=mark, seed=record["seed"])


def _point(sweep: str, value: float, runs: list[tuple[str, dict[str, Any]]]) -> Iterator[Row]:
    """The mean of a sweep's runs at one value, with the least and the largest accuracy."""
    if not runs:
        return
    percents = [record["figures"]["packed_8_bit_percent"] for _, record in runs]
    means = {
        quantity: sum(record["figures"][name] for _, record in runs) / len(runs)
        for quantity, name in ((CELLS, "packed_cells_ratio"), (EFFICIENCY, "packing_efficiency"))
    }
    numbers = (
        (PACKED, sum(percents) / len(runs), "%"),
        (LEAST, min(percents), "%"),
        (LARGEST, max(percents), "%"),
        (SEEDS, len(runs), ""),
        *((quantity, mean, "") for quantity, mean in means.items()),
    )
    origin = tuple(recorded(name) for name, _ in runs)
    about = {"network": _RESNET, "variant": _LABELS[sweep], "at": float(value)}
    yield from rows_of(numbers, origin=origin, **about)


def show(rows: Rows, _: Notes) -> Section:
    """Tables of runs and sweeps, and the sweeps' curves."""
    runs = tuple(row for row in rows if row.at is None)
    sweeps = tuple(row for row in rows if row.at is not None)
    tables = [
        table_of(
            runs,
            keys={"network": "network", "variant": "run", "seed": "seed", "origin": ""},
            columns=columns(
                ("dense, %", DENSE, ".2f"),
                ("packed, 8 bit, %", PACKED, ".2f"),
                ("points", DIFFERENCE, "+.2f"),
            ),
        )
    ]
    if sweeps:
        tables.append(_sweep_table(sweeps))
    missing = [label for label in _LABELS.values() if not select(rows, variant=label)]
    return Section(
        title="Accuracy",
        text=(
            "Top-1 on all 10,000 test images; of sweeps the mean over the seeds. Training takes "
            "hours, so all accuracies of ours come from records; docs/accuracy.md says how each "
            "run was made.",
            *([f"No record yet: {', '.join(missing)}."] if missing else []),
        ),
        tables=tuple(tables),
        drawings=tuple(_drawings(rows)),
        verdict=tuple(text for name in distinct(runs, "network") if (text := _verdict(runs, name))),
    )


def _verdict(runs: Rows, network: str) -> str:
    """What packing costs the first run of a network, that of all images; "" without one."""
    found = select(runs, network=network, quantity=PACKED)
    ours = [row for row in found if row.variant != "paper"]
    theirs = value_of(runs, network=network, quantity=DIFFERENCE, variant="paper")
    if not ours or theirs is None:
        return ""
    run = ours[0]
    about = {"network": network, "variant": run.variant, "seed": run.seed}
    lost = value_of(runs, quantity=DIFFERENCE, **about)
    assert lost is not None  # of the same run
    word = "better" if lost > theirs else "worse" if lost < theirs else "no better or worse"
    return (
        f"{network}: {run.value:.2f} % packed, in 8 bit ({run.variant}), {lost:+.2f} points from "
        f"its dense network: {word} than the paper's {theirs:+.2f}, whose dense network is another."
    )


def _sweep_table(sweeps: Rows) -> Table:
    return table_of(
        sweeps,
        keys={"variant": "sweep", "at": "value"},
        columns=columns(
            ("packed, 8 bit, %", PACKED, ".2f"),
            ("least, %", LEAST, ".2f"),
            ("largest, %", LARGEST, ".2f"),
            ("seeds", SEEDS, "d"),
            ("cells", CELLS, ".3f"),
            ("packing efficiency", EFFICIENCY, ".3f"),
        ),
    )


def _curve(rows: Rows, sweep: str, quantity: str = PACKED) -> tuple[list[float], list[float]]:
    """Values and heights of a sweep's curve, in percent."""
    found = select(rows, variant=_LABELS[sweep], quantity=quantity)
    scale = 1 if quantity == PACKED else 100
    return [row.at or 0.0 for row in found], [scale * row.value for row in found]


def _drawings(rows: Rows) -> Iterator[Drawing]:
    for sweep in ("alpha", "gamma"):
        if len(_curve(rows, sweep)[0]) > 1:
            yield Drawing(
                name=f"accuracy-{sweep}",
                caption=f"Accuracy of the packed ResNet-20 against {_LABELS[sweep]}",
                draw=_draw_sweep(rows, sweep),
            )
    if len(_curve(rows, "fraction")[0]) > 1:
        yield Drawing(
            name="accuracy-data",
            caption="Accuracy against the share of the training images",
            draw=_draw_shares(rows),
        )


def _draw_sweep(rows: Rows, sweep: str) -> Callable[[Any], None]:
    def draw(figure: Any) -> None:
        left = figure.add_subplot()
        right = left.twinx()
        left.plot(*_curve(rows, sweep), "o-", color="tab:blue")
        right.plot(*_curve(rows, sweep, EFFICIENCY), "s--", color="tab:orange")
        left.set_xlabel(_LABELS[sweep])
        left.set_ylabel("8-bit accuracy (%)", color="tab:blue")
        right.set_ylabel("packing efficiency (%)", color="tab:orange")

    return draw


def _draw_shares(rows: Rows) -> Callable[[Any], None]:
    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        ticks: set[float] = set()
        for sweep, label, mark in _SHARES:
            values, percents = _curve(rows, sweep)
            ticks.update(100 * value for value in values)
            axes.plot([100 * value for value in values], percents, mark, label=label)
        axes.set_xscale("log")
        axes.set_xticks(sorted(ticks), [f"{tick:g}" for tick in sorted(ticks)])
        axes.minorticks_off()
        axes.set_xlabel("training images read (%)")
        axes.set_ylabel("8-bit accuracy (%)")
        axes.legend()

    return draw
