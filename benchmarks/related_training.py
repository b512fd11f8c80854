"""ResNet-20 on CIFAR-10 pruned and retrained for each accelerator's own sparsity, alike for all.

    python benchmarks/related_training.py 2-of-8 --schedule tenth --seed 0 --out runs

Every constraint starts from the same trained dense network, prunes it once and retrains for the
epochs of the schedule with the same images, rate, loss and batches: only the weights that may stay
differ. A checkpoint is written after every epoch; the same command resumes, bit for bit on one
thread. Then the network is quantized to 8 bit by calibration, reads the test images once, and runs
on its own accelerator's model. Writes OUT/NAME-SCHEDULE-seedS.{safetensors,spk,json}.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _bench import SIZE, arguments
from _constraints import (
    BLOCK,
    Projection,
    Weights,
    channel_fastest,
    channels_of,
    kept_groups,
    largest,
    more_kept,
    n_of_m,
    thinner,
    variable_blocks,
)
from _training import (
    RESNET20_WEIGHTS,
    dense_right_answers,
    eight_bit,
    published_resnet20,
    ready,
    right_answers,
    with_suffix,
    write_network,
)
from numpy.typing import NDArray

from systopack.data.images import ImageData
from systopack.data.open import open_data
from systopack.files import checkpoint_path
from systopack.frontend.capture import capture
from systopack.frontend.weights import stored_weight
from systopack.hardware.related.design import Design, Machine
from systopack.hardware.related.s2engine import S2ENGINE
from systopack.hardware.related.stationary import COMBINING_PER_TILE, GATED
from systopack.hardware.related.vdbb import VDBB
from systopack.hardware.related.workload import LayerWork, network_work
from systopack.network.group_order import order_groups
from systopack.network.network import PackedNetwork
from systopack.network.nodes import MatrixLayer
from systopack.network.reference import classify, quantize_images
from systopack.packing.matrix import PackedMatrix
from systopack.packing.pack import dense as ungrouped
from systopack.packing.pruning import column_combine
from systopack.records import sha256_of_file
from systopack.training.checkpoint import RunState
from systopack.training.devices import DeviceOptions, launch
from systopack.training.epoch import half_cosine
from systopack.training.importance import fisher_information
from systopack.training.model import TrainedModel
from systopack.training.progress import Run
from systopack.training.run import combine, part_of
from systopack.training.session import Session
from systopack.training.settings import PRESETS, CombineSettings


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Data and epochs, named before anything was run.

    Args:
        fraction: of the training images.
        epochs: after pruning, one cosine to zero.
    """

    fraction: float
    epochs: int


@dataclass(frozen=True, kw_only=True)
class Constraint:
    """What weights may be.

    Args:
        design: the accelerator that is made for such weights.
        project: which weights stay; None: column combining, by the package.
        budgets: of column combining.
        kept: weights a row of each group of columns, its size the second.
    """

    design: Design
    project: Projection | None = None
    budgets: Mapping[str, float | None] | None = None
    kept: tuple[int, int] | None = None


SCHEDULES = {
    "tenth": Schedule(fraction=0.1, epochs=12),
    "all": Schedule(fraction=1.0, epochs=1),
    "all-long": Schedule(fraction=1.0, epochs=14),  # of the package's packed network
}
# As the packed networks of the package were made, but for the epochs.
RECIPE = {**PRESETS["budgets"], "cutmix": 0.0, "learning_rate": 0.05, "importance_images": 192}
DENSE = "dense"
CONSTRAINTS = {
    "combining": Constraint(
        design=COMBINING_PER_TILE, budgets={"cells": 0.256, "streamed_words_ratio": 3.9}
    ),
    "combining-small": Constraint(
        design=COMBINING_PER_TILE, budgets={"cells": 0.126, "streamed_words_ratio": None}
    ),
    "2-of-8": Constraint(design=VDBB, project=n_of_m(2, 8)),
    "3-of-8": Constraint(design=VDBB, project=n_of_m(3, 8)),
    "1-of-4": Constraint(design=VDBB, project=n_of_m(1, 4)),
    "1-of-8": Constraint(design=VDBB, project=n_of_m(1, 8)),
    "k-of-8": Constraint(design=VDBB, project=variable_blocks(cells=0.256, words_ratio=3.9)),
    "unstructured-0.25": Constraint(design=S2ENGINE, project=largest(0.25)),
    "unstructured-0.125": Constraint(design=S2ENGINE, project=largest(0.125)),
    "two-kept-of-8": Constraint(
        design=COMBINING_PER_TILE, project=more_kept(alpha=8, kept=2), kept=(2, 8)
    ),
    "two-kept-of-16": Constraint(
        design=COMBINING_PER_TILE, project=more_kept(alpha=16, kept=2), kept=(2, 16)
    ),
    **{
        f"{DENSE}-{share}": Constraint(design=GATED, project=thinner(share))
        for share in (0.5, 0.625, 0.75, 0.875)
    },
    DENSE: Constraint(design=GATED),
}


