"""The page in a real browser: it draws every figure and writes no error to the console."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from systopack.hardware.stepping import stream_piece
from systopack.report.page import render
from tests.report.contents import animated, hand_made, hostile

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


def open_page(page: str, folder: Path, *flags: str) -> tuple[str, list[str]]:
    """The document after its scripts have run, and the lines of the console."""
    assert CHROMIUM, "chromium is missing; install it with 'apt-get install chromium'"
    path = folder / "report.html"
    path.write_text(page, encoding="utf-8")
    done = subprocess.run(
        [CHROMIUM, *FLAGS, *flags, f"--user-data-dir={folder / 'profile'}", path.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def act(page: str, script: str) -> str:
    """The page with a script that acts as its reader."""
    return page.replace("</body>", f"<script>{script}</script></body>")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_opens_without_errors(tmp_path, scheme):
    flag = f"--blink-settings=preferredColorScheme={'0' if scheme == 'dark' else '1'}"
    measure = (
        "document.documentElement.dataset.seen = JSON.stringify("
        "[...document.querySelectorAll('svg[id]')].map(svg => [svg.id, "
        "getComputedStyle(svg.querySelector('title').parentNode).fill, "
        "...[...svg.querySelectorAll('rect:not(.band), circle')].map("
        "mark => mark.getBoundingClientRect().width)]));"
    )
    dom, console = open_page(act(render(hand_made()), measure), tmp_path, flag)
    assert console == []
    assert 'data-script="ready"' in dom
    seen = json.loads(html.unescape(re.search(r'data-seen="([^"]*)"', dom)[1]))
    assert len(seen) == 6
    assert all(min(widths) > 0 for _, _, *widths in seen)
    colours = {figure: colour for figure, colour, *_ in seen}
    expected = "rgb(229, 154, 69)" if scheme == "dark" else "rgb(176, 96, 10)"
    assert colours["figure-tiles"] == expected
    dense, packed = next(widths for figure, _, *widths in seen if figure == "figure-tiles")
    assert dense == pytest.approx(2 * packed, rel=0.02)


def test_hostile_names_do_not_run(tmp_path):
    dom, console = open_page(
        render(hostile("<img src=x onerror=console.error(1)></script><script>console.error(2)")),
        tmp_path,
    )
    assert console == []
    assert 'data-script="ready"' in dom


def test_an_error_on_the_page_is_noticed(tmp_path):
    broken = render(hand_made()).replace("document.createElement", "document.missing")
    dom, console = open_page(broken, tmp_path)
    assert console and 'data-script="ready"' not in dom


def test_tables_are_sorted_by_a_click(tmp_path):
    clicks = (
        "const table = document.querySelector('#training table');"
        "const shown = () => [...table.tBodies[0].rows].map(row => row.cells[0].textContent);"
        "const click = place => table.tHead.rows[0].cells[place].firstChild.click();"
        "const seen = [3, 3, 1, 0].map(place => { click(place); return shown().join(''); });"
        "document.documentElement.dataset.seen = seen.join(' ');"
    )
    dom, console = open_page(act(render(hand_made()), clicks), tmp_path)
    assert console == []
    # Held-out: 95.5, 94.75, 94.5, 91, 90, none; then from the least; phases from the last letter.
    assert 'data-seen="256314 136524 126435 654321"' in dom
    assert 'aria-sort="descending"' in dom


def texts_of_rows(dom: str) -> list[list[int]]:
    """For each panel the sums at the right edge, row 0 first."""
    panels = dom.split('<div class="array">')[1:]
    found = (re.findall(r'class="end (?:strong|part)">([^<]*)<', panel) for panel in panels)
    return [[int(text.replace("−", "-")) if text else None for text in texts] for texts in found]


def test_animation_shows_the_reference_s_sums_when_they_leave(tmp_path):
    piece = animated().piece
    combined = stream_piece(piece, combined=True)
    step = combined.leaves(0, 2, 1)  # filter 2, word 1; filter 1 is one word ahead
    frame = len(piece.groups) + 1 + step
    move = "const s = document.querySelector('#animation-stage input');"
    dom, console = open_page(
        act(render(animated()), f"{move} s.value = {frame}; s.dispatchEvent(new Event('input'));"),
        tmp_path,
    )
    assert console == []
    assert 'data-animation="ready"' in dom
    _, packed = texts_of_rows(dom)
    assert packed == [int(combined.results[row, 3 - row]) for row in range(3)]
    assert f"Streaming, word time {step} of" in dom


def test_animation_plays_to_its_end(tmp_path):
    reader = (
        "const stage = document.getElementById('animation-stage');"
        "stage.querySelector('select').value = 12;"
        "stage.querySelector('[data-do=play]').click();"
    )
    dom, console = open_page(act(render(animated()), reader), tmp_path)
    assert console == []
    ends = [stream_piece(animated().piece, combined=way).last_step for way in (False, True)]
    assert f"{ends[0]} word times without combining, {ends[1]} with it" in dom.split("<script")[0]
    assert f"Done after {ends[1]} word times." in dom.split("<script")[0]


def test_animation_is_stepped_with_buttons(tmp_path):
    clicks = "for (const name of ['stream', 'back', 'forward', 'forward', 'first', 'forward']) " + (
        "document.querySelector(`[data-do=${name}]`).click();"
    )
    dom, console = open_page(act(render(animated()), clicks), tmp_path)
    assert console == []
    assert "Packing, step 1 of 2. Columns 1 and 3 become one" in dom
