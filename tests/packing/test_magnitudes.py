"""Weights whose squares leave float64 are refused; others give finite figures."""

import numpy as np
import pytest

from systopack import pack
from systopack.errors import InvalidMatrixError, InvalidOptionError
from systopack.packing.layers import LayerOptions, pack_layer
from systopack.packing.rule import PackingRule
from systopack.packing.weights import open_weights
from systopack.records import Record


@pytest.mark.parametrize("weight", [1.7e308, -1.7e308, 1e101])
def test_too_large_weights_are_refused(weight):
    matrix = np.ones((4, 4))
    matrix[2, 1] = weight
    with pytest.raises(InvalidMatrixError, match=r"at most 1e\+100"):
        pack(matrix, alpha=8, gamma=0.5)


@pytest.mark.parametrize("weight", [1e100, 1e-300, 5e-324])
def test_the_squared_norm_kept_is_a_share(tmp_path, weight):
    np.save(tmp_path / "w.npy", np.full((4, 4), weight))
    weights = open_weights(tmp_path / "w.npy")
    options = LayerOptions(rule=PackingRule(alpha=8, gamma=0.5))
    assert pack_layer(weights, weights.weights[0], options).squared_norm_kept == pytest.approx(1)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), np.float64("nan")])
def test_no_record_holds_what_json_cannot(tmp_path, number):
    with pytest.raises(InvalidOptionError, match="record of 'pack' would hold a NaN"):
        Record(kind="pack", figures={"a": [{"b": number}]}).write(tmp_path / "r.json")
    assert not list(tmp_path.iterdir())
