"""What the benchmarks share: records, timing, and networks that are trained, quantized, tested."""

from __future__ import annotations

import statistics
import time
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from systopack.records import STORE, Record, read_record, sha256_of_file

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
SIZE = 32  # rows and columns of the array that networks are counted on


def arguments(doc: str | None, *, data: bool = False, out: bool = False) -> ArgumentParser:
    """A parser with the options that many benchmarks have.

    Args:
        doc: the benchmark's own text.
        data: with --data, the folder of data sets.
        out: with --seed, --precision and --out, the folder of a training run.
    """
    parser = ArgumentParser(description=doc)
    if data:
        parser.add_argument("--data", type=Path, default=DATA, help="folder of data sets")
    if out:
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--precision", default="bf16-mixed")
        parser.add_argument("--out", type=Path, default=Path("runs"))
    return parser


def save(
    name: str,
    figures: Mapping[str, Any],
    *,
    configuration: Mapping[str, Any] | None = None,
    seed: int | None = 0,
    inputs: Sequence[Path] = (),
) -> None:
    """Print the figures and write the record of a benchmark, which has its name."""
    print(figures)
    Record(
        kind=name,
        figures=figures,
        configuration=configuration or {},
        seed=seed,
        inputs={path.name: sha256_of_file(path) for path in inputs},
    ).write(STORE / f"{name}.json")


def kept_cases(name: str) -> dict[str, Any]:
    """The figures of a record that is measured case by case, where there is one."""
    path = STORE / f"{name}.json"
    return dict(read_record(path)["figures"]) if path.exists() else {}


def timed(work: Callable[..., Any], *inputs: Any, **options: Any) -> tuple[Any, float]:
    """What a call gives, and its wall time in seconds."""
    started = time.perf_counter()
    found = work(*inputs, **options)
    return found, time.perf_counter() - started


def seconds_of(work: Callable[[], object], *, repeats: int) -> list[float]:
    """Wall times, ascending."""
    return sorted(timed(work)[1] for _ in range(repeats))


def median_s(work: Callable[[], object], *, repeats: int) -> float:
    """The median wall time."""
    return statistics.median(seconds_of(work, repeats=repeats))
