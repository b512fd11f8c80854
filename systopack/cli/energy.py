"""`systopack energy`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from systopack.cli import console
from systopack.cli.effects import NO_CONTEXT, given, refuse_idle
from systopack.cli.options import ArrayOption, SetOption, check_out
from systopack.cli.outputs import claim
from systopack.hardware.named_arrays import DEFAULT_ARRAY, array_from

if TYPE_CHECKING:
    from systopack.hardware.energy.activity import Activity
    from systopack.network.network import PackedNetwork


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(energy)


def energy(
    network: Annotated[Path, typer.Argument(help="Packed network (.spk) or zoo:NAME.")],
    coefficients: Annotated[
        Path, typer.Option(help="Record of coefficients measured on gate level.")
    ],
    array: ArrayOption = DEFAULT_ARRAY,
    set_: SetOption = None,
    gating: Annotated[str, typer.Option(help="none or clock.")] = "clock",
    organisation: Annotated[str, typer.Option(help="tiled or pipelined.")] = "tiled",
    data: Annotated[
        str | None,
        typer.Option(
            help="Data set whose test images give real activations. [default: none, every word "
            "counts as not zero]"
        ),
    ] = None,
    images: Annotated[int, typer.Option(help="Test images to count.")] = 4,
    out: Annotated[
        Path | None, typer.Option(help="Record to write. [default: NETWORK.energy.json]")
    ] = None,
    context: typer.Context = NO_CONTEXT,
) -> None:
    """Count the events of one image and give its energy, layer by layer.

    Example: systopack energy packed.spk --coefficients coefficients.json --data sample
    """
    from systopack.errors import InvalidOptionError
    from systopack.hardware.energy.coefficients import read_coefficients
    from systopack.hardware.energy.model import energy_of
    from systopack.hardware.energy.pipelined_events import pipelined_events
    from systopack.hardware.energy.tiled_events import tiled_events
    from systopack.network.file import load
    from systopack.network.packaged import network_file, record_beside
    from systopack.records import Record, sha256_of_file

    if gating not in ("none", "clock"):
        raise InvalidOptionError(f"--gating is '{gating}'; give none or clock.")
    if organisation not in ("tiled", "pipelined"):
        raise InvalidOptionError(f"--organisation is '{organisation}'; give tiled or pipelined.")
    if data is None:
        refuse_idle(given(context), ("images",), "without --data no image is counted")
    file = network_file(network)
    record = check_out(out or record_beside(network, "energy"), ".json")
    claim("energy", inputs=(file, coefficients), record=record)
    loaded = load(file)
    design = array_from(array, set_ or (), accumulator_bits=loaded.accumulator_bits)
    count = tiled_events if organisation == "tiled" else pipelined_events
    found = energy_of(
        count(loaded, array=design, activity=_activity(loaded, data, images)),
        coefficients=read_coefficients(coefficients),
        gating=gating,  # type: ignore[arg-type]
    )
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
    console.say(
        f"{found.total_pj / 1e6:.3f} uJ an image: array and logic {found.compute_pj / 1e6:.3f}, "
        f"memories {found.memory_pj / 1e6:.3f} ({100 * found.memory_share:.0f} %); "
        f"{found.library}, gating '{gating}', coefficients {found.origin}"
    )
    if found.extrapolated:
        console.say(f"beyond the table of memories: {', '.join(found.extrapolated)}")
    Record(
        kind="energy",
        figures={
            "total_pj": found.total_pj,
            "compute_pj": found.compute_pj,
            "memory_pj": found.memory_pj,
            "memory_leakage_pj": found.memory_leakage_pj,
            "memory_um2": found.memory_um2,
            "cycles": found.events.cycles,
            "steps": [asdict(step) for step in found.steps],
            "origin": found.origin,
        },
        configuration={
            "array": asdict(design),
            "gating": gating,
            "organisation": organisation,
            "data": data,
            "images": found.events.images,
        },
        inputs={
            str(network): sha256_of_file(file),
            str(coefficients): sha256_of_file(coefficients),
        },
    ).write(record)
    console.say(f"wrote {record}")


def _activity(network: PackedNetwork, data: str | None, images: int) -> Activity | None:
    if data is None:
        return None
    from systopack.data.open import open_data
    from systopack.hardware.energy.activity import measure_activity
    from systopack.network.reference import quantize_images

    pixels = open_data(data).test_images[: max(images, 0)]
    return measure_activity(network, quantize_images(network, pixels))
