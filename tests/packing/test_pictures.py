"""The pictures of the packing page can be drawn anew."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from systopack.packing.pack import pack
from systopack.records import STORE, read_record

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pictures():
    path = ROOT / "benchmarks" / "packing_pictures.py"
    spec = importlib.util.spec_from_file_location("packing_pictures", path)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(path.parent)  # as for a script that is run
        spec.loader.exec_module(module)
    return module


def test_draws_the_policies(pictures, tmp_path):
    pictures.draw_policies(tmp_path / "policies.png")
    assert (tmp_path / "policies.png").read_bytes().startswith(b"\x89PNG")


def test_the_example_shows_why_one_would_choose_which(pictures):
    reached = {}
    for policy in pictures.POLICIES:
        packed = pack(pictures.EXAMPLE, alpha=pictures.ALPHA, gamma=pictures.GAMMA, policy=policy)
        reached[policy] = (-len(packed.groups), float((packed.values**2).sum()))
    order = ("dense-column-first", "authors", "least-loss", "assignment", "refine")
    values = [reached[policy] for policy in order]
    assert values == sorted(set(values))  # each is better than the one before
    assert reached["best"] >= reached["refine"]


def test_draws_the_choice(pictures, tmp_path):
    record = read_record(STORE / "packing_choice.json")
    pictures.draw_choice(record["figures"], tmp_path / "choice.png")
    assert (tmp_path / "choice.png").read_bytes().startswith(b"\x89PNG")
    for entry in record["figures"].values():  # the default is never worse than a simple policy
        for policy in ("authors", "dense-column-first"):
            assert entry["least-loss"]["groups"] <= entry[policy]["groups"]


def test_draws_the_front(pictures, tmp_path):
    point = {"groups": 3, "l2": 0.9}
    names = (*pictures.POLICIES, "best at the groups of authors")
    pictures.draw_front({"one": dict.fromkeys(names, point)}, tmp_path / "front.png")
    assert (tmp_path / "front.png").read_bytes().startswith(b"\x89PNG")
