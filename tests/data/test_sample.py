"""The bundled sample: small, balanced, attributed, and made from MNIST as the script says."""

import hashlib
import struct

import numpy as np
import pytest

from systopack.data.open import SAMPLE_FOLDER, open_data
from tools.make_sample import COUNTS, choose, write_split


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return open_data("sample", cache_dir=tmp_path_factory.mktemp("cache"))


def test_it_holds_ten_thousand_and_two_thousand_digits(sample):
    assert sample.name == "sample"
    assert sample.class_names == tuple("0123456789")
    assert sample.shape == (1, 28, 28)
    assert np.bincount(sample.train_labels).tolist() == [1000] * 10
    assert np.bincount(sample.test_labels).tolist() == [200] * 10
    assert sample.augment.flip is False


def test_it_is_small_and_names_the_authors():
    files = list(SAMPLE_FOLDER.iterdir())
    assert sum(file.stat().st_size for file in files) <= 3_000_000
    text = (SAMPLE_FOLDER / "ATTRIBUTION.md").read_text()
    assert all(name in text for name in ("LeCun", "Cortes", "Burges", "MNIST"))


@pytest.mark.shared
def test_it_is_what_the_script_makes_of_the_full_set(sample, shared_data, tmp_path):
    full = open_data(str(shared_data / "mnist"), cache_dir=tmp_path)
    _check_published_md5(full)
    for split in ("train", "test"):
        images, labels = getattr(full, f"{split}_images"), getattr(full, f"{split}_labels")
        chosen = choose(labels, COUNTS[split], full.classes)
        write_split(
            tmp_path / f"{split}.parquet",
            images[chosen],
            labels[chosen],
            full.class_names,
            compression_level=1,  # quick; the pixels are what is compared
        )
    again = open_data(str(tmp_path), cache_dir=tmp_path)
    assert again.sha256 == sample.sha256


def _check_published_md5(full):
    """The arrays, written as the IDX files of the original, have the md5 sums known of those."""
    content = {
        "6bbc9ace898e44ae57da46a324031adb": full.train_images,
        "a25bea736e30d166cdddb491f175f624": full.train_labels,
        "2646ac647ad5339dbf082846283269ea": full.test_images,
        "27ae3e4e09519cfbb04c329615203637": full.test_labels,
    }
    for md5, array in content.items():
        sizes = (len(array), 28, 28) if array.ndim == 4 else (len(array),)
        header = struct.pack(f">HBB{len(sizes)}I", 0, 8, len(sizes), *sizes)
        assert hashlib.md5(header + array.astype(np.uint8).tobytes()).hexdigest() == md5
