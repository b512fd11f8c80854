"""What each policy reaches and what it costs: two uneven matrices, processor time of one thread."""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import numba
from packing_matrices import ALPHA, kept_l2, pruned_matrix

from systopack.packing.pack import pack
from systopack.records import Record

POLICIES = (
    "dense-column-first", "authors", "least-loss", "assignment", "polish", "refine", "best",
)  # fmt: skip
ROWS, COLUMNS, DENSITY = 256, 256, 0.08
GAMMAS = (0.0, 0.25)
REPEATS = 3  # of what takes less than a second; the least counts


def least_seconds(matrix, gamma: float, policy: str) -> float:  # type: ignore[no-untyped-def]
    """Processor time of a whole `pack`."""
    times: list[float] = []
    while len(times) < REPEATS and sum(times) < 1:
        began = time.process_time()
        pack(matrix, alpha=ALPHA, gamma=gamma, policy=policy)
        times.append(time.process_time() - began)
    return min(times)


def main() -> None:
    """Measure and write the record."""
    numba.set_num_threads(1)
    for policy in POLICIES:  # compile before the clock runs
        pack(pruned_matrix(64, 64, 0.1), alpha=ALPHA, gamma=0.25, policy=policy)
    matrix = pruned_matrix(ROWS, COLUMNS, DENSITY, uneven=True)
    figures: dict[str, object] = {}
    for gamma in GAMMAS:
        entry: dict[str, object] = {}
        for policy in POLICIES:
            packed = pack(matrix, alpha=ALPHA, gamma=gamma, policy=policy)
            entry[policy] = {
                "groups": len(packed.groups),
                "l2": kept_l2(packed, matrix),
                "processor_s": least_seconds(matrix, gamma, policy),
            }
            print(gamma, policy, entry[policy], flush=True)
        figures[f"gamma {gamma:g}"] = entry
    Record(
        kind="packing_choice",
        figures=figures,
        configuration={"alpha": ALPHA, "rows": ROWS, "columns": COLUMNS, "density": DENSITY},
        seed=0,
    ).write(Path(__file__).parent / "records" / "packing_choice.json")


if __name__ == "__main__":
    main()
