"""What the page's template prints: texts, table cells, figures and pictures, section by section."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from systopack.hardware.cycles import LayerCycles, NetworkCycles
from systopack.network.network import PackedNetwork
from systopack.network.nodes import MatrixLayer
from systopack.packing.matrix import PackedMatrix
from systopack.report.content import ReportContent, SummaryRow
from systopack.report.figures import Design, layer_chart, phase_spans, training_charts
from systopack.report.pictures import (
    LAYER_PIXELS,
    channel_colours,
    choose_cells_per_pixel,
    draw_matrix,
)
from systopack.report.text import flatten, number, percent, ratio

View = dict[str, Any]

_COLOURS = ("--dense", "--packed", "--third", "--fourth", "--fifth")
_LISTED_GROUPS = 512
_PAGE_PIXELS = 8_000_000
_QUANTITIES = (
    "Column groups",
    "Largest group",
    "Nonzeros",
    "Packed cells",
    "Packing efficiency (%)",
    "Tiles",
)


def designs_of(content: ReportContent) -> tuple[Design, ...]:
    """The designs in order with their colours; a lone network that packs has the packed one's."""
    names = list(content.networks)
    first = 1 if len(names) == 1 and _packs(content.networks[names[0]]) else 0
    return tuple(
        Design(name=name, colour=_COLOURS[min(first + index, len(_COLOURS) - 1)])
        for index, name in enumerate(names)
    )


def headline_view(content: ReportContent) -> View:
    """The opening sentence and the few figures beside it."""
    designs = designs_of(content)
    base, best = (content.networks[designs[place].name] for place in (0, -1))
    base_cycles, best_cycles = (content.cycles[designs[place].name] for place in (0, -1))
    array = best_cycles.array
    # The dense network's own efficiency would compare other weights: it has them nearly all.
    uncombined = best.nonzeros / best.dense_cells if best.dense_cells else 1.0
    facts = [
        _fact("Packed cells", best.packed_cells, base.packed_cells, designs),
        (
            "Packing efficiency",
            f"{percent(best.packing_efficiency)} %",
            f"without combining: {percent(uncombined)} %",
        ),
        _fact(
            f"Tiles, {array.rows} × {array.columns}", best_cycles.tiles, base_cycles.tiles, designs
        ),
        _fact("Cycles of the array alone", best_cycles.cycles, base_cycles.cycles, designs),
    ]
    return {
        "nonzeros": number(best.nonzeros),
        "packed_cells": number(best.packed_cells),
        "dense_cells": number(best.dense_cells),
        "cell_share": percent(best.packed_cells / best.dense_cells if best.dense_cells else None),
        "tiles": _both(best_cycles.tiles, base_cycles.tiles),
        "cycles": _both(best_cycles.cycles, base_cycles.cycles),
        "cycle_ratio": ratio(best_cycles.cycles / base_cycles.cycles),
        "compares": len(designs) > 1,
        "designs": designs,
        "facts": facts,
        "array": array,
    }


def quantities_view(content: ReportContent, rows: Sequence[SummaryRow]) -> View:
    """A table of quantities: a column for every design that any row names."""
    columns = [
        design
        for design in dict.fromkeys(design for row in rows for design in row.values)
        if any(row.values.get(design) is not None for row in rows)
    ]
    colours = {design.name: design.colour for design in designs_of(content)}
    return {
        "columns": [(design, colours.get(design, "--muted")) for design in columns],
        "rows": [
            {
                "quantity": row.quantity,
                "unit": row.unit,
                "cells": [number(row.values.get(design), row.unit) for design in columns],
                "ratio": ratio(row.ratio),
                "bar_percent": None
                if row.ratio is None or not 0 <= row.ratio < float("inf")
                else round(100 * min(row.ratio, 1), 2),
            }
            for row in rows
        ],
    }


def training_view(content: ReportContent) -> View | None:
    """Figure and table of the training; None without a history."""
    if not content.history:
        return None
    designs = designs_of(content)
    rows = []
    for span in phase_spans(content.history):
        for epoch in range(span.first, span.last + 1):
            entry = content.history[epoch - 1]
            rows.append(
                [
                    str(epoch),
                    f"{span.phase} {entry['iteration']}" if entry.get("iteration") else span.phase,
                    number(entry.get("train_accuracy_percent"), "%"),
                    number(entry.get("held_out_accuracy_percent"), "%"),
                    number(entry.get("nonzeros")),
                    percent(entry.get("packing_efficiency")),
                ]
            )
    return {
        "charts": training_charts(content.history, dense=designs[0], packed=designs[-1]),
        "designs": designs,
        "rows": rows,
    }


