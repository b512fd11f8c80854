"""`systopack simulate`, `energy`, `rtl` and `verify`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from systopack.api import hardware
from systopack.cli import console
from systopack.cli.builder import command
from systopack.cli.job import Job
from systopack.cli.shared import (
    DATA,
    ArrayOptions,
    DataOptions,
    Folder,
    ImageCount,
    NetworkArgument,
    OrganisationOptions,
    ReadNetwork,
)
from systopack.hardware.weight_options import WeightOptions
from systopack.options import option, refuse_idle

if TYPE_CHECKING:
    from systopack.hardware.energy.model import NetworkEnergy

_PANEL = "Hardware"


class Simulate(ReadNetwork, ArrayOptions, WeightOptions):
    """What is counted."""

    against: Path | None = option(
        None, "Another network, for instance the dense one, to compare with."
    )


class Energy(ReadNetwork, ImageCount, OrganisationOptions):
    """What is counted, and with which coefficients."""

    coefficients: Path | None = option(
        None,
        "Record of coefficients measured at gate level.",
        shown_default="the package's, at 45 nm",
    )
    gating: Literal["none", "clock"] = option("clock", "Of the clock of the array's cells.")
    data: str | None = option(
        None,
        f"Test images that give real activations: {DATA}.",
        shown_default="none, every word counts as not zero",
        group="Data",
    )


class Rtl(NetworkArgument, Folder, OrganisationOptions, WeightOptions):
    """What is written."""

    data: str | None = option(
        None,
        f"Images for the test bench: {DATA}.",
        shown_default="sample where it fits, else noise",
        group="Data",
    )
    images: int = option(3, "Images for the test bench.", ge=1, group="Data")
    packages: tuple[Literal["fusesoc", "ip-xact", "c", "litex"], ...] = option(
        (),
        "For the tools of others: fusesoc: accelerator.core. ip-xact: component.xml. c: a driver "
        "in C with the network's configuration. litex: a module for LiteX and a system in "
        "simulation, with the driver. May be repeated.",
        flag="--package",
        group="Output",
    )


class Verify(ReadNetwork, DataOptions, ImageCount, OrganisationOptions, WeightOptions):
    """What is verified."""

    trace: Path | None = option(
        None,
        "File for all signals of the run, .vcd or .fst; best with one image.",
        group="Output",
    )
    trace_from: int = option(
        0,
        "Cycle of the run that the trace begins with; 0 is the first after the memories were "
        "filled, and the count goes on from image to image.",
        ge=0,
        group="Output",
    )
    trace_cycles: int | None = option(
        None, "Cycles to trace.", shown_default="all", ge=1, group="Output"
    )


def register(app: typer.Typer) -> None:
    """Add the commands."""
    command(app, "simulate", panel=_PANEL)(simulate)
    command(app, "energy", panel=_PANEL)(energy)
    command(app, "rtl", panel=_PANEL)(rtl)
    command(app, "verify", panel=_PANEL)(verify)


def simulate(options: Simulate, job: Job) -> None:
    """Count tiles and cycles of one image on an array, and on the whole tiled accelerator.

    Example: systopack simulate packed.spk --array compact-32x32 --against dense.spk
    """
    network, other, weights = options.network, options.against, options.weights
    job.tells(network, out=options.out, reads=(other, options.file))
    found = {
        str(file): hardware.simulate(file, options.array, changes=options.changes, **weights)
        for file in (network, other)
        if file is not None
    }
    first = found[str(network)]
    console.table(
        ["layer", "positions", "tiles", "cycles", "stalls", "utilization"],
        [
            [
                layer.name,
                f"{layer.positions:,}",
                f"{layer.tiles:,}",
                f"{layer.cycles:,}",
                f"{layer.stall_cycles:,}",
                f"{layer.utilization:.3f}",
            ]
            for layer in first.layers.layers
        ],
    )
    for name, one in found.items():
        console.say(
            f"{name}: {one.tiles:,} tiles, {one.layers.streamed_words:,} streamed words, "
            f"{one.layers.cycles:,} cycles per image on {one.array.label}; the tiled accelerator, "
            f"with pooling, memories and the host's streams: {one.cycles:,}"
        )
        if one.accelerator.ring is not None:
            _tell_stream(name, one)
    if other is not None:
        dense = found[str(other)]
        console.say(
            f"{network} needs {first.layers.cycles / dense.layers.cycles:.3f} of the cycles and "
            f"{first.tiles / dense.tiles:.3f} of the tiles of {other}"
        )
    figures = {name: one.figures for name, one in found.items()}
    job.write(figures, {"array": asdict(first.array), **weights})


def _tell_stream(name: str, found: hardware.Simulation) -> None:
    """What comes as a stream of weights, and what the array waits for it, layer by layer."""
    accelerator = found.accelerator
    ring, streamed = accelerator.ring, accelerator.weight_bytes
    assert ring is not None
    console.table(
        ["layer", "cycles", "stalls", "bytes of weights"],
        [
            [step.name, f"{step.cycles:,}", f"{step.stall_cycles:,}", f"{step.weight_bytes:,}"]
            for step in accelerator.steps
            if step.kind == "layer"
        ],
    )
    console.say(
        f"{name}: the weight memory holds {ring.tiles} of {accelerator.tiles:,} tiles; "
        f"{streamed:,} bytes of weights come for every image on a stream of {ring.beat_bits} bits, "
        f"{streamed / found.cycles:.2f} bytes a cycle"
    )


def energy(options: Energy, job: Job) -> None:
    """Count the events of one image and give its energy, step by step.

    Example: systopack energy packed.spk --array compact-32x32 --data sample
    """
    if options.data is None:
        refuse_idle(options.given, ("images",), "without --data no image is counted")
    job.tells(options.network, out=options.out, reads=(options.coefficients, options.file))
    names = ("coefficients", "gating", "organisation", "data", "images")
    asked: dict[str, Any] = {name: getattr(options, name) for name in names}
    found = hardware.energy(options.network, options.array, changes=options.changes, **asked)
    lines = [
        [
            step.name,
            f"{events.cycles:,}",
            f"{events.active + events.zero_input:,.0f}",
            f"{events.zero_weight:,.0f}",
            f"{step.compute_pj / 1e6:.4f}",
            f"{sum(step.memory_pj.values()) / 1e6:.4f}",
        ]
        for step, events in zip(found.steps, found.events.steps, strict=True)
    ]
    console.table(
        ("step", "cycles", "cell words, weight", "no weight", "compute, uJ", "memory, uJ"), lines
    )
    measured = _tell_measured(options, found)
    logic = "not measured" if found.periphery is None else f"{found.periphery_pj / 1e6:.3f}"
    array_pj = found.compute_pj - found.periphery_pj
    words = "" if options.data else ", with no word 0"
    console.say(
        f"model{words}: {found.total_pj / 1e6:.3f} uJ an image: array {array_pj / 1e6:.3f}, logic "
        f"outside it {logic}, memories {found.memory_pj / 1e6:.3f} "
        f"({100 * found.memory_share:.0f} %); "
        f"{found.library}, gating '{options.gating}', coefficients {found.origin}"
    )
    told = ("total_pj", "compute_pj", "memory_pj", "memory_leakage_pj", "memory_um2", "origin")
    figures = {name: getattr(found, name) for name in told}
    steps = [asdict(step) for step in found.steps]
    asked |= {"array": asdict(found.events.array), "images": found.events.images}
    del asked["coefficients"]  # an input, or the package's
    figures |= {"cycles": found.events.cycles, "gate_level_pj": measured}
    job.write({**figures, "steps": steps}, asked)


def _tell_measured(options: Energy, found: NetworkEnergy) -> dict[str, float] | None:
    """What was measured at gate level of just this, by part in pJ; say so first."""
    if options.organisation != "tiled" or options.coefficients or options.gating != "clock":
        return None
    own, others = hardware.measured_beside(options.network, found)
    if own is None:
        if others:
            told = (f"{one.network} ({one.total_pj / 1e6:.3f} uJ)" for one in others)
            console.say(
                "this network was not measured at gate level; on this array these were: "
                f"{', '.join(told)}"
            )
        return None
    parts = {
        "array": own.energy_pj["array"],
        "logic outside it": own.energy_pj["periphery"],
        "memories": own.memory_pj,
        "clock tree and wires": own.energy_pj["clock_tree_and_wires"],
        "leakage": own.energy_pj["leakage"],
    }
    console.say(
        f"measured at gate level, whole accelerator: {own.total_pj / 1e6:.2f} uJ an image: "
        f"{', '.join(f'{name} {pj / 1e6:.2f}' for name, pj in parts.items())}; one test image, "
        f"{own.area_mm2:.2f} mm2, {own.clock_mhz:.0f} MHz"
    )
    return {**own.energy_pj, "total": own.total_pj}


def rtl(options: Rtl, job: Job) -> None:
    """Write Verilog, memory contents, a self-checking test bench and a README of its ports.

    Example: systopack rtl packed.spk --array compact-32x32 --out rtl

    systopack rtl zoo:lenet5-mnist --organisation pipelined --out pipelined

    systopack rtl zoo:lenet5-mnist --array 16x16 --set alpha=8 --set input_fanout=16 --out small

    systopack rtl zoo:lenet5-mnist --package fusesoc --package c --out rtl

    systopack rtl zoo:lenet5-mnist --array tiny-8x8 --package litex --images 10 --out system
    """
    weights = options.weights
    job.fills_whole(options.out, reads=(options.network, options.file))
    names = ("changes", "organisation", "data", "images", "packages")
    asked: dict[str, Any] = {name: getattr(options, name) for name in names} | weights
    written = hardware.write_rtl(
        options.network, options.out, options.array, force=job.force, **asked
    )
    console.say(
        f"wrote {len(written.files)} files to {options.out}: {written.cycles:,} cycles per image, "
        f"{written.memory_bits:,} bits of memory"
    )
    if written.warning is not None:
        console.say(written.warning)
    figures = {"cycles": written.cycles, "memory_bits": written.memory_bits}
    job.show(figures, {**asked, "array": options.array})


def verify(options: Verify, job: Job) -> None:
    """Run images through the RTL and compare every word and every cycle with the models.

    Example: systopack verify packed.spk --data sample --images 4

    systopack verify zoo:lenet5-mnist --images 1 --trace run.vcd --trace-from 2000
    --trace-cycles 500
    """
    trace = None
    if options.trace is None:
        refuse_idle(
            options.given, ("trace_from", "trace_cycles"), "without --trace nothing is traced"
        )
    else:
        trace = hardware.trace_of(options.trace, options.trace_from, options.trace_cycles)
    outputs = [] if options.trace is None else [options.trace]
    job.tells(options.network, out=options.out, reads=(options.file,), outputs=outputs)
    asked: dict[str, Any] = {name: getattr(options, name) for name in ("data", "organisation")}
    asked |= options.weights
    with console.console.status("building the RTL and running it"):
        found = hardware.verify(
            options.network,
            options.array,
            changes=options.changes,
            images=options.images,
            trace=trace,
            **asked,
        )
    if found.passed:
        console.say(
            f"{found.images} images, {found.words:,} words and {found.cycles:,} cycles per image: "
            "the RTL, the integer reference and the cycle model agree"
        )
    figures = {name: getattr(found, name) for name in ("passed", "images", "words", "cycles")}
    difference = None if found.difference is None else str(found.difference)
    job.write(
        {**figures, "difference": difference, "assertion": found.assertion},
        {**asked, "array": asdict(found.array)},
    )
    if found.reason is not None:
        console.explain_error(found.reason)
        raise typer.Exit(1)
