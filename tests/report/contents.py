"""Report contents for the tests: one typed out by hand, and random ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from systopack.hardware.array import Array
from systopack.hardware.cycles import count_cycles
from systopack.hardware.piece import cut_piece
from systopack.network.network import PackedNetwork
from systopack.network.nodes import InputNode, MatrixLayer
from systopack.packing.pack import dense, pack
from systopack.report.content import ReportContent, SummaryRow
from tests.networks import random_network

ARRAY = Array(rows=2, columns=2, alpha=8)
WEIGHTS = np.array([[1, 0, 0, 2], [0, 3, 0, 0], [0, 0, 0, 4]], dtype=np.int8)


def hand_made_network(matrix, name: str = "hand", layer: str = "conv") -> PackedNetwork:
    """One pointwise layer with the 3 x 4 filter matrix of the package's examples."""
    rows, columns = matrix.shape
    grid = np.stack([np.arange(columns), np.zeros(columns), np.zeros(columns)], axis=1)
    return PackedNetwork(
        name=name,
        nodes=(
            InputNode(
                name="input",
                shape=(columns, 2, 2),
                mean=(0.5,) * columns,
                std=(0.25,) * columns,
                exponent=-5,
            ),
            MatrixLayer(
                name=layer,
                source="input",
                kind="convolution",
                matrix=matrix,
                columns=grid.astype(np.int32),
                bias=np.zeros(rows, dtype=np.int32),
                stride=(1, 1),
                padding=(0, 0, 0, 0),
                output_size=(2, 2),
                residual=None,
                activation="none",
                clip=None,
                shift=None,
                exponent=-12,
            ),
        ),
    )


def epoch(phase: str, iteration: int, held_out: float | None, nonzeros: int) -> dict:
    """One history entry."""
    return {
        "phase": phase,
        "iteration": iteration,
        "epoch": 1,
        "loss": 0.5,
        "train_accuracy_percent": 91.25,
        "held_out_accuracy_percent": held_out,
        "nonzeros": nonzeros,
        "packed_cells": 12,
        "packing_efficiency": nonzeros / 12,
        "learning_rate": 0.1,
    }


HISTORY = (
    epoch("train", 0, 90.0, 12),
    epoch("train", 0, 95.5, 12),
    epoch("joint", 1, 91.0, 8),
    epoch("joint", 2, None, 4),
    epoch("fine-tune", 0, 94.75, 4),
    epoch("quantize", 0, 94.5, 4),
)

RECORD = {
    "record_version": 1,
    "kind": "demo",
    "figures": {"accuracy_percent": 94.5},
    "configuration": {"alpha": 2, "data": {"name": "sample", "rows": [1, 2]}},
    "seed": 7,
    "inputs": {},
    "outputs": {"packed.spk": "ab" * 32},
    "versions": {"numpy": "2.4.6"},
    "machine": {"cores": 2},
    "time_utc": "2026-01-02T03:04:05+00:00",
}


def content_of(networks: dict[str, PackedNetwork], **changes) -> ReportContent:
    """A content with everything counted on `ARRAY`."""
    content = ReportContent(
        title="Title",
        networks=networks,
        cycles={key: count_cycles(network, array=ARRAY) for key, network in networks.items()},
        history=HISTORY,
        summary=(
            SummaryRow(
                quantity="Accuracy", unit="%", values={"dense": 95.5, "packed": 94.5}, ratio=None
            ),
            SummaryRow(
                quantity="Packed cells", unit="", values={"dense": 12, "packed": 6}, ratio=0.5
            ),
        ),
        provenance=(RECORD,),
    )
    return replace(content, **changes)


def hand_made(**changes) -> ReportContent:
    """The 3 x 4 matrix, dense and packed into 2 groups."""
    return content_of(
        {
            "dense": hand_made_network(dense(WEIGHTS)),
            "packed": hand_made_network(pack(WEIGHTS, alpha=2, gamma=0)),
        },
        **changes,
    )


def animated(**changes) -> ReportContent:
    """The same with a piece to follow: all of its layer, over the 4 positions of an image."""
    networks = hand_made().networks
    image = np.arange(-8, 8, dtype=np.int8).reshape(4, 2, 2)
    return hand_made(**{"piece": cut_piece(networks["packed"], image), **changes})


def random_content(seed: int) -> ReportContent:
    """A random network as the only design, with bands, N:M, residuals and empty matrices."""
    network = random_network(np.random.default_rng(seed), layers=1 + seed % 4)
    return content_of({"packed": network})


def hostile(text: str) -> ReportContent:
    """`text` in every place a user can write to."""
    network = replace(
        hand_made_network(pack(WEIGHTS, alpha=2, gamma=0), name=text, layer=text or "layer"),
        class_names=(text,) * 3,
    )
    return ReportContent(
        title=text,
        networks={text: network},
        cycles={text: count_cycles(network, array=ARRAY)},
        history=({**HISTORY[0], "phase": text},),
        summary=(SummaryRow(quantity=text, unit=text, values={text: 1}, ratio=2.0),),
        provenance=({**RECORD, "kind": text, text: {text: [text, {text: text}]}},),
    )
