"""`systopack simulate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from systopack.cli import console
from systopack.cli.options import ArrayOption, SetOption, check_out
from systopack.cli.outputs import claim
from systopack.hardware.named_arrays import DEFAULT_ARRAY, array_from


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(simulate)


def simulate(
    network: Annotated[Path, typer.Argument(help="Packed network (.spk).")],
    array: ArrayOption = DEFAULT_ARRAY,
    set_: SetOption = None,
    against: Annotated[
        Path | None, typer.Option(help="Another network, for instance the dense one, to compare.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Record to write. [default: NETWORK.simulate.json]")
    ] = None,
) -> None:
    """Count tiles and cycles of one image on an array, and on the whole tiled accelerator.

    Example: systopack simulate packed.spk --array 32x32 --against dense.spk
    """
    from systopack.hardware.cycles import count_cycles
    from systopack.hardware.tiled import count_tiled
    from systopack.network.file import load
    from systopack.network.packaged import network_file, record_beside
    from systopack.records import Record, sha256_of_file

    files = [network] if against is None else [network, against]
    record = check_out(out or record_beside(network, "simulate"), ".json")
    claim("simulate", inputs=map(network_file, files), record=record)
    counted, whole = {}, {}
    for file in files:
        loaded = load(network_file(file))
        design = array_from(array, set_ or (), accumulator_bits=loaded.accumulator_bits)
        counted[str(file)] = count_cycles(loaded, array=design)
        whole[str(file)] = count_tiled(loaded, array=design)
    first = counted[str(network)]
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
            for layer in first.layers
        ],
    )
    for name, cycles in counted.items():
        console.say(
            f"{name}: {cycles.tiles:,} tiles, {cycles.streamed_words:,} streamed words, "
            f"{cycles.cycles:,} cycles an image on {cycles.array.label}; the tiled accelerator, "
            f"with pooling, memories and the host's streams: {whole[name].cycles:,}"
        )
    if against is not None:
        other = counted[str(against)]
        console.say(
            f"{network} needs {first.cycles / other.cycles:.3f} of the cycles and "
            f"{first.tiles / other.tiles:.3f} of the tiles of {against}"
        )
    from dataclasses import asdict

    Record(
        kind="simulate",
        figures={
            file: {
                "cycles": cycles.cycles,
                "tiles": cycles.tiles,
                "streamed_words": cycles.streamed_words,
                "stall_cycles": cycles.stall_cycles,
                "tiled_accelerator_cycles": whole[file].cycles,
                "tiled_accelerator_steps": [asdict(step) for step in whole[file].steps],
                "layers": [asdict(layer) for layer in cycles.layers],
            }
            for file, cycles in counted.items()
        },
        configuration={"array": asdict(first.array)},
        inputs={str(file): sha256_of_file(network_file(file)) for file in files},
    ).write(record)
    console.say(f"wrote {record}")
