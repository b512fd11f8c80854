"""Kept results of tools: private, checked by digest, made anew where they are not right."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import threading

import pytest

from systopack.errors import InvalidFileError
from systopack.folders import staged
from systopack.folders.cache import keep_entry, private_folder, read_entry
from systopack.folders.working import WorkingFolder


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return private_folder("tool")


def kept(folder, name="entry", content=b"result"):
    source = folder.parent / f"made-{threading.get_ident()}"
    source.write_bytes(content)
    keep_entry(folder / name, {"a.txt": source})
    return folder / name


def test_what_is_kept_comes_back_and_nothing_is_there_without(folder):
    assert read_entry(folder / "entry", ["a.txt"]) is None
    assert read_entry(kept(folder), ["a.txt"]) == {"a.txt": b"result"}
    assert sorted(p.name for p in folder.iterdir()) == ["entry"]


def truncate(entry):
    (entry / "a.txt").write_bytes(b"resul")


def flip(entry):
    (entry / "a.txt").write_bytes(b"resulu")


def lose_the_file(entry):
    (entry / "a.txt").unlink()


def lose_the_digests(entry):
    (entry / "SHA256SUMS").unlink()


def another_result(entry):
    """Right in itself, but of another entry."""
    other = kept(entry.parent, "other", b"foreign")
    shutil.rmtree(entry)
    shutil.copytree(other, entry)


def a_link(entry):
    target = entry.parent.parent / "elsewhere"
    target.write_bytes(b"result")
    (entry / "a.txt").unlink()
    (entry / "a.txt").symlink_to(target)


def a_pipe(entry):
    (entry / "a.txt").unlink()
    os.mkfifo(entry / "a.txt")


def a_file_in_place_of_the_entry(entry):
    shutil.rmtree(entry)
    entry.write_bytes(b"result")


def digests_that_are_no_text(entry):
    (entry / "SHA256SUMS").write_bytes(b"\xff\xfe\n")


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        flip,
        lose_the_file,
        lose_the_digests,
        another_result,
        a_link,
        a_pipe,
        a_file_in_place_of_the_entry,
        digests_that_are_no_text,
    ],
)
def test_a_damaged_or_foreign_entry_is_thrown_away_and_made_anew(folder, damage):
    entry = kept(folder)
    damage(entry)
    assert read_entry(entry, ["a.txt"]) is None
    assert not entry.exists()
    assert read_entry(kept(folder), ["a.txt"]) == {"a.txt": b"result"}


def test_the_folder_is_its_owners_alone(folder):
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    kept(folder)
    folder.chmod(0o755)  # others could read, not write
    assert stat.S_IMODE(private_folder("tool").stat().st_mode) == 0o700
    assert (folder / "entry").exists()
    folder.chmod(0o777)  # others could put anything there
    private_folder("tool")
    assert list(folder.iterdir()) == []


def test_a_folder_of_another_user_and_a_link_are_refused(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    with pytest.raises(InvalidFileError, match="belongs to another user"):
        private_folder("tool")
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (folder.parent / "linked").symlink_to(folder)
    with pytest.raises(InvalidFileError, match="is a link"):
        private_folder("linked")


def test_an_entry_that_cannot_be_written_leaves_nothing(folder, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(staged.os, "fsync", full)
    with pytest.raises(InvalidFileError, match="No space left on device"):
        kept(folder)
    assert list(folder.iterdir()) == []


def test_many_at_once_leave_one_whole_entry(folder):
    threads = [threading.Thread(target=kept, args=(folder,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.name for path in folder.iterdir()] == ["entry"]
    assert read_entry(folder / "entry", ["a.txt"]) == {"a.txt": b"result"}


def test_a_working_folder_is_gone_afterwards(folder):
    with WorkingFolder("build") as path:
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        (path / "x").write_text("x")
    assert list(path.parent.iterdir()) == []


def test_the_working_folder_of_a_killed_process_is_removed_and_that_of_a_living_one_stays(folder):
    code = (
        "import time\nfrom systopack.folders.working import WorkingFolder\n"
        "folder = WorkingFolder('build')\n(folder.path / 'x').write_text('x')\n"
        "print(folder.path, flush=True)\ntime.sleep(60)\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    killed, living = (process.stdout.readline().strip() for process in running)
    try:
        running[0].send_signal(signal.SIGKILL)
        running[0].wait()
        assert os.path.exists(killed)
        with WorkingFolder("build"):
            assert not os.path.exists(killed)
            assert os.path.exists(living)
    finally:
        for process in running:
            process.kill()
            process.wait()
            process.stdout.close()
