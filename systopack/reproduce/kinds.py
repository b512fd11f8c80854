"""Kinds of arrays: what packing is worth in energy on each that was measured."""

from __future__ import annotations

from collections.abc import Mapping

from systopack.errors import InvalidOptionError
from systopack.hardware.energy.events import Organisation
from systopack.hardware.energy.model import NetworkEnergy, energy_of
from systopack.hardware.energy.pipelined_events import pipelined_events
from systopack.hardware.energy.tiled_events import tiled_events
from systopack.reproduce.content import COMPUTED, recorded
from systopack.reproduce.published import PaperNetwork
from systopack.reproduce.sources import ALPHA, SUBJECTS, Options, Pair, Sources, array_for

WITH_PERIPHERY = "energy with the periphery"
ENERGY_LIMIT = 1.15  # times what the throughput alone would leave of the energy
KIND_HEADER = (
    *("network", "array", "throughput", f"{ENERGY_LIMIT:g} / throughput", "energy per sample"),
    *("", "with the periphery", ""),
)


def energy_pair(
    pair: Pair,
    sources: Sources,
    options: Options,
    *,
    organisation: Organisation = "tiled",
    periphery: bool = False,
) -> tuple[NetworkEnergy, NetworkEnergy] | None:
    """Energy of the dense and the packed network, each on its own array; None where the
    organisation cannot be built so, or an array like it was not measured.

    Args:
        periphery: with the periphery, where that of both tiled accelerators was
            measured.
    """
    if sources.coefficients is None:
        return None
    table, _ = sources.coefficients
    count = tiled_events if organisation == "tiled" else pipelined_events
    networks = (pair.dense, pair.packed)
    logic = [sources.periphery.get((network.name, options.gating)) for network in networks]
    if not periphery or organisation != "tiled" or None in logic:
        logic = [None, None]
    found = []
    for network, alpha, activity, beside in zip(
        networks, (1, ALPHA), pair.activity, logic, strict=True
    ):
        array = array_for(network, alpha, options)
        try:
            events = count(network, array=array, activity=activity)
            found.append(
                energy_of(events, coefficients=table, gating=options.gating, periphery=beside)
            )
        except InvalidOptionError:
            return None
    return found[0], found[1]


def best_options(sources: Sources, organisation: Organisation) -> Options | None:
    """The options with which the packed networks take the least energy; None if not measured."""
    totals = {}
    for options in sources.options:
        energies = [
            energy_pair(pair, sources, options, organisation=organisation) for pair in sources.pairs
        ]
        if energies and all(energy is not None for energy in energies):
            totals[options] = sum(energy[1].total_pj for energy in energies if energy is not None)
    return min(totals, key=lambda options: totals[options]) if totals else None


def best_energies(
    pair: Pair, sources: Sources, organisation: Organisation, *, periphery: bool = True
) -> tuple[NetworkEnergy, ...]:
    """Energy of the dense and the packed network with the best options; empty if not measured.

    Args:
        periphery: with the periphery, where it was measured.
    """
    options = best_options(sources, organisation)
    if options is None:
        return ()
    return energy_pair(pair, sources, options, organisation=organisation, periphery=periphery) or ()


def one_kind(
    figures: Mapping[str, Mapping[str, float]], papers: Mapping[str, PaperNetwork]
) -> str | None:
    """The kind of array to compare all networks with, as the rows name it.

    It reaches the paper's throughput with every network (but for those that are not trained to the
    end), with at most 1.15 times the energy that
    the throughput alone would give; of such kinds the one with the least energy, packed over dense.

    Args:
        figures: per network of the paper, the ratios of the section.
        papers: the paper's figures of it.

    Returns:
        The kind; None where no measured one is good enough for all networks.
    """
    short = {subject.paper for subject in SUBJECTS if subject.short}
    judged = {name: ratios for name, ratios in figures.items() if name not in short}
    if not judged:
        return None
    common = set.intersection(
        *(_reached(ratios, papers[name].throughput[-1]) for name, ratios in judged.items())
    )
    return min(
        sorted(common),
        key=lambda kind: sum(ratios[f"energy per sample, {kind}"] for ratios in judged.values()),
        default=None,
    )


def energies_by_kind(measured: Mapping[str, float]) -> dict[str, float]:
    """Energy per sample, packed over dense, by kind of array."""
    start = "energy per sample, "
    return {
        name.removeprefix(start): ratio
        for name, ratio in measured.items()
        if name.startswith(start)
    }


def kind_rows(paper: str, measured: Mapping[str, float], sources: Sources) -> list[tuple[str, ...]]:
    """Every kind of array against what its throughput alone would give."""
    rows: list[tuple[str, ...]] = []
    marks = [recorded(_coefficients_name(sources)), recorded(sources.periphery_name)]
    for options, energy in energies_by_kind(measured).items():
        faster = measured[f"throughput, {options}"]
        limit = ENERGY_LIMIT / faster
        whole = measured.get(f"{WITH_PERIPHERY}, {options}")
        beside = ("-", "", marks[0])
        if whole is not None:
            beside = (f"{whole:.3f}", _judged(whole, limit), ", ".join(marks))
        row = (paper, options, f"{faster:.3f}", f"{limit:.3f}", f"{energy:.3f}")
        rows.append((*row, _judged(energy, limit), *beside[:2], f"{COMPUTED}, {beside[2]}"))
    return rows


def _judged(energy: float, limit: float) -> str:
    return "within" if energy <= limit else "beyond"


def _reached(ratios: Mapping[str, float], throughput: float) -> set[str]:
    found = set()
    for name, energy in ratios.items():
        quantity, _, kind = name.partition(", ")
        if quantity == "energy per sample":
            faster = ratios[f"throughput, {kind}"]
            if faster >= throughput and energy <= ENERGY_LIMIT / faster:
                found.add(kind)
    return found


def _coefficients_name(sources: Sources) -> str:
    return "" if sources.coefficients is None else sources.coefficients[1]
