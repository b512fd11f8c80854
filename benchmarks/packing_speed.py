"""Seconds of whole `pack()` calls, of the plain tensor program, and of exact packing."""

from __future__ import annotations

import statistics

import numpy as np
from _bench import save, seconds_of, timed
from packing_matrices import ALPHA, Matrix, large_matrix, peak_bytes, pruned_matrix

from systopack.packing.bounds import group_gap
from systopack.packing.pack import pack

CALLS = (("least-loss", 512, 0.15, 41), ("least-loss", 4608, 0.10, 15),
         ("dense-column-first", 4608, 0.10, 15))  # fmt: skip
EXACT = ((32, 32, 0.15), (64, 64, 0.15), (96, 94, 0.16), (128, 128, 0.15), (256, 256, 0.15))


def tensor_authors(nonzero: np.ndarray, *, conflicts_allowed: int) -> int:
    """Groups by the authors' rule with a (columns, columns, rows) tensor at every merge."""
    columns = nonzero[:, nonzero.any(axis=0)].T.astype(np.uint8)
    found = 0
    while len(columns):
        for _ in range(1, ALPHA):  # the group grows in the place of its first column
            tensor = columns[:, None, :] + columns[None, :, :]  # every pair, every row
            lost = np.maximum(tensor, 1).sum(axis=2, dtype=np.int64) - len(nonzero)
            empty = (tensor == 0).sum(axis=2)
            fits = lost[0] <= conflicts_allowed
            fits[0] = False
            if not fits.any():
                break
            column = int(np.where(fits, empty[0], np.iinfo(np.int64).max).argmin())
            columns[0] += columns[column]
            columns = np.delete(columns, column, axis=0)
        columns = columns[1:]
        found += 1
    return found


def call_seconds(matrix: Matrix, policy: str, repeats: int) -> list[float]:
    """Of packing with gamma 0.5."""
    return seconds_of(lambda: pack(matrix, alpha=ALPHA, gamma=0.5, policy=policy), repeats=repeats)


def calls() -> list[dict[str, object]]:
    """Median and least milliseconds of matrices with 512 rows."""
    found = []
    for policy, columns, density, repeats in CALLS:
        times = call_seconds(pruned_matrix(512, columns, density), policy, repeats)
        size = {"rows": 512, "columns": columns, "density": density}
        median, least = 1e3 * statistics.median(times), 1e3 * times[0]
        found.append({"policy": policy, **size, "median_ms": median, "least_ms": least})
    return found


def exact() -> list[dict[str, object]]:
    """Packing without pruning against proven bounds."""
    found = []
    for rows, columns, density in EXACT:
        matrix = pruned_matrix(rows, columns, density)
        options = {"alpha": ALPHA, "gamma": 0}
        packed, seconds = timed(pack, matrix, policy="best", **options)
        gap = group_gap(packed, matrix, exact=True, **options)
        groups = {"groups": gap.groups, "bound_groups": gap.bound}
        found.append({"rows": rows, "columns": columns, **groups, "seconds_s": seconds})
    return found


def large() -> dict[str, object]:
    """One call whose peak memory is that of packing."""
    matrix = large_matrix(4096, 14336)
    before = peak_bytes()
    _, seconds = timed(pack, matrix, alpha=ALPHA, gamma=0.5)
    return {
        "rows": len(matrix),
        "columns": matrix.shape[1],
        "seconds_s": seconds,
        "peak_process_bytes": peak_bytes(),
        "peak_before_bytes": before,
        "matrix_bytes": matrix.nbytes,
        "peak_over_matrix": peak_bytes() / matrix.nbytes,
    }


def tensor_program(default_ms: float) -> dict[str, object]:
    """The authors' rule as a plain tensor program, which must find the same groups."""
    small = pruned_matrix(512, 512, 0.15)
    groups, seconds = timed(tensor_authors, small != 0, conflicts_allowed=256)
    ours = len(pack(small, alpha=ALPHA, gamma=0.5, policy="authors").groups)
    if groups != ours:
        raise SystemExit(f"the tensor program finds {groups} groups, not {ours}")
    over = seconds / (default_ms / 1e3)
    return {"rows": 512, "columns": 512, "seconds_s": seconds, "over_default": over}


def main() -> None:
    """Measure and write the record."""
    for columns in (64, 9000):  # compile before the clock runs
        for policy, *_ in CALLS:
            call_seconds(pruned_matrix(64, columns, 0.15), policy, 1)
    figures = {"calls": calls(), "exact": exact(), "large": large()}
    figures["tensor_program"] = tensor_program(figures["calls"][0]["median_ms"])
    save("packing_speed", figures, configuration={"alpha": ALPHA, "gamma": 0.5})


if __name__ == "__main__":
    main()
