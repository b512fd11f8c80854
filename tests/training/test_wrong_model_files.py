"""Model files of the wrong types are refused in one sentence."""

import json

import pytest
from safetensors.torch import load, save

from systopack.errors import SystopackError
from systopack.fields import MalformedError
from systopack.frontend.capture import capture
from systopack.frontend.graph_file import check_graph, graph_from_json, graph_to_json
from tests.frontend.models import SHAPE, build


def change(path, value):
    def apply(header):
        *holders, last = path
        for key in holders:
            header = header[key]
        header[last] = value

    return apply


WRONG = {
    "fractional stride": change(("ops", 0, "stride"), [1.9, 1.9]),
    "text stride": change(("ops", 0, "stride"), ["1", "1"]),
    "true groups": change(("ops", 0, "groups"), True),
    "unknown field": change(("ops", 0, "evil"), 1),
    "unknown field of the graph": change(("evil",), 1),
    "unknown activation": change(("ops", 0, "activation"), "gelu"),
    "unknown ending": change(("ending",), "tanh"),
    "null name": change(("ops", 0, "name"), None),
    "escape in a name": change(("ops", 0, "name"), "a\x1b[2J"),
    "shape of two": change(("input_shape",), [3, 12]),
    "huge shape": change(("input_shape",), [3, 10**9, 10**9]),
    "huge padding": change(("ops", 0, "padding"), [10**9] * 4),
    "huge output": change(("ops", 0, "output_size"), [10**6, 10**6]),
    "no groups": change(("ops", 0, "groups"), 0),
    "deep": change(("ops",), "x"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_graph_of_wrong_types_is_refused(case):
    model = build("depthwise")
    graph = capture(model, SHAPE)
    header, tensors = graph_to_json(graph)
    header = json.loads(json.dumps(header))
    tensors = load(save(tensors))
    check_graph(graph_from_json(header, tensors), model.state_dict())
    WRONG[case](header)
    with pytest.raises((MalformedError, SystopackError)) as refused:
        check_graph(graph_from_json(header, tensors), model.state_dict())
    assert "\n" not in str(refused.value)
