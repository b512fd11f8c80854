"""Masks: a pruned weight stays zero, whatever the optimizer does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


class Masks:
    """The weights of a model that are allowed to be nonzero.

    After every step of an attached optimizer the masked weights are multiplied by their mask in
    one fused call, so momentum, weight decay and any other rule leave a pruned weight at zero.

    Args:
        parameters: name -> weight.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter]) -> None:
        self._parameters = dict(parameters)
        self._masks = {
            name: torch.ones_like(parameter.detach())
            for name, parameter in self._parameters.items()
        }

    def attach(self, optimizer: Optimizer) -> None:
        """Apply the masks after each step of the optimizer."""

        def after_step(_: Optimizer, __: Any, ___: Any) -> None:
            self.apply()

        optimizer.register_step_post_hook(after_step)

    def set(self, name: str, mask: Tensor) -> None:
        """Replace the mask of a weight (bool, shaped as the weight) and prune it."""
        self._masks[name].copy_(mask.reshape(self._masks[name].shape))
        with torch.no_grad():
            self._parameters[name].mul_(self._masks[name])

    def apply(self) -> None:
        """Set every pruned weight to zero."""
        with torch.no_grad():
            torch._foreach_mul_(list(self._parameters.values()), list(self._masks.values()))

    def nonzeros(self) -> int:
        """Weights that may be nonzero."""
        return int(sum(mask.sum().item() for mask in self._masks.values()))

    def state(self) -> dict[str, Tensor]:
        """The masks as bool tensors by weight name."""
        return {name: mask.bool().cpu().contiguous() for name, mask in self._masks.items()}
