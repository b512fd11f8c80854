"""The whole of `systopack demo`, timed from a fresh process.

python benchmarks/demo.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from _bench import save, timed

from systopack.records import read_record


def main() -> None:
    """Run it, read its record back, and write this one."""
    folder = Path(tempfile.mkdtemp(prefix="systopack-demo-"))
    command = [sys.executable, "-m", "systopack", "demo", "--out", str(folder)]
    _, seconds = timed(subprocess.run, command, check=True)
    record = read_record(folder / "demo.json")
    save(
        "demo",
        {
            **record["figures"],
            "wall_clock_s": round(seconds, 1),
            "report_bytes": (folder / "report.html").stat().st_size,
        },
        configuration={**record["configuration"], "threads": record["machine"]["threads"]},
        seed=record["seed"],
    )


if __name__ == "__main__":
    main()
