"""Put networks, cycle counts and records side by side as the content of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.hardware.cycles import NetworkCycles
from systopack.hardware.piece import cut_piece
from systopack.hardware.pipelined.cycles import PipelinedCycles
from systopack.hardware.tiled.cycles import TiledCycles
from systopack.network.network import PackedNetwork
from systopack.report.content import ReportContent, SummaryRow
from systopack.report.schedule import (
    Schedule,
    pipelined_schedule,
    sequential_schedule,
    tiled_schedule,
)

Accuracies = Mapping[str, Mapping[str, float]]  # design -> "float" or "8-bit" -> percent
_REFERENCE = "dense"
_EFFICIENCY = "packing efficiency"


def compare(
    *,
    title: str,
    networks: Mapping[str, PackedNetwork],
    cycles: Mapping[str, NetworkCycles],
    history: Sequence[Mapping[str, Any]],
    records: Sequence[Mapping[str, Any]],
    accuracies: Accuracies | None = None,
    accelerators: Mapping[str, TiledCycles] | None = None,
    pipelined: Mapping[str, PipelinedCycles] | None = None,
    image: NDArray[np.int8] | None = None,
) -> ReportContent:
    """Build the content of a report; ratios are to the design named "dense".

    Args:
        networks, cycles: by design, in the order of the columns.
        history: training epochs.
        records: quoted as provenance.
        accuracies: percent of the test images right; without it those rows are left out.
        accelerators: by design, the count of the whole tiled accelerator, memories and the
            host's streams included; they end the Gantt chart.
        pipelined: by design, the count of the layer-pipelined accelerator; in the Gantt chart the
            last design's cells are also shown one layer after another.
        image: shape (C, H, W), int8, as `reference.quantize_images` gives it: the words of the
            animation; None: no animation.
    """
    figures = _figures(networks, cycles, accelerators or {}, pipelined or {})
    rows = [
        *_accuracy_rows(accuracies or {}),
        *(
            SummaryRow(
                quantity=quantity,
                unit="%" if quantity == _EFFICIENCY else "",
                values=values,
                ratio=_ratio(values),
            )
            for quantity, values in figures.items()
        ),
    ]
    return ReportContent(
        title=title,
        networks=networks,
        cycles=cycles,
        history=history,
        summary=rows,
        provenance=records,
        piece=None if image is None else cut_piece(list(networks.values())[-1], image),
        schedules=(
            *_pipelined_schedules(pipelined or {}),
            *(tiled_schedule(count, design=name) for name, count in (accelerators or {}).items()),
        ),
    )


def _accuracy_rows(accuracies: Accuracies) -> list[SummaryRow]:
    return [
        SummaryRow(
            quantity=f"accuracy, {kind}",
            unit="%",
            values={design: of[kind] for design, of in accuracies.items()},
            ratio=None,
        )
        for kind in ("float", "8-bit")
        if accuracies
    ]


def _figures(
    networks: Mapping[str, PackedNetwork],
    cycles: Mapping[str, NetworkCycles],
    accelerators: Mapping[str, TiledCycles],
    pipelined: Mapping[str, PipelinedCycles],
) -> dict[str, Mapping[str, float | int]]:
    """By quantity and design; quantities without a design are left out."""
    arrays = list(dict.fromkeys((c.array.rows, c.array.columns) for c in cycles.values()))
    where = " x ".join(str(size) for size in arrays[0]) if len(arrays) == 1 else "their arrays"
    figures: dict[str, Mapping[str, float | int]] = {
        "nonzeros": {design: network.nonzeros for design, network in networks.items()},
        "packed cells": {design: network.packed_cells for design, network in networks.items()},
        _EFFICIENCY: {d: 100 * network.packing_efficiency for d, network in networks.items()},
        f"tiles on {where}": {design: count.tiles for design, count in cycles.items()},
        "streamed words per image": {d: count.streamed_words for d, count in cycles.items()},
        "cycles per image, array alone": {design: c.cycles for design, c in cycles.items()},
        "cycles per image, tiled accelerator": {d: c.cycles for d, c in accelerators.items()},
        "latency of an image, layer-pipelined": {
            design: count.latency_cycles for design, count in pipelined.items()
        },
        "the same cells, one layer after another": {
            design: count.sequential_cycles for design, count in pipelined.items()
        },
    }
    return {quantity: values for quantity, values in figures.items() if values}


def _pipelined_schedules(counts: Mapping[str, PipelinedCycles]) -> list[Schedule]:
    found = [pipelined_schedule(count, design=name) for name, count in counts.items()]
    if counts:
        name, count = list(counts.items())[-1]
        found.append(sequential_schedule(count, design=name))
    return found


def _ratio(values: Mapping[str, float | int]) -> float | None:
    others = [value for design, value in values.items() if design != _REFERENCE]
    reference = values.get(_REFERENCE)
    if not others or not reference:
        return None
    return others[-1] / reference
