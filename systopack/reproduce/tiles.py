"""Tiles per layer, without and with combining."""

from __future__ import annotations

from typing import Any

from systopack.reproduce.content import Column, Drawing, Notes, Section, draw_groups, table_of
from systopack.reproduce.design_points import HEADLINE
from systopack.reproduce.rows import COMPUTED, Row, Rows, distinct, select
from systopack.reproduce.sources import Sources

_ROWS, _COLUMNS = HEADLINE.array.rows, HEADLINE.array.columns
_VARIANTS = {"dense": "alpha 1", "packed": "packed"}


def measure(sources: Sources) -> Rows:
    """How many tiles every layer of both networks takes."""
    rows = []
    for pair in sources.pairs:
        counts = [
            {layer.name: layer.matrix.tile_count(rows=_ROWS, columns=_COLUMNS) for layer in of}
            for of in (pair.dense.layers, pair.packed.layers)
        ]
        rows += [
            Row(
                network=pair.packed.name,
                layer=name,
                variant=variant,
                quantity="tiles",
                value=of[name],
                origin=(COMPUTED,),
            )
            for name in counts[0]
            if name in counts[1]
            for variant, of in zip(_VARIANTS, counts, strict=True)
        ]
    return tuple(rows)


def show(rows: Rows, _: Notes) -> Section:
    """The table and a figure a network."""
    return Section(
        title="Tiles per layer",
        text=(
            f"Tiles of {_ROWS} x {_COLUMNS} cells in which each layer runs: the dense network with "
            "one column a channel, and the packed one.",
        ),
        tables=(
            table_of(
                rows,
                keys={"network": "network", "layer": "layer"},
                columns=[
                    Column(header=header, where={"variant": variant}, form="d")
                    for variant, header in _VARIANTS.items()
                ],
            ),
        ),
        drawings=tuple(
            Drawing(
                name=f"tiles-{name}",
                caption=f"Tiles of {_ROWS} x {_COLUMNS} per layer, {name}",
                draw=_bars(select(rows, network=name)),
            )
            for name in distinct(rows, "network")
        ),
    )


def _bars(rows: Rows) -> Any:
    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        draw_groups(
            axes,
            distinct(rows, "layer"),
            {
                header: [row.value for row in select(rows, variant=variant)]
                for variant, header in _VARIANTS.items()
            },
        )
        axes.set_ylabel("tiles")

    return draw
