"""The page: complete, self-contained, escaped, deterministic."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from systopack.errors import InvalidOptionError
from systopack.packing.pack import dense, pack
from systopack.report import views
from systopack.report.page import render
from tests.report.contents import (
    RECORD,
    WEIGHTS,
    content_of,
    hand_made,
    hand_made_network,
    hostile,
    random_content,
)
from tests.report.pages import Page

HOSTILE = [
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}{% for %}",
    "</script><script>alert(2)//",
    "javascript:alert(1)",
    "<a href='javascript:alert(1)'>%{x}</a>",
]


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(render(hand_made()))


def test_opening_sentence_holds_the_numbers(page):
    # 3 x 4 = 12 cells; groups (1, 3) and (0,): 6 cells, 4 weights; 2 x 2 array: 4 and 2 tiles.
    assert (
        "the 4 remaining weights of this network into 6 cells, 50.0 % of the 12 cells" in page.text
    )
    assert "one image takes 2 tiles instead of 4" in page.text


def test_facts(page):
    # 4 weights in 6 cells; in the 12 cells of the filter matrix they would fill a third.
    assert "Packed cells 6 dense: 12 Packing efficiency 66.7 %" in page.text
    assert "without combining: 33.3 % Tiles, 2 × 2 2 dense: 4" in page.text


def test_summary_table(page):
    assert "Accuracy (%) 95.50 94.50 –" in page.text
    assert "Packed cells 12 6 0.500" in page.text


def test_every_epoch_is_in_the_table(page):
    assert "3 joint 1 91.25 91.00 8 66.7 4 joint 2 91.25 – 4 33.3" in page.text
    assert "6 quantize 91.25 94.50 4 33.3" in page.text


def test_layer_numbers_and_groups(page):
    assert "conv convolution, 3 × 4, packed 3 × 2" in page.text
    assert "Column groups 4 2 Largest group 1 2 Nonzeros 4 4 Packed cells 12 6" in page.text
    assert "Packing efficiency (%) 33.3 66.7 Tiles 4 2" in page.text
    assert "0 2 3 100.0 1, 3 1 1 1 33.3 0" in page.text


def test_cycle_tables_hold_the_cycle_counts(page):
    cycles = hand_made().cycles
    first, last = cycles["dense"].cycles, cycles["packed"].cycles
    assert f"Network {first:,} {last:,} {last / first:.3f}" in page.text


def test_provenance_shows_the_record(page):
    for text in ("ab" * 32, "data.rows", "1, 2", "2.4.6", RECORD["time_utc"], "seed"):
        assert text in page.text


def test_nothing_is_fetched(page):
    allowed = re.compile(r"(#[\w-]+|data:image/png;base64,[A-Za-z0-9+/=]+)\Z")
    assert not page.all("link") and not page.all("iframe")
    for _, attributes in page.tags:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            assert allowed.match(attributes.get(name) or "#top"), attributes[name]
    style = render(hand_made()).split("<style>")[1].split("</style>")[0]
    assert "url(" not in style and "@import" not in style
    policy = next(m["content"] for m in page.all("meta") if "http-equiv" in m)
    assert "default-src 'none'" in policy and "http" not in policy


def test_accessible(page):
    assert all(image["alt"] for image in page.all("img"))
    assert all(header.get("scope") for header in page.all("th"))
    assert len(page.all("h1")) == 1
    assert page.all("html")[0]["lang"] == "en"
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {a["href"][1:] for a in page.all("a")}
    labels = {a["aria-labelledby"] for _, a in page.tags if "aria-labelledby" in a}
    assert targets | labels <= set(ids)
    assert all(a.get("aria-label") for _, a in page.tags if a.get("role") in ("img", "region"))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_stay_text(text):
    page, plain = Page(render(hostile(text))), Page(render(hostile("plain")))
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in plain.tags]
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert all(a["href"].startswith("#") for a in page.all("a"))
    assert page.texts.count(text) >= 10  # shown as it was written
    assert "epoch 1: held-out 90.00 %" in page.figures["figure-training-1"]
    assert text in page.figures["figure-training-1"]
    assert sum(said.startswith(f"{text}, {text}: ") for said in page.texts) >= 3  # pointed at


@pytest.mark.parametrize("seed", range(12))
def test_random_networks(seed):
    content = random_content(seed)
    page = Page(render(content))
    network = content.networks["packed"]
    assert f"holds {network.nonzeros:,} nonzero weights" in page.text
    assert len(page.all("article")) == len(network.layers) + 4


def test_same_content_same_page():
    assert render(hand_made()) == render(hand_made())


def test_without_history_summary_and_records():
    page = Page(render(hand_made(history=(), summary=(), provenance=())))
    assert not any("training" in name for name in page.figures)
    assert "No records were given." in page.text


def test_designs_of_different_layers_leave_gaps():
    networks = {
        "dense": hand_made_network(dense(WEIGHTS), layer="a"),
        "packed": hand_made_network(pack(WEIGHTS, alpha=2, gamma=0), layer="b"),
    }
    text = Page(render(content_of(networks))).text
    assert re.search(r"\ba 4 – –", text) and re.search(r"\bb – 2 –", text)


def test_all_zero_layer():
    zero = hand_made_network(pack(np.zeros((3, 4), dtype=np.int8), alpha=2, gamma=0))
    text = Page(render(content_of({"packed": zero}))).text
    assert "No column group: every weight is zero." in text


def test_more_groups_than_are_listed():
    wide = np.tile(np.eye(2, dtype=np.int8), 600)
    text = Page(
        render(content_of({"packed": hand_made_network(pack(wide, alpha=2, gamma=0))}))
    ).text
    assert "The first 512 of 600 groups" in text


def test_only_the_largest_layers_are_coarse_on_a_large_page(monkeypatch):
    monkeypatch.setattr(views, "_PAGE_PIXELS", 20)
    wide = np.tile(np.eye(2, dtype=np.int8), 50)
    network = hand_made_network(pack(wide, alpha=2, gamma=0))
    assert (
        "is the share of nonzeros in 4 × 4 cells"
        in Page(render(content_of({"packed": network}))).text
    )
    assert "share of nonzeros" not in Page(render(hand_made())).text


def test_bad_contents():
    content = hand_made()
    with pytest.raises(InvalidOptionError, match="at least one network"):
        replace(content, networks={}, cycles={})
    with pytest.raises(InvalidOptionError, match="'dense', 'packed', but its cycle counts 'dense'"):
        replace(content, cycles={"dense": content.cycles["dense"]})
    with pytest.raises(InvalidOptionError, match="other layers"):
        replace(
            content,
            networks={**content.networks, "dense": hand_made_network(dense(WEIGHTS), layer="x")},
        )
