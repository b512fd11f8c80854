"""`Reading`: how far an exported program is read, and what every rule looks up in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np
import torch

from systopack.errors import InvalidNetworkError
from systopack.frontend.graph import ConcatOp, MatrixOp, Norm, Op, PoolOp
from systopack.frontend.reading.advice import advice_for
from systopack.frontend.reading.view import View
from systopack.network.nodes import Shape

Arguments = Mapping[str, Any]
Result = View | tuple[View, ...]
STEP = "systopack_step"  # submodule of the operations of a translated file (frontend.steps)


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """An operation that cannot be lowered: the layer it is in, its name, and why."""

    layer: str
    operation: str
    reason: str

    def __str__(self) -> str:
        where = f" in '{self.layer}'" if self.layer else ""
        return f"Operation '{self.operation}'{where} {self.reason}"


class RefusedError(InvalidNetworkError):
    """Raised by a rule; carries the `Refusal`."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal}.")
        self.refusal = refusal


class Reading:
    """What the nodes read so far have become.

    Args:
        program: from `torch.export.export`, in evaluation mode, with one image input.
        input_shape: (C, H, W).
    """

    def __init__(self, program: torch.export.ExportedProgram, input_shape: Shape) -> None:
        signature = program.graph_signature
        self._names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        self._state = dict(program.state_dict)
        self._sources: dict[str, Any] = {}  # pooling -> the value it reads
        self.shapes: dict[str, Shape] = {"input": input_shape}
        self.views: dict[Any, Result] = {}
        self.ops: dict[str, Op] = {}  # in the order they run
        self.layer_of: dict[str, str] = {}  # weight -> path of the first module that uses it

    # --- values

    def view(self, node: Any, value: Any) -> View:
        """How a value is seen; refuses what is no image tensor."""
        found = self.views.get(value) if hasattr(value, "users") else None
        if not isinstance(found, View):
            self.refuse(node, "reads something that is not an image tensor")
        return found

    def plain_view(self, node: Any, value: Any, what: str) -> View:
        """The same, as a finished tensor: chosen channels are put together first."""
        view = self.view(node, value)
        if view.axes is not None:
            self.refuse(
                node,
                f"is a {what} of a tensor whose axes '{view.exchanged_in}' exchanged; leave the "
                "exchange out, or move it directly before the flattening",
            )
        if not view.keeps_pixels:
            self.refuse(node, f"is a {what} of a tensor that was shifted, padded or subsampled")
        if view.channels is None:
            return view
        return self.gather(node, [view], name=f"{node.name}_channels")

    def gather(self, node: Any, views: list[View], *, name: str) -> View:
        """One tensor of the channels of several views of equal size."""
        sources = list(dict.fromkeys(view.tensor for view in views))
        operands = [np.full(view.shape[0], sources.index(view.tensor)) for view in views]
        channels = np.concatenate([view.channel_map for view in views])
        gathered = self.add(
            ConcatOp(
                name=name,
                sources=tuple(sources),
                operands=np.where(channels < 0, 0, np.concatenate(operands)).astype(np.int32),
                channels=channels.astype(np.int32),
                output_size=views[0].shape[1:],
            )
        )
        return replace(gathered, flat=views[0].flat)

    # --- ops

    def add(self, op: Op, *, reads: Any = None) -> View:
        """Append a finished op; `reads` is the value that a pooling slides over."""
        if op.name in self.ops:
            raise InvalidNetworkError(
                f"Layer '{op.name}' is used twice in the model; give each use its own weights."
            )
        if isinstance(op, MatrixOp):
            channels = op.rows
        elif isinstance(op, ConcatOp):
            channels = len(op.channels)
        else:
            channels = self.shapes[op.source][0]
            self._sources[op.name] = reads
        self.ops[op.name] = op
        self.shapes[op.name] = (channels, *op.output_size)
        return View(tensor=op.name, shape=self.shapes[op.name])

    def free_name(self, name: str) -> str:
        """The name, with a number behind it where a layer has it already."""
        names = (name, *(f"{name}_{number}" for number in range(1, len(self.ops) + 2)))
        return next(name for name in names if name not in self.ops)

    def open_op(self, value: Any, *, through_pools: bool = False) -> MatrixOp | None:
        """The layer whose finished output a value is, if it can still take something in.

        That is so before its activation, where the value is its only reader.

        Args:
            through_pools: also look behind max poolings, which commute with rising functions.
        """
        view = self.views[value]
        if not isinstance(view, View) or not view.is_plain or view.shared or len(value.users) > 1:
            return None
        op = self.ops.get(view.tensor)
        if through_pools and isinstance(op, PoolOp) and op.kind == "max":
            return self.open_op(self._sources[op.name], through_pools=True)
        return op if isinstance(op, MatrixOp) and op.activation == "none" else None

    def is_rectified(self, tensor: str) -> bool:
        """True when no value of a tensor is below zero."""
        op = self.ops.get(tensor)
        if isinstance(op, MatrixOp):
            return op.activation == "relu" or (op.clip is not None and op.clip[0] >= 0)
        if isinstance(op, PoolOp):
            return self.is_rectified(op.source)
        return op is not None and all(self.is_rectified(source) for source in op.sources)

    def identity(
        self,
        node: Any,
        value: Any,
        what: str,
        *,
        norm: Norm | None = None,
        name: str | None = None,
    ) -> MatrixOp:
        """A new layer of one weight of 1 a channel, that takes in what no other layer can.

        Args:
            name: of the layer, extended where another has it; None: that of the node.
        """
        view = self.plain_view(node, value, what)
        if view.flat and view.shape[1:] != (1, 1):
            self.refuse(
                node,
                f"is a {what} of a flattened image; put it before the flattening, with one number "
                "a channel, or fold it into the linear layer that follows",
            )
        rows = view.shape[0]
        zeros = np.zeros(rows, dtype=np.int32)
        op = MatrixOp(
            name=str(node.name) if name is None else self.free_name(name),
            source=view.tensor,
            kind="convolution",
            weight=None,
            weight_shape=(rows, 1, 1, 1),
            bias=None,
            norm=norm,
            columns=np.stack([np.arange(rows, dtype=np.int32), zeros, zeros], axis=1),
            stride=(1, 1),
            dilation=(1, 1),
            padding=(0, 0, 0, 0),
            output_size=view.shape[1:],
            residual=None,
            activation="none",
            clip=None,
            groups=rows,
        )
        self.add(op)
        return op

    # --- names

    def parameter(self, node: Any, value: Any) -> tuple[str, tuple[int, ...]]:
        """Name and shape of a stored tensor."""
        name = self._names.get(getattr(value, "name", ""))
        if name is None or name not in self._state:
            self.refuse(node, "has a weight that is computed, not stored; store it in the model")
        return name, tuple(self._state[name].shape)

    def optional_name(self, node: Any, value: Any) -> str | None:
        """Name of a stored tensor, None for none."""
        return None if value is None else self.parameter(node, value)[0]

    def op_name(self, node: Any, word: str) -> str:
        """The path of a module that has `word` in it; the node's own name where a function acts."""
        place = place_of(node)
        return place if place and place not in self.ops and word in place else str(node.name)

    def refuse(self, node: Any, reason: str, *, advice: str | None = None) -> NoReturn:
        """Refuse an operation by name, with where it sits and what would help."""
        operation = operation_of(node)
        advice = advice_for(operation) if advice is None else advice
        layer = place_of(node) or str(node.name)
        raise RefusedError(
            Refusal(
                layer=layer,
                operation=operation,
                reason=f"{reason}; {advice}" if advice else reason,
            )
        )


Rule = Callable[[Reading, Any, Arguments], Result]


def operation_of(node: Any) -> str:
    """The name of a node's operation without its overload, for instance aten.conv2d."""
    name, _, _ = str(node.target).rpartition(".")
    return name if hasattr(node.target, "_schema") else str(getattr(node.target, "__name__", name))


def place_of(node: Any) -> str:
    """The path of the innermost module that a node comes from, empty at the top."""
    stack = node.meta.get("nn_module_stack") or {}
    place = next((str(entry[0]) for entry in reversed(stack.values()) if entry[0]), "")
    # The operations of translated files are submodules whose names may hold no dot.
    return place.removeprefix(f"{STEP}.").replace("|", ".") if place.startswith(STEP) else place


def arguments_of(node: Any) -> dict[str, Any]:
    """The arguments of a node by name, defaults filled in."""
    arguments = {}
    schema = getattr(node.target, "_schema", None)
    for index, argument in enumerate(() if schema is None else schema.arguments):
        if index < len(node.args):
            arguments[argument.name] = node.args[index]
        elif argument.name in node.kwargs:
            arguments[argument.name] = node.kwargs[argument.name]
        else:
            arguments[argument.name] = argument.default_value
    return arguments
