"""`systopack quantize` and `systopack simulate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from systopack.cli import console
from systopack.cli.interrupt import interruptible
from systopack.cli.options import (
    AcceleratorOption,
    DataOption,
    DevicesOption,
    FractionOption,
    NodesOption,
    PrecisionOption,
    ResumeOption,
    SizeOption,
    array_size,
    check_out,
)
from systopack.errors import InvalidOptionError


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(quantize)
    app.command()(simulate)


def quantize(
    model: Annotated[Path, typer.Argument(help="Model file, dense or combined.")],
    out: Annotated[Path, typer.Option(help="Network to write (.spk).")],
    data: DataOption = "sample",
    fraction: FractionOption = 1.0,
    epochs: Annotated[
        int, typer.Option(help="Epochs of fake-quantized fine-tuning; 0: calibration alone.")
    ] = 0,
    learning_rate: Annotated[float, typer.Option(help="Of the fine-tuning.")] = 0.002,
    distill_weight: Annotated[
        float, typer.Option(help="Share of the loss that imitates the float model.")
    ] = 0.0,
    calibration_images: Annotated[int, typer.Option(help="Training images for the scales.")] = 1000,
    accumulator_bits: Annotated[int, typer.Option(help="16 or 32.")] = 32,
    permute: Annotated[
        bool, typer.Option(help="Reorder rows so that column groups are contiguous.")
    ] = True,
    seed: Annotated[int, typer.Option(help="Of the data order in fine-tuning.")] = 0,
    resume: ResumeOption = False,
    accelerator: AcceleratorOption = "auto",
    devices: DevicesOption = 1,
    nodes: NodesOption = 1,
    precision: PrecisionOption = "auto",
) -> None:
    """Quantize a model to 8 bit and lower it to a packed network.

    Example: systopack quantize packed.safetensors --data sample --out packed.spk
    """
    check_out(out, ".spk")
    from systopack.data.open import open_data
    from systopack.data.split import training_part
    from systopack.network.permute import count_streams_out_of_place, permute_rows
    from systopack.quantization.fine_tune import Progress, QuantizeSettings
    from systopack.quantization.quantize import quantize as run_quantization
    from systopack.records import Record, sha256_of_file
    from systopack.training.checkpoint import checkpoint_path
    from systopack.training.devices import DeviceOptions, is_main_process
    from systopack.training.model import load_model
    from systopack.training.settings import checked

    settings = checked(
        QuantizeSettings,
        epochs=epochs,
        learning_rate=learning_rate,
        distill_weight=distill_weight,
        calibration_images=calibration_images,
        accumulator_bits=accumulator_bits,
        seed=seed,
    )
    trained = load_model(model)
    images = open_data(data)
    if images.shape != trained.input_shape:
        raise InvalidOptionError(
            f"The model reads images of {trained.input_shape}, but data set '{images.name}' has "
            f"{images.shape}; give the data it was trained on."
        )
    configuration = {
        **settings.model_dump(),
        "data": images.name,
        "data_sha256": images.sha256,
        "fraction": fraction,
    }
    model_sha256 = sha256_of_file(model)
    with interruptible(out), console.TrainingDisplay() as display:
        network = run_quantization(
            trained,
            training_part(images, fraction=fraction, held_out=0, seed=seed),
            settings=settings,
            augment=images.augment,
            name=out.stem,
            devices=DeviceOptions(
                accelerator=accelerator, devices=devices, nodes=nodes, precision=precision
            ),
            observer=display,
            progress=Progress(
                checkpoint=checkpoint_path(out),
                resume=resume,
                configuration={"model_sha256": model_sha256, **configuration},
            ),
        ).network
    if not is_main_process():
        return
    before = sum(count_streams_out_of_place(network).values())
    if permute:
        network = permute_rows(network)
    after = sum(count_streams_out_of_place(network).values())
    network.save(out)
    checkpoint_path(out).unlink(missing_ok=True)
    record = out.with_suffix(".json")
    Record(
        kind="quantize",
        figures={
            "nonzeros": network.nonzeros,
            "packed_cells": network.packed_cells,
            "dense_cells": network.dense_cells,
            "packing_efficiency": network.packing_efficiency,
            "streams_out_of_place_before": before,
            "streams_out_of_place": after,
        },
        configuration={**configuration, "permute": permute},
        seed=seed,
        inputs={str(model): model_sha256},
        outputs={str(out): sha256_of_file(out)},
    ).write(record)
    console.say(str(network))
    console.say(f"streams out of place: {before} before row permutation, {after} after")
    for layer in network.layers:
        if layer.matrix.nonzeros == 0:
            console.explain_error(
                f"Warning: layer '{layer.name}' has no nonzero weight; it gives its bias alone."
            )
    console.say(f"wrote {out} and {record}")


def simulate(
    network: Annotated[Path, typer.Argument(help="Packed network (.spk).")],
    array: SizeOption = "32x32",
    alpha: Annotated[int, typer.Option(help="Channels a cell chooses from.")] = 8,
    cell: Annotated[str, typer.Option(help="mx, il, bl or bit-parallel.")] = "mx",
    overlap: Annotated[
        bool, typer.Option(help="Load the weights of the next tile while one runs.")
    ] = True,
    against: Annotated[
        Path | None, typer.Option(help="Another network, for instance the dense one, to compare.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Record to write. [default: NETWORK.cycles.json]")
    ] = None,
) -> None:
    """Count tiles and cycles of one image on an array, and on the whole tiled accelerator.

    Example: systopack simulate packed.spk --array 32x32 --against dense.spk
    """
    from systopack.hardware.array import Array
    from systopack.hardware.cycles import count_cycles
    from systopack.hardware.tiled import count_tiled
    from systopack.network.file import load
    from systopack.network.packaged import beside, network_file
    from systopack.records import Record, sha256_of_file

    rows, columns = array_size(array)
    files = [network] if against is None else [network, against]
    counted, whole = {}, {}
    for file in files:
        loaded = load(network_file(file))
        design = Array(
            rows=rows,
            columns=columns,
            alpha=alpha,
            accumulator_bits=loaded.accumulator_bits,
            cell=cell,  # type: ignore[arg-type]
        )
        counted[str(file)] = count_cycles(loaded, array=design, overlap=overlap)
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
            f"{cycles.cycles:,} cycles an image on {cycles.array.name}; the tiled accelerator, "
            f"with pooling, memories and the host's streams: {whole[name].cycles:,}"
        )
    if against is not None:
        other = counted[str(against)]
        console.say(
            f"{network} needs {first.cycles / other.cycles:.3f} of the cycles and "
            f"{first.tiles / other.tiles:.3f} of the tiles of {against}"
        )
    from dataclasses import asdict

    record = out or beside(network, ".cycles.json")
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
        configuration={"array": asdict(first.array), "overlap": overlap},
        inputs={str(file): sha256_of_file(network_file(file)) for file in files},
    ).write(record)
    console.say(f"wrote {record}")
