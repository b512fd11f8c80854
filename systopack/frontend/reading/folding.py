"""What is folded into the layer before: batch norm, activations and residual additions.

Where no layer can take it in (its output has other readers, or is activated already), a layer of
one weight of 1 a channel is put in, which the array runs like any other.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

from systopack.frontend.graph import ConcatOp, MatrixOp, Norm, ResidualOperand
from systopack.frontend.reading import scaling
from systopack.frontend.reading.scaling import arithmetic, flat_norm
from systopack.frontend.reading.state import Arguments, Reading, Rule
from systopack.frontend.reading.view import View

_BEYOND = 2.0**100  # what no value of a network reaches


def _batch_norm(reading: Reading, node: Any, arguments: Arguments) -> View:
    value = arguments["input"]
    view = reading.view(node, value, scaled=True)
    if arguments["running_mean"] is None or arguments["running_var"] is None:
        reading.refuse(node, "is a batch norm without running statistics")
    if arguments.get("training"):
        reading.refuse(node, "is a batch norm that trains; save the model after model.eval()")
    norm = Norm(
        weight=reading.optional_name(node, arguments["weight"], "weight"),
        bias=reading.optional_name(node, arguments["bias"], "bias"),
        mean=reading.parameter(node, arguments["running_mean"], "running_mean")[0],
        variance=reading.parameter(node, arguments["running_var"], "running_var")[0],
        epsilon=float(arguments["eps"]),
        momentum=float(arguments["momentum"]),
    )
    if view.scaling is not None or (view.flat and view.shape[1:] != (1, 1)):
        return flat_norm(reading, node, value, norm)
    if view.axes is not None:
        view = reading.plain_view(node, value, "batch norm")
    op = reading.open_op(value)
    if op is None or op.norm is not None or op.scaling is not None or op.residual is not None:
        return reading.identity(node, value, "batch norm", norm=norm)
    reading.ops[op.name] = replace(op, norm=norm)
    return view


def _relu(reading: Reading, node: Any, arguments: Arguments) -> View:
    return _activate(reading, node, next(iter(arguments.values())), 0.0, inf)


def _clip(reading: Reading, node: Any, arguments: Arguments) -> View:
    low, high = float(arguments.get("min_val", 0.0)), float(arguments.get("max_val", 6.0))
    return _activate(reading, node, next(iter(arguments.values())), low, high)


def _threshold(reading: Reading, node: Any, arguments: Arguments) -> View:
    if arguments["threshold"] != 0 or arguments["value"] != 0:
        reading.refuse(node, "is a threshold other than 0; put a ReLU in its place and train again")
    return _relu(reading, node, arguments)


def _clamp(reading: Reading, node: Any, arguments: Arguments) -> View:
    low, high = arguments.get("min"), arguments.get("max")
    if not isinstance(low, int | float | None) or not isinstance(high, int | float | None):
        reading.refuse(node, "cuts off at numbers that are computed")
    return _activate(
        reading,
        node,
        arguments["self"],
        -inf if low is None else float(low),
        inf if high is None else float(high),
    )


def _activate(reading: Reading, node: Any, value: Any, low: float, high: float) -> View:
    view = reading.view(node, value)
    rectified = low <= 0 and reading.is_rectified(view.tensor)
    if high == inf and (low == -inf or rectified):
        return view
    ops = _open_producers(reading, value)
    if not ops:
        view = reading.identity(node, value, "activation")
        ops = [reading.matrix_op(view)]
    for op in ops:
        if (low, high) == (0, inf):
            reading.ops[op.name] = replace(op, activation="relu")
        else:
            clip = (max(low, -_BEYOND), min(high, _BEYOND))
            reading.ops[op.name] = replace(op, activation="clip", clip=clip)
    return view


def _open_producers(reading: Reading, value: Any) -> list[MatrixOp]:
    """The layers that an activation can move into, none where one cannot take it."""
    op = reading.open_op(value, through_pools=True)
    if op is not None:
        return [op]
    view = reading.views[value]
    if not isinstance(view, View) or view.shared or len(value.users) > 1 or not view.is_plain:
        return []
    if not isinstance(reading.ops.get(view.tensor), ConcatOp) or node_operation(value) != "cat":
        return []
    producers = [reading.open_op(part, through_pools=True) for part in value.args[0]]
    found = [producer for producer in producers if producer is not None]
    return found if len(found) == len({op.name for op in found}) == len(producers) else []


def node_operation(value: Any) -> str:
    """The last word of a node's operation, for instance cat."""
    return str(value.target).split(".")[-2] if "." in str(value.target) else str(value.target)


