"""`systopack train` and `systopack combine`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from systopack.cli import console
from systopack.cli.importing import (
    InputShapeOption,
    MeanOption,
    ModelArgument,
    PartialOption,
    StdOption,
    WeightsOption,
    inputs_of,
    open_for,
)
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
    array_size,
    check_out,
    default,
    settings_from,
)
from systopack.training.settings import CombineSettings, TrainSettings
from systopack.training.settings import preset as preset_settings


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(train)
    app.command()(combine)


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
    _report_run("train", trained, out, settings.seed, inputs={})


def combine(
    model: ModelArgument,
    out: Annotated[Path, typer.Option(help="Model file to write (.safetensors).")],
    data: DataOption = "sample",
    fraction: FractionOption = 1.0,
    input_shape: InputShapeOption = None,
    mean: MeanOption = None,
    std: StdOption = None,
    weights: WeightsOption = None,
    partial: PartialOption = False,
    config: ConfigOption = None,
    resume: ResumeOption = False,
    alpha: Annotated[
        int | None, typer.Option(help=f"Largest group. {default(CombineSettings, 'alpha')}")
    ] = None,
    gamma: Annotated[
        float | None,
        typer.Option(help=f"Conflicts per row of a group. {default(CombineSettings, 'gamma')}"),
    ] = None,
    rho: Annotated[
        float | None,
        typer.Option(help=f"Share of weights that stay. {default(CombineSettings, 'rho')}"),
    ] = None,
    beta: Annotated[
        float | None,
        typer.Option(help=f"Share pruned at first. {default(CombineSettings, 'beta')}"),
    ] = None,
    beta_decay: Annotated[
        float | None, typer.Option(help=default(CombineSettings, "beta_decay"))
    ] = None,
    beta_floor: Annotated[
        float | None, typer.Option(help=default(CombineSettings, "beta_floor"))
    ] = None,
    iteration_limit: Annotated[
        int | None, typer.Option(help=default(CombineSettings, "iteration_limit"))
    ] = None,
    epochs_per_iteration: Annotated[
        int | None, typer.Option(help=default(CombineSettings, "epochs_per_iteration"))
    ] = None,
    fine_tune_epochs: Annotated[
        int | None, typer.Option(help=default(CombineSettings, "fine_tune_epochs"))
    ] = None,
    policy: Annotated[
        str | None, typer.Option(help=f"Grouping policy. {default(CombineSettings, 'policy')}")
    ] = None,
    band_rows: Annotated[
        int | None,
        typer.Option(help="Rows that share column groups, for instance 32. [default: all]"),
    ] = None,
    channels_per_group: Annotated[
        int | None,
        typer.Option(
            help="Neighbouring channels that a group may mix where a channel has several columns; "
            "fewer need less memory in hardware. [default: any]"
        ),
    ] = None,
    cells: Annotated[
        float | None,
        typer.Option(
            help="Budget: share of the dense cells. Layers then get the column groups that cost "
            "the least accuracy; rho, beta and gamma are not used."
        ),
    ] = None,
    streamed_words_ratio: Annotated[
        float | None,
        typer.Option(help="Budget: times fewer streamed words (tiles x positions) than dense."),
    ] = None,
    array: Annotated[
        str | None,
        typer.Option(help="Array on which streamed words are counted. [default: 32x32]"),
    ] = None,
    budget_steps: Annotated[
        int | None,
        typer.Option(
            help="Iterations in which budgets fall from dense. "
            + default(CombineSettings, "budget_steps")
        ),
    ] = None,
    grouping: Annotated[
        str | None,
        typer.Option(
            help="Group columns in every such iteration or in the last. "
            + default(CombineSettings, "grouping")
        ),
    ] = None,
    importance: Annotated[
        str | None,
        typer.Option(
            help="Which weight survives a conflict: magnitude or fisher (budgets only). "
            + default(CombineSettings, "importance")
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="Settings that go together: paper or budgets; others win over them."),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help=default(CombineSettings, "batch_size"))
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help=default(CombineSettings, "learning_rate"))
    ] = None,
    weight_decay: Annotated[
        float | None, typer.Option(help=default(CombineSettings, "weight_decay"))
    ] = None,
    label_smoothing: Annotated[
        float | None, typer.Option(help=default(CombineSettings, "label_smoothing"))
    ] = None,
    distill_weight: Annotated[
        float | None,
        typer.Option(
            help="Share of the loss that imitates the dense model. "
            + default(CombineSettings, "distill_weight")
        ),
    ] = None,
    distill_temperature: Annotated[
        float | None, typer.Option(help=default(CombineSettings, "distill_temperature"))
    ] = None,
    held_out: Annotated[
        int | None,
        typer.Option(help="Training images held out to watch the run. [default: a tenth]"),
    ] = None,
    seed: Annotated[int | None, typer.Option(help=default(CombineSettings, "seed"))] = None,
    accelerator: AcceleratorOption = "auto",
    devices: DevicesOption = 1,
    nodes: NodesOption = 1,
    precision: PrecisionOption = "auto",
) -> None:
    """Prune, pack and retrain a dense model jointly: systopack's own, or any torch or ONNX model.

    Example: systopack combine dense.safetensors --data sample --alpha 8 --gamma 0.5 --rho 0.15
    --out packed.safetensors
    """
    options = dict(locals())
    check_out(out, ".safetensors", sources=(Path(model),))
    chosen = {name: options[name] for name in CombineSettings.model_fields if name in options}
    if array is not None:
        chosen["array_rows"], chosen["array_columns"] = array_size(array)
    base = None if preset is None else preset_settings(preset)
    settings = settings_from(CombineSettings, config, chosen, base=base)
    from systopack.packing.rule import PackingRule

    PackingRule(alpha=settings.alpha, gamma=settings.gamma)  # refused before data are read
    from systopack.data.open import open_data
    from systopack.training.devices import DeviceOptions
    from systopack.training.run import combine as run_combining

    images = open_data(data)
    dense = open_for(
        model,
        images,
        fraction=fraction,
        input_shape=input_shape,
        mean=mean,
        std=std,
        weights=weights,
        partial=partial,
    )
    with interruptible(out), console.TrainingDisplay() as display:
        trained = run_combining(
            dense,
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
    _report_run("combine", trained, out, settings.seed, inputs=inputs_of(model))


def _report_run(kind: str, trained: Any, out: Path, seed: int, inputs: dict[str, str]) -> None:
    from systopack.records import Record, sha256_of_file
    from systopack.training.devices import is_main_process

    if not is_main_process():
        return
    last = dict(trained.history[-1]) if trained.history else {}
    record = out.with_suffix(".json")
    Record(
        kind=kind,
        figures={"last_epoch": last, "history": list(trained.history)},
        configuration=trained.provenance,
        seed=seed,
        inputs=inputs,
        outputs={str(out): sha256_of_file(out)},
    ).write(record)
    console.say(f"wrote {out} and {record}")
