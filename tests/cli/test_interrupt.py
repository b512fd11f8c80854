"""Ctrl-C during training, and the way back."""

import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest

from systopack.cli.interrupt import RunInterrupted, interruptible

TRAIN = ["train", "lenet5-shift", "--fraction", "0.05", "--epochs", "40", "--out", "d.safetensors"]


def start(arguments, folder):
    return subprocess.Popen(
        [sys.executable, "-m", "systopack", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_an_interrupt_that_gets_lost_comes_again(tmp_path, monkeypatch):
    monkeypatch.setattr("systopack.cli.interrupt._AGAIN_S", 0.1)
    before = signal.getsignal(signal.SIGINT)
    lost = 0
    with (
        pytest.raises(RunInterrupted, match="no epoch was finished"),
        interruptible(tmp_path / "model.safetensors"),
    ):
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        except KeyboardInterrupt:
            lost += 1
        time.sleep(5)
    assert lost == 1
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt, SystemError("a kernel with an exception set"), OSError("lost")]
)
def test_any_command_ends_as_interrupted(run, network, monkeypatch, error):
    def interrupted(*_):
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        except KeyboardInterrupt:
            raise error from None

    monkeypatch.setattr("systopack.network.file.load", interrupted)
    before = signal.getsignal(signal.SIGINT)
    assert run("simulate", network) == (130, "", "Interrupted.\n")
    assert signal.getsignal(signal.SIGINT) is before


def test_an_error_without_ctrl_c_is_no_interruption(run, network, monkeypatch):
    def fail(*_):
        raise SystemError("a kernel")

    monkeypatch.setattr("systopack.network.file.load", fail)
    assert run("simulate", network)[0] == 2


def test_compiled_code_that_never_looks_is_ended(tmp_path):
    # Python's own handler runs only when compiled code returns; this does not for 30 s.
    source = (
        "#include <time.h>\nvoid wait_long(void){ time_t e = time(0) + 30; while (time(0) < e); }"
    )
    (tmp_path / "wait.c").write_text(source)
    built = subprocess.run(
        ["cc", "-shared", "-fPIC", "-o", "wait.so", "wait.c"], cwd=tmp_path, check=False
    )
    if built.returncode:
        pytest.skip("needs a C compiler")
    program = (
        "import ctypes, os, signal, threading\n"
        "from systopack.cli import interrupt\n"
        "interrupt._STUCK_S = 0.2\n"
        "threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "with interrupt.Interruptions():\n"
        "    ctypes.CDLL('./wait.so').wait_long()\n"
    )
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 130
    assert done.stderr.decode() == "Interrupted.\n"
    assert time.monotonic() - began < 25


STRIKES = {
    "while the commands are imported": (
        "import sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'systopack.cli.main': strike()\n"
        "sys.meta_path.insert(0, Finder())\n"
    ),
    "behind the command": "import atexit\natexit.register(strike)\n",
}


@pytest.mark.parametrize("moment", STRIKES)
def test_ctrl_c_before_and_behind_a_command(tmp_path, moment):
    program = (
        "import os, signal, sys, time\n"
        "def strike():\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(20)\n"
        f"{STRIKES[moment]}"
        "from systopack.__main__ import main\n"
        "sys.argv = ['systopack', '--version']\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, "Interrupted.\n")


def test_the_installed_command_begins_where_ctrl_c_is_answered():
    project = Path(__file__).parents[2] / "pyproject.toml"
    scripts = tomllib.loads(project.read_text())["project"]["scripts"]
    assert scripts == {"systopack": "systopack.__main__:main"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ["pack", "m.npy", "--policy", "best", "--time-limit-s", "100"],
        ["reproduce", "--out", "r"],
    ],
    ids=lambda command: command[0],
)
def test_ctrl_c_at_some_moment(tmp_path, command):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "m.npy", rng.standard_normal((400, 900)) * (rng.random((400, 900)) < 0.1))
    process = start(command, tmp_path)
    time.sleep(6)
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130
        kept = (tmp_path / "m.packed.safetensors.checkpoint").exists()
        assert err.strip().endswith("run it again with --resume." if kept else "Interrupted.")
        assert "Traceback" not in err
    else:
        assert process.communicate()[1].count("\n") <= 1


@pytest.mark.slow
def test_ctrl_c_keeps_the_checkpoint_and_says_how_to_resume(tmp_path):
    process = start(TRAIN, tmp_path)
    checkpoint = tmp_path / "d.safetensors.checkpoint"
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--resume" in err
    assert "Traceback" not in err
    assert checkpoint.exists()
    assert not (tmp_path / "d.safetensors").exists()
    again = start([*TRAIN[:5], "40", *TRAIN[6:], "--resume"], tmp_path)
    out, err = again.communicate(timeout=240)
    assert again.returncode == 0, err
    assert "epoch   1 " not in out
    assert (tmp_path / "d.safetensors").exists()
    assert not checkpoint.exists()


@pytest.mark.slow
def test_two_processes_train_as_one(tmp_path):
    common = ["--fraction", "0.05", "--epochs", "1", "--accelerator", "cpu"]
    process = start(
        ["train", "lenet5-shift", "--out", "two.safetensors", "--devices", "2", *common], tmp_path
    )
    _, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert (tmp_path / "two.safetensors").exists()
