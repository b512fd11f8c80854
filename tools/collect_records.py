"""Copy the records that `systopack reproduce` reads into the package, training histories left out.

python tools/collect_records.py          copies them to systopack/records_data
python tools/collect_records.py --check  fails where a copy differs from its original
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from systopack.files import write_atomically

ROOT = Path(__file__).resolve().parents[1]
RECORDS = ROOT / "benchmarks" / "records"
TARGET = ROOT / "systopack" / "records_data"
KINDS = {
    *("accuracy-resnet20", "mnist"),
    *("energy-coefficients", "periphery", "hardware_verify"),
}


def wanted() -> dict[Path, str]:
    """By place within the folder, the content of every copy."""
    found: dict[Path, str] = {}
    for path in sorted(RECORDS.rglob("*.json")):
        record: dict[str, Any] = json.loads(path.read_text())
        if record["kind"] not in KINDS:
            continue
        for name in ("history", "groups"):
            record["figures"].pop(name, None)
        found[path.relative_to(RECORDS)] = json.dumps(record, indent=1) + "\n"
    return found


def main() -> None:
    """Copy or check."""
    copies = wanted()
    if "--check" in sys.argv:
        there = {path.relative_to(TARGET): path.read_text() for path in TARGET.rglob("*.json")}
        for path in sorted(there.keys() | copies.keys()):
            if there.get(path) != copies.get(path):
                raise SystemExit(f"{path} differs from its original; run this without --check.")
        return
    for path in TARGET.rglob("*.json"):
        if path.relative_to(TARGET) not in copies:
            path.unlink()
    for path, content in copies.items():
        write_atomically(TARGET / path, content)


if __name__ == "__main__":
    main()
