"""`Steps`: the operations of a model file as a torch module, one submodule an operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from systopack.errors import InvalidNetworkError
from systopack.frontend.module import check_name, register_tensor
from systopack.frontend.reading.state import STEP

STEPS = 2000  # the largest classifiers have half as many


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A value by name: a tensor of the state dict, the images, or the result of a step."""

    name: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """One operation.

    Args:
        place: where it sits in the model, for messages.
        function: what it computes.
        arguments, keywords: for the function; `Reference` stands for a value, also in lists.
        results: names of what it gives; several where it gives a sequence.
    """

    place: str
    function: Callable[..., Any]
    arguments: Sequence[Any]
    keywords: Mapping[str, Any]
    results: tuple[str, ...]


class Steps(nn.Module):
    """Runs steps in order. Its state dict has the names of the file.

    `remarks` says in sentences what a user should know of how the file was read.

    Args:
        state: the file's tensors.
        trained: names of those that are trained.
        steps: in an order in which each reads only earlier results.
        images, logits: names of the input and the result.

    Raises:
        InvalidNetworkError: there are too many steps, or a name cannot be one.
    """

    def __init__(
        self,
        *,
        state: Mapping[str, Tensor],
        trained: set[str],
        steps: Sequence[Step],
        images: str,
        logits: str,
    ) -> None:
        super().__init__()
        self.remarks: tuple[str, ...] = ()
        if len(steps) > STEPS:
            raise InvalidNetworkError(
                f"The model has {len(steps):,} operations, but at most {STEPS:,} are read; export "
                "a part of it."
            )
        for name, tensor in state.items():
            trains = name in trained and tensor.is_floating_point()
            register_tensor(self, name, tensor, trains=trains)
        calls = nn.Module()
        self._calls: list[tuple[Step, nn.Module, tuple[str, ...]]] = []
        last = {name: i for i, step in enumerate(steps) for name in _references(step)}
        done: list[list[str]] = [[] for _ in steps]
        for name, at in last.items():
            if name not in (images, logits):
                done[at].append(name)
        for number, step in enumerate(steps):
            check_name(step.place)
            name = step.place.replace(".", "|") or "top"
            name = name if not hasattr(calls, name) else f"{name} ({number})"
            calls.add_module(name, _Call(step.function))
            self._calls.append((step, calls.get_submodule(name), tuple(done[number])))
        self.add_module(STEP, calls)
        self._images, self._logits = images, logits

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) to logits (B, classes).

        Raises:
            InvalidNetworkError: a step reads what no earlier one gives.
        """
        values: dict[str, Any] = {**dict(self.named_parameters()), **dict(self.named_buffers())}
        values[self._images] = images
        for step, call, done in self._calls:
            arguments = [_resolve(argument, values, step) for argument in step.arguments]
            keywords = {key: _resolve(value, values, step) for key, value in step.keywords.items()}
            result = call(*arguments, **keywords)
            results = result if isinstance(result, tuple | list) else (result,)
            values.update(zip(step.results, results, strict=False))
            for name in done:  # nothing later reads them, and a large model has many
                values.pop(name, None)
        if not isinstance(values.get(self._logits), Tensor):
            raise InvalidNetworkError(
                f"The model returns '{self._logits}', which no operation of it gives."
            )
        logits: Tensor = values[self._logits]
        return logits


class _Call(nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self._function = function

    def forward(self, *arguments: Any, **keywords: Any) -> Any:
        return self._function(*arguments, **keywords)


def _resolve(argument: Any, values: Mapping[str, Any], step: Step) -> Any:
    if isinstance(argument, Reference):
        if argument.name not in values:
            raise InvalidNetworkError(
                f"The operation in '{step.place}' reads '{argument.name}', which no operation "
                "before it gives; save the model again."
            )
        return values[argument.name]
    if isinstance(argument, list):
        return [_resolve(item, values, step) for item in argument]
    return argument


def _references(step: Step) -> set[str]:
    """The names of all values that a step reads."""
    waiting = [*step.arguments, *step.keywords.values()]
    names = set()
    while waiting:
        item = waiting.pop()
        if isinstance(item, Reference):
            names.add(item.name)
        elif isinstance(item, list):
            waiting += item
    return names
