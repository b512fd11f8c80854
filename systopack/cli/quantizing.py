"""`systopack quantize`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from systopack.cli import console
from systopack.cli.effects import NO_CONTEXT, given, refuse_idle
from systopack.cli.interrupt import interruptible
from systopack.cli.options import (
    AcceleratorOption,
    DataOption,
    DevicesOption,
    FractionOption,
    NodesOption,
    PrecisionOption,
    ResumeOption,
    check_out,
)
from systopack.cli.outputs import check_resume, claim
from systopack.errors import InvalidOptionError
from systopack.records import record_path

if TYPE_CHECKING:
    from systopack.network.network import PackedNetwork


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(quantize)


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
    context: typer.Context = NO_CONTEXT,
) -> None:
    """Quantize a model to 8 bit and lower it to a packed network.

    Example: systopack quantize packed.safetensors --data sample --out packed.spk
    """
    check_out(out, ".spk")
    if epochs == 0:
        idle = ("learning_rate", "distill_weight", "resume")
        refuse_idle(given(context), idle, "without --epochs nothing is trained")
    record = record_path(out, "quantize")
    claim("quantize", inputs=(model,), outputs=(out,), record=record)
    check_resume(resume, out)
    from systopack.data.open import open_data
    from systopack.data.split import training_part
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
    network, out_of_place = _permuted(network, permute=permute)
    network.save(out)
    checkpoint_path(out).unlink(missing_ok=True)
    Record(
        kind="quantize",
        figures={
            "nonzeros": network.nonzeros,
            "packed_cells": network.packed_cells,
            "dense_cells": network.dense_cells,
            "packing_efficiency": network.packing_efficiency,
            **out_of_place,
        },
        configuration={**configuration, "permute": permute},
        seed=seed,
        inputs={str(model): model_sha256},
        outputs={str(out): sha256_of_file(out)},
    ).write(record)
    _tell(network, out_of_place)
    console.say(f"wrote {out} and {record}")


def _permuted(network: PackedNetwork, *, permute: bool) -> tuple[PackedNetwork, dict[str, int]]:
    """The network with its rows reordered, and the streams out of place before and after."""
    from systopack.network.permute import count_streams_out_of_place, permute_rows

    before = sum(count_streams_out_of_place(network).values())
    if permute:
        network = permute_rows(network)
    after = sum(count_streams_out_of_place(network).values())
    return network, {"streams_out_of_place_before": before, "streams_out_of_place": after}


def _tell(network: PackedNetwork, out_of_place: dict[str, int]) -> None:
    """Print the network, and warn of layers without weights."""
    console.say(str(network))
    before, after = out_of_place.values()
    console.say(f"streams out of place: {before} before row permutation, {after} after")
    for layer in network.layers:
        if layer.matrix.nonzeros == 0:
            console.explain_error(
                f"Warning: layer '{layer.name}' has no nonzero weight; it gives its bias alone."
            )
