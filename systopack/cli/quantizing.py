"""`systopack quantize`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    from systopack.frontend.graph import LayerGraph
    from systopack.network.network import PackedNetwork
    from systopack.quantization.fine_tune import QuantizeSettings
    from systopack.quantization.loss import QuantizationLoss

_WORTH_A_WARNING = 1.0  # points of accuracy


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
    learning_rate: Annotated[
        float | None,
        typer.Option(help="Peak of the fine-tuning; measured, at most 0.002, where none is given."),
    ] = None,
    distill_weight: Annotated[
        float, typer.Option(help="Share of the loss that imitates the float model.")
    ] = 0.0,
    calibration_images: Annotated[int, typer.Option(help="Training images for the scales.")] = 1000,
    accumulator_bits: Annotated[int, typer.Option(help="16 or 32.")] = 32,
    permute: Annotated[
        bool, typer.Option(help="Reorder rows so that column groups are contiguous.")
    ] = True,
    seed: Annotated[
        int,
        typer.Option(
            help="Chooses the part of --fraction, the held-out images, and the data order in "
            "fine-tuning."
        ),
    ] = 0,
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
    from systopack.network.file import save
    from systopack.quantization.fine_tune import Progress, QuantizeSettings
    from systopack.quantization.quantize import measure_loss
    from systopack.quantization.quantize import quantize as run_quantization
    from systopack.records import Record, sha256_of_file
    from systopack.training.checkpoint import checkpoint_path
    from systopack.training.devices import DeviceOptions, is_main_process
    from systopack.training.model import load_model
    from systopack.training.run import part_of
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
    part = part_of(images, settings, fraction)
    with interruptible(out), console.TrainingDisplay() as display:
        quantized = run_quantization(
            trained,
            part,
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
        )
    if not is_main_process():
        return
    loss = measure_loss(quantized, trained, part, settings)
    network, out_of_place = _permuted(quantized.network, permute=permute)
    save(network, out)
    checkpoint_path(out).unlink(missing_ok=True)
    Record(
        kind="quantize",
        figures={
            "nonzeros": network.nonzeros,
            "packed_cells": network.packed_cells,
            "dense_cells": network.dense_cells,
            "packing_efficiency": network.packing_efficiency,
            **out_of_place,
            **loss_figures(loss),
        },
        configuration={**configuration, "permute": permute},
        seed=seed,
        inputs={str(model): model_sha256},
        outputs={str(out): sha256_of_file(out)},
    ).write(record)
    _tell(network, out_of_place)
    _tell_loss(loss, quantized.model.graph, settings)
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
    from systopack.network.text import describe

    console.say(describe(network))
    before, after = out_of_place.values()
    console.say(f"streams out of place: {before} before row permutation, {after} after")
    for layer in network.layers:
        if layer.matrix.nonzeros == 0:
            console.explain_error(
                f"Warning: layer '{layer.name}' has no nonzero weight; it gives its bias alone."
            )


def loss_figures(loss: QuantizationLoss) -> dict[str, Any]:
    """What quantization costs, as figures of a record."""
    images = {"calibration": loss.calibration, "held_out": loss.held_out}
    return {
        "snr_db": {name: round(ratio, 2) for name, ratio in loss.snr_db.items()},
        **{
            f"{name}_accuracy": {
                "images": found.images,
                "float_percent": found.float_percent,
                "quantized_percent": found.quantized_percent,
            }
            for name, found in images.items()
            if found is not None
        },
    }


def _tell_loss(loss: QuantizationLoss, graph: LayerGraph, settings: QuantizeSettings) -> None:
    """Print what 8 bit cost, layer by layer and in accuracy, and warn where it is much."""
    console.table(
        ("8 bit against float", "signal to noise, dB"),
        [(name, f"{ratio:.1f}") for name, ratio in loss.snr_db.items()],
    )
    for name, found in (("calibration", loss.calibration), ("held-out", loss.held_out)):
        if found is not None:
            console.say(
                f"accuracy on {found.images:,} {name} images: float {found.float_percent:.2f} %, "
                f"8 bit {found.quantized_percent:.2f} %"
            )
    judged = loss.judged
    if judged.lost_points <= _WORTH_A_WARNING:
        return
    layer, read, left = loss.worst_layer(graph)
    advice = []
    if settings.accumulator_bits < 32:
        advice.append("take --accumulator-bits 32")
    if settings.epochs == 0:
        advice.append("fine-tune with --epochs 5")
    if settings.calibration_images < 1000:
        advice.append("give more --calibration-images")
    console.explain_error(
        f"Warning: 8 bit costs {judged.lost_points:.2f} points of accuracy. Layer '{layer}' loses "
        f"most: it reads {read:.1f} dB and gives {left:.1f} dB"
        + (f"; to lose less, {' or '.join(advice)}." if advice else ".")
    )
