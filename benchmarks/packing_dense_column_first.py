"""Time of `pack` with the paper's policy on 512 x 4608 at 10 % density, gamma 0.5.

python benchmarks/packing_dense_column_first.py
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import numpy as np

from systopack.packing.pack import pack
from systopack.packing.pruning import magnitude_mask
from systopack.records import Record

RECORD = Path(__file__).parent / "records" / "packing_dense_column_first.json"
_REPEATS = 15


def main() -> None:
    """Measure and write the record."""
    weights = np.random.default_rng(0).standard_normal((512, 4608), dtype=np.float32)
    weights[~magnitude_mask(weights, keep=round(0.1 * weights.size))] = 0
    packed = pack(weights, alpha=8, gamma=0.5, policy="dense-column-first")  # compiles
    times = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        pack(weights, alpha=8, gamma=0.5, policy="dense-column-first")
        times.append(1000 * (time.perf_counter() - started))
    figures = {
        "median_ms": round(statistics.median(times), 2),
        "slowest_ms": round(max(times), 2),
        "groups": len(packed.groups),
    }
    print(figures)
    Record(
        kind="packing_dense_column_first",
        figures=figures,
        configuration={"rows": 512, "columns": 4608, "density": 0.1, "alpha": 8, "gamma": 0.5},
        seed=0,
    ).write(RECORD)


if __name__ == "__main__":
    main()
