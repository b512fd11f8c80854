"""What benchmarks/related_training.py lets weights be, and its runs: alike for all, resumed."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from systopack.data.images import ImageData
from systopack.files import checkpoint_path
from systopack.frontend.capture import capture
from systopack.hardware.related.stationary import COMBINING_PER_TILE, GATED
from systopack.hardware.related.vdbb import VDBB, density_bound
from systopack.hardware.related.workload import LayerWork
from systopack.nn import zoo
from systopack.packing.objective import MostNorm
from systopack.packing.pack import dense as ungrouped
from systopack.packing.pack import pack
from systopack.training.devices import DeviceOptions
from systopack.training.events import SilentObserver
from systopack.training.model import TrainedModel
from tests.networks import random_images, random_network

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
OWN = ("related_training", "_constraints", "_training", "_bench")


@pytest.fixture(scope="module")
def bench():
    sys.path.insert(0, str(FOLDER))
    import _constraints
    import related_training

    yield SimpleNamespace(own=_constraints, training=related_training)
    sys.path.remove(str(FOLDER))
    for name in OWN:
        sys.modules.pop(name)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (96, 3, 32, 32), dtype=np.uint8)
    labels = np.arange(96) % 3
    return ImageData(
        name="noise",
        class_names=("a", "b", "c"),
        train_images=images,
        train_labels=labels,
        test_images=images[:30],
        test_labels=labels[:30],
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
        sha256="0" * 64,
        flip=False,
    )


@pytest.fixture(scope="module")
def dense(data):
    torch.manual_seed(0)
    module = zoo.build("resnet20", classes=3)
    return TrainedModel(
        architecture="resnet20",
        class_names=data.class_names,
        mean=data.mean,
        std=data.std,
        state=module.state_dict(),
    )


@pytest.fixture(scope="module")
def weights(bench, dense, data):
    module = dense.to_module()
    graph = capture(module, data.shape)
    parameters = dict(module.named_parameters())
    matrices = {
        op.name: parameters[name].detach().numpy().reshape(op.rows, -1)
        for name, op in graph.weighted_ops.items()
    }
    sensitivity = {name: np.ones(matrix.shape) for name, matrix in matrices.items()}
    return bench.own.Weights(graph=graph, matrices=matrices, sensitivity=sensitivity, seed=0)


def test_blocks_lie_along_the_input_channels_of_each_tap(bench):
    columns = np.array([(channel, 0, tap) for channel in range(4) for tap in range(2)])
    matrix = np.array([[1, 8, 2, 7, 3, 6, 4, 5]])  # taps take turns
    assert bench.own.block_mask(matrix, columns, n=1, m=2).astype(int).tolist() == [
        [0, 1, 1, 0, 0, 1, 1, 0]
    ]
    assert bench.own.block_mask(matrix, columns, n=1, m=3).astype(int).tolist() == [
        [0, 1, 0, 0, 1, 0, 1, 1]
    ]


@pytest.mark.parametrize(("n", "m"), [(2, 8), (1, 8), (1, 4)])
def test_no_block_has_more_weights_than_it_may(bench, weights, n, m):
    masks = bench.own.n_of_m(n, m)(weights)
    for op, matrix in weights:
        mask = masks[op.name].reshape(*matrix.shape[:1], -1, len(op.columns) // _channels(op))
        if op.name == "conv1":
            assert mask.all()
        else:  # filters, channels, taps
            blocks = mask.reshape(op.rows, -1, m, mask.shape[2])
            assert (blocks.sum(axis=2) == n).all()


def _channels(op):
    return len(np.unique(np.asarray(op.columns)[:, 0]))


def test_bounds_of_blocks_keep_to_both_budgets(bench, weights):
    masks = bench.own.variable_blocks(cells=0.25, words_ratio=3.0)(weights)
    total = sum(matrix.size for _, matrix in weights)
    assert sum(mask.sum() for mask in masks.values()) <= 0.25 * total
    words = {
        op.name: -(-op.rows // 32) * op.positions * masks[op.name].sum() / op.rows
        for op, _ in weights
    }
    dense = sum(-(-op.rows // 32) * op.positions * len(op.columns) for op, _ in weights)
    assert sum(words.values()) <= dense / 3.0


def test_the_largest_weights_of_a_layer_stay(bench, weights):
    masks = bench.own.largest(0.25)(weights)
    matrix, mask = weights.matrices["layer2.1.conv1"], masks["layer2.1.conv1"]
    assert mask.sum() == matrix.size // 4
    assert np.abs(matrix[mask]).min() >= np.abs(matrix[~mask]).max()


def test_groups_that_keep_two_fill_a_quarter_of_the_cells(bench, weights):
    masks = bench.own.more_kept(alpha=8, kept=2)(weights)
    assert masks["layer3.0.conv2"].sum() == masks["layer3.0.conv2"].size // 4


def test_a_thinner_network_computes_what_a_smaller_one_does(bench, dense, weights):
    masks = bench.own.thinner(0.75)(weights)
    channels = {name: mask.any(axis=1).sum() for name, mask in masks.items()}
    assert channels["conv1"] == channels["layer1.2.conv2"] == 12
    assert channels["layer3.1.conv1"] == 48 and channels["linear"] == 3
    assert all(
        mask.sum() == mask.any(axis=1).sum() * mask.any(axis=0).sum() for mask in masks.values()
    )
    module = dense.to_module().eval()
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        for weight, op in weights.graph.weighted_ops.items():
            parameter = module.get_parameter(weight)
            parameter.mul_(torch.from_numpy(masks[op.name]).reshape(parameter.shape))
        before = module(images)
        # What channels without weights hold is read by nobody.
        dropped = torch.from_numpy(~masks["layer2.1.conv2"].any(axis=1))
        module.get_parameter("layer2.1.bn2.bias")[dropped] += 10.0
        assert torch.equal(module(images), before)


class Killer(SilentObserver):
    """Interrupts a run after its first epoch."""

    def on_epoch(self, result):
        raise KeyboardInterrupt


@pytest.mark.parametrize("name", ["2-of-8", "unstructured-0.125"])
def test_runs_resume_bit_for_bit_and_keep_their_masks(bench, dense, data, tmp_path, name):
    constraint = bench.training.CONSTRAINTS[name]
    settings = bench.training.settings_of(
        constraint, bench.training.Schedule(fraction=1.0, epochs=2), 0
    ).model_copy(update={"batch_size": 32, "learning_rate": 0.01})

    def train(out, observer):
        return bench.training.retrain(
            dense,
            data,
            project=constraint.project,
            settings=settings,
            fraction=1.0,
            out=out,
            resume=True,
            devices=DeviceOptions(accelerator="cpu"),
            observer=observer,
        )

    whole = train(tmp_path / "whole.safetensors", SilentObserver())
    out = tmp_path / "stopped.safetensors"
    with pytest.raises(KeyboardInterrupt):
        train(out, Killer())
    assert checkpoint_path(out).exists()
    resumed = train(out, SilentObserver())
    assert all(torch.equal(tensor, resumed.state[key]) for key, tensor in whole.state.items())
    kept = np.count_nonzero(whole.state["layer3.0.conv2.weight"].numpy())
    assert kept == {"2-of-8": 0.25, "unstructured-0.125": 0.125}[name] * 64 * 576
    assert whole.history[-1]["nonzeros"] == resumed.history[-1]["nonzeros"]


def test_every_run_of_a_schedule_has_the_same_recipe(bench):
    training = bench.training
    for schedule in training.SCHEDULES.values():
        recipes = [
            training.settings_of(constraint, schedule, 1).model_dump(
                exclude={"cells", "streamed_words_ratio"}
            )
            for constraint in training.CONSTRAINTS.values()
        ]
        assert all(recipe == recipes[0] for recipe in recipes)


@pytest.mark.parametrize("name", ["2-of-8", "unstructured-0.25", "dense-0.75", "combining"])
def test_costs_are_those_of_a_design_that_computes_the_same(bench, name):
    rng = np.random.default_rng(3)
    network = random_network(rng, layers=3)
    image = random_images(rng, network, 1)[0]
    constraint = bench.training.CONSTRAINTS[name]
    found = bench.training.costs(network, image, constraint, groups={})
    assert found["cycles"] > 0 and 0 < found["utilization"] <= 1
    parts = dict(found["energy_pj"])
    assert parts.pop("total") == pytest.approx(sum(parts.values()))


def _work(weights):
    rng = np.random.default_rng(0)
    return LayerWork(
        name="layer",
        matrix=ungrouped(weights),
        words=rng.integers(-128, 128, (weights.shape[1], 6)).astype(np.int8),
        bias=np.arange(len(weights), dtype=np.int32),
        accumulator_bits=32,
    )


def test_blocks_of_an_accelerator_lie_along_the_channels(bench):
    columns = np.array([(c, 0, tap) for c in range(8) for tap in range(3)])
    weights = np.ones((4, 24), dtype=np.int8) * bench.own.block_mask(
        np.arange(96).reshape(4, 24), columns, n=1, m=8
    )
    whole = _work(weights.astype(np.int8))
    assert density_bound(whole.weights, block=8) == 3  # the largest three lie side by side
    work = bench.training.suited(SimpleNamespace(columns=columns), whole, VDBB, None)
    assert density_bound(work.weights, block=8) == 1
    assert np.array_equal(work.weights @ work.words, whole.weights @ whole.words)


def test_channels_that_are_empty_cost_nothing(bench):
    weights = np.array([[1, 0, 2], [0, 0, 0], [3, 0, 4]], dtype=np.int8)
    work = bench.training.suited(SimpleNamespace(columns=np.eye(3)), _work(weights), GATED, None)
    assert work.weights.tolist() == [[1, 2], [3, 4]]
    assert work.bias.tolist() == [0, 2] and work.words.shape == (2, 6)


def test_groups_that_keep_two_run_with_the_weights_of_8_bit(bench):
    rng = np.random.default_rng(1)
    weights = rng.integers(-9, 10, (4, 16)).astype(np.int8)
    groups = pack(weights, alpha=8, gamma=7, kept=2, objective=MostNorm(groups=2), policy="polish")
    pruned = np.where(groups.to_dense() != 0, weights // 2, 0).astype(np.int8)
    work = bench.training.suited(
        SimpleNamespace(columns=np.zeros((16, 3))), _work(pruned), COMBINING_PER_TILE, groups
    )
    assert np.array_equal(work.weights, pruned) and len(work.matrix.bands[0].groups) == 4
