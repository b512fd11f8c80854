"""Energy of a frame: by part, and against the optimum."""

from __future__ import annotations

from typing import Any

import numpy as np

from systopack.hardware.energy.events import Organisation
from systopack.hardware.energy.model import NetworkEnergy
from systopack.hardware.energy.optimum import array_efficiency, closeness, idle_ratio
from systopack.reproduce.content import COMPUTED, Drawing, Section, Table, recorded
from systopack.reproduce.kinds import best_energies, best_options
from systopack.reproduce.sources import Sources

_ORGANISATIONS: tuple[Organisation, ...] = ("tiled", "pipelined")


def energy_by_part(sources: Sources) -> Section:
    """Energy of one frame of every network, array, memories and the rest apart."""
    if sources.coefficients is None:
        return Section(
            title="Energy of a frame",
            text=("There is no record of measured coefficients, so nothing is computed here.",),
        )
    table, name = sources.coefficients
    rows: list[tuple[str, ...]] = []
    figures: dict[str, Any] = {}
    for energy in [e for organisation in _ORGANISATIONS for e in _energies(sources, organisation)]:
        parts: dict[str, float] = {}
        for step in energy.steps:
            for part, pj in step.parts_pj.items():
                parts[part] = parts.get(part, 0.0) + pj
        organisation = energy.events.organisation
        name_of = f"{energy.events.network}, {organisation}"
        figures[name_of] = {
            "total_uj": energy.total_pj / 1e6,
            "compute_uj": energy.compute_pj / 1e6,
            "periphery_uj": energy.periphery_pj / 1e6,
            "memory_uj": energy.memory_pj / 1e6,
            "memory_leakage_uj": energy.memory_leakage_pj / 1e6,
            "memory_um2": energy.memory_um2,
            "cycles": energy.events.cycles,
            "parts_uj": {part: pj / 1e6 for part, pj in parts.items()},
            "origin": energy.origin,
        }
        rows.append(
            (
                energy.events.network,
                organisation,
                f"{energy.total_pj / 1e6:.3f}",
                f"{(energy.compute_pj - energy.periphery_pj) / 1e6:.3f}",
                "-" if energy.periphery is None else f"{energy.periphery_pj / 1e6:.3f}",
                f"{energy.memory_pj / 1e6:.3f}",
                f"{100 * energy.memory_share:.0f}",
                energy.origin,
                f"{COMPUTED}, {recorded(name)}",
            )
        )
    return Section(
        title="Energy of a frame",
        text=(
            f"Gate level of {table.library}, real activations where images were given; memories "
            "from the cited table, their leakage not included (docs/energy.md). "
            f"Tiled: {best_options(sources, 'tiled')}. Layer-pipelined: "
            f"{best_options(sources, 'pipelined') or 'not measured'}. The tiled accelerator loads "
            "its weights for every image, the layer-pipelined one keeps them, and its images "
            "follow each other without a gap. Logic outside the array: banks, output lanes and "
            "control; '-' where it was not measured.",
        ),
        tables=(
            Table(
                header=(
                    "network",
                    "accelerator",
                    "energy, uJ",
                    "array, uJ",
                    "logic outside, uJ",
                    "memories, uJ",
                    "memories, %",
                    "coefficients",
                ),
                rows=tuple(rows),
            ),
        ),
        figures=figures,
    )


def optimum(sources: Sources) -> Section:
    """How close packed arrays come to the energy optimum."""
    rows: list[tuple[str, ...]] = []
    figures: dict[str, Any] = {}
    ratio = 1.0
    if sources.coefficients is not None:
        table, name = sources.coefficients
        for energy in _energies(sources, "tiled", periphery=False):
            point = table.for_array(energy.events.array, gating=energy.gating)
            ratio = idle_ratio(point)
            used = array_efficiency(energy)
            share = energy.memory_share
            close = closeness(used, idle_ratio=ratio, memory_share=share).item()
            figures[energy.events.network] = {
                "array_efficiency": used,
                "idle_ratio": ratio,
                "memory_share": share,
                "closeness": close,
            }
            rows.append(
                (
                    energy.events.network,
                    f"{used:.3f}",
                    f"{ratio:.3f}",
                    f"{share:.3f}",
                    f"{close:.3f}",
                    f"{COMPUTED}, {recorded(name)}",
                )
            )
    tables: tuple[Table, ...] = ()
    if rows:
        tables = (
            Table(
                header=(
                    "network",
                    "cell words with a weight",
                    "idle / active cell word",
                    "memory share",
                    "optimum / energy",
                ),
                rows=tuple(rows),
            ),
        )
    return Section(
        title="How close to the energy optimum",
        text=(
            "The optimum is an array whose cells all do useful work. With packing efficiency u, "
            "energy i of an idle cell word over an active one, memory share m and its part g that "
            "grows with the cells: `optimum / energy = 1 / (1 + (1/u - 1) ((1 - m) i + m g))` "
            "(docs/energy.md). g is 1 in the table and 0.5 in the figure.",
        ),
        tables=tables,
        drawings=(
            Drawing(
                name="optimum",
                caption="Closeness to the energy optimum against packing efficiency",
                draw=_optimum_curves(ratio),
            ),
        ),
        verdict=tuple(
            f"{name}: {100 * values['closeness']:.0f} % of the optimum for its own weights; cells "
            f"that all hold one would take {100 * (1 - values['closeness']):.0f} % less energy by "
            "this formula."
            for name, values in figures.items()
        ),
        figures=figures,
    )


def _energies(
    sources: Sources, organisation: Organisation, *, periphery: bool = True
) -> list[NetworkEnergy]:
    """Dense and packed network of every pair, with the best options."""
    return [
        energy
        for pair in sources.pairs
        for energy in best_energies(pair, sources, organisation, periphery=periphery)
    ]


def _optimum_curves(measured: float) -> Any:
    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        efficiency = np.linspace(0.05, 1, 100)
        for share, style in ((0.0, "-"), (0.3, "--"), (0.6, ":")):
            for ratio, color in ((measured, "tab:blue"), (0.3, "tab:orange")):
                axes.plot(
                    efficiency,
                    closeness(efficiency, idle_ratio=ratio, memory_share=share, growing_part=0.5),
                    style,
                    color=color,
                    label=f"i {ratio:.2f}, m {share:g}",
                )
        axes.set_xlabel("packing efficiency u")
        axes.set_ylabel("optimum / energy")
        axes.legend(fontsize=7)

    return draw
