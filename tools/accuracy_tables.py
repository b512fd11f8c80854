"""The tables of docs/accuracy.md, from the records of accuracy, shift and speed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pages
from pages import table

from systopack.records import STORE, read_record

Runs = Mapping[str, list[dict[str, Any]]]  # experiment -> figures of each seed
NAMES = {
    "ours-full": "budgets, all data",
    "ours-full-fast": "budgets, 4.2 times fewer words asked for, all data",
    "ours-10": "budgets, 10 % of the data",
    "plain-10": "the paper's loop, 10 % of the data",
    "ours-10-small": "budgets, cells at most 0.18, 10 % of the data",
    "ours-10-small-long": "the same, 120 epochs instead of 40",
    "ours-10-mixed": "budgets with CutMix, 10 % of the data",
    "ours-10-mixed-small": "budgets with CutMix, cells at most 0.18, 10 % of the data",
    "plain-10-gentle": "the paper's loop, a fifth of the learning rate, 10 % of the data",
    "plain-10-small": "the paper's loop, lower rho, 10 % of the data",
    "every-iteration": "groups found again in each of 5 iterations",
    "last-iteration": "magnitude pruning in 4 iterations, grouped in the 5th",
    "one-shot": "pruned and grouped once, then retrained",
    "fisher": "one-shot, Fisher information decides who survives",
}
RESULTS = (
    "ours-full",
    "ours-full-fast",
    "ours-10",
    "ours-10-mixed",
    "plain-10",
    "plain-10-gentle",
    "ours-10-mixed-small",
    "ours-10-small",
    "ours-10-small-long",
    "plain-10-small",
)
WAYS = ("every-iteration", "last-iteration", "one-shot", "fisher")


def read_runs() -> Runs:
    """Every run there is a record of, by experiment, in the order of the seeds."""
    runs: dict[str, list[dict[str, Any]]] = {}
    for path in sorted((STORE / "accuracy").glob("*.json")):
        record = read_record(path)
        name = str(record["configuration"]["experiment"])
        runs.setdefault(name, []).append({"seed": record["seed"], **record["figures"]})
    return runs


_RATIOS = {"cells": "{packed_cells_ratio:.3f}", "times fewer words": "{streamed_words_ratio:.2f}"}


def means(name: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The mean of every number over the seeds, with the run's name."""
    numbers = [key for key, value in runs[0].items() if isinstance(value, int | float)]
    return {"name": NAMES[name], **{key: pages.mean(run[key] for run in runs) for key in numbers}}


def points(run: Mapping[str, Any]) -> float:
    """What packing costs against the dense network."""
    return 100 * (run["only_packed_correct"] - run["only_dense_correct"]) / run["test_images"]


def results(runs: Runs) -> list[str]:
    """Correct answers of every seed, the paired difference to the dense network, and means."""
    lines = []
    for name in RESULTS:
        of = runs.get(name, [])
        for run in of:
            pair = f" (+{run['only_packed_correct']} -{run['only_dense_correct']})"
            told = f"{points(run):+.2f}{pair}"
            lines.append({**means(name, [run]), "of": run["seed"], "points": told})
        if len(of) > 1:
            mean = means(name, of)
            lines.append({**mean, "of": f"mean of {len(of)}", "points": f"{points(mean):+.2f}"})
    return pages.table_of(
        {
            "run": "{name}",
            "seed": "{of}",
            "8 bit correct": "{packed_8_bit_correct:,.0f}",
            "float correct": "{packed_float_correct:,.0f}",
            "points against dense": "{points}",
            **_RATIOS,
            "tiles": "{tiles_32x32:.0f}",
        },
        lines,
    )


def ways(runs: Runs) -> list[str]:
    """What joint optimization is worth."""
    lines = []
    for name in (name for name in WAYS if name in runs):
        percents = [run["packed_8_bit_percent"] for run in runs[name]]
        of = f": {min(percents):.2f} to {max(percents):.2f}" if len(percents) > 1 else ""
        lines.append({**means(name, runs[name]), "seeds": f"{len(percents)}{of}"})
    columns = {"way": "{name}", "8 bit, %": "{packed_8_bit_percent:.2f}", **_RATIOS}
    return pages.table_of({**columns, "seeds": "{seeds}"}, lines)


def shift(_: Runs) -> list[str]:
    """Shift networks trained by this project."""
    lines = []
    for path in sorted((STORE / "shift").glob("*.json")):
        record = read_record(path)
        run = record["figures"]
        percents = {
            f"{which}_percent": 100 * run[f"{which}_float_correct"] / run["test_images"]
            for which in ("dense", "packed")
        }
        lines.append({**record["configuration"], "seed": record["seed"], **run, **percents})
    columns = {
        "network": "{network}",
        "seed": "{seed}",
        "epochs, dense + packed": "{dense[epochs]} + {packed[fine_tune_epochs]}",
        "dense, %": "{dense_percent:.2f}",
        "packed, float, %": "{packed_percent:.2f}",
        "packed, 8 bit, %": "{packed_8_bit_percent:.2f}",
    }
    return pages.table_of({**columns, **_RATIOS}, lines)


def speed(_: Runs) -> list[str]:
    """Images a second, and what regrouping takes."""
    figures = pages.figures("training_speed")
    rows = [
        [
            f"images a second, {precision}",
            f"{of['run_images_per_s']:.0f} against {of['plain_torch_images_per_s']:.0f} "
            f"({of['ratio']:.2f}; rounds {of['least_ratio_of_a_round']:.2f} to "
            f"{of['largest_ratio_of_a_round']:.2f})",
        ]
        for precision, of in figures.items()
        if precision != "regrouping"
    ]
    found = figures["regrouping"]
    seconds = found["fisher_information_s"] + found["allotting_and_packing_s"]
    rows += [
        [
            "regrouping with budgets",
            f"{seconds:.1f} s, {100 * found['budgets_share_of_an_epoch']:.1f} % of an epoch of all "
            f"images, {100 * found['budgets_share_of_40_epochs_regrouped_once']:.2f} % of a run",
        ],
        [
            "regrouping in the paper's loop",
            f"{found['paper_loop_grouping_s']:.2f} s, "
            f"{100 * found['paper_loop_share_of_an_epoch']:.2f} % of an epoch of all images",
        ],
    ]
    return table("what | measured", rows)


def rates(_: Runs) -> list[str]:
    """The measured learning rate beside fixed ones."""
    figures = pages.figures("learning_rates")
    fixed = [key for key in next(iter(figures.values())) if key != "measured"]
    rows = []
    for network, runs in figures.items():
        measured = runs["measured"]
        cells = [
            "diverges, stops" if runs[key]["diverged"] else f"{runs[key]['held_out_percent']:.2f}"
            for key in fixed
        ]
        rows.append(
            [
                network,
                f"{measured['cells']:.3f} / {measured['streamed_words_ratio']:.2f}",
                f"{measured['dense_held_out_percent']:.2f}",
                f"{measured['held_out_percent']:.2f} (at {measured['learning_rate']:g})",
                *cells,
            ]
        )
    at = " | ".join(f"at {key}" for key in fixed)
    return table(f"network | cells / times fewer words | dense | rate measured | {at}", rows)


TABLES: Mapping[str, Callable[[Runs], list[str]]] = {
    "results": results,
    "ways": ways,
    "shift": shift,
    "speed": speed,
    "rates": rates,
}


def blocks() -> dict[str, list[str]]:
    """Every table as the records have it."""
    runs = read_runs()
    return {name: make(runs) for name, make in TABLES.items()}
