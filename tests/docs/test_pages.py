"""What the pages say of the code: files that exist, sections that exist, the table of cells."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from systopack.hardware.array import Array
from systopack.hardware.cells import CELLS
from systopack.hardware.named_arrays import NAMED_ARRAYS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
VERILOG = ROOT / "systopack" / "rtl" / "verilog"
_FOLDERS = "systopack|tests|docs|tools|examples|benchmarks"
_PATH = re.compile(rf"`((?:{_FOLDERS})/[\w./-]+)`")
_VERILOG_FILE = re.compile(r"`(\w+\.v)`")
_CITED = re.compile(r"method\.md, section (\d+)")
WRITTEN = {"accelerator.v", "pipelined_accelerator.v"}  # by `rtl`, for one network


def name(page):
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_file_that_a_page_names_exists(page):
    text = page.read_text()
    paths = [path for path in _PATH.findall(text) if "NAME" not in path]
    assert [path for path in paths if not (ROOT / path).exists()] == []
    known = {file.name for file in [*VERILOG.glob("*.v"), *ROOT.glob("tests/proofs/*.v")]}
    assert sorted(set(_VERILOG_FILE.findall(text)) - known - WRITTEN) == []


@pytest.mark.parametrize("page", ["hardware/add-a-cell", "add-a-packing-policy", "add-a-layer"])
def test_pages_on_adding_something_name_files(page):
    assert len(set(_PATH.findall((ROOT / "docs" / f"{page}.md").read_text()))) >= 5


def test_cited_sections_of_the_method_exist():
    numbers = re.findall(r"^## (\d+)\. ", (ROOT / "docs/method.md").read_text(), re.MULTILINE)
    assert numbers == [str(n + 1) for n in range(len(numbers))]
    sources = [
        file
        for folder in ("systopack", "tests", "docs")
        for pattern in ("*.py", "*.v", "*.md")
        for file in (ROOT / folder).rglob(pattern)
    ]
    cited = {section for file in sources for section in _CITED.findall(file.read_text())}
    assert cited and cited <= set(numbers)
    old = "METH" + "OD"
    assert [name(file) for file in sources if re.search(rf"\b{old}\b", file.read_text())] == []


def test_the_table_of_cells_is_the_registry():
    page = (ROOT / "docs/hardware/cells.md").read_text()
    rows = {}
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 7:
            rows[cells[0].strip("`")] = cells[2:]
    assert list(rows) == list(CELLS)
    words = {"8": lambda bits: 8, "1": lambda bits: 1}
    words["accumulator bits"] = lambda bits: bits
    words["accumulator bits / 8"] = lambda bits: bits // 8
    for cell, (word, lanes, wires, register, files) in rows.items():
        row = CELLS[cell]
        for bits in (16, 32):
            assert words[word](bits) == row.word_cycles(bits), cell
            assert words[lanes](bits) == row.lanes(bits), cell
            assert words[wires](bits) == row.lane_wires(bits), cell
        assert (register == "yes") == row.registered_multiplexer, cell
        assert tuple(re.findall(r"`([^`]+)`", files)) == row.verilog, cell
        assert f"\n## {cell}\n" in page


def test_the_page_of_the_hardware_names_every_module():
    page = (ROOT / "docs/hardware/README.md").read_text()
    assert [file.stem for file in VERILOG.glob("*.v") if f"`{file.stem}`" not in page] == []


def test_the_page_of_the_hardware_names_all_arrays_and_fields():
    page = (ROOT / "docs/hardware/README.md").read_text()
    names = [*NAMED_ARRAYS, *(field.name for field in fields(Array))]
    assert [name for name in names if f"`{name}`" not in page] == []
