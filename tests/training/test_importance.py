"""Fisher information of a linear layer, against its closed form."""

import numpy as np
import torch
from torch import nn

from systopack.data.augment import Augment
from systopack.data.split import TrainingPart
from systopack.frontend.capture import capture
from systopack.training.devices import DeviceOptions, launch
from systopack.training.importance import fisher_information
from systopack.training.session import Session
from systopack.training.settings import OptimizerSettings


def linear_session(images):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    count = len(images)
    return Session(
        fabric=launch(DeviceOptions(accelerator="cpu")),
        module=module,
        graph=capture(module, (1, 2, 2)),
        part=TrainingPart(
            train_images=images,
            train_labels=np.zeros(count, dtype=np.int64),
            held_out_images=images[:0],
            held_out_labels=np.zeros(0, dtype=np.int64),
            mean=(0.5,),
            std=(0.25,),
            fraction=1.0,
            seed=0,
        ),
        augment=Augment(),
        mean=(0.5,),
        std=(0.25,),
        settings=OptimizerSettings(seed=0),
    )


def test_it_estimates_the_closed_form_and_changes_nothing():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6400, 1, 2, 2), dtype=np.uint8)
    images[:, 0, 0, 0] = images[:, 0, 0, 0] // 8 + 112  # an input that hardly varies
    session = linear_session(images)
    before = session.state()
    (found,) = fisher_information(session, images=6400, number=1).values()
    inputs = torch.from_numpy((images.reshape(6400, 4) / 255 - 0.5) / 0.25).float()
    with torch.no_grad():
        shares = torch.softmax(session.module[1](inputs), dim=1)
    # The gradient of a weight is (share - drawn) * input; its variance over the drawn label is
    # share * (1 - share).
    expected = (shares * (1 - shares)).T @ inputs**2 / len(inputs)
    assert found.shape == (3, 4)
    assert np.allclose(found, expected.numpy(), rtol=0.35)
    assert np.corrcoef(found.ravel(), expected.numpy().ravel())[0, 1] > 0.9
    after = session.state()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert session.module.training


def test_the_same_number_gives_the_same_and_another_number_another():
    rng = np.random.default_rng(1)
    session = linear_session(rng.integers(0, 256, (320, 1, 2, 2), dtype=np.uint8))
    first, again, other = (
        next(iter(fisher_information(session, images=320, number=number).values()))
        for number in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_temperature_asks_about_the_loss_of_distillation():
    rng = np.random.default_rng(2)
    images = rng.integers(0, 256, (6400, 1, 2, 2), dtype=np.uint8)
    session = linear_session(images)
    with torch.no_grad():
        session.module[1].weight.mul_(40)  # sure of nearly every image
    sure, warm = (
        next(
            iter(
                fisher_information(session, images=6400, number=1, temperature=temperature).values()
            )
        )
        for temperature in (1.0, 20.0)
    )
    inputs = torch.from_numpy((images.reshape(6400, 4) / 255 - 0.5) / 0.25).float()
    with torch.no_grad():
        shares = torch.softmax(session.module[1](inputs) / 20, dim=1)
    expected = (shares * (1 - shares)).T @ inputs**2 / len(inputs)
    assert np.allclose(warm, expected.numpy(), rtol=0.35)
    assert sure.sum() < 0.8 * warm.sum()
