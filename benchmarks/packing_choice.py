"""What each policy reaches and what it costs: two uneven matrices, processor time of one thread."""

from __future__ import annotations

import time

import numba
from _bench import save
from packing_matrices import ALPHA, Matrix, kept_l2, pruned_matrix

from systopack.packing.pack import pack

POLICIES = (
    *("dense-column-first", "authors", "least-loss", "assignment", "polish", "refine", "best"),
)
ROWS, COLUMNS, DENSITY = 256, 256, 0.08
GAMMAS = (0.0, 0.25)
REPEATS = 3  # of what takes less than a second; the least counts


def least_seconds(matrix: Matrix, gamma: float, policy: str) -> float:
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
    figures: dict[str, dict[str, object]] = {}
    for gamma in GAMMAS:
        of_gamma = figures.setdefault(f"gamma {gamma:g}", {})
        for policy in POLICIES:
            packed = pack(matrix, alpha=ALPHA, gamma=gamma, policy=policy)
            of_gamma[policy] = {
                "groups": len(packed.groups),
                "l2": kept_l2(packed, matrix),
                "processor_s": least_seconds(matrix, gamma, policy),
            }
    size = {"rows": ROWS, "columns": COLUMNS, "density": DENSITY}
    save("packing_choice", figures, configuration={"alpha": ALPHA, **size})


if __name__ == "__main__":
    main()
