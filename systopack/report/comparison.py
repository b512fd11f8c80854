"""Put networks, cycle counts and records side by side as the content of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.hardware.cycles import NetworkCycles
from systopack.hardware.energy.model import NetworkEnergy
from systopack.hardware.piece import cut_piece
from systopack.hardware.pipelined.cycles import PipelinedCycles
from systopack.hardware.tiled.cycles import TiledCycles
from systopack.network.network import PackedNetwork
from systopack.report.content import ReportContent, SummaryRow
from systopack.report.opening import opening_notes, opening_values
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
    energies: Mapping[str, NetworkEnergy] | None = None,
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
        energies: by design, `opening.UNCOMBINED` among them: energy, time and area at the head of
            the page.
        image: shape (C, H, W), int8, as `reference.quantize_images` gives it: the words of the
            animation; None: no animation.
    """
    figures = _figures(networks, cycles, accelerators or {}, pipelined or {})
    opening = opening_values(
        networks,
        accelerators or {},
        {design: of["8-bit"] for design, of in (accuracies or {}).items() if "8-bit" in of},
        energies or {},
    )
    return ReportContent(
        title=title,
        networks=networks,
        cycles=cycles,
        history=history,
        summary=[
            *_accuracy_rows(accuracies or {}),
            *(
                _row(quantity, "%" if quantity == _EFFICIENCY else "", values)
                for quantity, values in figures.items()
            ),
        ],
        opening=[
            _row(quantity, unit, values, compares=unit != "%")
            for (quantity, unit), values in opening.items()
        ],
        opening_notes=opening_notes(list(networks)[-1], accelerators or {}, energies or {}),
        provenance=records,
        piece=None if image is None else cut_piece(list(networks.values())[-1], image),
        schedules=(
            *_pipelined_schedules(pipelined or {}),
            *(tiled_schedule(count, design=name) for name, count in (accelerators or {}).items()),
        ),
    )


def _accuracy_rows(accuracies: Accuracies) -> list[SummaryRow]:
    rows = []
    for kind in ("float", "8-bit"):
        values = {design: of[kind] for design, of in accuracies.items() if kind in of}
        if values:
            rows.append(_row(f"accuracy, {kind}", "%", values, compares=False))
    return rows


def _row(
    quantity: str, unit: str, values: Mapping[str, float | int], *, compares: bool = True
) -> SummaryRow:
    return SummaryRow(
        quantity=quantity, unit=unit, values=values, ratio=_ratio(values) if compares else None
    )


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
