"""Fractions and held-out images: exact counts per class, nested, disjoint, repeatable."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from systopack.data.images import channel_statistics, make_image_data
from systopack.data.split import hold_out, select_fraction, training_part
from systopack.errors import InvalidOptionError

_labels = st.lists(st.integers(0, 5), min_size=1, max_size=80).map(
    lambda labels: np.array(labels, dtype=np.int64)
)
_percents = st.integers(1, 100)


def _counts(labels):
    return np.bincount(labels, minlength=6)


def test_a_part_typed_out():
    # Fixed for good: the raw stream of PCG64 does not change with numpy.
    labels = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2], dtype=np.int64)
    assert select_fraction(labels, 0.5, 0).tolist() == [1, 2, 4, 6, 7, 9, 11]
    assert hold_out(labels, 4, 0).tolist() == [0, 4, 8, 9]


def test_counts_are_rounded_halves_up_in_decimal():
    labels = np.repeat(np.arange(4), [45, 44, 3, 100])
    assert _counts(labels[select_fraction(labels, 0.1, 7)])[:4].tolist() == [5, 4, 1, 10]
    # 0.07 * 50 is 3.5000000000000004 in float64, 0.29 * 50 is 14.499999999999998
    assert len(select_fraction(np.zeros(50, dtype=np.int64), 0.29, 0)) == 15


@settings(deadline=None)
@given(labels=_labels, small=_percents, large=_percents, seed=st.integers(0, 2**40))
def test_fractions_are_balanced_and_nested(labels, small, large, seed):
    small, large = sorted((small, large))
    less = select_fraction(labels, small / 100, seed)
    more = select_fraction(labels, large / 100, seed)
    assert set(less) <= set(more)
    assert np.array_equal(less, np.unique(less))
    for size, chosen in zip(_counts(labels), _counts(labels[less]), strict=True):
        exact = Fraction(small, 100) * int(size)
        assert chosen == max(int(size > 0), int(exact + Fraction(1, 2)))
    assert np.array_equal(select_fraction(labels, 1, seed), np.arange(len(labels)))


@settings(deadline=None)
@given(labels=_labels, count=st.integers(0, 80), seed=st.integers(0, 2**40))
def test_held_out_images_follow_the_shares(labels, count, seed):
    sizes = _counts(labels)
    try:
        held = hold_out(labels, count, seed)
    except InvalidOptionError:
        # Refused only where a class would lose all its images, or there are too few.
        assert count > len(labels) or (count * sizes > (sizes - 1) * len(labels))[sizes > 0].any()
        return
    assert len(held) == count
    assert len(np.unique(held)) == count
    chosen = _counts(labels[held])
    assert (np.abs(chosen * len(labels) - count * sizes) < len(labels)).all()
    assert (chosen < sizes)[sizes > 0].all()


def test_another_seed_gives_another_part():
    labels = np.arange(1000) % 10
    assert not np.array_equal(select_fraction(labels, 0.1, 1), select_fraction(labels, 0.1, 2))
    assert not np.array_equal(hold_out(labels, 100, 1), hold_out(labels, 100, 2))
    assert not np.array_equal(hold_out(labels, 100, 1), select_fraction(labels, 0.1, 1))


@pytest.mark.parametrize("fraction", [0, -0.1, 1.0001, float("nan"), float("inf"), "half", None])
def test_fractions_out_of_range(fraction):
    with pytest.raises(InvalidOptionError, match="above 0 and at most 1"):
        select_fraction(np.zeros(3, dtype=np.int64), fraction, 0)


def test_other_options_out_of_range():
    labels = np.array([0, 0, 1], dtype=np.int64)
    with pytest.raises(InvalidOptionError, match="seed is -1"):
        select_fraction(labels, 0.5, -1)
    with pytest.raises(InvalidOptionError, match="leaves class 1"):
        hold_out(labels, 2, 0)
    for count in (-1, 4):
        with pytest.raises(InvalidOptionError, match=f"{count} images are to be held out of 3"):
            hold_out(labels, count, 0)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (200, 1, 2, 2), dtype=np.uint8)
    images[:, 0, 0, 0] = np.arange(200)  # so that an image tells its row
    labels = np.arange(200) % 4
    names = ("a", "b", "c", "d")
    return make_image_data(
        name="s", class_names=names, train=(images, labels), test=(images[:8], labels[:8])
    )


def test_nothing_outside_the_fraction_is_read(data):
    part = training_part(data, fraction=0.5, held_out=20, seed=3)
    trained, held = part.train_images[:, 0, 0, 0], part.held_out_images[:, 0, 0, 0]
    inside = select_fraction(data.train_labels, 0.5, 3)
    assert sorted([*trained, *held]) == inside.tolist()
    assert _counts(part.train_labels)[:4].tolist() == [20] * 4
    assert _counts(part.held_out_labels)[:4].tolist() == [5] * 4
    assert np.array_equal(part.train_labels, trained % 4)
    assert np.array_equal(part.held_out_labels, held % 4)
    assert (part.mean, part.std) == channel_statistics(part.train_images)


def test_all_of_the_set_is_not_copied(data):
    part = training_part(data)
    assert part.train_images is data.train_images
    assert (part.mean, part.std) == (data.mean, data.std)
    assert part.held_out_images.shape == (0, 1, 2, 2)
