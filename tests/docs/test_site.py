"""The site of the documentation: it builds without a warning, and its search finds what is asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    result = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert result.returncode == 0, result.stderr
    return folder


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("add a cell", "hardware/add-a-cell.html"),
        ("latency", "results.html"),
        ("energy", "energy.html"),
        ("systopack.simulate", "api.html"),
    ],
)
def test_the_search_finds(site, words, page):
    found = json.loads((site / "search" / "search_index.json").read_text())["docs"]
    assert any(
        words in f"{of['title']} {of['location']}".lower() and of["location"].startswith(page)
        for of in found
    )


def test_the_reference_has_every_public_name(site):
    import systopack

    page = (site / "api.html").read_text()
    for name in systopack.__all__:
        if not name.startswith("_"):
            assert f'id="systopack.{name}"' in page, name
