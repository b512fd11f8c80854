"""The demo gives what docs/measuring.md says of it."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from systopack.records import STORE, read_record

ROOT = Path(__file__).resolve().parents[2]
TEST_IMAGES = 2000
# Another number of threads, another library or processor adds floating-point sums in another
# order. Training carries that on to other weights, as different as those of another seed, so two
# runs agree no better than two draws: the accuracy within three standard errors of 2,000 images,
# each run's own; the cells, of which the last pruning takes what conflicts leave, within a tenth.
STANDARD_ERRORS = 3
CELLS_TOLERANCE = 0.1


def tolerance(percent: float) -> float:
    """Points by which two runs of about this accuracy may differ."""
    share = min(percent, 99.9) / 100
    return STANDARD_ERRORS * 100 * math.sqrt(2 * share * (1 - share) / TEST_IMAGES)


@pytest.fixture(scope="module")
def row():
    """8-bit accuracy of packed, float accuracy of dense, share of the cells."""
    found = re.search(
        r"`systopack demo`.*\| ([\d.]+) % against ([\d.]+) %, ([\d.]+) of the cells",
        (ROOT / "docs/measuring.md").read_text(),
    )
    return tuple(float(number) for number in found.groups())


def test_the_row_is_that_of_the_record(row):
    figures = read_record(STORE / "demo.json")["figures"]
    dense, packed = figures["dense"], figures["packed"]
    assert row == (
        round(packed["accuracy_8_bit_percent"], 2),
        round(dense["accuracy_percent"], 2),
        round(packed["packed_cells"] / dense["packed_cells"], 3),
    )


@pytest.mark.slow
def test_the_demo_gives_its_row(row, tmp_path):
    recorded = read_record(STORE / "demo.json")
    threads = recorded["configuration"].get("threads", {}).get("torch", os.cpu_count())
    subprocess.run(
        [sys.executable, "-m", "systopack", "demo", "--out", str(tmp_path)],
        check=True,
        capture_output=True,
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
    )
    record = read_record(tmp_path / "demo.json")
    assert record["machine"]["threads"]["torch"] == threads
    dense, packed = record["figures"]["dense"], record["figures"]["packed"]
    assert packed["accuracy_8_bit_percent"] == pytest.approx(row[0], abs=tolerance(row[0]))
    assert dense["accuracy_percent"] == pytest.approx(row[1], abs=tolerance(row[1]))
    assert packed["packed_cells"] / dense["packed_cells"] == pytest.approx(
        row[2], rel=CELLS_TOLERANCE
    )
