"""Every way a data folder can be wrong gives one sentence that names it, and leaves no cache."""

from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from datasets import ClassLabel, Features, Image, Value

from systopack.data.open import open_data
from systopack.errors import InvalidFileError
from tests.data.folders import png, random_pixels, write, write_set

TRAIN, TEST = "train-00000-of-00001.parquet", "test-00000-of-00001.parquet"


@pytest.fixture
def folder(tmp_path):
    write_set(tmp_path / "set")
    return tmp_path / "set"


def _refused(folder, match):
    cache = folder.parent / "cache"
    with pytest.raises(InvalidFileError, match=match) as caught:
        open_data(str(folder), cache_dir=cache)
    assert "\n" not in str(caught.value)
    assert not cache.exists()


def _encoded(count, size=(6, 5, 3)):
    return [png(pixels) for pixels in random_pixels(0, count, size)]


def test_a_missing_folder(tmp_path):
    _refused(tmp_path / "nowhere", "not a folder; give 'sample'")


def test_a_file_in_place_of_a_folder(folder):
    _refused(folder / TRAIN, "not a folder")


def test_a_folder_that_may_not_be_read(folder, monkeypatch):
    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    _refused(folder, "set' cannot be read: Permission denied")


def test_a_folder_without_parquet_files(tmp_path):
    (tmp_path / "set").mkdir()
    _refused(tmp_path / "set", "no parquet files named train")


@pytest.mark.parametrize(("name", "split"), [(TEST, "test"), (TRAIN, "train")])
def test_a_missing_split(folder, name, split):
    (folder / name).unlink()
    _refused(folder, f"has no {split} split")


def test_a_missing_shard(folder):
    (folder / TRAIN).rename(folder / "train-00000-of-00002.parquet")
    _refused(folder, "1 files of the train split.*one of 2")


def test_several_sets_in_one_folder(tmp_path):
    write_set(tmp_path / "set" / "fine")
    write_set(tmp_path / "set" / "coarse")
    _refused(tmp_path / "set", r"several data sets \(coarse, fine\)")


def test_plain_columns_are_named(folder):
    table = pyarrow.table({"pixels": [[1, 2]], "label": [3]})
    pyarrow.parquet.write_table(table, folder / TRAIN)
    _refused(folder, r"columns pixels \(List\).*label \(int64\).*type Image.*ClassLabel are needed")


def test_two_label_columns(folder):
    names = ["a", "b"]
    features = Features(
        {"x": Image(), "fine": ClassLabel(names=names), "coarse": ClassLabel(names=names)}
    )
    rows = {"x": [{"bytes": b"", "path": None}], "fine": [0], "coarse": [0]}
    pyarrow.parquet.write_table(pyarrow.table(rows, schema=features.arrow_schema), folder / TRAIN)
    _refused(folder, r"x \(Image\), fine \(ClassLabel\), coarse \(ClassLabel\)")


def test_a_number_as_label(folder):
    features = Features({"picture": Image(), "kind": Value("int64")})
    write(folder / TRAIN, _encoded(3), [0, 1, 2], features=features)
    _refused(folder, r"kind \(int64\)")


def test_other_class_names_in_the_test_split(folder):
    write(folder / TEST, _encoded(3), [0, 1, 2], names=["x", "y", "z"])
    _refused(folder, "other columns or class names")


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_outside_the_classes(folder, label):
    write(folder / TEST, _encoded(3), [0, 1, label])
    _refused(folder, f"split 'test': label {label} is outside 0..2")


def test_a_label_that_is_null(folder):
    write(folder / TEST, _encoded(6), [0, 1, 2, 0, 1, None])
    _refused(folder, "split 'test', row 5: there is no label")


def test_an_empty_split(folder):
    write(folder / TEST, [], [])
    _refused(folder, "split 'test' holds no rows")


def test_images_of_two_sizes(folder):
    write(folder / TRAIN, [*_encoded(5), *_encoded(1, (6, 6, 3))], [0, 1, 2, 0, 1, 2])
    _refused(folder, "split 'train', row .* 6 x 5 with 3 channels|6 x 6 with 3 channels")


def test_gray_among_colours(folder):
    write(folder / TRAIN, [*_encoded(2), *_encoded(1, (6, 5))], [0, 1, 2])
    _refused(folder, "with 1 channels")


def test_another_size_in_the_test_split(folder):
    write(folder / TEST, _encoded(3, (8, 8, 3)), [0, 1, 2])
    _refused(folder, "training images are 6 x 5 x 3 and test images 8 x 8 x 3")


@pytest.mark.parametrize("content", [b"", b"not an image", png(np.zeros((9, 9), np.uint8))[:45]])
def test_an_image_that_cannot_be_decoded(folder, content):
    write(folder / TRAIN, [*_encoded(2), content], [0, 1, 2])
    _refused(folder, "split 'train', row 2: the image")


def test_an_image_of_another_format_is_told_without_objects_in_memory(folder):
    write(folder / TRAIN, [*_encoded(2), b"%!PS-Adobe-3.0 EPSF-3.0"], [0, 1, 2])
    with pytest.raises(InvalidFileError, match="none of PNG, JPEG") as told:
        open_data(str(folder), cache_dir=folder.parent / "cache")
    assert "0x" not in str(told.value)


def test_sixteen_bit_images(folder):
    write(folder / TRAIN, [png(np.zeros((4, 4), np.uint16))], [0])
    _refused(folder, "row 0: .* more than 8 bits")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"\x80\x04K\x01.", bytes(5000)])
def test_a_file_that_is_no_parquet(folder, content):
    (folder / TRAIN).write_bytes(content)
    _refused(folder, f"{TRAIN}' is damaged or not a parquet file")


def test_truncated_and_changed_files(folder):
    whole = (folder / TRAIN).read_bytes()
    (folder / TRAIN).write_bytes(whole[: len(whole) // 2])
    _refused(folder, "damaged")
    middle = bytearray(whole)
    middle[200:400] = bytes(200)
    (folder / TRAIN).write_bytes(middle)
    _refused(folder, "damaged|cannot be decoded")