def cycles_view(content: ReportContent) -> list[View]:
    """One figure with its table for cycles, tiles and utilization of the layers."""
    return [
        _layer_comparison(
            content,
            title="Cycles",
            question="How long does each layer hold the array?",
            axis_title="Cycles for one image",
            unit=" cycles",
            value=lambda layer: layer.cycles,
            total=lambda cycles: cycles.cycles,
        ),
        _layer_comparison(
            content,
            title="Tiles",
            question="How many times is the array loaded with weights?",
            axis_title="Tiles",
            unit=" tiles",
            value=lambda layer: layer.tiles,
            total=lambda cycles: cycles.tiles,
        ),
        _layer_comparison(
            content,
            title="Utilization",
            question="What share of the array's word times multiplies by a nonzero weight? Fewer "
            "weights for the same task can mean less of it in less time.",
            axis_title="Utilization (%)",
            unit=" %",
            value=lambda layer: 100 * layer.utilization,
            total=lambda cycles: 100 * cycles.utilization,
            share=True,
        ),
    ]


def cycle_parts_view(content: ReportContent) -> View:
    """Where the cycles of a whole network go, for every design."""
    return {
        "columns": ["Weight load", "Streaming", "Stalls", "Fill and drain", "All"],
        "rows": [
            (
                design,
                [
                    number(
                        sum(getattr(layer, part) for layer in content.cycles[design.name].layers)
                    )
                    for part in (
                        "load_cycles",
                        "stream_cycles",
                        "stall_cycles",
                        "latency_cycles",
                        "cycles",
                    )
                ],
            )
            for design in designs_of(content)
        ],
    }


def layers_view(content: ReportContent) -> list[View]:
    """Pictures, numbers and column groups of every layer of the last network."""
    designs = designs_of(content)
    shown = content.networks[designs[-1].name]
    edge = _cells_per_pixel(shown)
    return [
        _layer_view(content, designs, layer, index, edge)
        for index, layer in enumerate(shown.layers, start=1)
    ]


def provenance_view(content: ReportContent) -> list[View]:
    """Every record as a list of sections of (name, text)."""
    views = []
    for record in content.provenance:
        scalars = {key: value for key, value in record.items() if not isinstance(value, Mapping)}
        sections = [("record", flatten(scalars))]
        sections += [
            (key, flatten(value))
            for key, value in record.items()
            if isinstance(value, Mapping) and value
        ]
        views.append({"kind": str(record.get("kind", "record")), "sections": sections})
    return views


def _layer_comparison(
    content: ReportContent,
    *,
    title: str,
    question: str,
    axis_title: str,
    unit: str,
    value: Callable[[LayerCycles], float],
    total: Callable[[NetworkCycles], float],
    share: bool = False,
) -> View:
    designs = designs_of(content)
    layers = list(
        dict.fromkeys(
            layer.name for design in designs for layer in content.cycles[design.name].layers
        )
    )
    columns: dict[Design, list[float | None]] = {}
    for design in designs:
        known = {layer.name: value(layer) for layer in content.cycles[design.name].layers}
        columns[design] = [known.get(name) for name in layers]
    totals = [total(content.cycles[design.name]) for design in designs]
    write = (lambda x: "–" if x is None else f"{x:.1f}") if share else number
    rows = [
        (name, [write(cell) for cell in cells], _ratio_of(cells))
        for name, *cells in zip(layers, *columns.values(), strict=True)
    ]
    chart = layer_chart(
        layers,
        columns,
        title=_finding(
            designs=designs,
            totals=totals,
            layers=layers,
            values=columns[designs[-1]],
            write=write,
            unit=unit,
        ),
        axis_title=axis_title,
        unit=unit,
        share=share,
    )
    return {
        "title": title,
        "question": question,
        "axis_title": axis_title,
        "designs": designs,
        "rows": rows,
        "total": ([write(cell) for cell in totals], _ratio_of(totals)),
        "compares": len(designs) > 1,
        "chart": chart,
    }


