"""What a program stores, and what it computes from stored numbers alone.

A weight may be computed at every run: by a mask, a norm, an adapter. What it computes is the same
each time, so it is computed once and stored. A tensor that is used twice becomes a copy for each
use, so that every layer can be pruned and trained by itself.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.fx.node import map_arg

from systopack.errors import InvalidNetworkError, one_line

_BYTES = 1 << 26  # that may be computed in any case
_TIMES = 8  # and how many times the bytes that the program stores
# What a saved program may compute weights with, beside the operations that rules read.
COMPUTING = frozenset(
    f"aten.{name}"
    for name in """
    _weight_norm abs div dot exp expand linalg_vector_norm log matmul maximum minimum mm mul mv neg
    norm pow reciprocal rsqrt sigmoid sign softplus sqrt square std sub sum t tanh tril triu
    unsqueeze var vdot where
    """.split()  # noqa: SIM905
)
# They give their operand as it is, so that a weight keeps its name.
_KEEPING = ("alias", "clone", "contiguous", "detach", "lift_fresh_copy", "to", "_to_copy")


class Stored:
    """The stored tensors of an exported program.

    Args:
        program: from `torch.export.export`.
        alone: take tensors only as they are: none is computed or copied for a layer.
    """

    def __init__(self, program: torch.export.ExportedProgram, *, alone: bool = False) -> None:
        signature = program.graph_signature
        self._names: dict[str, str] = {
            **signature.inputs_to_parameters,
            **signature.inputs_to_buffers,
            **signature.inputs_to_lifted_tensor_constants,
        }
        self._own: Mapping[str, Tensor] = program.state_dict
        self._constants: Mapping[str, Any] = program.constants
        self._alone = alone
        self._used: set[str] = set()
        self.made: dict[str, Tensor] = {}
        self._room = max(_BYTES, _TIMES * sum(map(_size, self._own.values())))
        self._holding: dict[Any, None] = {}  # in the order of the program
        for node in program.graph.nodes:
            if self._is_stored(node):
                self._holding[node] = None
        self.copies: dict[str, str] = {}  # a further use of a tensor -> the tensor
        self.computed: dict[str, tuple[str, ...]] = {}  # a tensor -> those it is computed from

    def holds(self, node: Any) -> bool:
        """True for a node that gives the same at every run."""
        return node in self._holding

    def find(self, value: Any) -> Tensor | None:
        """A stored tensor, or one computed from such; None for anything else.

        Raises:
            InvalidNetworkError: it cannot be computed.
        """
        value = self._source(value)
        name = self._names.get(getattr(value, "name", ""))
        if name is not None:
            return self._original(name) if name in self._own or name in self._constants else None
        return self._compute(value) if value in self._holding else None

    def origins_of(self, value: Any) -> tuple[str, ...]:
        """Names of the model's tensors that a stored operand is computed from."""
        behind = self._behind(value) if value in self._holding else set()
        names = sorted(self._names[node.name] for node in behind if node.op == "placeholder")
        return tuple(name for name in names if name in self._own)

    def take(self, value: Any, *, place: str, role: str) -> str | None:
        """The name in the state dict of a tensor for one use of it, None where it is no such.

        Args:
            place: the layer that uses it.
            role: what as, for instance "weight".

        Raises:
            InvalidNetworkError: it cannot be computed.
        """
        source = self._source(value)
        name = self._names.get(getattr(source, "name", ""))
        if name is not None and name in self._own and self._alone:
            return next(other for other in self._own if self._tied(name, other))
        if name is not None and name in self._own:
            if self._tied(name, f"{place}.{role}"):
                name = f"{place}.{role}"
            if name not in self._used | self.made.keys():
                first = next((n for n in sorted(self._used) if self._tied(name, n)), None)
                if first is not None:
                    self.copies[name] = first
                self._used.add(name)
                return name
        tensor = None if self._alone else self.find(source)
        if tensor is None:
            return None
        origins = self.origins_of(source)
        if name is None:  # computed: called as if it had been stored
            alike = [n for n in origins if self._own[n].shape == tensor.shape]
            wanted = [f"{place}.{role}" if place else "", *alike, role]
        else:
            wanted = [f"{place}.{role}" if place else "", name]
        self._spend(tensor)
        made = self._free(next(filter(None, wanted)), tensor, origins)
        self.made[made] = tensor.clone()
        if name is None:
            self.computed[made] = origins
        else:
            self.copies[made] = name
        return made

    def tensor(self, name: str) -> Tensor:
        """A tensor that was taken, on the CPU."""
        return self.made[name] if name in self.made else self._original(name)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor that was taken."""
        return tuple(self.tensor(name).shape)

    def state(self) -> dict[str, Tensor]:
        """The program's own tensors and those that were made; computed ones are of float64.

        What only served to compute others goes.
        """
        served = {*self.copies.values(), *(n for names in self.computed.values() for n in names)}
        served -= self._used
        own = {name: t.detach().clone() for name, t in self._own.items() if name not in served}
        return own | self.made

    def _original(self, name: str) -> Tensor:
        tensor: Tensor = self._own[name] if name in self._own else self._constants[name]
        return tensor.detach().cpu()

    def _is_stored(self, node: Any) -> bool:
        if node.op == "placeholder":
            return node.name in self._names
        known = node.target is operator.getitem or hasattr(node.target, "_schema")
        if node.op != "call_function" or not known:
            return False
        return all(value in self._holding for value in node.all_input_nodes)

    def _source(self, value: Any) -> Any:
        """The node before operations that keep a tensor as it is."""
        while value in self._holding and _keeps(value):
            value = value.all_input_nodes[0]
        return value

    def _tied(self, name: str, other: str) -> bool:
        """Whether two names are those of one tensor."""
        if other not in self._own:
            return False
        one, two = self._own[name], self._own[other]
        return one.shape == two.shape and one.data_ptr() == two.data_ptr()

    def _compute(self, node: Any) -> Tensor | None:
        """What a node gives; all that it needs on the way is made and forgotten."""
        needed = self._behind(node)
        values: dict[Any, Any] = {}
        for step in filter(needed.__contains__, self._holding):
            if step.op == "placeholder":
                tensor = self._original(self._names[step.name])
                # A copy, since operations may write into it.
                dtype = torch.float64 if tensor.is_floating_point() else tensor.dtype
                values[step] = tensor.to(dtype, copy=True)
                continue
            if _keeps(step):
                values[step] = values[step.all_input_nodes[0]]
                continue
            self._spend(step.meta.get("val"))
            arguments, keywords = map_arg((step.args, step.kwargs), values.__getitem__)
            try:
                with torch.no_grad():
                    values[step] = step.target(*arguments, **keywords)
            except Exception as error:  # torch's own checks, and operations of others
                raise InvalidNetworkError(
                    f"'{step.name}', which the model computes from its weights alone, cannot be "
                    f"computed ({one_line(error)}); store what it gives in the model."
                ) from error
        result = values[node]
        return result.detach() if isinstance(result, Tensor) else None

    def _spend(self, tensor: Any) -> None:
        self._room -= _size(tensor) if isinstance(tensor, Tensor) else 0
        if self._room < 0:
            raise InvalidNetworkError(
                f"The model computes more than {_TIMES} times the bytes of its weights from its "
                "weights alone; store in it what it computes."
            )

    def _behind(self, node: Any) -> set[Any]:
        """A node and all that it is computed from."""
        seen, waiting = {node}, [node]
        while waiting:
            new = set(waiting.pop().all_input_nodes) - seen
            seen |= new
            waiting += new
        return seen

    def _free(self, wanted: str, tensor: Tensor, origins: Iterable[str]) -> str:
        """A name that no other tensor has, and that torch allows beside the others."""
        owner, _, leaf = wanted.rpartition(".")
        number = 1
        name = wanted
        while not self._is_free(name, tensor, set(origins)):
            number += 1
            name = f"{owner}_{number}.{leaf}" if owner else f"{leaf}_{number}"
        return name

    def _is_free(self, name: str, tensor: Tensor, origins: set[str]) -> bool:
        if name in self.made or name in self._used:
            return False
        if name in self._own and name not in origins and not _equal(self._own[name], tensor):
            return False
        others = {*self._own, *self.made} - {name}
        return not any(o.startswith(f"{name}.") or name.startswith(f"{o}.") for o in others)


def _equal(first: Tensor, second: Tensor) -> bool:
    return first.shape == second.shape and torch.equal(first, second)


def _keeps(node: Any) -> bool:
    """True for an operation that gives its operand, apart from its floating type."""
    if not hasattr(node.target, "_schema") or len(node.all_input_nodes) != 1:
        return False
    if str(node.target).split(".")[-2] not in _KEEPING:
        return False
    first, second = (n.meta["val"].dtype for n in (node, node.all_input_nodes[0]))
    return bool(first.is_floating_point == second.is_floating_point)


def _size(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
