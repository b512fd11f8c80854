"""What would help with an operation that cannot be lowered."""

from __future__ import annotations

_RELU = "put a ReLU in its place and train the model again"
_GATE = "the array multiplies only by stored weights; leave out the gate and train again"
_REST = "run it outside the network"
_WHOLE = "save the program without run_decompositions()"

_ADVICE = {
    "wrap_with_autocast": "leave torch.autocast out of the model's own code",
    "aten.addmm": _WHOLE,
    "aten.t": _WHOLE,
    "aten.gelu": _RELU,
    "aten.gelu_": _RELU,
    "aten.silu": _RELU,
    "aten.silu_": _RELU,
    "aten.hardswish": _RELU,
    "aten.hardswish_": _RELU,
    "aten.hardsigmoid": _GATE,
    "aten.hardsigmoid_": _GATE,
    "aten.sigmoid": _GATE,
    "aten.sigmoid_": _GATE,
    "aten.mul": _GATE,
    "aten.mul_": _GATE,
    "aten.elu": _RELU,
    "aten.elu_": _RELU,
    "aten.selu": _RELU,
    "aten.mish": _RELU,
    "aten.leaky_relu": _RELU,
    "aten.leaky_relu_": _RELU,
    "aten.prelu": _RELU,
    "aten.tanh": _RELU,
    "aten.softplus": _RELU,
    "aten.layer_norm": "put a batch norm in its place and train again",
    "aten.group_norm": "put a batch norm in its place and train again",
    "aten.instance_norm": "put a batch norm in its place and train again",
    "aten.native_layer_norm": "put a batch norm in its place and train again",
    "aten.scaled_dot_product_attention": _REST,
    "aten.embedding": _REST,
    "aten.lstm": _REST,
    "aten.gru": _REST,
    "aten.matmul": _REST,
    "aten.bmm": _REST,
    "aten.conv_transpose2d": "put an upsampling-free layer in its place",
    "aten.upsample_nearest2d": _REST,
    "aten.upsample_bilinear2d": _REST,
}


def advice_for(operation: str) -> str:
    """What to do about an operation, empty where its reason says it all."""
    return _ADVICE.get(operation, "")


ADVISED = frozenset(_ADVICE)  # refused with advice when it is read, and not before
