"""Batches: pixels by hand, order and augmentation fixed by (seed, epoch), shared by processes."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from systopack.data.augment import Augment, suitable_pad
from systopack.data.batches import Batches, Normalization, normalised
from systopack.errors import InvalidOptionError

RAW = {"mean": (0.0,) * 3, "std": (1 / 255,) * 3}  # gives the pixels back


def _images(count, channels=3, height=5, width=4):
    rng = np.random.default_rng(0)
    return rng.integers(1, 256, (count, channels, height, width), dtype=np.uint8)


def _batches(count=20, batch_size=8, seed=1, augment=None, **options):
    images = options.pop("images", _images(count))
    return Batches(
        images=images,
        labels=np.arange(len(images)),
        batch_size=batch_size,
        seed=seed,
        augment=augment,
        **(RAW | options),
    )


def _epoch(batches, number=0):
    return [(images, labels) for images, labels in batches.epoch(number)]


def _same(left, right):
    return len(left) == len(right) and all(
        torch.equal(a, c) and torch.equal(b, d) for (a, b), (c, d) in zip(left, right, strict=True)
    )


def test_normalised_by_hand():
    pixels = torch.tensor([0, 51, 255, 102], dtype=torch.uint8).reshape(1, 2, 1, 2)
    normal = Normalization(mean=(0.2, 0.5), std=(0.1, 0.25))
    expected = torch.tensor([-2.0, 0.0, 2.0, -0.4]).reshape(1, 2, 1, 2)
    assert torch.allclose(normal(pixels), expected, atol=1e-6)
    assert normal(pixels).dtype == torch.float32


def test_an_epoch_takes_every_image_once_and_skips_the_rest():
    batches = _batches(count=20, batch_size=8)
    assert len(batches) == 2
    epoch = _epoch(batches)
    assert [images.shape for images, _ in epoch] == [(8, 3, 5, 4)] * 2
    labels = torch.cat([labels for _, labels in epoch])
    assert labels.dtype == torch.int64
    assert len(set(labels.tolist())) == 16
    assert torch.equal(
        torch.cat([images for images, _ in epoch]).round().byte(),
        torch.from_numpy(_images(20))[labels],
    )


def test_a_small_set_is_one_batch():
    ((images, labels),) = _epoch(_batches(count=5, batch_size=64))
    assert sorted(labels.tolist()) == [0, 1, 2, 3, 4]
    assert len(images) == 5


def test_order_and_augmentation_depend_on_seed_and_epoch_alone():
    augment = Augment(pad=2, flip=True)
    batches = _batches(augment=augment)
    fourth = _epoch(batches, 4)
    for number in (0, 3):
        assert not _same(_epoch(batches, number), fourth)
    torch.manual_seed(5)
    assert _same(_epoch(_batches(augment=augment), 4), fourth)  # as after a resume
    assert not _same(_epoch(_batches(augment=augment, seed=2), 4), fourth)


def test_the_stream_of_torch_is_left_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    _epoch(_batches(augment=Augment(pad=1, flip=True)))
    assert torch.equal(torch.rand(3), expected)


def _variants(image, pad, flip):
    """Every crop of one padded image by plain slices: the definition."""
    channels, height, width = image.shape
    padded = np.zeros((channels, height + 2 * pad, width + 2 * pad), dtype=np.uint8)
    padded[:, pad : pad + height, pad : pad + width] = image
    for down in range(2 * pad + 1):
        for right in range(2 * pad + 1):
            crop = padded[:, down : down + height, right : right + width]
            yield crop
            if flip:
                yield crop[:, :, ::-1]


@pytest.mark.parametrize("pad", [0, 1, 2])
@pytest.mark.parametrize("flip", [False, True])
def test_augmented_images_are_crops_and_every_crop_occurs(pad, flip):
    image = _images(1)
    variants = {crop.tobytes() for crop in _variants(image[0], pad, flip)}
    batches = _batches(
        images=np.repeat(image, 1500, axis=0), batch_size=1500, augment=Augment(pad=pad, flip=flip)
    )
    ((images, _),) = _epoch(batches)
    seen = [pixels.tobytes() for pixels in images.round().byte().numpy()]
    assert set(seen) == variants
    assert len(variants) == (2 * pad + 1) ** 2 * (1 + flip)
    # Uniform: 5 standard deviations around the expected number of each.
    expected = 1500 / len(variants)
    assert all(abs(seen.count(crop) - expected) < 5 * expected**0.5 for crop in variants)


def test_padding_is_black_before_normalising():
    image = np.full((500, 1, 3, 3), 255, dtype=np.uint8)
    batches = _batches(
        images=image, batch_size=500, augment=Augment(pad=1), mean=(0.5,), std=(0.25,)
    )
    ((images, _),) = _epoch(batches)
    assert set(images.unique().tolist()) == {-2.0, 2.0}


@settings(deadline=None, max_examples=40)
@given(
    count=st.integers(8, 60),
    share=st.integers(1, 9),
    world_size=st.integers(1, 5),
    epoch=st.integers(0, 3),
)
def test_processes_share_the_steps_of_one(count, share, world_size, epoch):
    options = {
        "count": count,
        "batch_size": share * world_size,
        "augment": Augment(pad=1, flip=True),
    }
    shares = [
        _epoch(_batches(rank=rank, world_size=world_size, **options), epoch)
        for rank in range(world_size)
    ]
    assert len({len(part) for part in shares}) == 1
    joined = [
        (torch.cat([images for images, _ in step]), torch.cat([labels for _, labels in step]))
        for step in zip(*shares, strict=True)
    ]
    alone = _epoch(_batches(**options), epoch)
    if count >= share * world_size:
        assert _same(joined, alone)
    else:  # one step of all images that can be shared equally
        assert [len(labels) for _, labels in joined] == [count // world_size * world_size]


def test_normalised_images_keep_their_order():
    images = _images(9)
    assert np.array_equal(normalised(images, **RAW).round().byte().numpy(), images)


def test_read_only_arrays_are_taken_without_a_warning(recwarn):
    images = _images(8)
    images.flags.writeable = False
    _epoch(_batches(images=images))
    assert not recwarn.list


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"batch_size": 0}, "batch size is 0"),
        ({"batch_size": 7, "world_size": 2}, "positive multiple of 2"),
        ({"count": 3, "batch_size": 4, "world_size": 4}, "3 training images cannot be shared by 4"),
        ({"rank": 2, "batch_size": 4, "world_size": 2}, "Process 2 of 2"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_options_out_of_range(options, match):
    with pytest.raises(InvalidOptionError, match=match):
        _batches(**options)
    with pytest.raises(InvalidOptionError, match="-1"):
        Augment(pad=-1)


def test_the_padding_that_suits_a_size():
    assert [suitable_pad(*size) for size in ((32, 32), (28, 28), (64, 16), (15, 40))] == [
        4,
        2,
        2,
        0,
    ]


def test_a_square_of_every_image_comes_from_another():
    images = np.broadcast_to(np.arange(16, dtype=np.uint8)[:, None, None, None], (16, 3, 6, 8))
    mixed = _batches(images=images.copy(), batch_size=8, augment=Augment(cutmix=1.0))
    plain = _batches(images=images.copy(), batch_size=8)
    areas = []
    for number in range(20):
        for (pixels, labels), (_, unmixed) in zip(
            _epoch(mixed, number), _epoch(plain, number), strict=True
        ):
            assert torch.equal(labels, unmixed)
            foreign = (pixels.round() != labels[:, None, None, None]).any(dim=1)
            foreign = foreign[foreign.any(dim=(1, 2))]  # an image may be its own partner
            assert (foreign == foreign[0]).all()  # one square for the whole batch
            rows, columns = foreign[0].any(dim=1).sum(), foreign[0].any(dim=0).sum()
            assert foreign[0].sum() == rows * columns
            areas.append(float(rows * columns) / 48)
    assert min(areas) < 0.2 and max(areas) > 0.8
    assert 0.35 < np.mean(areas) < 0.65


def test_mixtures_are_the_same_however_many_processes_share_them():
    options = {"count": 16, "batch_size": 8, "augment": Augment(pad=2, flip=True, cutmix=0.5)}
    whole = _epoch(_batches(**options))
    parts = [_epoch(_batches(**options, rank=rank, world_size=2)) for rank in range(2)]
    joined = [
        (torch.cat([a[0], b[0]]), torch.cat([a[1], b[1]])) for a, b in zip(*parts, strict=True)
    ]
    assert _same(whole, joined)


def test_no_mixtures_leaves_everything_as_it_was():
    augment = Augment(pad=2, flip=True)
    never = _batches(augment=Augment(pad=2, flip=True, cutmix=1e-9))
    assert _same(_epoch(_batches(augment=augment), 3), _epoch(never, 3))
    with pytest.raises(InvalidOptionError, match="share of the batches"):
        Augment(cutmix=1.5)
