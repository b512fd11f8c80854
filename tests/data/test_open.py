"""Reading a set: pixels, labels and names arrive as written, from files, hub and cache."""

import hashlib
import struct

import datasets
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from systopack.data import open as data_open
from systopack.data.augment import Augment, suits_flip
from systopack.data.images import SMALLEST_STD, channel_statistics
from systopack.data.open import open_data
from systopack.errors import InvalidFileError
from tests.data.folders import NAMES, png, random_pixels, write, write_set


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def _check(data, train, test):
    assert data.class_names == tuple(NAMES)
    assert data.train_images.dtype == np.uint8
    assert data.train_labels.dtype == np.int64
    assert np.array_equal(data.train_images.transpose(0, 2, 3, 1), train)
    assert np.array_equal(data.test_images.transpose(0, 2, 3, 1), test)
    assert data.train_labels.tolist() == [row % 3 for row in range(len(train))]


@pytest.mark.parametrize("place", ["", "data", "plain_text"])
def test_a_folder_is_read_as_written(tmp_path, cache, place):
    train, test = write_set(tmp_path / "set" / place, train=23)
    for _ in range(2):  # decoded, then from the cache
        data = open_data(str(tmp_path / "set"), cache_dir=cache)
        _check(data, train, test)
        assert (data.name, data.classes, data.shape) == ("set", 3, (3, 6, 5))
    assert data.mean == pytest.approx(train.mean(axis=(0, 1, 2)) / 255, rel=1e-12)
    assert data.std == pytest.approx(train.std(axis=(0, 1, 2)) / 255, rel=1e-12)


def test_shards_are_joined_in_order(tmp_path, cache):
    write_set(tmp_path)
    (tmp_path / "train-00000-of-00001.parquet").unlink()
    pixels = random_pixels(5, 9)
    for shard in (1, 0):
        part = pixels[3 * shard * 2 : 3 * shard * 2 + 6]
        labels = [(6 * shard + row) % 3 for row in range(len(part))]
        write(tmp_path / f"train-0000{shard}-of-00002.parquet", [png(p) for p in part], labels)
    data = open_data(str(tmp_path), cache_dir=cache)
    assert np.array_equal(data.train_images.transpose(0, 2, 3, 1), pixels)
    assert data.train_labels.tolist() == [row % 3 for row in range(9)]


