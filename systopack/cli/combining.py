"""`systopack combine`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from systopack.cli import console
from systopack.cli.effects import check_combine
from systopack.cli.importing import (
    InputShapeOption,
    MeanOption,
    ModelArgument,
    PartialOption,
    StdOption,
    WeightsOption,
    check_opens,
    inputs_of,
    open_for,
)
from systopack.cli.interrupt import interruptible
from systopack.cli.models import report_run
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
    read_settings,
    settings_from,
)
from systopack.cli.outputs import check_resume, claim
from systopack.hardware.named_arrays import array_from
from systopack.records import record_path
from systopack.training.settings import CombineSettings
from systopack.training.settings import preset as preset_settings

AlphaOption = Annotated[
    int | None, typer.Option(help=f"Largest group. {default(CombineSettings, 'alpha')}")
]
GammaOption = Annotated[
    float | None,
    typer.Option(help=f"Conflicts per row of a group. {default(CombineSettings, 'gamma')}"),
]
RhoOption = Annotated[
    float | None,
    typer.Option(help=f"Share of weights that stay. {default(CombineSettings, 'rho')}"),
]
BetaOption = Annotated[
    float | None,
    typer.Option(help=f"Share pruned at first. {default(CombineSettings, 'beta')}"),
]
BetaDecayOption = Annotated[float | None, typer.Option(help=default(CombineSettings, "beta_decay"))]
BetaFloorOption = Annotated[float | None, typer.Option(help=default(CombineSettings, "beta_floor"))]
IterationLimitOption = Annotated[
    int | None, typer.Option(help=default(CombineSettings, "iteration_limit"))
]
EpochsPerIterationOption = Annotated[
    int | None, typer.Option(help=default(CombineSettings, "epochs_per_iteration"))
]
FineTuneEpochsOption = Annotated[
    int | None, typer.Option(help=default(CombineSettings, "fine_tune_epochs"))
]
PolicyOption = Annotated[
    str | None, typer.Option(help=f"Grouping policy. {default(CombineSettings, 'policy')}")
]
BandRowsOption = Annotated[
    int | None,
    typer.Option(help="Rows that share column groups, for instance 32. [default: all]"),
]
ChannelsPerGroupOption = Annotated[
    int | None,
    typer.Option(
        help="Neighbouring channels that a group may mix where a channel has several columns; "
        "fewer need less memory in hardware. [default: any]"
    ),
]
CellsOption = Annotated[
    float | None,
    typer.Option(
        help="Budget: share of the dense cells. Layers then get the column groups that cost "
        "the least accuracy; rho, beta and gamma are not used."
    ),
]
StreamedWordsRatioOption = Annotated[
    float | None,
    typer.Option(help="Budget: times fewer streamed words (tiles x positions) than dense."),
]
ArrayOption = Annotated[
    str | None,
    typer.Option(help="Array on which streamed words are counted. [default: 32x32]"),
]
BudgetStepsOption = Annotated[
    int | None,
    typer.Option(
        help="Iterations in which budgets fall from dense. "
        + default(CombineSettings, "budget_steps")
    ),
]
GroupingOption = Annotated[
    str | None,
    typer.Option(
        help="Group columns in every such iteration or in the last. "
        + default(CombineSettings, "grouping")
    ),
]
ImportanceOption = Annotated[
    str | None,
    typer.Option(
        help="Which weight survives a conflict: magnitude or fisher (budgets only). "
        + default(CombineSettings, "importance")
    ),
]
PresetOption = Annotated[
    str | None,
    typer.Option(help="Settings that go together: paper or budgets; others win over them."),
]
BatchSizeOption = Annotated[int | None, typer.Option(help=default(CombineSettings, "batch_size"))]
LearningRateOption = Annotated[
    float | None,
    typer.Option(help="Where the cosine starts. [default: measured by a short range test]"),
]
WeightDecayOption = Annotated[
    float | None, typer.Option(help=default(CombineSettings, "weight_decay"))
]
LabelSmoothingOption = Annotated[
    float | None, typer.Option(help=default(CombineSettings, "label_smoothing"))
]
DistillWeightOption = Annotated[
    float | None,
    typer.Option(
        help="Share of the loss that imitates the dense model. "
        + default(CombineSettings, "distill_weight")
    ),
]
DistillTemperatureOption = Annotated[
    float | None, typer.Option(help=default(CombineSettings, "distill_temperature"))
]
CutmixOption = Annotated[
    float | None,
    typer.Option(
        help="Share of the batches in which images get a square of another image; for runs that "
        "imitate the dense model alone. " + default(CombineSettings, "cutmix")
    ),
]
HeldOutOption = Annotated[
    int | None,
    typer.Option(help="Training images held out to watch the run. [default: a tenth]"),
]
SeedOption = Annotated[int | None, typer.Option(help=default(CombineSettings, "seed"))]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(combine)


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
    alpha: AlphaOption = None,
    gamma: GammaOption = None,
    rho: RhoOption = None,
    beta: BetaOption = None,
    beta_decay: BetaDecayOption = None,
    beta_floor: BetaFloorOption = None,
    iteration_limit: IterationLimitOption = None,
    epochs_per_iteration: EpochsPerIterationOption = None,
    fine_tune_epochs: FineTuneEpochsOption = None,
    policy: PolicyOption = None,
    band_rows: BandRowsOption = None,
    channels_per_group: ChannelsPerGroupOption = None,
    cells: CellsOption = None,
    streamed_words_ratio: StreamedWordsRatioOption = None,
    array: ArrayOption = None,
    budget_steps: BudgetStepsOption = None,
    grouping: GroupingOption = None,
    importance: ImportanceOption = None,
    preset: PresetOption = None,
    batch_size: BatchSizeOption = None,
    learning_rate: LearningRateOption = None,
    weight_decay: WeightDecayOption = None,
    label_smoothing: LabelSmoothingOption = None,
    distill_weight: DistillWeightOption = None,
    distill_temperature: DistillTemperatureOption = None,
    cutmix: CutmixOption = None,
    held_out: HeldOutOption = None,
    seed: SeedOption = None,
    accelerator: AcceleratorOption = "auto",
    devices: DevicesOption = 1,
    nodes: NodesOption = 1,
    precision: PrecisionOption = "auto",
) -> None:
    """Prune, pack and retrain a dense model jointly: systopack's own, or any torch or ONNX model.

    Example: systopack combine dense.safetensors --data sample --alpha 8 --gamma 0.5 --rho 0.15
    --out packed.safetensors
    """
    settings = _settings(locals())
    check_out(out, ".safetensors")
    claim(
        "combine",
        inputs=(model, weights, config),
        outputs=(out,),
        record=record_path(out, "combine"),
    )
    check_resume(resume, out)
    from systopack.data.open import open_data
    from systopack.training.devices import DeviceOptions
    from systopack.training.run import combine as run_combining

    check_opens(model)
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
    report_run("combine", trained, out, settings.seed, inputs=inputs_of(model))


def _settings(options: Mapping[str, Any]) -> CombineSettings:
    """The settings that the command's options ask for, refused before data are read."""
    chosen = {name: options[name] for name in CombineSettings.model_fields if name in options}
    if options["array"] is not None:
        tile = array_from(options["array"])
        chosen["array_rows"], chosen["array_columns"] = tile.rows, tile.columns
    base = None if options["preset"] is None else preset_settings(options["preset"])
    settings = settings_from(CombineSettings, options["config"], chosen, base=base)
    asked = {name for name, value in options.items() if value is not None}
    check_combine(
        asked & {*CombineSettings.model_fields, "array"}
        | read_settings(CombineSettings, options["config"]).keys(),
        has_budget=settings.has_budget,
        distills=settings.distill_weight > 0,
        steps=settings.budget_steps,
    )
    from systopack.data.augment import Augment
    from systopack.packing.rule import PackingRule

    PackingRule(alpha=settings.alpha, gamma=settings.gamma)
    settings.augmented(Augment())
    return settings
