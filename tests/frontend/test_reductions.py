"""Means, sums, maxima and limits in the forms that people write, and uneven adaptive pooling."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from systopack.errors import InvalidNetworkError
from systopack.frontend.capture import capture
from systopack.frontend.graph import MatrixOp, PoolOp
from systopack.frontend.reading.view import adaptive_windows
from tests.frontend.models import Body, conv

SHAPE = (3, 8, 8)


def read(function, inputs=8):
    """The ops of a model with a function between a convolution and a linear layer."""
    torch.manual_seed(0)
    model = Body(lambda m, x: m.l(function(m.a(x))), a=conv(3, 8), l=nn.Linear(inputs, 5)).eval()
    return capture(model, SHAPE).ops  # capture itself compares


MEANS = {
    "one axis after the other": lambda x: F.relu(x).mean(3).mean(2),
    "the last axis twice": lambda x: F.relu(x).mean(-1).mean(-1),
    "axes kept": lambda x: F.relu(x).mean(3, keepdim=True).mean(2, keepdim=True).flatten(1),
    "flattened by view": lambda x: F.relu(x).view(x.size(0), x.size(1), -1).mean(-1),
    "flattened": lambda x: F.relu(x).flatten(2).mean(2),
    "sum over its count": lambda x: F.relu(x).sum((2, 3)) / 64,
    "sum times a share": lambda x: F.relu(x).sum(dim=[2, 3]) * (1 / 64),
    "the only pixel": lambda x: F.adaptive_avg_pool2d(F.relu(x), 1)[:, :, 0, 0],
    "flattened and back": lambda x: F.relu(x).flatten(1).unflatten(1, (8, 8, 8)).mean((2, 3)),
}


@pytest.mark.parametrize("name", MEANS)
def test_a_mean_is_pooling_and_nothing_else(name):
    first, *pools, last = read(MEANS[name])
    assert isinstance(first, MatrixOp) and first.activation == "relu"
    assert 1 <= len(pools) <= 2 and all(isinstance(op, PoolOp) for op in pools)
    assert last.column_scaling is None and last.scaling is None


MAXIMA = {
    "amax": lambda x: x.amax((2, 3)),
    "amax twice": lambda x: x.amax(3).amax(2),
    "values of max": lambda x: x.max(3)[0].max(2).values,
    "flattened": lambda x: x.flatten(2).max(-1).values,
}


@pytest.mark.parametrize("name", MAXIMA)
def test_a_maximum_is_pooling(name):
    assert {op.kind for op in read(MAXIMA[name])[1:-1]} == {"max"}


def test_a_sum_is_as_many_times_the_mean():
    assert read(lambda x: F.relu(x).sum((2, 3)))[-1].column_scaling.factor[0] == 64
    # Where no linear layer reads it, a layer of its own has the factor.
    names = [op.name for op in read(lambda x: F.relu(x.sum(3, keepdim=True) - 1).mean((2, 3)))]
    assert names == ["a", "sum_1", "sub_scaled", "mean", "l"]
    assert len(read(lambda x: F.relu(x.sum((2, 3))))) == 4
    assert len(read(lambda x: F.relu(x).sum(3).sum(2) / 64)) == 5


LIMITS = {
    "relu6 in place": (lambda x: F.relu6(x, inplace=True), "clip", (0, 6)),
    "clip": (lambda x: x.clip(-1, 0.5), "clip", (-1, 0.5)),
    "threshold": (lambda x: F.threshold(x, 0, 0), "relu", None),
    "clamp_min": (lambda x: x.clamp_min(0), "relu", None),
    "a statement": (lambda x: (x.clamp_(0, 1), x)[1], "clip", (0, 1)),
}


@pytest.mark.parametrize("name", LIMITS)
def test_limits(name):
    function, activation, clip = LIMITS[name]
    op = read(lambda x: function(x).mean((2, 3)))[0]
    assert (op.activation, op.clip) == (activation, clip)


@pytest.mark.parametrize("bounds", [{"max": 0.2}, {"min": 0.1}, {"min": -0.1}])
def test_a_limit_on_one_side(bounds):
    op = read(lambda x: x.clamp(**bounds).mean((2, 3)))[0]
    assert op.activation == "clip"
    assert {name: op.clip[name == "max"] for name in bounds} == bounds


def test_windows_of_adaptive_pooling_are_those_of_torch():
    even = 0
    for size in range(1, 17):
        signal = torch.randn(1, 1, size)
        for outputs in range(1, 17):
            found = adaptive_windows(size, outputs)
            expected = F.adaptive_avg_pool1d(signal, outputs)
            if found is None:
                assert size % outputs
                continue
            even += bool(size % outputs)
            assert torch.allclose(F.avg_pool1d(signal, *found), expected, atol=1e-6)
    assert even > 10  # 7 to 3, for instance, in windows that overlap


def test_overlapping_adaptive_pooling_is_read_and_unequal_refused_with_advice():
    pool = read(lambda x: F.adaptive_avg_pool2d(F.relu(x), (7, 8)).mean((2, 3)))[1]
    assert (pool.kernel, pool.stride, pool.output_size) == ((2, 1), (1, 1), (7, 8))
    with pytest.raises(InvalidNetworkError, match="equal ones give 2 or 4 or 7 rows") as told:
        read(lambda x: F.adaptive_max_pool2d(x, (5, 4)).mean((2, 3)))
    assert "train again" in str(told.value)
    for rows in (2, 4, 7):  # the advice helps
        assert read(lambda x, rows=rows: F.adaptive_max_pool2d(x, (rows, 4)).mean((2, 3)))
