"""The shift layer: displacement by hand, gradients, and what is stored with a model."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from systopack.nn.shift import Shift, deal_displacements, shift


def naive_shift(images, displacements):
    out = torch.zeros_like(images)
    _, channels, height, width = images.shape
    for c in range(channels):
        dy, dx = displacements[c]
        for y in range(height):
            for x in range(width):
                if 0 <= y + dy < height and 0 <= x + dx < width:
                    out[:, c, y, x] = images[:, c, y + dy, x + dx]
    return out


def test_each_direction_by_hand():
    image = torch.tensor([[1.0, 2, 3], [4, 5, 6]])
    images = image.expand(1, 3, 2, 3).contiguous()
    moved = Shift([(0, 0), (1, 0), (0, -1)])(images)
    assert moved[0, 0].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert moved[0, 1].tolist() == [[4, 5, 6], [0, 0, 0]]
    assert moved[0, 2].tolist() == [[0, 1, 2], [0, 4, 5]]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=1, max_size=12),
    st.integers(1, 4),
    st.integers(1, 5),
)
def test_equals_the_definition(displacements, height, width):
    images = torch.randn(2, len(displacements), height, width)
    assert torch.equal(Shift(displacements)(images), naive_shift(images, displacements))


def test_gradient_is_the_transpose():
    images = torch.randn(2, 11, 4, 5, dtype=torch.float64, requires_grad=True)
    layer = Shift(deal_displacements(11))
    assert torch.autograd.gradcheck(layer, (images,))


def test_operator_passes_torchs_own_checks():
    images = torch.randn(2, 9, 4, 5, requires_grad=True)
    dy, dx = (list(part) for part in zip(*deal_displacements(9), strict=True))
    torch.library.opcheck(shift, (images, dy, dx))


def test_nine_directions_are_dealt_evenly():
    dealt = deal_displacements(32)
    counts = [dealt.count(direction) for direction in set(dealt)]
    assert len(set(dealt)) == 9
    assert max(counts) - min(counts) <= 1


def test_loaded_displacements_replace_those_it_was_made_with():
    first, second = Shift([(0, 1), (1, 0)]), Shift([(-1, 0), (0, 0)])
    images = torch.randn(1, 2, 3, 3)
    first.load_state_dict(second.state_dict())
    assert torch.equal(first(images), second(images))


@pytest.mark.parametrize("format_", [torch.contiguous_format, torch.channels_last])
def test_memory_format_does_not_change_the_result(format_):
    images = torch.randn(2, 20, 6, 6)
    layer = Shift(deal_displacements(20))
    assert torch.equal(layer(images.contiguous(memory_format=format_)), layer(images))
