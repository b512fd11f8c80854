"""`systopack quantize`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from systopack.api import learning
from systopack.cli import console
from systopack.cli.builder import command
from systopack.cli.interrupt import interruptible
from systopack.cli.job import Job
from systopack.cli.outputs import check_resume
from systopack.cli.shared import OUTPUT, PartOptions, ResumeOptions
from systopack.options import argument, option
from systopack.quantization.settings import QuantizeSettings
from systopack.training.devices import DeviceOptions

if TYPE_CHECKING:
    from systopack.quantization.loss import QuantizationLoss

_WORTH_A_WARNING = 1.0  # points of accuracy


class Quantize(PartOptions, ResumeOptions):
    """What is quantized."""

    model: Path = argument("Model file (.safetensors), dense or combined.")
    out: Path = option(..., "Network to write (.spk).", group=OUTPUT)
    permute: bool = option(
        True, "Reorder rows so that column groups are contiguous.", group="Hardware"
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "quantize", panel="Networks")(quantize)


def quantize(
    options: Quantize, settings: QuantizeSettings, devices: DeviceOptions, job: Job
) -> None:
    """Quantize a model to 8 bit and lower it to a packed network.

    Example: systopack quantize packed.safetensors --data sample --out packed.spk
    """
    job.writes(options.out, suffix=".spk", reads=(options.model,))
    check_resume(options.resume, options.out)
    with interruptible(options.out), console.TrainingDisplay() as display:
        found = learning.quantize(
            **options.model_dump(), devices=devices, observer=display, **settings.given
        )
    if found.loss is None:  # a process beside the main one
        return
    from systopack.network.text import describe

    before, after = found.streams_out_of_place
    console.say(describe(found.network))
    console.say(f"streams out of place: {before} before row permutation, {after} after")
    for layer in found.network.layers:
        if layer.matrix.nonzeros == 0:
            console.explain_error(
                f"Warning: layer '{layer.name}' has no nonzero weight; it gives its bias alone."
            )
    _tell_loss(found, found.loss)
    job.write(found.figures, found.configuration, seed=found.settings.seed)


def _tell_loss(found: learning.Quantization, loss: QuantizationLoss) -> None:
    """Print what 8 bit cost, layer by layer and in accuracy, and warn where it is much."""
    console.table(
        ("8 bit against float", "signal to noise, dB"),
        [(name, f"{ratio:.1f}") for name, ratio in loss.snr_db.items()],
    )
    for name, accuracy in (("calibration", loss.calibration), ("held-out", loss.held_out)):
        if accuracy is not None:
            console.say(
                f"accuracy on {accuracy.images:,} {name} images: float "
                f"{accuracy.float_percent:.2f} %, 8 bit {accuracy.quantized_percent:.2f} %"
            )
    if loss.judged.lost_points <= _WORTH_A_WARNING:
        return
    layer, read, left = loss.worst_layer(found.graph)
    settings = found.settings
    advice = []
    if settings.accumulator_bits < 32:
        advice.append("take --accumulator-bits 32")
    if settings.epochs == 0:
        advice.append("fine-tune with --epochs 5")
    if settings.calibration_images < 1000:
        advice.append("give more --calibration-images")
    console.explain_error(
        f"Warning: 8 bit costs {loss.judged.lost_points:.2f} points of accuracy. Layer '{layer}' "
        f"loses most: it reads {read:.1f} dB and gives {left:.1f} dB"
        + (f"; to lose less, {' or '.join(advice)}." if advice else ".")
    )
