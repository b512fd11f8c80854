"""Whole runs: dense training, and joint optimization with column combining."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from systopack.data.augment import Augment
from systopack.data.images import ImageData
from systopack.data.split import TrainingPart, training_part
from systopack.errors import InvalidOptionError, TrainingError
from systopack.files import checkpoint_path
from systopack.frontend.capture import capture
from systopack.nn import zoo
from systopack.packing.matrix import PackedMatrix
from systopack.packing.rule import PackingRule
from systopack.training.allocation import TileSize
from systopack.training.checkpoint import RunState
from systopack.training.combining import (
    Combined,
    channel_blocks,
    combine_within_budgets,
    prune_and_combine,
    prune_within_budget,
)
from systopack.training.devices import DeviceOptions, launch
from systopack.training.epoch import LearningRate, half_cosine
from systopack.training.events import Observer
from systopack.training.groups import LayerGroups
from systopack.training.importance import fisher_information
from systopack.training.layer_shares import shares_of
from systopack.training.limits import budget_limits
from systopack.training.model import TrainedModel, state_sha256
from systopack.training.progress import Run
from systopack.training.session import Session
from systopack.training.settings import CombineSettings, OptimizerSettings, TrainSettings

_LARGEST_HELD_OUT = 5000


def train(
    architecture: str,
    data: ImageData,
    *,
    settings: TrainSettings,
    fraction: float,
    out: Path,
    resume: bool,
    devices: DeviceOptions,
    observer: Observer,
) -> TrainedModel:
    """Train a dense model from fresh weights and save it to `out`.

    Raises:
        InvalidOptionError: the model is not known or does not fit the images.
        TrainingError: the loss is no longer finite.
    """
    _check_shape(architecture, zoo.entry(architecture).input_shape, data)
    fabric = launch(devices)
    torch.manual_seed(settings.seed)
    module = zoo.build(architecture, classes=data.classes)
    part = part_of(data, settings, fraction)
    run = Run(
        session=Session(
            fabric=fabric,
            module=module,
            graph=capture(module, data.shape),
            part=part,
            augment=data.augment,
            mean=part.mean,
            std=part.std,
            settings=settings,
        ),
        state=RunState(phase="train"),
        configuration=configuration_of(architecture, data, settings, fraction),
        checkpoint=checkpoint_path(out),
        observer=observer,
    )
    run.start(resume)
    run.epochs("train", settings.epochs, _warm_cosine(settings))
    model = TrainedModel(
        architecture=architecture,
        class_names=data.class_names,
        mean=part.mean,
        std=part.std,
        state=run.session.state(),
        history=tuple(run.state.history),
        provenance=run.configuration,
    )
    run.finish(model, out)
    return model


def combine(
    dense: TrainedModel,
    data: ImageData,
    *,
    settings: CombineSettings,
    fraction: float,
    out: Path,
    resume: bool,
    devices: DeviceOptions,
    observer: Observer,
) -> TrainedModel:
    """Prune, pack and retrain a dense model jointly, and save it (docs/method.md, section 2).

    Raises:
        InvalidOptionError: a limit is out of its range, the budgets are too small, or the model
            does not fit the images.
        TrainingError: rho is not reached within the iteration limit, or the run diverges.
    """
    PackingRule(alpha=settings.alpha, gamma=settings.gamma)
    check_fits(dense, data)
    return combine_part(
        dense,
        part_of(data, settings, fraction),
        augment=data.augment,
        settings=settings,
        configuration=configuration_of(dense.architecture, data, settings, fraction),
        fabric=launch(devices),
        out=out,
        resume=resume,
        observer=observer,
    )


def check_fits(dense: TrainedModel, data: ImageData) -> None:
    """Refuse images that are not those of a model.

    Raises:
        InvalidOptionError: they have another size or other classes.
    """
    _check_shape(dense.architecture, dense.input_shape, data)
    if dense.class_names != data.class_names:
        raise InvalidOptionError(
            f"The model tells {', '.join(dense.class_names[:3])} ... apart, but data set "
            f"'{data.name}' has other classes; give the data it was trained on."
        )


def combine_part(
    dense: TrainedModel,
    part: TrainingPart,
    *,
    augment: Augment,
    settings: CombineSettings,
    configuration: Mapping[str, Any],
    fabric: Any,
    out: Path | None,
    resume: bool,
    observer: Observer,
) -> TrainedModel:
    """Joint optimization on a part of the images; see `combine`.

    Args:
        dense: the model; it fits the images.
        part: the images that the run may read.
        augment: how training images are varied.
        settings: of the run.
        configuration: what else must be the same to go on from a checkpoint; it becomes the
            model's provenance.
        fabric: launched.
        out: model file, with the checkpoint beside it; None: neither is written.
        resume: go on from the checkpoint where there is one.
        observer: follows the run.

    Raises:
        InvalidOptionError, TrainingError: as in `combine`.
    """
    module = dense.to_module()
    session = Session(
        fabric=fabric,
        module=module,
        graph=capture(module, dense.input_shape) if dense.graph is None else dense.graph,
        part=part,
        augment=augment,
        mean=dense.mean,
        std=dense.std,
        settings=settings,
        teacher=dense.to_module(),
    )
    settings = _possible(session, settings, observer)
    run = Run(
        session=session,
        state=RunState(phase="joint", beta=settings.beta, learning_rate=settings.learning_rate),
        phases=("joint", "fine-tune"),
        configuration={
            **configuration,
            **settings.model_dump(),
            "dense_sha256": state_sha256(dense.state),
        },
        checkpoint=None if out is None else checkpoint_path(out),
        observer=observer,
        dense_accuracy_percent=session.held_out_accuracy_percent(),
    )
    run.start(resume)
    if settings.has_budget:
        _budget_iterations(run, settings)
    else:
        _joint_iterations(run, settings, PackingRule(alpha=settings.alpha, gamma=settings.gamma))
    if settings.fine_tune_epochs:
        run.epochs("fine-tune", settings.fine_tune_epochs, _cosine(run.rate(), settings))
    run.compare_with_dense()
    model = _packed_model(dense, run)
    run.finish(model, out)
    return model


def _packed_model(dense: TrainedModel, run: Run[Session]) -> TrainedModel:
    """What a run has made of a dense model."""
    return replace(
        dense,
        state=run.session.state(),
        groups=run.state.groups,
        gaps=run.state.gaps,
        history=(*dense.history, *run.state.history),
        provenance={
            **run.configuration,
            "learning_rate": run.state.learning_rate,
            "dense": dict(dense.provenance),
        },
        source=None,
    )


def _joint_iterations(run: Run[Session], settings: CombineSettings, rule: PackingRule) -> None:
    """Until at most `rho` of the weights are left: steps 1 to 5 of docs/method.md, section 2."""
    session, state = run.session, run.state
    target = math.floor(settings.rho * session.graph.dense_weights)
    together = settings.channels_per_group
    blocks = None if together is None else channel_blocks(session.graph, channels=together)
    while state.phase == "joint":
        if state.epoch_in_phase == 0:
            # A resumed run comes here only with the weights it had when it came here first.
            if state.iteration == settings.iteration_limit:
                raise TrainingError(
                    f"After {state.iteration} iterations {session.masks.nonzeros():,} weights are "
                    f"left, more than rho allows ({target:,}); raise --iteration-limit, --beta or "
                    "--rho."
                )
            state.iteration += 1
            combined = prune_and_combine(
                session.matrices(),
                beta=state.beta,
                target=target,
                rule=rule,
                policy=settings.policy,
                band_rows=settings.band_rows,
                seed=settings.seed,
                blocks=blocks,
            )
            _take_over(run, combined)
        if state.epoch_in_phase < settings.epochs_per_iteration:
            run.epoch(_constant(run.rate()))
        if state.epoch_in_phase >= settings.epochs_per_iteration:
            state.epoch_in_phase = 0
            state.beta = max(state.beta * settings.beta_decay, settings.beta_floor)
            if session.masks.nonzeros() <= target:
                state.phase = "fine-tune"
        run.save()


def _budget_iterations(run: Run[Session], settings: CombineSettings) -> None:
    """Let the budgets fall from dense by equal factors, grouping again in each iteration."""
    session, state = run.session, run.state
    while state.phase == "joint":
        if state.epoch_in_phase == 0:
            state.iteration += 1
            _take_over(run, _next_combination(session, settings, state.iteration))
        if state.epoch_in_phase < settings.epochs_per_iteration:
            run.epoch(_constant(run.rate()))
        if state.epoch_in_phase >= settings.epochs_per_iteration:
            state.epoch_in_phase = 0
            if state.iteration >= settings.budget_steps:
                state.phase = "fine-tune"
        run.save()


def _next_combination(session: Session, settings: CombineSettings, iteration: int) -> Combined:
    """The packed matrices of an iteration: budgets fall by equal factors down to the last one."""
    share = iteration / settings.budget_steps
    cells, ratio = _number(settings.cells), _number(settings.streamed_words_ratio)
    if settings.grouping == "last" and iteration < settings.budget_steps:
        smallest = cells if cells is not None else 1 / (ratio or 1)
        return prune_within_budget(session.matrices(), share=smallest**share)
    matrices = session.matrices()
    shares = shares_of(settings.layers, matrices.keys())
    if cells is None and ratio is None:
        shares = {name: shares.get(name, 1.0) for name in matrices}
    fisher = {}
    if settings.importance == "fisher" or shares.keys() < matrices.keys():
        fisher = fisher_information(
            session,
            images=settings.importance_images,
            number=iteration,
            temperature=settings.distill_temperature if settings.distill_weight > 0 else 1.0,
        )
    return combine_within_budgets(
        matrices,
        session.graph,
        sensitivity=fisher,
        importance=fisher if settings.importance == "fisher" else None,
        alpha=settings.alpha,
        cells=None if cells is None else cells**share,
        streamed_words_ratio=None if ratio is None else ratio**share,
        tile=TileSize(rows=settings.array_rows, columns=settings.array_columns),
        policy=settings.policy,
        band_rows=settings.band_rows or settings.array_rows,
        seed=settings.seed,
        shares={name: size**share for name, size in shares.items()},
    )


def _possible(session: Session, settings: CombineSettings, observer: Observer) -> CombineSettings:
    """The settings with budgets that the network allows; refuses what it does not allow."""
    if not settings.has_budget:
        if settings.rho * session.graph.dense_weights < 1:
            raise InvalidOptionError(
                f"--rho is {settings.rho:g}, which leaves none of the network's "
                f"{session.graph.dense_weights:,} weights; give a larger share."
            )
        return settings
    shares = shares_of(settings.layers, [op.name for op in session.graph.weighted_ops.values()])
    sizes = (settings.cells, settings.streamed_words_ratio)
    if sizes == (None, None) and min(shares.values()) == 1:
        raise InvalidOptionError(
            "--layer leaves every layer as it is, so that nothing is packed; give --cells or "
            "--streamed-words-ratio, or a share below 1."
        )
    limits = budget_limits(
        session.matrices(),
        session.graph,
        alpha=settings.alpha,
        band_rows=settings.band_rows or settings.array_rows,
        tile=TileSize(rows=settings.array_rows, columns=settings.array_columns),
    )
    fit = "fit" in (settings.cells, settings.streamed_words_ratio)
    cells = limits.fitted_cells() if settings.cells == "fit" else _number(settings.cells)
    ratio = (
        limits.fitted_ratio()
        if settings.streamed_words_ratio == "fit"
        else _number(settings.streamed_words_ratio)
    )
    limits.check(cells=cells, streamed_words_ratio=ratio)
    if fit and session.fabric.global_rank == 0:
        observer.on_note(
            f"Budgets that fit the network: --cells {cells or 1:g} (least possible "
            f"{limits.cells:.3f}), --streamed-words-ratio {ratio or 1:g} (most possible "
            f"{limits.streamed_words_ratio:.3f})."
        )
    return settings.model_copy(update={"cells": cells, "streamed_words_ratio": ratio})


def _number(budget: float | str | None) -> float | None:
    """A budget once those that are to fit have got their numbers."""
    return None if budget is None else float(budget)


def _take_over(run: Run[Session], combined: Combined) -> None:
    """Prune the model to packed matrices and note their groups."""
    run.session.prune_to(combined.matrices)
    run.state.groups = dict(groups_of(combined.matrices))
    run.state.gaps = {name: str(gap) for name, gap in combined.gaps.items()}
    run.state.baseline = None
    run.state.packed_cells = sum(m.packed_cells for m in combined.matrices.values())


def groups_of(packed: Mapping[str, PackedMatrix]) -> LayerGroups:
    """Row bands and column groups of every layer."""
    return {
        name: tuple((band.rows, band.groups) for band in matrix.bands)
        for name, matrix in packed.items()
    }


def _warm_cosine(settings: TrainSettings) -> LearningRate:
    def rate(epoch: float) -> float:
        warm = min(1.0, (epoch + 0.05) / 1.05)
        return settings.learning_rate * warm * half_cosine(epoch / settings.epochs)

    return rate


def _constant(rate: float) -> LearningRate:
    return lambda _: rate


def _cosine(rate: float, settings: CombineSettings) -> LearningRate:
    return lambda epoch: rate * half_cosine(epoch / settings.fine_tune_epochs)


def part_of(data: ImageData, settings: OptimizerSettings, fraction: float) -> TrainingPart:
    """The images that a run of these settings may read, and those it holds out.

    Runs of one seed, fraction and `held_out` hold out the same images, so what one has not seen
    the next has not either.
    """
    held_out = settings.held_out
    if held_out is None:
        images = round(len(data.train_labels) * fraction)
        held_out = min(_LARGEST_HELD_OUT, images // 10)
    return training_part(data, fraction=fraction, held_out=held_out, seed=settings.seed)


def _check_shape(architecture: str, expected: zoo.Shape, data: ImageData) -> None:
    if data.shape != expected:
        raise InvalidOptionError(
            f"Model '{architecture}' reads images of (channels, height, width) {expected}, but "
            f"data set '{data.name}' has {data.shape}; choose another model or data set."
        )


def configuration_of(
    architecture: str, data: ImageData, settings: OptimizerSettings, fraction: float
) -> dict[str, Any]:
    """What decides a run's result beside its weights: model, data and settings."""
    return {
        "model": architecture,
        "data": data.name,
        "data_sha256": data.sha256,
        "fraction": fraction,
        **settings.model_dump(),
    }
