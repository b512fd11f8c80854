"""Make docs/results.md, its figures and its record of what `systopack reproduce --out OUT` wrote.

python tools/results_page.py OUT
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images" / "results"


def main() -> None:
    """Copy the page, its record and the figures that it shows."""
    out = Path(sys.argv[1])
    text = (out / "results.md").read_text().replace("](images/", "](images/results/")
    (ROOT / "docs" / "results.md").write_text(text)
    (ROOT / "benchmarks" / "records" / "reproduce.json").write_bytes(
        (out / "reproduce.json").read_bytes()
    )
    IMAGES.mkdir(parents=True, exist_ok=True)
    for old in IMAGES.glob("*.png"):
        old.unlink()
    for path in sorted((out / "images").glob("*.png")):
        if f"results/{path.name})" in text:
            (IMAGES / path.name).write_bytes(path.read_bytes())


if __name__ == "__main__":
    main()
