"""Ctrl-C during training, and the way back."""

import os
import signal
import subprocess
import sys
import time

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
