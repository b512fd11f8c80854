"""Cross-layer pipelining: latency against the same arrays in turn, and against the tiled one."""

from __future__ import annotations

from typing import Any

from systopack.hardware.pipelined.cycles import count_pipelined
from systopack.hardware.tiled import count_tiled
from systopack.reproduce.content import COMPUTED, Drawing, Section, Table
from systopack.reproduce.sources import Sources


def latency(sources: Sources) -> Section:
    """Latency in cycles of every network, dense and packed."""
    rows: list[tuple[str, ...]] = []
    figures: dict[str, Any] = {}
    verdict = []
    for pair in sources.pairs:
        for network, array in zip((pair.dense, pair.packed), pair.arrays, strict=True):
            pipelined = count_pipelined(network, array=array)
            tiled = count_tiled(network, array=array)
            figures[network.name] = {
                "latency_cycles": pipelined.latency_cycles,
                "period_cycles": pipelined.period_cycles,
                "sequential_cycles": pipelined.sequential_cycles,
                "tiled_cycles": tiled.cycles,
                "cells": pipelined.cells,
            }
            rows.append(
                (
                    network.name,
                    f"{pipelined.cells:,}",
                    f"{pipelined.latency_cycles:,}",
                    f"{pipelined.sequential_cycles:,}",
                    f"{tiled.cycles:,}",
                    f"{pipelined.sequential_cycles / pipelined.latency_cycles:.2f}",
                    f"{tiled.cycles / pipelined.latency_cycles:.2f}",
                    COMPUTED,
                )
            )
        verdict.append(_verdict(pair.packed.name, figures[pair.packed.name]))
        saved = figures[pair.dense.name]["cells"] / figures[pair.packed.name]["cells"]
        verdict.append(
            f"Packing saves {saved:.1f} times the cells of the layer-pipelined accelerator; its "
            "latency is set by the positions of the image, and hardly changes."
        )
    return Section(
        title="Cross-layer latency",
        text=(
            "Cycles of one image: the layer-pipelined accelerator, in which every layer has cells "
            "of its own and starts on the first data it needs; the same cells one layer after "
            "another; and the tiled accelerator with one array of 32 x 32.",
        ),
        tables=(
            Table(
                header=(
                    "network",
                    "cells of the layer-pipelined one",
                    "layer-pipelined",
                    "the same, in turn",
                    "tiled 32 x 32",
                    "in turn / pipelined",
                    "tiled / pipelined",
                ),
                rows=tuple(rows),
            ),
        ),
        drawings=(Drawing(name="latency", caption="Latency of one image", draw=_bars(figures)),),
        verdict=tuple(verdict),
        figures=figures,
    )


def _verdict(name: str, figures: dict[str, int]) -> str:
    own = figures["latency_cycles"]
    return (
        f"{name}: pipelining across layers makes one image "
        f"{figures['sequential_cycles'] / own:.1f} times faster than the same cells in turn and "
        f"{figures['tiled_cycles'] / own:.1f} times faster than the tiled accelerator, which has "
        f"{1024 / figures['cells']:.3f} of its cells."
    )


def _bars(figures: dict[str, Any]) -> Any:
    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        kinds = (
            ("latency_cycles", "layer-pipelined"),
            ("sequential_cycles", "the same, in turn"),
            ("tiled_cycles", "tiled 32 x 32"),
        )
        for index, (key, label) in enumerate(kinds):
            axes.bar(
                [place + 0.27 * (index - 1) for place in range(len(figures))],
                [values[key] for values in figures.values()],
                0.27,
                label=label,
            )
        axes.set_xticks(range(len(figures)), list(figures), rotation=20, fontsize=7)
        axes.set_yscale("log")
        axes.set_ylabel("cycles")
        axes.legend(fontsize=7)

    return draw
