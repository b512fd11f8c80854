"""Folders of files: all old or all new, and nobody else's file is lost."""

import hashlib
import os
import subprocess

import numpy as np
import pytest

from systopack.errors import InvalidFileError
from systopack.folders import staged as module
from systopack.folders.output import MANIFEST, write_folder
from systopack.hardware.array import Array
from systopack.rtl.write import write_rtl
from tests.networks import random_network

OLD = {"a.v": "old a", "b.v": "old b", "inner/c.v": b"old c"}
NEW = {"a.v": "new a", "d.v": "new d"}


def content(folder):
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }


def test_new_files_replace_all_old_ones_and_leave_those_of_others(tmp_path):
    out = tmp_path / "deep" / "out"
    files = write_folder(out, OLD)
    assert files == tuple(out / name for name in OLD)
    assert content(out) == {"a.v": "old a", "b.v": "old b", "inner/c.v": "old c"}
    (out / "bench").write_text("mine")
    (out / "inner" / "notes").write_text("mine too")
    (out / "link").symlink_to("bench")
    write_folder(out, NEW)
    assert content(out) == {
        "a.v": "new a",
        "d.v": "new d",
        "bench": "mine",
        "inner/notes": "mine too",
        "link": "mine",
    }
    assert [path.name for path in out.parent.iterdir()] == ["out"]
    done = subprocess.run(["sha256sum", "-c", MANIFEST], cwd=out, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("name", ["a.v", "mine.txt", ".git/config"])
def test_a_folder_of_others_is_not_written_to(tmp_path, name):
    out = tmp_path / "out"
    (out / name).parent.mkdir(parents=True)
    (out / name).write_text("mine")
    with pytest.raises(InvalidFileError, match="no earlier run wrote; choose another folder"):
        write_folder(out, NEW)
    assert content(out) == {name: "mine"}
    assert os.listdir(tmp_path) == ["out"]


def test_what_was_changed_or_added_under_a_new_name_is_not_lost(tmp_path):
    write_folder(tmp_path, OLD)
    (tmp_path / "d.v").write_text("mine")
    with pytest.raises(InvalidFileError, match=r"d\.v' exists, and no earlier run wrote it"):
        write_folder(tmp_path, NEW)
    (tmp_path / "d.v").unlink()
    (tmp_path / "b.v").write_text("edited")
    with pytest.raises(InvalidFileError, match=r"b\.v' was changed since"):
        write_folder(tmp_path, NEW)
    assert content(tmp_path) == {**OLD, "b.v": "edited", "inner/c.v": "old c"}
    (tmp_path / "b.v").unlink()
    write_folder(tmp_path, NEW)
    assert content(tmp_path) == NEW


def test_a_forged_list_removes_nothing_outside(tmp_path):
    (tmp_path / "mine").write_text("mine")
    digest = hashlib.sha256(b"mine").hexdigest()
    out = tmp_path / "out"
    out.mkdir()
    (out / MANIFEST).write_text(f"{digest}  ../mine\n{digest}  {tmp_path}/mine\n")
    write_folder(out, NEW)
    assert (tmp_path / "mine").read_text() == "mine"


@pytest.mark.parametrize("call", range(6))
def test_a_full_disk_leaves_the_folder_as_it_was(tmp_path, monkeypatch, call):
    """Whichever file it is that does not fit any more."""
    out = tmp_path / "out"
    write_folder(out, OLD)
    left = [call]

    def fsync(descriptor):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", fsync)
    if call < 4:  # two files, the list and the folder
        with pytest.raises(InvalidFileError, match="The disk is full, so nothing was written"):
            write_folder(out, NEW)
        assert content(out) == {"a.v": "old a", "b.v": "old b", "inner/c.v": "old c"}
    else:
        write_folder(out, NEW)
        assert content(out) == NEW
    assert os.listdir(tmp_path) == ["out"]


def test_the_folder_that_one_works_in_gets_its_files_one_by_one(tmp_path, monkeypatch):
    out = tmp_path / "out"
    write_folder(out, OLD)
    (out / "mine").write_text("mine")
    monkeypatch.chdir(out)
    inode = out.stat().st_ino
    write_folder(".", NEW)
    assert content(out) == {**NEW, "mine": "mine"}
    assert out.stat().st_ino == inode


def test_a_failed_exchange_puts_the_old_folder_back(tmp_path, monkeypatch):
    out = tmp_path / "out"
    write_folder(out, OLD)
    rename = os.rename

    def refused(source, target):
        if str(target) == str(out) and ".old-" not in str(source):
            raise OSError(13, "Permission denied")
        rename(source, target)

    monkeypatch.setattr(module.os, "rename", refused)
    with pytest.raises(InvalidFileError, match="Permission denied; choose another place"):
        write_folder(out, NEW)
    assert content(out) == {"a.v": "old a", "b.v": "old b", "inner/c.v": "old c"}
    assert os.listdir(tmp_path) == ["out"]


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(InvalidFileError, match="is a file already"):
        write_folder(tmp_path / "out", NEW)
    assert (tmp_path / "out").read_text() == "a file"


def test_an_accelerator_of_the_other_organisation_leaves_none_of_its_files(tmp_path):
    network = random_network(np.random.default_rng(42), layers=3)
    array = Array(rows=3, columns=2)
    for organisation in ("pipelined", "tiled"):
        written = write_rtl(network, array=array, out=tmp_path, organisation=organisation)
    assert {path.name for path in tmp_path.iterdir()} == {
        MANIFEST,
        *(path.name for path in written.files),
    }