def settings_of(constraint: Constraint, schedule: Schedule, seed: int) -> CombineSettings:
    """The recipe; for all the same, but for the budgets that only column combining has."""
    budgets = constraint.budgets or CONSTRAINTS["combining"].budgets or {}
    return CombineSettings(
        **{**RECIPE, **budgets, "fine_tune_epochs": schedule.epochs, "held_out": 0, "seed": seed}
    )


def prepare(
    dense: TrainedModel,
    data: ImageData,
    *,
    settings: CombineSettings,
    fraction: float,
    devices: DeviceOptions,
) -> Session:
    """The dense network with its data, as `combine` has it."""
    module = dense.to_module()
    return Session(
        fabric=launch(devices),
        module=module,
        graph=capture(module, data.shape),
        part=part_of(data, settings, fraction),
        augment=data.augment,
        mean=dense.mean,
        std=dense.std,
        settings=settings,
        teacher=dense.to_module(),
    )


def weights_of(session: Session, settings: CombineSettings) -> Weights:
    """What a projection sees: weights and their Fisher information, as the allotment's."""
    return Weights(
        graph=session.graph,
        matrices=session.matrices(),
        sensitivity=fisher_information(
            session,
            images=settings.importance_images,
            number=1,
            temperature=settings.distill_temperature,
        ),
        seed=settings.seed,
    )


def retrain(
    dense: TrainedModel,
    data: ImageData,
    *,
    project: Projection,
    settings: CombineSettings,
    fraction: float,
    out: Path,
    resume: bool,
    devices: DeviceOptions,
    observer: Any,
) -> TrainedModel:
    """`systopack.training.run.combine` with masks of a projection in place of column groups."""
    session = prepare(dense, data, settings=settings, fraction=fraction, devices=devices)
    run = Run(
        session=session,
        state=RunState(phase="fine-tune", learning_rate=settings.learning_rate),
        configuration={"data_sha256": data.sha256, "fraction": fraction, **settings.model_dump()},
        checkpoint=checkpoint_path(out),
        observer=observer,
    )
    run.start(resume)
    if not run.state.epoch:
        masks = project(weights_of(session, settings))
        for weight, op in session.graph.weighted_ops.items():
            session.masks.set(weight, stored_weight(op, torch.from_numpy(masks[op.name])))
    rate = run.rate()
    run.epochs(
        "fine-tune",
        settings.fine_tune_epochs,
        lambda epoch: rate * half_cosine(epoch / settings.fine_tune_epochs),
    )
    model = replace(
        dense,
        state=session.state(),
        history=(*dense.history, *run.state.history),
        provenance={**run.configuration, "dense": dict(dense.provenance)},
    )
    run.finish(model, out)
    return model


def costs(
    network: PackedNetwork,
    image: NDArray[np.int8],
    constraint: Constraint,
    *,
    groups: Mapping[str, PackedMatrix],
) -> dict[str, Any]:
    """Cycles and energy of one image on the constraint's accelerator, every sum checked.

    Args:
        groups: of layers that keep more than one weight a row.
    """
    machine = Machine(rows=SIZE, columns=SIZE)
    cycles, parts, useful = 0, {"products": 0.0, "registers": 0.0, "buffers": 0.0}, 0
    works = zip(network.layers, network_work(network, image), strict=True)
    for layer, whole in works:
        work = suited(layer, whole, constraint.design, groups.get(layer.name))
        outcome = constraint.design.outcome(work, machine)
        expected = work.finish(work.weights @ work.words.astype(np.int64))
        if not np.array_equal(outcome.outputs, expected):
            raise SystemExit(f"{layer.name}: {constraint.design.name} computes something else")
        cycles += outcome.cycles
        useful += work.products
        for part, energy in outcome.energy_pj.items():
            parts[part] += energy
    return {
        "design": constraint.design.name,
        "cycles": cycles,
        "energy_pj": {**parts, "total": sum(parts.values())},
        "utilization": useful / (cycles * machine.multipliers),
    }


