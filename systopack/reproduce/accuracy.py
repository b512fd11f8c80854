"""Accuracy against alpha, gamma and the share of the training images, from records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from systopack.network.packaged import network_file, packaged_names
from systopack.records import read_record
from systopack.reproduce.content import CITED, Drawing, Section, Table, recorded
from systopack.reproduce.published import load_published
from systopack.reproduce.sources import Sources

Point = tuple[float, float, float, str]  # value, accuracy, packing efficiency, records
_SHARED = "gamma-0.5"  # belongs to the sweep of alpha too, as alpha 8
_LABELS = {
    "alpha": "alpha, at gamma 0.5",
    "gamma": "gamma, at alpha 8",
    "fraction": "share of the training images, pretrained",
    "scratch": "share of the training images, from scratch",
}
_MAIN = {
    "ours-full": "all training images",
    "ours-10": "10 % of the training images",
    "plain-10": "the paper's loop, 10 % of the training images",
    "ours-10-small": "10 % of the images, cells at most 0.18",
    "ours-10-mixed-small": "the same with mixed images (CutMix)",
}


def accuracy(sources: Sources) -> Section:
    """What packing costs, and how it depends on alpha, gamma and data."""
    runs = _runs(sources)
    published = load_published()
    rows: list[tuple[str, ...]] = [
        (
            name,
            "paper",
            f"{network.accuracy_percent[0]:.2f}",
            f"{network.accuracy_percent[-1]:.2f}",
            f"{network.accuracy_percent[-1] - network.accuracy_percent[0]:+.2f}",
            CITED,
        )
        for name, network in published.networks.items()
    ]
    rows += _resnet(runs)
    rows += _lenet(sources)
    rows += _packaged()
    sweeps: list[tuple[str, ...]] = []
    figures: dict[str, Any] = {}
    points = {name: _points(runs, name) for name in _LABELS}
    for name, found in points.items():
        figures[name] = [[value, percent, efficiency] for value, percent, efficiency, _ in found]
        sweeps += [
            (_LABELS[name], f"{value:g}", f"{percent:.2f}", f"{efficiency:.3f}", recorded(origin))
            for value, percent, efficiency, origin in found
        ]
    missing = [_LABELS[name] for name, found in points.items() if not found]
    tables = [
        Table(header=("network", "run", "dense, %", "packed, 8 bit, %", "points"), rows=tuple(rows))
    ]
    if sweeps:
        tables.append(
            Table(
                header=("sweep", "value", "packed, 8 bit, %", "packing efficiency"),
                rows=tuple(sweeps),
            )
        )
    drawings = [
        Drawing(
            name=f"accuracy-{name}",
            caption=f"Accuracy of the packed ResNet-20 against {_LABELS[name]}",
            draw=_curve(points[name], _LABELS[name]),
        )
        for name in ("alpha", "gamma")
        if len(points[name]) > 1
    ]
    if len(points["fraction"]) > 1:
        drawings.append(
            Drawing(
                name="accuracy-data",
                caption="Accuracy against the share of the training images",
                draw=_fractions(points["fraction"], points["scratch"]),
            )
        )
    verdict = [
        "Training takes hours, so all accuracies of ours come from records; docs/accuracy.md says "
        "how each run was made."
    ]
    if missing:
        verdict.append(f"No record yet: {', '.join(missing)}.")
    return Section(
        title="Accuracy",
        text=("Top-1 on all 10,000 test images.",),
        tables=tuple(tables),
        drawings=tuple(drawings),
        verdict=tuple(verdict),
        figures=figures,
    )


def _runs(sources: Sources) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    runs: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for name, record in sources.records_of("accuracy-resnet20"):
        if "packed_8_bit_percent" in record["figures"]:
            experiment = str(record["configuration"]["experiment"])
            runs.setdefault(experiment, []).append((name, record["figures"]))
    return runs


def _resnet(runs: dict[str, list[tuple[str, dict[str, Any]]]]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for experiment, label in _MAIN.items():
        for name, figures in runs.get(experiment, []):
            dense = 100 * figures["dense_float_correct"] / figures["test_images"]
            packed = figures["packed_8_bit_percent"]
            rows.append(
                (
                    "ResNet-20, CIFAR-10",
                    f"ours, {label}",
                    f"{dense:.2f}",
                    f"{packed:.2f}",
                    f"{packed - dense:+.2f}",
                    recorded(name),
                )
            )
    return rows


def _lenet(sources: Sources) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, record in sources.records_of("mnist"):
        total = record["figures"]["test_images"]
        for run in record["figures"]["runs"]:
            dense = 100 * run["dense_correct"] / total
            for key, label in (("packed", "all images"), ("packed_with_a_tenth", "10 % of them")):
                packed = 100 * run[key]["correct_8_bit"] / total
                rows.append(
                    (
                        "LeNet-5, MNIST",
                        f"ours, {label}",
                        f"{dense:.2f}",
                        f"{packed:.2f}",
                        f"{packed - dense:+.2f}",
                        recorded(name),
                    )
                )
    return rows


def _packaged() -> list[tuple[str, ...]]:
    """Networks of the package that are in the other tables and that no run above has made."""
    rows: list[tuple[str, ...]] = []
    for name in packaged_names():
        record = read_record(network_file(Path(f"zoo:{name}")).with_suffix(".json"))
        figures, setup = record["figures"], record["configuration"]
        if record["kind"] == "accuracy-shift":
            epochs = f"{setup['dense']['epochs']} + {setup['packed']['fine_tune_epochs']}"
            of, label = "VGG-16, CIFAR-10", f"ours, `zoo:{name}`, {epochs} epochs"
            correct = figures["packed_8_bit_correct"]
        elif record["kind"] == "lenet5-packaged" and not name.endswith("-dense"):
            of, label = "LeNet-5, MNIST", f"ours, `zoo:{name}`"
            correct = figures["correct_8_bit"]
        else:
            continue
        dense = 100 * figures["dense_float_correct"] / figures["test_images"]
        packed = 100 * correct / figures["test_images"]
        rows.append(
            (
                of,
                label,
                f"{dense:.2f}",
                f"{packed:.2f}",
                f"{packed - dense:+.2f}",
                recorded(f"zoo_data/{name}.json"),
            )
        )
    return rows


def _points(runs: dict[str, list[tuple[str, dict[str, Any]]]], prefix: str) -> list[Point]:
    found = []
    for experiment, of in runs.items():
        kind, dash, value = experiment.partition("-")
        if experiment == _SHARED and prefix == "alpha":
            value = "8"
        elif kind != prefix or not dash:
            continue
        found.append(
            (
                float(value),
                sum(figures["packed_8_bit_percent"] for _, figures in of) / len(of),
                sum(figures["packing_efficiency"] for _, figures in of) / len(of),
                ", ".join(name for name, _ in of),
            )
        )
    return sorted(found)


def _curve(points: list[Point], label: str) -> Any:
    def draw(figure: Any) -> None:
        left = figure.add_subplot()
        right = left.twinx()
        values = [point[0] for point in points]
        left.plot(values, [point[1] for point in points], "o-", color="tab:blue")
        right.plot(values, [100 * point[2] for point in points], "s--", color="tab:orange")
        left.set_xlabel(label)
        left.set_ylabel("8-bit accuracy (%)", color="tab:blue")
        right.set_ylabel("packing efficiency (%)", color="tab:orange")

    return draw


def _fractions(ours: list[Point], scratch: list[Point]) -> Any:
    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        for points, mark, label in ((ours, "o-", "pretrained"), (scratch, "s--", "from scratch")):
            if points:
                axes.plot(
                    [100 * point[0] for point in points],
                    [point[1] for point in points],
                    mark,
                    label=f"{label}, then packed",
                )
        axes.set_xscale("log")
        ticks = sorted({100 * point[0] for point in (*ours, *scratch)})
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel("training images read (%)")
        axes.set_ylabel("8-bit accuracy (%)")
        axes.legend()

    return draw
