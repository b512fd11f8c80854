"""Seconds of whole `pack()` calls, of the plain tensor program, and of exact packing."""

from __future__ import annotations

import resource
import statistics
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from packing_matrices import ALPHA, pruned_matrix

from systopack.packing.bounds import group_gap
from systopack.packing.pack import pack
from systopack.records import Record


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


def median_seconds(matrix: np.ndarray, repeats: int) -> tuple[float, float]:
    """Median and least seconds of packing with the default policy."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        pack(matrix, alpha=ALPHA, gamma=0.5)
        times.append(time.perf_counter() - began)
    return statistics.median(times), min(times)


def main() -> None:
    """Measure and write the record."""
    figures: dict[str, object] = {}
    for size in ((64, 64), (64, 9000)):  # compile before the clock runs
        pack(pruned_matrix(*size, 0.15), alpha=ALPHA, gamma=0.5)
    for size, density, repeats in (((512, 512), 0.15, 41), ((512, 4608), 0.10, 15)):
        median, least = median_seconds(pruned_matrix(*size, density), repeats)
        figures[f"{size[0]}x{size[1]} median_ms"] = 1e3 * median
        figures[f"{size[0]}x{size[1]} least_ms"] = 1e3 * least
        print(size, f"median {1e3 * median:.2f} ms, least {1e3 * least:.2f} ms")
    for rows, density in ((32, 0.15), (64, 0.15), (96, 0.16), (128, 0.15), (256, 0.15)):
        matrix = pruned_matrix(rows, 94 if rows == 96 else rows, density)
        began = time.perf_counter()
        packed = pack(matrix, alpha=ALPHA, gamma=0, policy="best")
        seconds = time.perf_counter() - began
        gap = group_gap(packed, matrix, alpha=ALPHA, gamma=0, exact=True)
        figures[f"gamma 0 {rows}x{matrix.shape[1]}"] = {
            "groups": gap.groups, "bound_groups": gap.bound, "seconds_s": seconds
        }  # fmt: skip
        print(f"{matrix.shape}: {gap}, {seconds:.2f} s")
    rng = np.random.default_rng(0)
    large = np.empty((4096, 14336), dtype=np.float32)
    for row in large:  # no second matrix, so that the peak is that of packing
        row[:] = rng.standard_normal(row.size, dtype=np.float32)
        row[np.abs(row) < 1.6448536] = 0  # a tenth stays
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, _ = median_seconds(large, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    figures["4096x14336"] = {
        "seconds_s": seconds,
        "peak_process_bytes": peak,
        "peak_before_bytes": before * 1024,
        "matrix_bytes": large.nbytes,
        "peak_over_matrix": peak / large.nbytes,
    }
    print(f"4096x14336: {seconds:.2f} s, peak {peak / large.nbytes:.2f} x the matrix")
    del large
    small = pruned_matrix(512, 512, 0.15)
    began = time.perf_counter()
    groups = tensor_authors(small != 0, conflicts_allowed=256)
    tensor = time.perf_counter() - began
    ours = pack(small, alpha=ALPHA, gamma=0.5, policy="authors")
    if groups != len(ours.groups):
        raise SystemExit(f"the tensor program finds {groups} groups, not {len(ours.groups)}")
    figures["tensor 512x512 seconds_s"] = tensor
    figures["tensor over default 512x512"] = tensor / (figures["512x512 median_ms"] / 1e3)  # type: ignore[operator]
    print(f"tensor program {tensor:.1f} s, {figures['tensor over default 512x512']:.0f} times")
    Record(
        kind="packing_speed", figures=figures, configuration={"alpha": ALPHA, "gamma": 0.5}, seed=0
    ).write(Path(__file__).parent / "records" / "packing_speed.json")


if __name__ == "__main__":
    main()
