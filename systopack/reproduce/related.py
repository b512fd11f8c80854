"""The neighbours on the same networks, with one technology table."""

from __future__ import annotations

from typing import Any

from systopack.hardware.related.compare import compare_designs
from systopack.reproduce.content import COMPUTED, Drawing, Section, Table
from systopack.reproduce.sources import Sources


def neighbours(sources: Sources) -> Section:
    """Cycles and energy of one image on every design, all with the packed network's weights."""
    rows: list[tuple[str, ...]] = []
    figures: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for pair in sources.pairs:
        if pair.image is None:
            continue
        found = compare_designs(pair.packed, pair.image)
        base = found[1]
        figures[pair.packed.name] = {
            row.design: {
                "cycles": row.cycles,
                "energy_uj": row.total_pj / 1e6,
                "utilization": row.utilization,
            }
            for row in found
        }
        for row in found:
            origins[row.design] = row.source
            rows.append(
                (
                    pair.packed.name,
                    row.design,
                    f"{row.cycles:,}",
                    f"{base.cycles / row.cycles:.2f}",
                    f"{row.total_pj / 1e6:.3f}",
                    f"{base.total_pj / row.total_pj:.2f}",
                    f"{row.utilization:.3f}",
                    COMPUTED,
                )
            )
    if not rows:
        return Section(
            title="Neighbours on the same networks",
            text=(
                "No images were given (--data), and these models need real activations; nothing "
                "is computed here.",
            ),
        )
    return Section(
        title="Neighbours on the same networks",
        text=(
            "Every design runs the packed network's own weights, with 32 x 32 multipliers of 8 "
            "bit, one product a cycle, on real activations of one image; none prunes further, "
            "and each was checked to compute the reference's integers. Speed and energy are "
            "relative to the dense array with zero-value gating. Energies are those of cited "
            "constants at 45 nm, not of gate-level netlists (docs/related-accelerators.md).",
        ),
        tables=(
            Table(
                header=(
                    "network",
                    "design",
                    "cycles",
                    "times faster",
                    "energy, uJ",
                    "times less energy",
                    "utilization",
                ),
                rows=tuple(rows),
            ),
        ),
        drawings=(
            Drawing(
                name="neighbours", caption="Cycles and energy of one image", draw=_bars(figures)
            ),
        ),
        verdict=(
            *(_verdict(network, designs) for network, designs in figures.items()),
            "The weights were pruned for column combining: a network pruned for 2:4 or for "
            "density-bound blocks would suit those arrays better, and its accuracy would have "
            "to be measured anew. Sources: "
            + "; ".join(f"{design}: {source}" for design, source in origins.items())
            + ".",
        ),
        figures=figures,
    )


def _verdict(network: str, designs: dict[str, dict[str, float]]) -> str:
    fastest = min(designs, key=lambda name: designs[name]["cycles"])
    frugal = min(designs, key=lambda name: designs[name]["energy_uj"])
    ours = designs["column combining per tile"]
    return (
        f"{network}: {fastest} takes the fewest cycles ({designs[fastest]['cycles']:,}), {frugal} "
        f"the least energy ({designs[frugal]['energy_uj']:.2f} uJ, "
        f"{ours['energy_uj'] / designs[frugal]['energy_uj']:.2f} times less than column combining "
        "per tile)."
    )


def _bars(figures: dict[str, Any]) -> Any:
    def draw(figure: Any) -> None:
        panels = (("cycles", "cycles"), ("energy_uj", "energy (uJ)"))
        for index, (key, label) in enumerate(panels):
            axes = figure.add_subplot(1, 2, index + 1)
            for number, (network, designs) in enumerate(figures.items()):
                height = 0.8 / len(figures)
                axes.barh(
                    [place + height * number for place in range(len(designs))],
                    [values[key] for values in designs.values()],
                    height,
                    label=network,
                )
                names = list(designs) if index == 0 else [""] * len(designs)
                axes.set_yticks(range(len(designs)), names, fontsize=7)
            axes.invert_yaxis()
            axes.set_xlabel(label)
            if index:
                axes.legend(fontsize=6)

    return draw
