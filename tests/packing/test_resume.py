"""Packing in several processes, and going on after a kill: always the same bytes."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import save_file

from systopack.api.matrices import pack_file
from systopack.errors import InvalidOptionError
from systopack.files import checkpoint_path
from systopack.packing import parallel


@pytest.fixture
def sharded(tmp_path):
    """A file in two parts of six weights, one of them not finite."""
    generator = torch.Generator().manual_seed(0)
    places = {}
    for part in range(2):
        tensors = {
            f"layer{part}.{index}": torch.randn(24, 40 + 8 * index, generator=generator)
            for index in range(3)
        }
        if part:
            tensors["layer1.0"][3, 3] = torch.nan
        name = f"model-{part}.safetensors"
        save_file(tensors, tmp_path / name)
        places |= dict.fromkeys(tensors, name)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    return index


def test_the_bytes_do_not_depend_on_the_number_of_processes(sharded, tmp_path):
    order, found = [], {}
    for jobs in (1, 3):
        out = tmp_path / f"jobs{jobs}.safetensors"
        packed = pack_file(
            sharded, out=out, jobs=jobs, density=0.3, on_packed=lambda name, _: order.append(name)
        )
        found[jobs] = (out.read_bytes(), list(packed.layers), dict(packed.refused))
        assert not checkpoint_path(out).exists()
    assert found[1] == found[3]
    assert sorted(order[:5]) == sorted(order[5:]) and list(found[1][2]) == ["layer1.0"]


def test_what_is_packed_is_not_packed_again(sharded, tmp_path):
    whole, out = tmp_path / "whole.safetensors", tmp_path / "out.safetensors"
    pack_file(sharded, out=whole, density=0.3)
    begun = []

    def stop(name):
        begun.append(name)
        if len(begun) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack_file(sharded, out=out, density=0.3, on_weight=stop)
    (checkpoint_path(out) / "1.safetensors").write_bytes(b"damaged")
    for other in ({"density": 0.4}, {"density": 0.3, "array": (8, 8)}):
        with pytest.raises(InvalidOptionError, match="of a run with another"):
            pack_file(sharded, out=out, resume=True, **other)
    again = []
    pack_file(sharded, out=out, density=0.3, resume=True, on_weight=again.append)
    assert begun == ["layer0.0", "layer0.1", "layer0.2"] and again[0] == "layer0.1"
    assert len(again) == 5 and "layer0.0" not in again
    assert out.read_bytes() == whole.read_bytes()
    assert not checkpoint_path(out).exists()


def test_a_folder_of_others_is_left_alone(sharded, tmp_path):
    out = tmp_path / "out.safetensors"
    checkpoint_path(out).mkdir()
    (checkpoint_path(out) / "mine.txt").write_text("mine")
    with pytest.raises(InvalidOptionError, match="was not made by"):
        pack_file(sharded, out=out)
    assert (checkpoint_path(out) / "mine.txt").read_text() == "mine"


def test_a_process_that_is_killed_is_said(sharded, tmp_path, monkeypatch):
    out = tmp_path / "out.safetensors"
    children = []
    start = parallel.multiprocessing.get_context("spawn").Process.start

    def watched(process):
        start(process)
        children.append(process.pid)
        os.kill(process.pid, signal.SIGKILL)

    monkeypatch.setattr(parallel.multiprocessing.get_context("spawn").Process, "start", watched)
    with pytest.raises(parallel.LostProcessError, match="--resume and fewer --jobs"):
        pack_file(sharded, out=out, jobs=2)
    assert children and checkpoint_path(out).exists() and not out.exists()


@pytest.mark.slow
def test_kill_9_at_any_moment(tmp_path):
    torch.manual_seed(0)
    tensors = {f"w{index:02d}": torch.randn(96, 256) for index in range(14)}
    save_file(tensors, tmp_path / "model.safetensors")
    command = [sys.executable, "-m", "systopack", "pack", "model.safetensors", "--density", "0.2"]
    command += ["--policy", "polish", "--out"]
    subprocess.run([*command, "whole.safetensors"], cwd=tmp_path, check=True, capture_output=True)
    out = tmp_path / "out.safetensors"
    kept = checkpoint_path(out)
    seen = 0
    for round_ in range(2):
        resume = ["--resume"] if kept.exists() else []
        process = subprocess.Popen(
            [*command, out.name, "--jobs", "2", *resume],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while process.poll() is None and len(list(kept.glob("*.json"))) < 4 + 5 * round_:
            time.sleep(0.02)
        process.kill()
        process.wait()
        now = len(list(kept.glob("*.json")))
        assert now > seen and not out.exists()
        seen = now
    rest = [*command, out.name, "--jobs", "2", "--resume", "-q"]
    subprocess.run(rest, cwd=tmp_path, check=True, capture_output=True)
    assert out.read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    record = json.loads((tmp_path / "out.pack.json").read_text())
    assert list(record["figures"]) == sorted(tensors)
    assert not kept.exists()
