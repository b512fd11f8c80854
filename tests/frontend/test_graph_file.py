"""The layers of a model file, word for word as earlier versions wrote them."""

import json

import numpy as np
import torch

from systopack.frontend.graph import (
    ConcatOp,
    LayerGraph,
    MatrixOp,
    Norm,
    PoolOp,
    ResidualOperand,
)
from systopack.frontend.graph_file import graph_from_json, graph_to_json

TEXT = (
    '{"input_shape": [1, 2, 2], "ending": "softmax", "ops": ['
    '{"type": "matrix", "name": "conv", "output_size": [2, 2], "source": "input", '
    '"kind": "convolution", "stride": [1, 1], "padding": [0, 0, 0, 0], '
    '"residual": {"source": "input", "stride": [1, 1]}, '
    '"norm": {"weight": null, "bias": "n.b", "mean": "n.m", "variance": "n.v", "epsilon": 1e-05, '
    '"momentum": 0.1}, "weight": "conv.w", "weight_shape": [1, 1, 1, 1], "bias": null, '
    '"dilation": [1, 1], "activation": "clip", "clip": [0.0, 6.0], "groups": 1}, '
    '{"type": "pool", "name": "pool", "output_size": [1, 1], "source": "conv", "kind": "max", '
    '"stride": [2, 2], "padding": [0, 0, 0, 0], "kernel": [2, 2]}, '
    '{"type": "concat", "name": "twice", "output_size": [1, 1], "sources": ["pool"]}]}'
)


def hand_made():
    conv = MatrixOp(
        name="conv",
        source="input",
        kind="convolution",
        weight="conv.w",
        weight_shape=(1, 1, 1, 1),
        bias=None,
        norm=Norm(weight=None, bias="n.b", mean="n.m", variance="n.v", epsilon=1e-5),
        columns=np.zeros((1, 3), np.int32),
        stride=(1, 1),
        dilation=(1, 1),
        padding=(0, 0, 0, 0),
        output_size=(2, 2),
        residual=ResidualOperand(source="input", channels=np.zeros(1, np.int32), stride=(1, 1)),
        activation="clip",
        clip=(0.0, 6.0),
    )
    pool = PoolOp(
        name="pool",
        source="conv",
        kind="max",
        kernel=(2, 2),
        stride=(2, 2),
        padding=(0, 0, 0, 0),
        output_size=(1, 1),
    )
    concat = ConcatOp(
        name="twice",
        sources=("pool",),
        operands=np.zeros(2, np.int32),
        channels=np.zeros(2, np.int32),
        output_size=(1, 1),
    )
    return LayerGraph(input_shape=(1, 2, 2), ops=(conv, pool, concat), ending="softmax")


def test_the_form_of_the_layers_stays():
    plain, tensors = graph_to_json(hand_made())
    assert json.dumps(plain) == TEXT
    assert sorted(tensors) == [
        "systopack_graph/conv/columns",
        "systopack_graph/conv/residual",
        "systopack_graph/twice/channels",
        "systopack_graph/twice/operands",
    ]
    assert all(tensor.dtype == torch.int32 for tensor in tensors.values())
    again, _ = graph_to_json(graph_from_json(json.loads(TEXT), tensors))
    assert again == plain
