"""A copy of a model in which every weight is stored as it acts: no masks, no parametrizations."""

from __future__ import annotations

import warnings
from copy import deepcopy
from typing import Any

from torch import Tensor, nn
from torch.nn.utils import parametrize, prune, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from systopack.errors import InvalidNetworkError, one_line

_OF_THE_TYPE = ("__dict__", "__weakref__")


def float_copy(model: nn.Module) -> nn.Module:
    """A copy on the CPU, in float32 and evaluation mode.

    Raises:
        InvalidNetworkError: it cannot be copied.
    """
    # Masks and old weight norms leave a computed tensor behind, which deepcopy does not take.
    computed = {
        id(value): value.detach().clone()
        for module in model.modules()
        for value in vars(module).values()
        if isinstance(value, Tensor) and not value.is_leaf
    }
    try:
        return deepcopy(model, computed).cpu().float().eval()
    except (Exception, SystemExit) as error:  # the model's own code
        raise InvalidNetworkError(
            f"The model cannot be copied ({one_line(error)}); let it hold no tensors that were "
            "computed from its weights."
        ) from error


def with_effective_weights(model: nn.Module) -> nn.Module:
    """The model with its weights as they act, under the names that removing would give them.

    What `torch.nn.utils` has beside a weight goes: masks of `prune`, `weight_norm`,
    `spectral_norm` and all of `parametrize`. A pruned weight is zero in it.

    Args:
        model: in evaluation mode; not changed.

    Returns:
        A copy; the model itself where there is nothing to take off.

    Raises:
        InvalidNetworkError: the code of a parametrization fails.
    """
    if not any(map(_is_wrapped, model.modules())):
        return model
    own = float_copy(model)
    try:
        for module in own.modules():
            for hook in reversed(list(module._forward_pre_hooks.values())):
                _take_off(module, hook)
        for module in list(own.modules()):
            _take_parametrizations_off(module)
    except (Exception, SystemExit) as error:  # parametrizations are code of the user's
        raise InvalidNetworkError(
            f"A parametrization of the model fails ({one_line(error)}); store its weight with "
            "torch.nn.utils.parametrize.remove_parametrizations."
        ) from error
    return own


def _is_wrapped(module: nn.Module) -> bool:
    kinds = (prune.BasePruningMethod, WeightNorm, SpectralNorm)
    hooks = module._forward_pre_hooks.values()
    return parametrize.is_parametrized(module) or any(isinstance(hook, kinds) for hook in hooks)


def _take_off(module: nn.Module, hook: Any) -> None:
    if isinstance(hook, prune.BasePruningMethod):
        _untie(module, f"{hook._tensor_name}_orig")
        prune.remove(module, hook._tensor_name)  # type: ignore[no-untyped-call]
    elif isinstance(hook, WeightNorm):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old, and still in trained models
            remove_weight_norm(module, hook.name)
    elif isinstance(hook, SpectralNorm):
        remove_spectral_norm(module, hook.name)


def _take_parametrizations_off(module: nn.Module) -> None:
    if not parametrize.is_parametrized(module):
        return
    # torch takes the property off the class, which the copy shares with the model.
    kind = type(module)
    own = {name: value for name, value in vars(kind).items() if name not in _OF_THE_TYPE}
    module.__class__ = type(kind.__name__, kind.__bases__, own)
    for name, parts in list(module.parametrizations.items()):  # type: ignore[union-attr,operator]
        for part in [n for n in parts._parameters if n.startswith("original")]:
            _untie(parts, part)
        parametrize.remove_parametrizations(module, name, leave_parametrized=True)


def _untie(module: nn.Module, name: str) -> None:
    """torch writes the effective weight into the parameter, which another module may share."""
    parameter = module._parameters.get(name)
    if parameter is not None:
        module._parameters[name] = nn.Parameter(parameter.detach().clone(), parameter.requires_grad)
