"""The tables of docs/related-accelerators.md, from the records of retraining."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import answers
import pages

from systopack.records import STORE, read_record

NAMES = {  # constraint -> what weights may be
    "dense": "dense, not retrained",
    "dense-0.875": "dense, 7/8 of the channels",
    "dense-0.75": "dense, 3/4 of the channels",
    "dense-0.625": "dense, 5/8 of the channels",
    "dense-0.5": "dense, half of the channels",
    "combining": "column combining, alpha 8",
    "two-kept-of-8": "groups of 8 that keep two",
    "3-of-8": "3:8",
    "2-of-8": "2:8",
    "1-of-4": "1:4",
    "k-of-8": "k:8, k by layer",
    "unstructured-0.25": "any quarter of a layer",
    "combining-small": "column combining, alpha 8, fewest cells",
    "two-kept-of-16": "groups of 16 that keep two",
    "1-of-8": "1:8",
    "unstructured-0.125": "any eighth of a layer",
}
SCHEDULES = ("tenth", "all", "all-long")
_PARTS = ("products", "registers", "buffers", "total")
_COLUMNS = {
    "weights": "{name}",
    "data": "{data}",
    "nonzeros": "{share:.3f}",
    "8 bit, %": "{percent}",
    "seeds": "{seeds}",
    "runs on": "{design}",
    "cycles": "{cycles:,.0f}",
    "energy, uJ": "{total:.2f}",
    "products": "{products:.2f}",
    "registers": "{registers:.2f}",
    "buffers": "{buffers:.2f}",
}
Runs = Mapping[tuple[str, str], list[dict[str, Any]]]  # schedule, constraint -> each seed


def read_runs() -> Runs:
    """Every run there is a record of, in the order of the seeds."""
    runs: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for path in sorted((STORE / "related").glob("*.json")):
        record = read_record(path)
        own = record["configuration"]
        epochs = f"{own['epochs']} epoch{'s' if own['epochs'] > 1 else ''}"
        data = f"{100 * own['fraction']:.0f} %, {epochs}" if own["epochs"] else "-"
        figures = {"data": data, **record["figures"]}
        runs.setdefault((own["schedule"], own["constraint"]), []).append(figures)
    return runs


def line(name: str, of: list[dict[str, Any]]) -> dict[str, Any]:
    """What a constraint reached; energy and cycles are means over the seeds."""
    percents = [run["percent_8_bit"] for run in of]
    spread = f" ({min(percents):.2f} to {max(percents):.2f})" if len(of) > 1 else ""
    return {
        "name": NAMES[name],
        "data": of[0]["data"],
        "share": pages.mean(run["nonzeros"] / run["dense_weights"] for run in of),
        "percent": f"{pages.mean(percents):.2f}{spread}",
        "seeds": len(of) if name != "dense" else "-",
        "design": of[0]["design"],
        "cycles": pages.mean(run["cycles"] for run in of),
        **{part: pages.mean(run["energy_pj"][part] for run in of) / 1e6 for part in _PARTS},
    }


def retrained(runs: Runs) -> list[str]:
    """Every constraint and schedule there is a record of, and those there is none of."""
    lines, missing = [], []
    for schedule in SCHEDULES:
        for name, text in NAMES.items():
            if (schedule, name) in runs:
                lines.append(line(name, runs[schedule, name]))
            elif name != "dense" and any(of == schedule for of, _ in runs):
                missing.append(f"{text} ({schedule})")
    table = pages.table_of(_COLUMNS, lines)
    return [*table, "", f"Without a record: {'; '.join(missing)}."] if missing else table


def blocks() -> dict[str, list[str]]:
    """Every table as the records have it."""
    return {"answer": answers.related(), "retrained": retrained(read_runs())}
