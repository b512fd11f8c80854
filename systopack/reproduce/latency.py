"""Cross-layer pipelining: latency against the same arrays in turn, and against the tiled one."""

from __future__ import annotations

from typing import Any

from systopack.hardware.pipelined.cycles import count_pipelined
from systopack.hardware.tiled.cycles import count_tiled
from systopack.reproduce.content import Column, Drawing, Notes, Section, draw_groups, table_of
from systopack.reproduce.design_points import HEADLINE
from systopack.reproduce.rows import COMPUTED, Row, Rows, distinct, rows_of, select, value_of
from systopack.reproduce.sources import Sources

_ORGANISATIONS = {
    "pipelined": "layer-pipelined",
    "in turn": "the same, in turn",
    "tiled": "tiled",
}


def measure(sources: Sources) -> Rows:
    """Latency in cycles of every network, dense and packed."""
    rows: list[Row] = []
    for pair in sources.pairs:
        for network, array in zip((pair.dense, pair.packed), pair.arrays(HEADLINE), strict=True):
            pipelined = count_pipelined(network, array=array)
            tiled = count_tiled(network, array=array)
            own = pipelined.latency_cycles
            numbers: dict[str, list[tuple[str, float, str]]] = {
                "pipelined": [
                    ("cells", pipelined.cells, ""),
                    ("period", pipelined.period_cycles, "cycles"),
                    ("latency", own, "cycles"),
                ],
                "in turn": [
                    ("latency", pipelined.sequential_cycles, "cycles"),
                    ("times slower", pipelined.sequential_cycles / own, ""),
                ],
                "tiled": [
                    ("cells", array.rows * array.columns, ""),
                    ("latency", tiled.cycles, "cycles"),
                    ("times slower", tiled.cycles / own, ""),
                ],
            }
            about = {"network": network.name, "design_point": HEADLINE.name}
            for name, of in numbers.items():
                rows += rows_of(of, organisation=name, origin=(COMPUTED,), **about)
    return tuple(rows)


def show(rows: Rows, _: Notes) -> Section:
    """Table, bars and what pipelining across layers is worth."""
    latencies = [
        Column(header=header, where={"quantity": "latency", "organisation": name}, form=",")
        for name, header in _ORGANISATIONS.items()
    ]
    return Section(
        title="Cross-layer latency",
        text=(
            "Cycles of one image: the layer-pipelined accelerator, in which every layer has cells "
            "of its own and starts on the first data it needs; the same cells one layer after "
            f"another; and the tiled accelerator with one array, {HEADLINE.name}.",
        ),
        tables=(
            table_of(
                rows,
                keys={"network": "network"},
                columns=(
                    Column(
                        header="cells of the layer-pipelined one",
                        where={"quantity": "cells", "organisation": "pipelined"},
                        form=",",
                    ),
                    *latencies,
                    *(
                        Column(
                            header=f"{name} / pipelined",
                            where={"quantity": "times slower", "organisation": name},
                            form=".2f",
                        )
                        for name in ("in turn", "tiled")
                    ),
                ),
            ),
        ),
        drawings=(Drawing(name="latency", caption="Latency of one image", draw=_bars(rows)),),
        verdict=tuple(_verdict(select(rows, network=name)) for name in distinct(rows, "network")),
    )


def _verdict(rows: Rows) -> str:
    slower = {row.organisation: row.value for row in select(rows, quantity="times slower")}
    cells = {row.organisation: row.value for row in select(rows, quantity="cells")}
    return (
        f"{rows[0].network}: pipelining across layers makes one image {slower['in turn']:.1f} "
        "times faster than the same cells in turn and "
        f"{slower['tiled']:.1f} times faster than the tiled "
        f"accelerator, which has {cells['tiled'] / cells['pipelined']:.3f} of its cells."
    )


def _bars(rows: Rows) -> Any:
    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        networks = distinct(rows, "network")
        draw_groups(
            axes,
            networks,
            {
                label: [
                    value_of(rows, network=name, quantity="latency", organisation=organisation) or 0
                    for name in networks
                ]
                for organisation, label in _ORGANISATIONS.items()
            },
            rotation=20,
        )
        axes.set_yscale("log")
        axes.set_ylabel("cycles")

    return draw
