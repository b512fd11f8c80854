"""The order of column groups: fewer channels an array column, the same output."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from systopack.network.file import load
from systopack.network.group_order import fit_groups, group_order, order_groups, spread_groups
from systopack.network.packaged import FOLDER
from systopack.network.reference import run


@given(
    st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=4), max_size=20), st.integers(1, 6)
)
def test_it_is_a_permutation(groups, columns):
    order = group_order([np.array(g) for g in groups], channels=6, columns=columns)
    assert sorted(order.tolist()) == list(range(len(groups)))


def test_the_network_computes_the_same_with_fewer_channels_a_column():
    network = load(FOLDER / "lenet5-mnist.spk")
    shuffled = order_groups(network, columns=3)
    again = order_groups(shuffled, columns=32)
    image = np.random.default_rng(0).integers(-128, 128, (1, *network.input.shape), dtype=np.int8)
    expected = run(network, image)[network.output.name]
    for other in (shuffled, again):
        assert (run(other, image)[network.output.name] == expected).all()
    assert most_channels(again, columns=32) < most_channels(shuffled, columns=32) / 2


def most_channels(network, *, columns):
    """The most channels of a layer that one array column reads, over all layers of windows."""
    found = 0
    for layer in network.layers:
        if layer.kind == "shift":
            continue
        for column in range(columns):
            groups = [g for band in layer.matrix.bands for g in band.groups[column::columns]]
            found = max(found, len({int(layer.columns[c, 0]) for group in groups for c in group}))
    return found


def test_layers_with_one_column_a_channel_stay():
    network = load(FOLDER / "lenet5-mnist.spk")
    layer = next(layer for layer in network.layers if layer.kind == "shift")
    assert order_groups(network, columns=7).by_name[layer.name] is layer


def test_spreading_fills_a_tile_and_changes_nothing_else():
    network = load(FOLDER / "resnet20-cifar10-tenth-small.spk")
    spread = spread_groups(network, columns=32)
    assert spread.nonzeros == network.nonzeros
    sizes = {"rows": 32, "columns": 32}
    assert spread.streamed_words(**sizes) == network.streamed_words(**sizes)
    for before, after in zip(network.layers, spread.layers, strict=True):
        if before.kind != "shift":
            continue
        for old, new in zip(before.matrix.bands, after.matrix.bands, strict=True):
            assert len(new.groups) % 32 == 0 or new.largest_group == 1
            assert new.largest_group <= old.largest_group
    image = np.random.default_rng(0).integers(-128, 128, (1, *network.input.shape), dtype=np.int8)
    outputs = [run(x, image)[network.output.name] for x in (network, spread)]
    assert (outputs[0] == outputs[1]).all()


def test_a_network_is_fitted_to_fewer_columns():
    network = load(FOLDER / "lenet5-mnist.spk")
    fitted = fit_groups(network, columns=8, alpha=8)
    sizes = {"rows": 32, "columns": 8}
    assert fitted.streamed_words(**sizes) < network.streamed_words(**sizes)
    assert fitted.nonzeros == network.nonzeros
    image = np.random.default_rng(1).integers(-128, 128, (1, *network.input.shape), dtype=np.int8)
    outputs = [run(x, image)[network.output.name] for x in (network, fitted)]
    assert (outputs[0] == outputs[1]).all()