def _add(reading: Reading, node: Any, arguments: Arguments) -> View:
    operands = (arguments["self"], arguments["other"])
    known = [o for o in operands if reading.is_image(o)]
    if len(known) == 1:
        return _bias(reading, node, arguments) or arithmetic(reading, node, arguments)
    if arguments.get("alpha", 1) != 1 or len(known) != 2:
        reading.refuse(node, "is not a plain sum of two tensors")
    order = {name: index for index, name in enumerate(reading.ops)}
    ranked = sorted(known, key=lambda o: order.get(reading.view(node, o).tensor, -1), reverse=True)
    for host, other in (ranked, ranked[::-1]):
        op = reading.open_op(host)
        if op is not None and op.residual is None and host is not other:
            break
    else:
        host = next((o for o in ranked if reading.view(node, o).keeps_pixels), ranked[0])
        other = ranked[1] if host is ranked[0] else ranked[0]
        op = None
    view, operand = reading.view(node, host), reading.view(node, other)
    if not replace(operand, stride=(1, 1)).keeps_pixels:
        operand = reading.finished(node, operand, "sum", any_axes=True)
    forms = {(v.shape, v.axes, v.flat, v.merged) for v in (operand, view)}
    if len(forms) > 1:
        reading.refuse(node, f"adds shapes {operand.shape} and {view.shape}; they must be equal")
    residual = ResidualOperand(
        source=operand.tensor, channels=operand.channel_map, stride=operand.stride
    )
    if op is None:
        view = reading.identity(node, host, "addition")
        op = reading.matrix_op(view)
    # The sum runs after both operands, so the layer that carries it moves to the end.
    del reading.ops[op.name]
    reading.ops[op.name] = replace(op, residual=residual)
    return view


def _bias(reading: Reading, node: Any, arguments: Arguments) -> View | None:
    """A stored number a row that is added to a layer without a bias; None for anything else."""
    stored, value = arguments["other"], arguments["self"]
    if reading.is_image(stored):
        stored, value = value, stored
    op = reading.open_op(value)
    if op is None or op.bias or op.norm or op.scaling or op.residual or not op.weight:
        return None
    view, shape = (
        reading.view(node, value, scaled=True),
        tuple(getattr(reading.number(stored), "shape", ())),
    )
    named = hasattr(stored, "users") and stored.op == "placeholder"
    flat = view.flat and shape == (op.rows,)
    if not named or arguments.get("alpha", 1) != 1 or not flat:
        return None
    name, _ = reading.parameter(node, stored, "bias")
    reading.ops[op.name] = replace(op, bias=name)
    return view


RULES: dict[str, Rule] = {
    "aten.batch_norm": _batch_norm,
    "aten._native_batch_norm_legit_no_training": lambda reading, node, arguments: (
        _batch_norm(reading, node, arguments),
    ),
    "aten.relu": _relu,
    "aten.relu_": _relu,
    "aten.threshold": _threshold,
    "aten.threshold_": _threshold,
    "aten.relu6": _clip,
    "aten.relu6_": _clip,
    "aten.hardtanh": _clip,
    "aten.hardtanh_": _clip,
    "aten.clamp": _clamp,
    "aten.clamp_": _clamp,
    "aten.clip": _clamp,
    "aten.clip_": _clamp,
    "aten.clamp_min": _clamp,
    "aten.clamp_min_": _clamp,
    **scaling.RULES,
    "aten.clamp_max": _clamp,
    "aten.clamp_max_": _clamp,
    "aten.add": _add,
    "aten.add_": _add,
}
