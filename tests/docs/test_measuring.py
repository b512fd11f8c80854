"""Benchmarks, their records and the pages that quote them belong together."""

from __future__ import annotations

import sys
from fnmatch import fnmatch
from pathlib import Path
from runpy import run_path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "benchmarks"
# What others import is no benchmark of its own.
BENCHMARKS = sorted(
    path
    for path in FOLDER.glob("*.py")
    if not path.stem.startswith("_") and path.stem != "packing_matrices"
)


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_benchmarks_can_be_started(path, monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)  # as for a script that is run
    assert callable(run_path(str(path))["main"])


def test_every_benchmark_is_cited():
    pages = "\n".join(page.read_text() for page in ROOT.glob("docs/*.md"))
    cited = [word.rpartition("/")[2] for word in pages.split("`") if word.startswith("benchmarks/")]
    for path in BENCHMARKS:
        assert any(fnmatch(path.name, name) for name in cited), path.name


def test_arrows_that_follow_from_others_are_left_out(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tools")
    drawing = run_path(str(ROOT / "tools" / "imports_drawing.py"))
    graph = {"cli": {"report", "network"}, "report": {"network"}, "network": set()}
    assert drawing["needed"](graph) == {"cli": {"report"}, "report": {"network"}, "network": set()}
    found = drawing["imports"]()
    assert "network" in found["hardware"] and "hardware" not in found["network"]
    assert sys.modules["pages"].ROOT == ROOT