def test_gray_images_have_one_channel_and_palettes_three(tmp_path, cache):
    pixels = random_pixels(1, 3, (4, 4))
    for split in ("train", "test"):
        write(tmp_path / f"{split}.parquet", [png(p) for p in pixels], [0, 1, 2])
    data = open_data(str(tmp_path), cache_dir=cache)
    assert np.array_equal(data.train_images[:, 0], pixels)
    assert not data.flip

    colours = (random_pixels(2, 3) // 128) * 255  # few colours: a palette holds them exactly
    for split in ("train", "test"):
        write(tmp_path / f"{split}.parquet", [png(p, "P") for p in colours], [0, 1, 2])
    data = open_data(str(tmp_path), cache_dir=cache)
    assert data.shape == (3, 6, 5)
    assert data.flip


def test_a_hub_id_goes_through_the_datasets_library(tmp_path, cache, monkeypatch):
    train, test = write_set(tmp_path / "set")
    real = datasets.load_dataset
    files = {
        name: str(tmp_path / f"set/{name}-00000-of-00001.parquet") for name in ("train", "test")
    }
    asked = []

    def fake(source):
        asked.append(source)
        return real("parquet", data_files=files, cache_dir=str(tmp_path / "hub"))

    monkeypatch.setattr(datasets, "load_dataset", fake)
    first = open_data("owner/some-set", cache_dir=cache)
    _check(first, train, test)
    monkeypatch.setattr(data_open, "decode_rows", None)  # the second time nothing is decoded
    assert open_data("owner/some-set", cache_dir=cache).sha256 == first.sha256
    assert asked == ["owner/some-set"] * 2


def test_a_hub_that_cannot_be_reached_is_one_clear_sentence(cache, monkeypatch, capsys):
    def fail(source):
        raise ConnectionError("no route to host\nand more")

    monkeypatch.setattr(datasets, "load_dataset", fail)
    with pytest.raises(
        InvalidFileError, match=r"no folder 'owner/set'.*no route to host\).*network"
    ):
        open_data("owner/set", cache_dir=cache)
    assert capsys.readouterr() == ("", "")


def test_a_hub_set_without_a_test_split_is_refused(tmp_path, cache, monkeypatch):
    write_set(tmp_path)
    part = datasets.Dataset.from_parquet(
        str(tmp_path / "train-00000-of-00001.parquet"), cache_dir=str(tmp_path / "hub")
    )
    monkeypatch.setattr(datasets, "load_dataset", lambda _: datasets.DatasetDict(train=part))
    with pytest.raises(InvalidFileError, match="no test split, only train"):
        open_data("owner/set", cache_dir=cache)


def test_the_cache_is_a_safetensors_file_and_a_damaged_one_is_made_anew(tmp_path, cache):
    train, test = write_set(tmp_path / "set")
    sha256 = open_data(str(tmp_path / "set"), cache_dir=cache).sha256
    (file,) = cache.iterdir()
    assert np.array_equal(load_file(file)["test_images"].transpose(0, 2, 3, 1), test)
    whole = file.read_bytes()
    (length,) = struct.unpack("<Q", whole[:8])
    changed = bytearray(whole)
    changed[8 + length + 100] ^= 1
    other = file.with_name("other")
    save_file({"a": np.zeros(3)}, other)
    for bad in (b"", whole[:40], whole[:-1], bytes(changed), other.read_bytes()):
        file.write_bytes(bad)
        data = open_data(str(tmp_path / "set"), cache_dir=cache)
        _check(data, train, test)
        assert data.sha256 == sha256
        assert file.read_bytes() == whole


def test_a_changed_source_is_decoded_anew(tmp_path, cache):
    write_set(tmp_path / "set")
    before = open_data(str(tmp_path / "set"), cache_dir=cache)
    train, test = write_set(tmp_path / "set", seed=1)
    after = open_data(str(tmp_path / "set"), cache_dir=cache)
    _check(after, train, test)
    assert after.sha256 != before.sha256


def test_an_unusable_cache_folder_is_only_warned_of(tmp_path):
    train, test = write_set(tmp_path / "set")
    (tmp_path / "file").touch()
    with pytest.warns(UserWarning, match="not cached"):
        _check(open_data(str(tmp_path / "set"), cache_dir=tmp_path / "file"), train, test)


def test_the_environment_chooses_the_cache_folder(tmp_path, monkeypatch):
    write_set(tmp_path / "set")
    monkeypatch.setenv("SYSTOPACK_CACHE", str(tmp_path / "chosen"))
    open_data(str(tmp_path / "set"))
    assert len(list((tmp_path / "chosen").iterdir())) == 1


def test_statistics_by_hand():
    images = np.array([[[[0, 255]], [[51, 51]]], [[[255, 0]], [[51, 51]]]], dtype=np.uint8)
    mean, std = channel_statistics(images)
    assert mean == (0.5, 0.2)
    assert std == (0.5, SMALLEST_STD)


@pytest.mark.parametrize(
    ("names", "channels", "flip"),
    [
        (["airplane", "cat"], 3, True),
        (["airplane", "cat"], 1, False),
        (["0", "1", "12"], 3, False),
        (["0 - zero", "1 - one"], 3, False),
        (["A", "b"], 3, False),
        (["one", "Two"], 3, False),
        (["0", "apple"], 3, True),
        (["onesie", "tent"], 3, True),
    ],
)
def test_the_flip_rule(names, channels, flip):
    assert suits_flip(names, channels) is flip


@pytest.mark.shared
@pytest.mark.slow
def test_cifar10_has_the_published_pixels(shared_data, cache):
    data = open_data(str(shared_data / "cifar10"), cache_dir=cache)
    digests = [
        hashlib.sha256(images).hexdigest()[:8] for images in (data.train_images, data.test_images)
    ]
    assert digests == ["9d5c2edd", "ed893735"]
    labels = [
        hashlib.sha256(x.astype(np.uint8)).hexdigest()[:8]
        for x in (data.train_labels, data.test_labels)
    ]
    assert labels == ["2b7cd2f2", "cec8a24a"]
    assert data.mean == pytest.approx((0.491400, 0.482158, 0.446531), abs=1e-6)
    assert data.std == pytest.approx((0.247032, 0.243485, 0.261588), abs=1e-6)
    assert data.augment == Augment(pad=4, flip=True)
