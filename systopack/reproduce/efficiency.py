"""Energy of a frame at the headline's design point: by part, and against the optimum."""

from __future__ import annotations

from typing import Any

import numpy as np

from systopack.hardware.energy.model import NetworkEnergy
from systopack.hardware.energy.optimum import array_efficiency, closeness, idle_ratio
from systopack.reproduce.content import Column, Drawing, Notes, Section, columns, table_of
from systopack.reproduce.design_points import HEADLINE, ORGANISATIONS
from systopack.reproduce.energies import energy_pair
from systopack.reproduce.rows import COMPUTED, Row, Rows, recorded, rows_of, select
from systopack.reproduce.sources import Sources

_OPTIMUM = (
    *("cell words with a weight", "idle / active cell word", "memory share", "optimum / energy"),
)


def measure_energy(sources: Sources) -> Rows:
    """Energy of one frame of every network, array, memories and the rest apart."""
    rows: list[Row] = []
    for organisation in ORGANISATIONS:
        for pair in sources.pairs:
            for energy in energy_pair(pair, sources, organisation=organisation) or ():
                rows += _parts(energy, sources)
    return tuple(rows)


def _parts(energy: NetworkEnergy, sources: Sources) -> list[Row]:
    assert sources.coefficients is not None
    events = energy.events
    point = sources.coefficients.for_array(events.array, gating=energy.gating)
    cells = events.array.rows * events.array.columns
    parts: dict[str, float] = {}
    for step in energy.steps:
        for part, pj in step.parts_pj.items():
            parts[part] = parts.get(part, 0.0) + pj
    marks = [recorded(sources.coefficients_name)]
    numbers = {
        ("energy", "all"): (energy.total_pj / 1e6, "uJ"),
        ("energy", "array"): ((energy.compute_pj - energy.periphery_pj) / 1e6, "uJ"),
        ("energy", "memories"): (energy.memory_pj / 1e6, "uJ"),
        ("leakage", "memories"): (energy.memory_leakage_pj / 1e6, "uJ"),
        ("share of the energy", "memories"): (100 * energy.memory_share, "%"),
        ("area", "memories"): (energy.memory_um2 / 1e6, "mm2"),
        ("cycles", ""): (events.cycles, "cycles"),
        ("clock", ""): (energy.clock_mhz, "MHz"),
        **{("energy by event", part): (pj / 1e6, "uJ") for part, pj in parts.items()},
    }
    if events.organisation == "tiled":
        numbers["area", "array"] = (cells * point.cell_area_um2 / 1e6, "mm2")
    if energy.periphery is not None:
        marks.append(recorded(sources.periphery_name))
        numbers["energy", "periphery"] = (energy.periphery_pj / 1e6, "uJ")
    return [
        Row(
            network=events.network,
            organisation=events.organisation,
            design_point=HEADLINE.name,
            quantity=quantity,
            variant=variant,
            value=value,
            unit=unit,
            origin=(COMPUTED, *marks),
        )
        for (quantity, variant), (value, unit) in numbers.items()
    ]


def show_energy(rows: Rows, notes: Notes) -> Section:
    """The table of energy, area and clock."""
    title = "Energy, area and clock"
    if not rows:
        return Section(
            title=title,
            text=("There is no record of measured coefficients, so nothing is computed here.",),
        )
    energies = [
        Column(header=f"{part}, uJ", where={"quantity": "energy", "variant": part})
        for part in ("all", "array", "periphery", "memories")
    ]
    areas = [
        Column(header=f"{part}, mm2", where={"quantity": "area", "variant": part})
        for part in ("array", "memories")
    ]
    return Section(
        title=title,
        text=(
            f"Energy of a frame, {notes.library} at gate level, real activations where images "
            f"were given, with the cells of design point {HEADLINE.name}. Memories "
            "are those of the cited table, their leakage not included (docs/energy.md). The "
            "tiled accelerator loads its weights for every image, the layer-pipelined one keeps "
            "them, and its images follow each other without a gap. Periphery: streams, output "
            "lanes and control; '-' where it was not measured. The clock is that of the slower "
            "of array and periphery.",
        ),
        tables=(
            table_of(
                rows,
                keys={"network": "network", "organisation": "accelerator"},
                columns=(
                    *energies,
                    Column(
                        header="memories, %", where={"quantity": "share of the energy"}, form=".0f"
                    ),
                    *areas,
                    Column(header="clock, MHz", where={"quantity": "clock"}, form=".0f"),
                ),
            ),
        ),
    )


def measure_optimum(sources: Sources) -> Rows:
    """How close packed arrays come to the energy optimum."""
    rows: list[Row] = []
    table = sources.coefficients
    if table is None:
        return ()
    for pair in sources.pairs:
        for energy in energy_pair(pair, sources, periphery=False) or ():
            point = table.for_array(energy.events.array, gating=energy.gating)
            used, ratio = array_efficiency(energy), idle_ratio(point)
            share = energy.memory_share
            close = closeness(used, idle_ratio=ratio, memory_share=share).item()
            rows += rows_of(
                zip(_OPTIMUM, (used, ratio, share, close), ("",) * len(_OPTIMUM), strict=True),
                network=energy.events.network,
                design_point=HEADLINE.name,
                origin=(COMPUTED, recorded(sources.coefficients_name)),
            )
    return tuple(rows)


def show_optimum(rows: Rows, _: Notes) -> Section:
    """The table and the formula's curves."""
    table = table_of(
        rows,
        keys={"network": "network"},
        columns=columns(*((name, name, ".3f") for name in _OPTIMUM)),
    )
    found, ratios = (select(rows, quantity=name) for name in (_OPTIMUM[-1], _OPTIMUM[1]))
    return Section(
        title="How close to the energy optimum",
        text=(
            "The optimum is an array whose cells all do useful work. With packing efficiency u, "
            "energy i of an idle cell word over an active one, memory share m and its part g that "
            "grows with the cells: `optimum / energy = 1 / (1 + (1/u - 1) ((1 - m) i + m g))` "
            "(docs/energy.md). g is 1 in the table and 0.5 in the figure.",
        ),
        tables=(table,) if rows else (),
        drawings=(
            Drawing(
                name="optimum",
                caption="Closeness to the energy optimum against packing efficiency",
                draw=_optimum_curves(ratios[-1].value if ratios else 1.0),
            ),
        ),
        verdict=tuple(
            f"{row.network}: {100 * row.value:.0f} % of the optimum for its own weights; cells "
            f"that all hold one would take {100 * (1 - row.value):.0f} % less energy by this "
            "formula."
            for row in found
        ),
    )


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