def suited(
    layer: MatrixLayer, work: LayerWork, design: Design, groups: PackedMatrix | None
) -> LayerWork:
    """A layer as its accelerator wants it: blocks along the channels, groups, nothing empty."""
    columns = np.asarray(layer.columns)
    if design in (VDBB, S2ENGINE) and channels_of(columns) >= BLOCK:
        order = channel_fastest(columns)
        return replace(work, matrix=ungrouped(work.weights[:, order]), words=work.words[order])
    if groups is not None:
        bands, first = [], 0
        for band in groups.bands:
            once = list(dict.fromkeys(band.groups))  # each is listed as often as it keeps weights
            part = work.weights[first : first + band.rows].astype(np.int8)
            bands.append(column_combine(part, tuple(once), kept=len(band.groups) // len(once)))
            first += band.rows
        return replace(work, matrix=replace(groups, bands=tuple(bands)))
    if design is GATED and work.weights.any():  # channels that are not there cost nothing
        rows = np.flatnonzero(work.weights.any(axis=1))
        used = np.flatnonzero(work.weights.any(axis=0))
        weights = work.weights[np.ix_(rows, used)].astype(np.int8)
        return replace(
            work, matrix=ungrouped(weights), words=work.words[used], bias=work.bias[rows]
        )
    return work


def figures_of(
    network: PackedNetwork, model: TrainedModel, data: ImageData, *, dense: NDArray[np.bool_]
) -> dict[str, Any]:
    """Read the test images once."""
    eight = classify(network, data.test_images) == data.test_labels
    weights = [layer.matrix.to_dense() for layer in network.layers]
    return {
        "test_images": len(data.test_labels),
        "dense_float_correct": int(dense.sum()),
        "float_correct": int(right_answers(model, data).sum()),
        "correct_8_bit": int(eight.sum()),
        "percent_8_bit": 100 * float(eight.mean()),
        "only_this_correct": int((eight & ~dense).sum()),
        "only_dense_correct": int((~eight & dense).sum()),
        "nonzeros": sum(int(np.count_nonzero(matrix)) for matrix in weights),
        "dense_weights": sum(matrix.size for matrix in weights),
    }


def main() -> None:
    """Run one constraint and write its record."""
    parser = arguments(__doc__, data=True, out=True)
    parser.add_argument("constraint", choices=sorted(CONSTRAINTS))
    parser.add_argument("--schedule", choices=sorted(SCHEDULES), default="tenth")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    constraint, schedule = CONSTRAINTS[options.constraint], SCHEDULES[options.schedule]
    data = open_data(str(options.data / "cifar10"))
    dense = published_resnet20(data, options.data)
    settings = settings_of(constraint, schedule, options.seed)
    devices = DeviceOptions(precision=options.precision)
    common: dict[str, Any] = {
        "settings": settings,
        "fraction": schedule.fraction,
        "devices": devices,
    }
    options.out.mkdir(parents=True, exist_ok=True)
    stem = options.out / f"{options.constraint}-{options.schedule}-seed{options.seed}"
    file, groups = with_suffix(stem, ".safetensors"), {}
    if options.constraint == DENSE:
        model = dense
    elif constraint.project is None:
        model = ready(file, combine, dense, data, **common)
    else:
        model = ready(file, retrain, dense, data, project=constraint.project, **common)
    if constraint.kept is not None:
        kept, alpha = constraint.kept
        session = prepare(dense, data, **common)
        groups = kept_groups(weights_of(session, settings), alpha=alpha, kept=kept)
    network = eight_bit(
        model, data, name=options.constraint, fraction=schedule.fraction, seed=options.seed
    )
    if model.groups is not None:
        network = order_groups(network, columns=SIZE)
    figures = figures_of(network, model, data, dense=dense_right_answers(dense, data, options.out))
    figures |= costs(
        network, quantize_images(network, data.test_images[:1])[0], constraint, groups=groups
    )
    write_network(
        network,
        stem,
        {**figures, "history": list(model.history)},
        kind="related-training",
        configuration={
            "constraint": options.constraint,
            "schedule": options.schedule,
            "fraction": schedule.fraction,
            "epochs": 0 if options.constraint == DENSE else schedule.epochs,
            "precision": options.precision,
            "threads": options.threads,
            "data_sha256": data.sha256,
            "dense_weights_sha256": sha256_of_file(options.data / RESNET20_WEIGHTS),
            "recipe": {**RECIPE, **(constraint.budgets or {"cells": None})},
        },
        seed=options.seed,
    )


if __name__ == "__main__":
    main()
