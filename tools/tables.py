"""Make the tables of all pages from the records in systopack/records_data.

python tools/tables.py                  writes the tables into the pages
python tools/tables.py --check          fails where a page differs
python tools/tables.py --measure        measures every row of docs/measuring.md's table anew first,
                                        but for the trainings of hours
python tools/tables.py --measure demo   measures only the rows that are named
python tools/tables.py --results OUT    takes docs/results.md, its figures and its record from OUT,
                                        which `systopack reproduce --out OUT` wrote
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import accuracy_tables
import combining_picture
import commands_page
import fpga_table
import imports_drawing
import memory_tables
import packing_tables
import pages
import related_tables
import results_table
import silicon_tables
from pages import ROOT

from systopack.records import STORE
from systopack.reproduce.run import render_record
from systopack.rtl.registers import map_lines

Blocks = Mapping[str, Sequence[str]]
PAGES: Mapping[str, Callable[[], Blocks]] = {
    "README.md": results_table.numbers_blocks,
    "docs/accuracy.md": accuracy_tables.blocks,
    "docs/architecture.md": imports_drawing.blocks,
    "docs/command-line.md": commands_page.blocks,
    "docs/energy.md": silicon_tables.energy_blocks,
    "docs/fpga.md": fpga_table.blocks,
    "docs/hardware/axi.md": lambda: {"registers": list(map_lines())},
    "docs/hardware/memory.md": memory_tables.blocks,
    "docs/hardware/tiled.md": memory_tables.tiled_blocks,
    "docs/measuring.md": results_table.blocks,
    "docs/packing.md": packing_tables.blocks,
    "docs/related-accelerators.md": related_tables.blocks,
    "docs/silicon.md": silicon_tables.silicon_blocks,
}
RESULTS = ROOT / "docs" / "results.md"
IMAGES = ROOT / "docs" / "images" / "results"


def wanted() -> dict[Path, str]:
    """Every page as the records have it."""
    found = {
        ROOT / name: pages.with_blocks((ROOT / name).read_text(), blocks())
        for name, blocks in PAGES.items()
    }
    found[ROOT / "docs" / "images" / "combining.svg"] = combining_picture.picture()
    found[RESULTS] = render_record(pages.record("reproduce"), images="images/results")
    return found


def take_results(out: Path) -> None:
    """Take over the record of a reproduction and its figures; the page is made from the record."""
    (STORE / "reproduce.json").write_bytes((out / "reproduce.json").read_bytes())
    IMAGES.mkdir(parents=True, exist_ok=True)
    for old in IMAGES.glob("*.png"):
        old.unlink()
    for path in sorted((out / "images").glob("*.png")):
        (IMAGES / path.name).write_bytes(path.read_bytes())


def main(arguments: Sequence[str]) -> None:
    """Measure, write or check."""
    if arguments[:1] == ["--measure"]:
        results_table.measure(arguments[1:])
    elif arguments[:1] == ["--results"] and len(arguments) == 2:
        take_results(Path(arguments[1]))
    elif arguments not in ([], ["--check"]):
        sys.exit(__doc__)
    for page, text in wanted().items():
        if arguments != ["--check"]:
            page.write_text(text)
        elif page.read_text() != text:
            sys.exit(f"{page.name} does not show the records; run this script without --check.")


if __name__ == "__main__":
    main(sys.argv[1:])