def _finding(
    *,
    designs: Sequence[Design],
    totals: Sequence[float],
    layers: Sequence[str],
    values: Sequence[float | None],
    write: Callable[[float | None], str],
    unit: str,
) -> str:
    """What a chart of the layers says: the networks, and the layer of the last with the most."""
    said = f"{designs[-1].name}: {write(totals[-1])}{unit}"
    if len(designs) > 1:
        said += f", {designs[0].name}: {write(totals[0])}{unit}"
    most = max(zip(values, layers, strict=True), key=lambda one: one[0] or 0, default=None)
    return f"{said}; the most in {most[1]}" if most else said


def _layer_view(
    content: ReportContent,
    designs: Sequence[Design],
    layer: MatrixLayer,
    index: int,
    cells_per_pixel: Mapping[str, int],
) -> View:
    matrix = layer.matrix
    array = content.cycles[designs[-1].name].array
    columns = []
    for design in designs:
        node = content.networks[design.name].by_name.get(layer.name)
        if isinstance(node, MatrixLayer):
            tiles = next(
                item.tiles for item in content.cycles[design.name].layers if item.name == layer.name
            )
            columns.append((design, [*_matrix_cells(node.matrix), number(tiles)]))
    return {
        "index": index,
        "name": layer.name,
        "kind": layer.kind,
        "shape": f"{matrix.rows} × {matrix.columns}",
        "packed_shape": " + ".join(f"{b.rows} × {len(b.groups)}" for b in matrix.bands[:4])
        + (" + …" if len(matrix.bands) > 4 else ""),
        "nonzeros": number(matrix.nonzeros),
        "packs": matrix.packed_cells != matrix.dense_cells or matrix.largest_group > 1,
        "pictures": draw_matrix(
            matrix,
            rows=array.rows,
            columns=array.columns,
            cells_per_pixel=cells_per_pixel[layer.name],
        ),
        "channels": channel_colours(matrix.largest_group),
        "designs": [design for design, _ in columns],
        "rows": list(
            zip(_QUANTITIES, zip(*(cells for _, cells in columns), strict=True), strict=True)
        ),
        "gap": content.networks[designs[-1].name].history.get(f"groups of {layer.name}", ""),
        **_groups_view(matrix),
    }


def _groups_view(matrix: PackedMatrix) -> View:
    """The column groups, the first 512 of a layer."""
    rows: list[list[str]] = []
    count = sum(len(band.groups) for band in matrix.bands)
    for index, band in enumerate(matrix.bands):
        weights = (band.values != 0).sum(axis=0)
        for group, columns in enumerate(band.groups[: _LISTED_GROUPS - len(rows)]):
            held = int(weights[group])
            rows.append(
                [
                    f"{index}.{group}" if len(matrix.bands) > 1 else str(group),
                    str(len(columns)),
                    f"{held:,}",
                    percent(held / band.rows),
                    ", ".join(map(str, columns)),
                ]
            )
    return {"groups": rows, "group_count": count, "groups_left_out": count - len(rows)}


def _matrix_cells(matrix: PackedMatrix) -> list[str]:
    groups = sum(len(band.groups) for band in matrix.bands)
    return [
        number(groups),
        number(matrix.largest_group),
        number(matrix.nonzeros),
        number(matrix.packed_cells),
        percent(matrix.packing_efficiency),
    ]


def _cells_per_pixel(network: PackedNetwork) -> dict[str, int]:
    """One cell a pixel; coarser in the largest layers where the page would grow too large."""
    cells = {layer.name: layer.matrix.dense_cells for layer in network.layers}
    limit = LAYER_PIXELS
    while limit > 1 and sum(min(limit, count) for count in cells.values()) > _PAGE_PIXELS:
        limit //= 2
    return {name: choose_cells_per_pixel(count, limit) for name, count in cells.items()}


def _packs(network: PackedNetwork) -> bool:
    return any(layer.matrix.largest_group > 1 for layer in network.layers)


def _fact(
    name: str, value: int, base: int, designs: Sequence[Design]
) -> tuple[str, str, str | None]:
    """A quantity, its value for the last design and, where there are two, that of the first."""
    return name, number(value), f"{designs[0].name}: {number(base)}" if len(designs) > 1 else None


def _both(value: int, base: int) -> tuple[str, str]:
    return number(value), number(base)


def _ratio_of(cells: Sequence[float | None]) -> str:
    """Last to first."""
    first, last = cells[0], cells[-1]
    return ratio(last / first if first and last is not None else None)
