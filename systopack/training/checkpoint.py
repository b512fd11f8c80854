"""Checkpoints: a run after its last epoch, as one sealed safetensors file written atomically."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from systopack.codec import LongText, from_plain, to_plain
from systopack.errors import InvalidFileError, InvalidOptionError
from systopack.fields import MalformedError
from systopack.files import write_atomically
from systopack.frontend.graph import LayerGraph
from systopack.nn.masks import Masks
from systopack.packing.matrix import Groups
from systopack.sealed import sealed
from systopack.training.events import EpochResult, Phase
from systopack.training.groups import groups_misfit
from systopack.training.learning_rate import Baseline
from systopack.training.model import read_safetensors

_KEY = "systopack_checkpoint"
_VERSION = 3


class Trainee(Protocol):
    """What a run changes: a session, or a fake-quantized model with its optimizer."""

    @property
    def module(self) -> nn.Module:
        """The model."""

    @property
    def graph(self) -> LayerGraph:
        """Its layers."""

    @property
    def optimizer(self) -> Optimizer:
        """Its optimizer; momentum is kept."""

    @property
    def masks(self) -> Masks | None:
        """Its masks where they can change."""

    def state(self) -> dict[str, Tensor]:
        """The model's state dict on the CPU, contiguous."""


@dataclass(kw_only=True)
class RunState:
    """How far a run is; with the tensors of the session it is all that a resume needs.

    Args:
        phase: the phase of the next epoch.
        epoch: epochs finished in the whole run.
        epoch_in_phase: epochs finished in this phase (joint: in this iteration).
        iteration: of the joint optimization, from 1.
        beta: share to prune in the next iteration.
        groups: column groups in force.
        gaps: layer name -> its groups against the lower bound, as text.
        packed_cells: with these groups.
        learning_rate: of the run; None: not measured yet.
        baseline: losses before the training since the last pruning; None: not measured yet.
        history: one entry per finished epoch.
    """

    phase: Phase
    epoch: int = 0
    epoch_in_phase: int = 0
    iteration: int = 0
    beta: float = 0.0
    groups: dict[str, tuple[tuple[int, Groups], ...]] | None = None
    gaps: dict[str, LongText] = field(default_factory=dict)
    packed_cells: int = 0
    learning_rate: float | None = None
    baseline: Baseline | None = None
    history: list[dict[str, Any]] = field(default_factory=list)


def save_checkpoint(
    path: Path, session: Trainee, state: RunState, configuration: dict[str, Any]
) -> None:
    """Write the checkpoint; the one before stays until the new one is complete."""
    from safetensors.torch import save

    tensors: dict[str, Tensor] = {f"model/{k}": v for k, v in session.state().items()}
    if session.masks is not None:
        tensors |= {f"mask/{name}": mask for name, mask in session.masks.state().items()}
    for name, parameter in session.module.named_parameters():
        momentum = session.optimizer.state.get(parameter, {}).get("momentum_buffer")
        if momentum is not None:
            tensors[f"momentum/{name}"] = momentum.detach().cpu().contiguous()
    header = {"version": _VERSION, "configuration": configuration, "state": to_plain(state)}
    write_atomically(path, sealed(save(tensors, metadata={_KEY: json.dumps(header)})))


def load_checkpoint(
    path: Path, session: Trainee, configuration: dict[str, Any], *, phases: Collection[Phase]
) -> RunState:
    """Put a session, or what else is trained, back to where a checkpoint was written.

    Args:
        path: of the file.
        session: what is trained; changed only where the checkpoint is whole and fits.
        configuration: of this run.
        phases: that a run of this kind has.

    Raises:
        InvalidFileError: the checkpoint is damaged, or of another model or kind of run.
        InvalidOptionError: it belongs to a run with other options, model or data.
    """
    header, tensors = read_safetensors(path, key=_KEY, what="a checkpoint")
    if header.get("version") != _VERSION:
        raise InvalidFileError(f"'{path}' is a checkpoint of another version; start anew.")
    try:
        theirs = from_plain(dict[str, Any], header.get("configuration"), "its configuration")
        state: RunState = from_plain(RunState, header.get("state"), "its state")
        history: list[EpochResult] = from_plain(list[EpochResult], state.history, "its history")
    except MalformedError as error:
        raise _unfit(path, str(error)) from error
    check_same_run(path, theirs, configuration)
    _check_state(path, state, [entry.epoch for entry in history], session.graph, phases)
    _restore(path, session, tensors)
    return state


def check_same_run(path: Path, theirs: Mapping[str, Any], configuration: Mapping[str, Any]) -> None:
    """Refuse the checkpoint of a run with other options, model or data.

    Args:
        path: of the checkpoint.
        theirs: the configuration in it.
        configuration: of this run.

    Raises:
        InvalidOptionError: naming the first difference.
    """
    ours = json.loads(json.dumps(configuration))
    different = [key for key in sorted({*ours, *theirs}) if ours.get(key) != theirs.get(key)]
    if different:
        key = different[0]
        raise InvalidOptionError(
            f"The checkpoint '{path}' was made with {key} {theirs.get(key)}, not {ours.get(key)}; "
            "resume with the same options, or start anew without --resume."
        )


def _check_state(
    path: Path,
    state: RunState,
    epochs: list[int],
    graph: LayerGraph,
    phases: Collection[Phase],
) -> None:
    """Refuse what no run can have written."""
    if state.phase not in phases:
        raise _unfit(path, f"it is of a run in phase '{state.phase}'")
    counts = (state.epoch, state.epoch_in_phase, state.iteration, state.packed_cells)
    if min(counts) < 0 or state.epoch_in_phase > state.epoch or not 0 <= state.beta <= 1:
        raise _unfit(path, "its counts of epochs, iterations or cells are impossible")
    if epochs != list(range(1, state.epoch + 1)):
        raise _unfit(path, f"its history does not tell of all {state.epoch} epochs")
    if state.groups is not None:
        layers = graph.weighted_ops.values()
        sizes = {op.name: (op.rows, len(op.columns)) for op in layers}
        reason = groups_misfit(state.groups, sizes)
        if reason:
            raise _unfit(path, reason)


def _restore(path: Path, session: Trainee, tensors: dict[str, Tensor]) -> None:
    """Put the tensors where they belong, after all of them were found to fit."""
    masks = {} if session.masks is None else session.masks.state()
    parameters = dict(session.module.named_parameters())
    wanted = {f"model/{name}": tensor for name, tensor in session.module.state_dict().items()}
    wanted |= {f"mask/{name}": mask for name, mask in masks.items()}
    for name, parameter in parameters.items():
        if f"momentum/{name}" in tensors:
            wanted[f"momentum/{name}"] = parameter
    for name in sorted({*wanted, *tensors}):
        if name not in wanted or name not in tensors:
            raise _unfit(path, f"it and the model differ in '{name}'")
        if wanted[name].shape != tensors[name].shape or wanted[name].dtype != tensors[name].dtype:
            raise _unfit(path, f"'{name}' has another shape or type than in the model")
    session.module.load_state_dict(_under("model/", tensors))
    if session.masks is not None:
        for name in masks:
            session.masks.set(name, tensors[f"mask/{name}"])
    for name, momentum in _under("momentum/", tensors).items():
        buffer = torch.empty_like(parameters[name])
        buffer.copy_(momentum)
        session.optimizer.state[parameters[name]]["momentum_buffer"] = buffer


def _unfit(path: Path, reason: str) -> InvalidFileError:
    return InvalidFileError(
        f"The checkpoint '{path}' is of another run or damaged: {reason}; start anew without "
        "--resume."
    )


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
