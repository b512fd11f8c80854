"""Property: Verilator runs the 32 x 32 array, alpha 8, at 500,000 cycles a second or more.

Every output bit is checked against plain integer sums.
Run: python benchmarks/hardware_simulation.py
"""

from __future__ import annotations

import os
import tempfile
import time

import numpy as np
from _bench import save, timed

from systopack.hardware.array import Array
from systopack.verification.array_bench import (
    ArrayTile,
    array_bench,
    start_times,
    stimulus,
    sums_at,
)
from systopack.verification.verilator import find_tools

TILES, POSITIONS, REPEATS = 20, 200, 9


def main() -> None:
    """Build without a cache, run, check every sum, and write the record."""
    array = Array()
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache
        bench, build_s = timed(array_bench, array)
    tiles = [
        ArrayTile(
            weights=rng.integers(-128, 128, (array.rows, array.columns)),
            index=rng.integers(0, array.alpha, (array.rows, array.columns)),
            words=rng.integers(-128, 128, (POSITIONS, array.alpha, array.columns)),
            sums=rng.integers(-(1 << 31), 1 << 31, (POSITIONS, array.rows)),
        )
        for _ in range(TILES)
    ]
    inputs = stimulus(array, tiles, rng)
    cycles = len(inputs["x"])
    sent = bench.pack(inputs)
    times, busy = [], []
    for _ in range(REPEATS):
        started, used = time.perf_counter(), time.process_time()
        got = bench.run_packed(sent)
        times.append(time.perf_counter() - started)
        busy.append(time.process_time() - used)
    out = bench.unpack(got)["sum_out"]
    checked = 0
    for start, tile in zip(start_times(array, tiles), tiles, strict=True):
        for t, sums in enumerate(tile.expected(array.accumulator_bits)):
            at = start + t * array.word_cycles + array.latency_cycles
            if not np.array_equal(sums_at(out, array, at), sums):
                raise SystemExit(f"wrong sums in cycle {at}")
            checked += sums.size
    figures = {
        "simulated_cycles": cycles,
        "sums_checked": checked,
        "build_s": round(build_s, 1),
        "best_cycles_per_s": round(cycles / min(times)),
        "median_cycles_per_s": round(cycles / float(np.median(times))),
        "best_cycles_per_processor_s": round(cycles / min(busy)),
        "load_average": os.getloadavg()[0],
        "verilator": find_tools().version,
    }
    save("hardware_simulation", figures, configuration={"array": array.label}, seed=None)


if __name__ == "__main__":
    main()
