"""The data and the sentences of the animation."""

from __future__ import annotations

import json

import numpy as np

from systopack.hardware.cycles import count_cycles
from systopack.hardware.piece import cut_piece
from systopack.hardware.stepping import stream_piece
from systopack.network.reference import accumulate_by_cells
from systopack.packing.pack import dense, pack
from systopack.report.animation import animation_view, describe_step
from systopack.report.page import render
from tests.report.contents import WEIGHTS, animated, content_of, hand_made, hand_made_network
from tests.report.pages import Page


def test_final_sums_of_the_data_are_those_of_the_reference():
    content = animated()
    data = animation_view(content)["data"]
    network = content.networks["packed"]
    source = np.zeros((4, 1, 2, 2), dtype=np.int8)  # column 2 holds no weight
    source[data["columns"]] = np.array(data["words"]).reshape(-1, 1, 2, 2)
    expected = accumulate_by_cells(network, network.layers[0], source).reshape(3, 4)
    for panel in data["panels"]:
        last = np.array(panel["tiles"][-1]["sums"])
        assert (last[:, -1] == expected).all()


def test_words_and_weights_of_the_data_give_every_sum():
    data = animation_view(animated())["data"]
    for panel in data["panels"]:
        for tile in panel["tiles"]:
            sums = np.array(tile["sums"])
            for row in range(panel["rows"]):
                for column, group in enumerate(tile["inputs"]):
                    chosen = data["words"][group[tile["chosen"][row][column]]]
                    assert tile["words"][row][column] == chosen
                    step = sums[row, column + 1] - sums[row, column]
                    assert (step == np.array(chosen) * tile["values"][row][column]).all()


def test_the_packed_panel_ends_first_and_says_so():
    data = animation_view(animated())["data"]
    apart, packed = data["panels"]
    assert len(apart["tiles"]) == 2 and len(packed["tiles"]) == 1
    assert packed["last"] < apart["last"]
    assert [len(panel["captions"]) for panel in data["panels"]] == [
        panel["last"] + 1 for panel in data["panels"]
    ]
    assert f"{apart['last']} word times without combining, {packed['last']} with it" in data["end"]
    assert apart["useful"][-1] == packed["useful"][-1] == 4 * 4  # 4 weights, 4 positions


def test_sentences_of_packing():
    sentences = animation_view(animated())["data"]["packing"]
    assert sentences[0] == (
        "The filter matrix: 3 filters, 3 columns, one for each input, 4 weights that are not zero."
    )
    assert sentences[1].startswith("Columns 1 and 3 become one")
    assert sentences[1].endswith("3 of its 3 cells are filled.")
    assert sentences[2].startswith("Column 0 stays alone")


def test_sentences_of_a_step():
    piece = animated().piece
    streaming = stream_piece(piece, combined=False)
    first, second = streaming.tiles
    said = [describe_step(streaming, piece.filters.tolist(), step) for step in range(40)]
    assert said[0] == (
        "No word yet: the cells need their weights. The weights of tile 1 enter column 1."
    )
    assert said[first.start].startswith("Tile 1 of 2: word 1 of 4 enters the first column.")
    assert said[second.start + 1].startswith("Tile 2 of 2: word 2 of 4 enters")
    assert "No word enters: the next tile waits" in said[second.start - 1]  # 4 words are short
    assert "a partial sum, kept for the next tile." in said[streaming.leaves(0, 0, 2)]
    value = streaming.results[0, 1]
    assert f"Filter 0, word 2: {value}, complete." in said[streaming.leaves(1, 0, 1)]
    assert said[streaming.last_step] == (
        f"The last of 12 sums is complete, after {streaming.last_step} word times."
    )


def test_loads_are_told_for_every_column():
    piece = animated().piece
    streaming = stream_piece(piece, combined=False)
    said = " ".join(
        describe_step(streaming, piece.filters.tolist(), step)
        for step in range(streaming.last_step + 1)
    )
    for tile in (1, 2):
        for column in (1, 2):
            assert said.count(f"The weights of tile {tile} enter column {column}") == 1


def test_the_page_holds_section_table_and_data():
    page = Page(render(animated()))
    streamings = [stream_piece(animated().piece, combined=way) for way in (False, True)]
    assert "A piece of layer conv with the words of a real image" in page.text
    assert "filters 0 to 2, all 2 column groups with their 3 columns" in page.text
    assert f"Word times {streamings[0].last_step} {streamings[1].last_step}" in page.text
    assert any(a.get("id") == "animation-data" for a in page.all("script"))
    labels = [a.get("aria-label") or a["data-do"] for a in page.all("button")]
    assert labels == ["Play", "One step back", "One step on", "first", "stream"]


def test_the_data_is_plain_numbers():
    data = animation_view(animated())["data"]
    assert json.loads(json.dumps(data)) == data


def test_no_section_without_a_piece():
    page = render(hand_made())
    assert "animation-data" not in page.split("<script>")[0]
    assert "#animation" not in [a["href"] for a in Page(page).all("a")]


def test_a_piece_of_a_layer_with_more_groups_says_so():
    rng = np.random.default_rng(1)
    weights = rng.integers(1, 5, (3, 20)).astype(np.int8) * (rng.random((3, 20)) < 0.5)
    networks = {
        "dense": hand_made_network(dense(weights.astype(np.int8))),
        "packed": hand_made_network(pack(weights.astype(np.int8), alpha=2, gamma=0.25)),
    }
    image = rng.integers(-128, 128, (20, 2, 2)).astype(np.int8)
    view = animation_view(content_of(networks, piece=cut_piece(networks["packed"], image)))
    groups = len(networks["packed"].layers[0].matrix.groups)
    assert f"the first 6 of {groups} column groups" in view["where"]
    assert view["sums"] == "partial sums of the layer, bias included"


def test_word_times_are_the_cycle_model_of_the_whole_layer():
    content = animated()  # all rows and groups of the layer are in the piece
    streaming = stream_piece(content.piece, combined=True)
    assert streaming.array.rows == WEIGHTS.shape[0]
    counted = count_cycles(content.networks["packed"], array=streaming.array)
    assert counted.cycles == streaming.last_step
