"""`Reading`: how far an exported program is read, and what every rule looks up in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray

from systopack.errors import InvalidNetworkError
from systopack.frontend.graph import ConcatOp, MatrixOp, Norm, Op, PoolOp, Scaling
from systopack.frontend.reading.advice import advice_for
from systopack.frontend.reading.stored import Stored
from systopack.frontend.reading.view import Padding, View
from systopack.network.nodes import Shape

Arguments = Mapping[str, Any]
Result = View | tuple[View, ...]
COMPUTED = (
    "computes with stored numbers alone; store what it gives in the model: merge adapters (LoRA) "
    "into their weights, and take weight or spectral norms off with their remove functions"
)
_ONLY = (
    "which only a linear layer right after a flattening takes in; let an average count its padding "
    "(count_include_pad=True), or pad in a layer of its own before it (ZeroPadding2D), and train "
    "again"
)
PIXEL_BY_PIXEL = (
    "computes with another number for every pixel, as an average that leaves its padding out does "
    f"at the border, {_ONLY}"
)
_UNEVEN = f"is an average pooling whose divisor changes with the position, {_ONLY}"
_NUMBER = re.compile(r" \(\d+\)$")
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
        alone: take weights only as they are stored, each once; see `Stored`.
    """

    def __init__(
        self, program: torch.export.ExportedProgram, input_shape: Shape, *, alone: bool = False
    ) -> None:
        self.stored = Stored(program, alone=alone)
        self.scaling: Scaling | None = None  # of the images
        self._sources: dict[str, Any] = {}  # pooling -> the value it reads
        self.shapes: dict[str, Shape] = {"input": input_shape}
        self.views: dict[Any, Result] = {}
        self.ops: dict[str, Op] = {}  # in the order they run
        self.layer_of: dict[str, str] = {}  # weight -> path of the first module that uses it

    # --- values

    def view(self, node: Any, value: Any, *, scaled: bool = False) -> View:
        """How a value is seen; refuses what is no image tensor.

        Args:
            scaled: it may have numbers for every value that no layer has taken in yet.
        """
        found = self.views.get(value) if hasattr(value, "users") else None
        if not isinstance(found, View):
            self.refuse(node, "reads something that is not an image tensor")
        if found.scaling is not None and not scaled:
            even = found.scaling.of_channels()
            if even is not None:
                self.views[value] = replace(found, scaling=None)
                self.views[value] = self.identity(
                    found.scaled_at, value, "scaling", scaling=even, name=f"{value.name}_scaled"
                )
                return self.view(node, value)
            pooling = "pool" in operation_of(found.scaled_at)
            self.refuse(found.scaled_at, _UNEVEN if pooling else PIXEL_BY_PIXEL, advice="")
        return found

    def is_image(self, value: Any) -> bool:
        """True for what depends on the images, and is one tensor."""
        return hasattr(value, "users") and isinstance(self.views.get(value), View)

    def seen_shape(self, value: Any) -> tuple[int, ...]:
        """The sizes of a value after the batch, as the program has them."""
        return tuple(value.meta["val"].shape)[1:]

    def plain_view(self, node: Any, value: Any, what: str, *, any_axes: bool = False) -> View:
        """The same, as a finished tensor: chosen channels are put together first.

        Args:
            any_axes: it may be seen with its axes exchanged, or with height and width as one.
        """
        return self.finished(node, self.view(node, value), what, any_axes=any_axes)

    def finished(self, node: Any, view: View, what: str, *, any_axes: bool = False) -> View:
        """The same of a view."""
        if view.merged and not any_axes:
            self.refuse(node, f"is a {what} of an image whose height and width were made one")
        if view.axes is not None and not any_axes:
            self.refuse(
                node,
                f"is a {what} of a tensor whose axes '{view.exchanged_in}' exchanged; leave the "
                "exchange out, or move it directly before the flattening",
            )
        if not view.keeps_pixels:
            view = self._moved(node, view, what)
        if view.channels is None:
            return view
        return self.gather(node, [view], name=self.free_name(f"{node.name}_channels"))

    def _moved(self, node: Any, view: View, what: str) -> View:
        """A finished tensor of what is seen padded, shifted or subsampled, by a layer of ones."""
        if view.parts is not None or view.lowest:
            self.refuse(
                node, f"is a {what} of a tensor that is being shuffled, or padded with no zeros"
            )
        channels = self.shapes[view.tensor][0]
        zeros = np.zeros((channels, 2), dtype=np.int64)
        moves = zeros if view.displacements is None else view.displacements
        around, stride = view.padding, view.stride
        top, left = (int(max(-m, 0)) for m in moves.min(axis=0))
        bottom, right = (int(max(m, 0)) for m in moves.max(axis=0))
        if any(around) and (view.displacements is not None or stride != (1, 1)):
            self.refuse(node, f"is a {what} of a tensor that was shifted or subsampled, and padded")
        height, width = view.shape[1:]
        size = (height + around[0] + around[1], width + around[2] + around[3])
        moves = moves - np.array([around[0], around[2]])
        sides = zip(around, (top, bottom, left, right), strict=True)
        down, below, across, beyond = (max(side) for side in sides)
        finished = self.add(
            self._ones(
                f"{node.name}_moved",
                view.tensor,
                np.concatenate([np.arange(channels)[:, None], moves], axis=1).astype(np.int32),
                stride=stride,
                padding=(down, below, across, beyond),
                output_size=size,
            )
        )
        return replace(view.of(finished), channels=view.channels)

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
        return views[0].of(gathered)

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

    def matrix_op(self, view: View) -> MatrixOp:
        """The layer that made what a view sees."""
        op = self.ops[view.tensor]
        assert isinstance(op, MatrixOp)
        return op

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
        scaling: Scaling | None = None,
        name: str | None = None,
    ) -> View:
        """A new layer of one weight of 1 a channel, that takes in what no other layer can.

        Args:
            name: of the layer, extended where another has it; None: that of the node.
        """
        view = self.plain_view(node, value, what, any_axes=True)
        rows = view.shape[0]
        columns = np.zeros((rows, 3), dtype=np.int32)
        columns[:, 0] = np.arange(rows)
        name = str(node.name) if name is None else self.free_name(name)
        op = self._ones(name, view.tensor, columns, output_size=view.shape[1:])
        return view.of(self.add(replace(op, norm=norm, scaling=scaling)))

    def _ones(
        self,
        name: str,
        source: str,
        columns: NDArray[np.int32],
        *,
        output_size: tuple[int, int],
        stride: tuple[int, int] = (1, 1),
        padding: Padding = (0, 0, 0, 0),
    ) -> MatrixOp:
        """A layer of one weight of 1 a channel, which reads a column each."""
        rows = len(columns)
        return MatrixOp(
            name=name,
            source=source,
            kind="shift" if len(np.unique(columns[:, 1:], axis=0)) > 1 else "convolution",
            weight=None,
            weight_shape=(rows, 1, 1, 1),
            bias=None,
            norm=None,
            columns=columns,
            stride=stride,
            dilation=(1, 1),
            padding=padding,
            output_size=output_size,
            residual=None,
            activation="none",
            clip=None,
            groups=rows,
        )

    # --- names

    def parameter(self, node: Any, value: Any, role: str) -> tuple[str, tuple[int, ...]]:
        """Name and shape of a stored tensor, for this use of it; see `Stored.take`."""
        name = self.stored.take(value, place=place_of(node), role=role)
        if name is None and self.stored.holds(value):
            self.refuse(node, COMPUTED, advice="")
        if name is None:
            self.refuse(node, "has a weight that is computed, not stored; store it in the model")
        return name, self.stored.shape(name)

    def number(self, value: Any) -> Any:
        """A stored number, or a tensor of stored numbers alone; None for anything else."""
        return value if isinstance(value, int | float) else self.stored.find(value)

    def optional_name(self, node: Any, value: Any, role: str) -> str | None:
        """Name of a stored tensor, None for none."""
        return None if value is None else self.parameter(node, value, role)[0]

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
    if not place.startswith(STEP):
        return place
    # The operations of translated files are submodules whose names may hold no dot, and are
    # numbered where a module has several.
    return _NUMBER.sub("", place.removeprefix(f"{STEP}.").replace("|", "."))


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
