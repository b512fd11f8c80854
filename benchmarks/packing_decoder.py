"""Pack every 2-D weight of a decoder of 7 billion parameters, one layer in memory at a time.

The shapes are those of a common 7-billion-parameter decoder; the weights are normal numbers of
which a tenth is kept by magnitude. With 32 blocks it takes minutes; `--blocks 1` is a taste.

python benchmarks/packing_decoder.py --blocks 32
"""

from __future__ import annotations

import argparse
import math
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.packing.bounds import combinatorial_bound
from systopack.packing.matrix import PackedMatrix
from systopack.packing.pack import pack
from systopack.packing.problem import grouping_problem
from systopack.packing.rule import PackingRule
from systopack.records import Record

RECORD = Path(__file__).parent / "records" / "packing_decoder.json"
ALPHA, GAMMA, DENSITY = 8, 0.5, 0.1
WIDTH, INNER, WORDS, BLOCKS = 4096, 11008, 32000, 32
_CUT = 1.6448536  # a tenth of normal numbers is larger in magnitude
_BLOCK = {
    "attention.query": (WIDTH, WIDTH),
    "attention.key": (WIDTH, WIDTH),
    "attention.value": (WIDTH, WIDTH),
    "attention.output": (WIDTH, WIDTH),
    "feed_forward.gate": (INNER, WIDTH),
    "feed_forward.up": (INNER, WIDTH),
    "feed_forward.down": (WIDTH, INNER),
}


def layers(blocks: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Name and shape of every layer."""
    for block in range(blocks):
        for name, shape in _BLOCK.items():
            yield f"block{block}.{name}", shape
    yield "head", (WORDS, WIDTH)


def pruned_weights(shape: tuple[int, int], seed: int) -> NDArray[np.float32]:
    """Normal weights without the small ones, made row by row so that no second copy exists."""
    rng = np.random.default_rng(seed)
    weights = np.empty(shape, dtype=np.float32)
    for row in weights:
        row[:] = rng.standard_normal(row.size, dtype=np.float32)
        row[np.abs(row) < _CUT] = 0
    return weights


def squared_norm(values: NDArray[np.float32]) -> float:
    """The sum of squares, row by row in double precision."""
    return sum(float(np.square(row, dtype=np.float64).sum()) for row in values)


def peak_bytes() -> int:
    """The largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def pack_layer(shape: tuple[int, int], seed: int) -> dict[str, Any]:
    """Make, pack and measure one layer; nothing of it stays."""
    began = time.perf_counter()
    weights = pruned_weights(shape, seed)
    made = time.perf_counter()
    packed: PackedMatrix = pack(weights, alpha=ALPHA, gamma=GAMMA)
    done = time.perf_counter()
    problem = grouping_problem(weights, rule=PackingRule(alpha=ALPHA, gamma=GAMMA))
    return {
        "rows": shape[0],
        "columns": shape[1],
        "nonzeros": int(problem.starts[-1]),
        "groups": len(packed.groups),
        "groups_lower_bound": combinatorial_bound(problem).groups,
        "packing_efficiency": packed.packing_efficiency,
        "squared_norm_kept": squared_norm(packed.values) / squared_norm(weights),
        "make_s": made - began,
        "pack_s": done - made,
    }


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=BLOCKS)
    parser.add_argument("--record", type=Path, default=RECORD)
    options = parser.parse_args()
    for shape in ((64, 64), (64, 9000)):  # compile before the clock runs
        pack(pruned_weights(shape, 0), alpha=ALPHA, gamma=GAMMA)
    before = peak_bytes()
    began = time.perf_counter()
    measured: dict[str, dict[str, Any]] = {}
    for seed, (name, shape) in enumerate(layers(options.blocks)):
        measured[name] = pack_layer(shape, seed)
        print(
            f"{name:32} {shape[0]:5} x {shape[1]:5}  {measured[name]['groups']:5} groups  "
            f"{measured[name]['pack_s']:6.2f} s  {time.perf_counter() - began:7.1f} s in all",
            flush=True,
        )
    largest = max(math.prod(shape) for _, shape in layers(options.blocks))
    parameters = sum(layer["rows"] * layer["columns"] for layer in measured.values())
    peak = peak_bytes()
    totals = {
        "layers": len(measured),
        "parameters": parameters,
        "nonzeros": sum(layer["nonzeros"] for layer in measured.values()),
        "packed_cells_ratio": sum(la["rows"] * la["groups"] for la in measured.values())
        / parameters,
        "squared_norm_kept_least": min(layer["squared_norm_kept"] for layer in measured.values()),
        "squared_norm_kept_mean": sum(
            la["squared_norm_kept"] * la["nonzeros"] for la in measured.values()
        )
        / sum(layer["nonzeros"] for layer in measured.values()),
        "pack_s": sum(layer["pack_s"] for layer in measured.values()),
        "pack_slowest_s": max(layer["pack_s"] for layer in measured.values()),
        "make_s": sum(layer["make_s"] for layer in measured.values()),
        "total_s": time.perf_counter() - began,
        "peak_process_bytes": peak,
        "peak_before_bytes": before,
        "largest_layer_bytes": 4 * largest,
        "peak_over_largest_layer": peak / (4 * largest),
    }
    print(totals)
    Record(
        kind="packing_decoder",
        figures={"total": totals, "layers": measured},
        configuration={
            "alpha": ALPHA,
            "gamma": GAMMA,
            "density": DENSITY,
            "policy": "least-loss",
            "blocks": options.blocks,
        },
        seed=0,
    ).write(options.record)


if __name__ == "__main__":
    main()
