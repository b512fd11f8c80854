"""A pruned weight stays zero under any optimizer."""

import pytest
import torch
from torch import nn

from systopack.nn.masks import Masks

OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1, nesterov=True),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.1),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.1, momentum=0.9),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_pruned_weights_stay_zero_and_others_move(name):
    torch.manual_seed(0)
    layer = nn.Linear(6, 4)
    optimizer = OPTIMIZERS[name](layer.parameters())
    masks = Masks({"weight": layer.weight})
    masks.attach(optimizer)

    def step():
        optimizer.zero_grad()
        layer(torch.randn(8, 6)).square().sum().backward()
        optimizer.step()

    step()  # momentum builds up on weights that are pruned afterwards
    mask = torch.rand(4, 6) > 0.5
    masks.set("weight", mask)
    kept = layer.weight[mask].clone()
    for _ in range(5):
        step()
        assert (layer.weight[~mask] == 0).all()
    assert not torch.equal(layer.weight[mask], kept)
    assert masks.nonzeros() == int(mask.sum())


def test_the_state_of_channels_last_weights_can_be_saved():
    weight = torch.nn.Conv2d(4, 4, 3).to(memory_format=torch.channels_last).weight
    assert all(mask.is_contiguous() for mask in Masks({"w": weight}).state().values())
