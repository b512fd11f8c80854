"""The whole of `systopack demo`, timed from a fresh process.

python benchmarks/demo.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from systopack.records import Record, read_record

RECORD = Path(__file__).parent / "records" / "demo.json"


def main() -> None:
    """Run it, read its record back, and write this one."""
    folder = Path(tempfile.mkdtemp(prefix="systopack-demo-"))
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "systopack", "demo", "--out", str(folder)], check=True)
    seconds = time.perf_counter() - started
    record = read_record(folder / "demo.json")
    Record(
        kind="demo",
        figures={
            **record["figures"],
            "wall_clock_s": round(seconds, 1),
            "report_bytes": (folder / "report.html").stat().st_size,
        },
        configuration={**record["configuration"], "threads": record["machine"]["threads"]},
        seed=record["seed"],
    ).write(RECORD)


if __name__ == "__main__":
    main()
