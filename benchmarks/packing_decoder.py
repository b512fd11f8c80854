"""Pack every 2-D weight of a decoder of 7 billion parameters, one layer in memory at a time.

The shapes are those of a common 7-billion-parameter decoder; the weights are normal numbers of
which a tenth is kept by magnitude. With 32 blocks it takes minutes; `--blocks 1` is a taste.

python benchmarks/packing_decoder.py --blocks 32
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from _bench import arguments, save
from packing_matrices import Matrix, large_matrix, peak_bytes

from systopack.packing.bounds import combinatorial_bound
from systopack.packing.matrix import PackedMatrix
from systopack.packing.pack import pack
from systopack.packing.problem import grouping_problem
from systopack.packing.rule import PackingRule

ALPHA, GAMMA, DENSITY = 8, 0.5, 0.1
WIDTH, INNER, WORDS, BLOCKS = 4096, 11008, 32000, 32
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


def squared_norm(values: Matrix) -> float:
    """The sum of squares, row by row in double precision."""
    return sum(float(np.square(row, dtype=np.float64).sum()) for row in values)


def pack_layer(shape: tuple[int, int], seed: int) -> dict[str, Any]:
    """Make, pack and measure one layer; nothing of it stays."""
    began = time.perf_counter()
    weights = large_matrix(*shape, seed=seed)
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
    parser = arguments(__doc__)
    parser.add_argument("--blocks", type=int, default=BLOCKS)
    blocks = parser.parse_args().blocks
    for shape in ((64, 64), (64, 9000)):  # compile before the clock runs
        pack(large_matrix(*shape), alpha=ALPHA, gamma=GAMMA)
    before = peak_bytes()
    began = time.perf_counter()
    measured: dict[str, dict[str, Any]] = {}
    for seed, (name, shape) in enumerate(layers(blocks)):
        measured[name] = pack_layer(shape, seed)
        print(
            f"{name:32} {shape[0]:5} x {shape[1]:5}  {measured[name]['groups']:5} groups  "
            f"{measured[name]['pack_s']:6.2f} s  {time.perf_counter() - began:7.1f} s in all",
            flush=True,
        )
    of = list(measured.values())
    largest = 4 * max(layer["rows"] * layer["columns"] for layer in of)
    parameters = sum(layer["rows"] * layer["columns"] for layer in of)
    nonzeros = sum(layer["nonzeros"] for layer in of)
    kept = [layer["squared_norm_kept"] for layer in of]
    totals = {
        "layers": len(of),
        "parameters": parameters,
        "nonzeros": nonzeros,
        "packed_cells_ratio": sum(layer["rows"] * layer["groups"] for layer in of) / parameters,
        "squared_norm_kept_least": min(kept),
        "squared_norm_kept_mean": sum(
            layer["squared_norm_kept"] * layer["nonzeros"] for layer in of
        )
        / nonzeros,
        "pack_s": sum(layer["pack_s"] for layer in of),
        "pack_slowest_s": max(layer["pack_s"] for layer in of),
        "make_s": sum(layer["make_s"] for layer in of),
        "total_s": time.perf_counter() - began,
        "peak_process_bytes": peak_bytes(),
        "peak_before_bytes": before,
        "largest_layer_bytes": largest,
        "peak_over_largest_layer": peak_bytes() / largest,
    }
    rule = {"alpha": ALPHA, "gamma": GAMMA, "density": DENSITY, "policy": "least-loss"}
    save(
        "packing_decoder",
        {"total": totals, "layers": measured},
        configuration={**rule, "blocks": blocks},
    )


if __name__ == "__main__":
    main()
