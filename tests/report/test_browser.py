"""The page in a real browser: it draws every figure and writes no error to the console."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from systopack.report.page import render
from tests.report.contents import hand_made, hostile

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--virtual-time-budget=10000",
    "--dump-dom",
]

pytestmark = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("CI"),
    reason="chromium is missing; install it with 'apt-get install chromium'",
)


def open_page(html: str, folder: Path, *flags: str) -> tuple[str, list[str]]:
    """The document after its scripts have run, and the lines of the console."""
    assert CHROMIUM, "chromium is missing; install it with 'apt-get install chromium'"
    path = folder / "report.html"
    path.write_text(html, encoding="utf-8")
    done = subprocess.run(
        [CHROMIUM, *FLAGS, *flags, f"--user-data-dir={folder / 'profile'}", path.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_opens_without_errors(tmp_path, scheme):
    flag = f"--blink-settings=preferredColorScheme={'0' if scheme == 'dark' else '1'}"
    dom, console = open_page(render(hand_made()), tmp_path, flag)
    assert console == []
    assert 'data-figures="drawn"' in dom
    assert dom.count('class="main-svg"') >= 4
    colour = "rgb(229, 154, 69)" if scheme == "dark" else "rgb(176, 96, 10)"
    assert colour in dom


def test_hostile_names_do_not_run(tmp_path):
    dom, console = open_page(
        render(hostile("<img src=x onerror=console.error(1)></script><script>console.error(2)")),
        tmp_path,
    )
    assert console == []
    assert 'data-figures="drawn"' in dom


def test_an_error_on_the_page_is_noticed(tmp_path):
    broken = render(hand_made()).replace("Plotly.react", "Plotly.missing")
    dom, console = open_page(broken, tmp_path)
    assert console and 'data-figures="drawn"' not in dom
