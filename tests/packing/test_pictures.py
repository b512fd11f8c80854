"""The pictures of the packing page can be drawn anew."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pictures():
    path = ROOT / "benchmarks" / "packing_pictures.py"
    spec = importlib.util.spec_from_file_location("packing_pictures", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_draws_the_policies(pictures, tmp_path):
    pictures.draw_policies(tmp_path / "policies.png")
    assert (tmp_path / "policies.png").read_bytes().startswith(b"\x89PNG")


def test_draws_the_front(pictures, tmp_path):
    point = {"groups": 3, "l2": 0.9}
    names = (*pictures.POLICIES, "best at the groups of authors")
    pictures.draw_front({"one": dict.fromkeys(names, point)}, tmp_path / "front.png")
    assert (tmp_path / "front.png").read_bytes().startswith(b"\x89PNG")
