"""`systopack train`, and what a training run reports."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from systopack.cli import console
from systopack.cli.interrupt import interruptible
from systopack.cli.options import (
    AcceleratorOption,
    ConfigOption,
    DataOption,
    DevicesOption,
    FractionOption,
    NodesOption,
    PrecisionOption,
    ResumeOption,
    check_out,
    default,
    settings_from,
)
from systopack.cli.outputs import check_resume, claim
from systopack.records import record_path
from systopack.training.settings import TrainSettings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(train)


def train(
    model: Annotated[str, typer.Argument(help="A zoo model, for instance lenet5-shift.")],
    out: Annotated[Path, typer.Option(help="Model file to write (.safetensors).")],
    data: DataOption = "sample",
    fraction: FractionOption = 1.0,
    config: ConfigOption = None,
    resume: ResumeOption = False,
    epochs: Annotated[int | None, typer.Option(help=default(TrainSettings, "epochs"))] = None,
    batch_size: Annotated[
        int | None, typer.Option(help=default(TrainSettings, "batch_size"))
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help=f"Peak. {default(TrainSettings, 'learning_rate')}")
    ] = None,
    weight_decay: Annotated[
        float | None, typer.Option(help=default(TrainSettings, "weight_decay"))
    ] = None,
    label_smoothing: Annotated[
        float | None, typer.Option(help=default(TrainSettings, "label_smoothing"))
    ] = None,
    held_out: Annotated[
        int | None,
        typer.Option(help="Training images held out to watch the run. [default: a tenth]"),
    ] = None,
    seed: Annotated[int | None, typer.Option(help=default(TrainSettings, "seed"))] = None,
    accelerator: AcceleratorOption = "auto",
    devices: DevicesOption = 1,
    nodes: NodesOption = 1,
    precision: PrecisionOption = "auto",
) -> None:
    """Train a dense model.

    Example: systopack train lenet5-shift --data sample --epochs 5 --out dense.safetensors
    """
    check_out(out, ".safetensors")
    claim("train", inputs=(config,), outputs=(out,), record=record_path(out, "train"))
    check_resume(resume, out)
    settings = settings_from(
        TrainSettings,
        config,
        {
            "epochs": epochs,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "weight_decay": weight_decay,
            "label_smoothing": label_smoothing,
            "held_out": held_out,
            "seed": seed,
        },
    )
    from systopack.data.open import open_data
    from systopack.training.devices import DeviceOptions
    from systopack.training.run import train as run_training

    images = open_data(data)
    with interruptible(out), console.TrainingDisplay() as display:
        trained = run_training(
            model,
            images,
            settings=settings,
            fraction=fraction,
            out=out,
            resume=resume,
            devices=DeviceOptions(
                accelerator=accelerator, devices=devices, nodes=nodes, precision=precision
            ),
            observer=display,
        )
    report_run("train", trained, out, settings.seed, inputs={})


def report_run(kind: str, trained: Any, out: Path, seed: int, inputs: dict[str, str]) -> None:
    """Write the record of a run beside its model file, on the main process."""
    from systopack.records import Record, sha256_of_file
    from systopack.training.devices import is_main_process

    if not is_main_process():
        return
    last = dict(trained.history[-1]) if trained.history else {}
    record = record_path(out, kind)
    Record(
        kind=kind,
        figures={"last_epoch": last, "history": list(trained.history)},
        configuration=trained.provenance,
        seed=seed,
        inputs=inputs,
        outputs={str(out): sha256_of_file(out)},
    ).write(record)
    console.say(f"wrote {out} and {record}")
