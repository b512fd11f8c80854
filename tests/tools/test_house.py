"""The tool that measures the house sees what it should see."""

import importlib.util
from pathlib import Path

import pytest

PLACE = Path(__file__).resolve().parents[2] / "tools" / "house.py"


@pytest.fixture(scope="module")
def house():
    specification = importlib.util.spec_from_file_location("house", PLACE)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def numbered(name, count):
    return "\n".join(f"{name}_{index} = {index}  # comment {name}" for index in range(count)) + "\n"


def test_lines_are_counted_by_folder(house, tmp_path):
    for name in ("systopack/a.py", "systopack/rtl/verilog/b.v", "tools/c.py", "docs/d.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x\n\ny\n")
    (tmp_path / "systopack" / "e.txt").write_text("x\n")
    found = house.lines_by_folder(house.texts(tmp_path))
    assert found == {"systopack": 3, "systopack/rtl": 3, "tools": 3}


def test_large_files_and_functions(house):
    body = "    x = 1\n" * 80
    many = ", ".join(f"p{index}" for index in range(13))
    files = {
        "systopack/a.py": f"def long():\n{body}\ndef wide({many}):\n    pass\n",
        "systopack/b.py": f"@njit(cache=True)\ndef kernel({many}):\n    pass\n",
        "systopack/c.v": "wire a;\n" * 451,
    }
    assert house.offenders(files) == [
        "systopack/c.v: 451 lines, more than 450",
        "systopack/a.py:1: long has 81 lines, more than 80",
        "systopack/a.py:83: wide has 13 parameters, more than 12",
    ]


@pytest.mark.parametrize(("length", "found"), [(11, 0), (12, 1), (20, 1)])
def test_shared_runs_are_told_once_however_they_are_laid_out(house, length, found):
    shared = numbered("a", length)
    files = {
        "systopack/one.py": numbered("b", 3) + shared + numbered("c", 3),
        "systopack/two.py": numbered("d", 1) + shared.replace("\n", "\n\n").replace("a ", "b "),
        "systopack/three.py": shared.replace("a_", "z_"),
        "tools/other.py": shared,
    }
    told = list(house.duplicates(files))
    assert len(told) == found
    if found:
        assert told == [f"systopack/one.py:4 and systopack/two.py:2 share {length} lines"]


def test_circles_of_imports_are_found_inside_functions_too(house):
    files = {
        "systopack/a.py": "from systopack.b import x\n",
        "systopack/b.py": "def f():\n    from systopack import c\n",
        "systopack/c.py": "import systopack.a\n",
        "systopack/d.py": "from systopack.a import x\n",
    }
    found = [line.split()[0] for line in house.circles(files)]
    assert found == ["systopack.a", "systopack.b", "systopack.c"]


def test_the_house_itself_is_measured(house):
    files = house.texts(house.ROOT)
    counts = house.lines_by_folder(files)
    assert sum(counts.values()) == sum(len(text.splitlines()) for text in files.values())
    assert {"systopack/network", "systopack/rtl", "benchmarks", "tools"} <= counts.keys()
