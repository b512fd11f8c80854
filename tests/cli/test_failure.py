"""Whatever escapes a command ends as one sentence and exit code 2, whatever it is."""

import errno
import os
import subprocess
import sys

import numpy as np
import pytest

from systopack.cli.failure import sentence_of
from systopack.names import flaw_of, printable
from tests.cli.results import refused

ESCAPED = [
    (RecursionError("maximum recursion depth exceeded"), "nested more deeply"),
    (OverflowError("cannot convert float infinity to integer"), "OverflowError: cannot convert"),
    (MemoryError(), "not enough memory"),
    (np._core._exceptions._ArrayMemoryError((10**6, 10**6), np.dtype(float)), "not enough memory"),
    (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9"), "not enough memory"),
    (OSError(errno.ENOSPC, "No space left on device", "x"), "disk is full"),
    (PermissionError(errno.EACCES, "Permission denied", "/data/x"), "/data/x: Permission denied"),
    (OSError(), "OSError"),
    (RuntimeError("Could not determine home directory."), "home directory"),
    (KeyError("a\nb"), "KeyError"),
    (AssertionError(), "AssertionError"),
    (ValueError("many\nlines\n" * 500), "many lines"),
    (SystemError("returned a result with an exception set"), "SystemError"),
    (ModuleNotFoundError("No module named 'x'", name="x"), "'x' is missing"),
    (ModuleNotFoundError("No module named 'torch'", name="torch"), "pip install systopack[train]"),
]


@pytest.mark.parametrize(("error", "words"), ESCAPED, ids=lambda value: type(value).__name__)
def test_an_escaped_error_is_one_sentence(run, network, monkeypatch, error, words):
    def fail(*_):
        raise error

    monkeypatch.setattr("systopack.network.file.load", fail)
    assert refused(run("simulate", network), words)
    code, _, err = run("simulate", network, "--traceback")
    assert code == 2
    assert "Traceback (most recent call last)" in err
    assert words in err
    code, _, err = run("--traceback", "simulate", network)
    assert (code, "Traceback (most recent call last)" in err) == (2, True)


def test_surrogates_reach_no_terminal_as_an_error(run, network, monkeypatch):
    def fail(*_):
        "\ud800".encode()

    monkeypatch.setattr("systopack.network.file.load", fail)
    assert refused(run("simulate", network), "cannot be written")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["simulate"], "Missing argument"),
        (["simulate", "x.spk", "--magic"], "--magic"),
        (["pack", "x.npy", "--alpha", "x"], "--alpha"),
        (["magic"], "magic"),
        (["quantize", "x.safetensors"], "--out"),
    ],
)
def test_a_wrong_command_line_is_one_sentence(run, arguments, word):
    assert refused(run(*arguments), word, "--help")


def test_without_arguments_the_help_is_shown(run):
    code, out, err = run()
    assert (code, err) == (2, "")
    assert "simulate" in out


def test_names_cannot_act_on_the_terminal(run, tmp_path):
    name = "a\x1b]0;evil\x07\x1b[2J\u202eb.npy"
    np.save(name, np.ones((3, 4)))
    for command in (("pack", name), ("inspect", name), ("simulate", name)):
        code, out, err = run(*command)
        assert code in (0, 2)
        assert not {"\x1b", "\x07", "\u202e"} & set(out + err)
        assert "\\x1b" in out + err


def test_names_and_what_a_terminal_shows():
    for text in ("conv1", "/Conv_0/weights:0", "étage 2 µ 漢字", "a b"):
        assert flaw_of(text) is None
        assert printable(text) == text
    for text in (
        "a\n",
        "\r",
        "\t",
        "\x00",
        "\x7f",
        "\x9b2J",
        "\u2028",
        "\u2066",
        "\ud800",
        "a" * 600,
    ):
        assert flaw_of(text) is not None
    assert printable("a\n\x9b\ud800", keep="\n") == "a\n\\x9b\\ud800"


def start(arguments, folder, **options):
    return subprocess.run(
        [sys.executable, "-m", "systopack", *arguments],
        cwd=folder,
        capture_output=True,
        timeout=120,
        check=False,
        **options,
    )


def test_a_nameless_user_without_home(monkeypatch):
    from systopack.errors import InvalidFileError
    from systopack.folders.cache import private_folder

    def nobody(user):
        raise KeyError(user)

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    with pytest.raises(InvalidFileError, match="set HOME, or XDG_CACHE_HOME"):
        private_folder("yosys")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is full")
def test_a_full_disk_behind_the_output(tmp_path, network):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "systopack", "inspect", network],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=120,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.decode().strip().splitlines() == [
        "The disk is full (A file); free some space and run again."
    ]


def test_a_terminal_that_knows_no_accents(tmp_path, network):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    os.rename(network, tmp_path / "é.spk")
    done = start(["simulate", "é.spk"], tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert b"\\xe9.spk" in done.stdout


def test_messages_of_ours_are_left_as_they_are():
    from systopack.errors import InvalidOptionError

    assert sentence_of(InvalidOptionError("--array is 3.")) == "--array is 3."


@pytest.mark.parametrize("arguments", [("--help",), ("arrays",), ("zoo", "-h"), ("-V",)])
def test_a_reader_that_closes_the_pipe_ends_a_command_silently(arguments):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "systopack", *arguments],
            stdout=writer,
            stderr=subprocess.PIPE,
            timeout=120,
            check=False,
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_another_broken_pipe_is_an_error(run, network, monkeypatch):
    def fail(*_):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr("systopack.network.file.load", fail)
    assert refused(run("simulate", network), "Broken pipe")
