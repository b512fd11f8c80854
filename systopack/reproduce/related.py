"""Related accelerators on the same networks, with one technology table."""

from __future__ import annotations

from typing import Any

from systopack.hardware.related.compare import DESIGNS, compare_designs
from systopack.reproduce.content import Drawing, Notes, Section, columns, table_of
from systopack.reproduce.rows import COMPUTED, Row, Rows, distinct, rows_of, select, value_of
from systopack.reproduce.sources import Sources

_TITLE = "Related accelerators on the same networks"
_OURS = "column combining per tile"


def measure(sources: Sources) -> Rows:
    """Cycles and energy of one image on every design, all with the packed network's weights."""
    rows: list[Row] = []
    for pair in sources.pairs:
        if pair.image is None:
            continue
        found = compare_designs(pair.packed, pair.image)
        base = found[1]  # the dense array with zero-value gating
        for one in found:
            numbers = (
                ("cycles", one.cycles, "cycles"),
                ("times faster", base.cycles / one.cycles, ""),
                ("energy", one.total_pj / 1e6, "uJ"),
                ("times less energy", base.total_pj / one.total_pj, ""),
                ("utilization", one.utilization, ""),
            )
            rows += rows_of(
                numbers, network=pair.packed.name, variant=one.design, origin=(COMPUTED,)
            )
    return tuple(rows)


def show(rows: Rows, _: Notes) -> Section:
    """Table, bars, the fastest and the most frugal of each network."""
    if not rows:
        return Section(
            title=_TITLE,
            text=(
                "No images were given (--data), and these models need real activations; nothing "
                "is computed here.",
            ),
        )
    sources = "; ".join(f"{design.name}: {design.source}" for design in DESIGNS)
    return Section(
        title=_TITLE,
        text=(
            "Every design runs the packed network's own weights, with 32 x 32 multipliers of 8 "
            "bit, one product a cycle, on real activations of one image; none prunes further, "
            "and each was checked to compute the reference's integers. Speed and energy are "
            "relative to the dense array with zero-value gating. Energies are those of cited "
            "constants at 45 nm, not of gate-level netlists (docs/related-accelerators.md).",
            f"Sources: {sources}.",
        ),
        tables=(
            table_of(
                rows,
                keys={"network": "network", "variant": "design"},
                columns=columns(
                    ("cycles", "cycles", ","),
                    ("times faster", "times faster", ".2f"),
                    ("energy, uJ", "energy", ".3f"),
                    ("times less energy", "times less energy", ".2f"),
                    ("utilization", "utilization", ".3f"),
                ),
            ),
        ),
        drawings=(
            Drawing(name="related", caption="Cycles and energy of one image", draw=_bars(rows)),
        ),
        verdict=(
            *(_verdict(select(rows, network=name)) for name in distinct(rows, "network")),
            "The weights were pruned for column combining: a network pruned for 2:4 or for "
            "density-bound blocks would suit those arrays better, and its accuracy would have "
            "to be measured anew.",
        ),
    )


def _verdict(rows: Rows) -> str:
    fastest = min(select(rows, quantity="cycles"), key=lambda row: row.value)
    frugal = min(select(rows, quantity="energy"), key=lambda row: row.value)
    ours = value_of(rows, quantity="energy", variant=_OURS) or 0.0
    less = ours / frugal.value
    beside = "" if frugal.variant == _OURS else f", {less:.2f} times less than {_OURS}"
    return (
        f"{fastest.network}: {fastest.variant} takes the fewest cycles ({fastest.value:,}), "
        f"{frugal.variant} the least energy ({frugal.value:.2f} uJ{beside})."
    )


def _bars(rows: Rows) -> Any:
    def draw(figure: Any) -> None:
        networks, designs = distinct(rows, "network"), distinct(rows, "variant")
        height = 0.8 / len(networks)
        panels = (("cycles", "cycles"), ("energy", "energy (uJ)"))
        for index, (quantity, label) in enumerate(panels):
            axes = figure.add_subplot(1, 2, index + 1)
            for number, network in enumerate(networks):
                axes.barh(
                    [place + height * number for place in range(len(designs))],
                    [row.value for row in select(rows, network=network, quantity=quantity)],
                    height,
                    label=network,
                )
            names = designs if index == 0 else [""] * len(designs)
            axes.set_yticks(range(len(designs)), names, fontsize=7)
            axes.invert_yaxis()
            axes.set_xlabel(label)
        axes.legend(fontsize=6)

    return draw
