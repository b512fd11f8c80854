"""Checkpoints: a run after its last epoch, as one safetensors file written atomically."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from systopack.errors import InvalidFileError, InvalidOptionError
from systopack.files import write_atomically
from systopack.nn.masks import Masks
from systopack.training.events import Phase
from systopack.training.model import LayerGroups, groups_from_json, read_safetensors

_KEY = "systopack_checkpoint"
_VERSION = 1


class Trainee(Protocol):
    """What a run changes: a session, or a fake-quantized model with its optimizer."""

    @property
    def module(self) -> nn.Module:
        """The model."""

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
        history: one entry per finished epoch.
    """

    phase: Phase
    epoch: int = 0
    epoch_in_phase: int = 0
    iteration: int = 0
    beta: float = 0.0
    groups: LayerGroups | None = None
    gaps: dict[str, str] = field(default_factory=dict)
    packed_cells: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)


def checkpoint_path(out: Path) -> Path:
    """Where the checkpoint of a run that will write `out` lies."""
    return out.with_name(out.name + ".checkpoint")


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
    header = {"version": _VERSION, "configuration": configuration, **vars(state)}
    write_atomically(path, save(tensors, metadata={_KEY: json.dumps(header)}))


def load_checkpoint(path: Path, session: Trainee, configuration: dict[str, Any]) -> RunState:
    """Put a session, or what else is trained, back to where a checkpoint was written.

    Raises:
        InvalidFileError: the checkpoint is damaged.
        InvalidOptionError: it belongs to a run with other options, model or data.
    """
    header, tensors = read_safetensors(path, key=_KEY, what="a checkpoint")
    if header.get("version") != _VERSION:
        raise InvalidFileError(f"'{path}' is a checkpoint of another version; start anew.")
    theirs = header["configuration"]
    ours = json.loads(json.dumps(configuration))
    different = [key for key in sorted({*ours, *theirs}) if ours.get(key) != theirs.get(key)]
    if different:
        key = different[0]
        raise InvalidOptionError(
            f"The checkpoint '{path}' was made with {key} {theirs.get(key)}, not {ours.get(key)}; "
            "resume with the same options, or start anew without --resume."
        )
    session.module.load_state_dict(_under("model/", tensors))
    if session.masks is not None:
        for name, mask in _under("mask/", tensors).items():
            session.masks.set(name, mask)
    momentum = _under("momentum/", tensors)
    for name, parameter in session.module.named_parameters():
        if name in momentum:
            buffer = torch.empty_like(parameter)
            buffer.copy_(momentum[name])
            session.optimizer.state[parameter]["momentum_buffer"] = buffer
    return RunState(
        phase=header["phase"],
        epoch=header["epoch"],
        epoch_in_phase=header["epoch_in_phase"],
        iteration=header["iteration"],
        beta=header["beta"],
        groups=groups_from_json(header["groups"]),
        gaps=header["gaps"],
        packed_cells=header["packed_cells"],
        history=header["history"],
    )


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
