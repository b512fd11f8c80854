"""The core works with the packages that it declares, and nothing else."""

import json
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from systopack.requirements import EXTRAS, has, missing, needs
from systopack.version import VERSION

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
IMPORTED_AS = {"pillow": "PIL", "lightning-fabric": "lightning_fabric"}

# A child process in which only declared packages, and what they ask for, can be imported.
ALONE = """
import sys
refused = set(sys.argv.pop(1).split(","))

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in refused:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refuse())
"""


def name_of(requirement):
    return re.match(r"[A-Za-z0-9_.-]+", requirement)[0].lower().replace("_", "-")


def closure(requirements):
    """Distributions that are installed with these; extras of theirs are not."""
    found, waiting = set(), [name_of(requirement) for requirement in requirements]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        for requirement in metadata.requires(name) or ():
            marker = requirement.partition(";")[2]
            if "extra ==" not in marker and "platform_system" not in marker:
                waiting.append(name_of(requirement))
    return found


@pytest.fixture(scope="module")
def refused():
    """Top-level modules of all installed packages that the core does not declare."""
    allowed = closure(PROJECT["dependencies"]) | {"systopack"}
    modules = metadata.packages_distributions()
    return sorted(
        module
        for module, owners in modules.items()
        if not {owner.lower().replace("_", "-") for owner in owners} & allowed
    )


def alone(refused, code, folder):
    return subprocess.run(
        [sys.executable, "-c", ALONE + code, ",".join(refused)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_torch_is_refused_there(refused, tmp_path):
    assert {"torch", "scipy", "datasets", "pyarrow", "onnx", "ortools", "matplotlib", "PIL"} <= set(
        refused
    )
    assert not {"numpy", "numba", "pydantic", "typer", "rich"} & set(refused)
    assert "No module named 'torch'" in alone(refused, "import torch", tmp_path).stderr


@pytest.mark.parametrize(
    "command",
    [
        ["pack", "m.npy"],
        ["doctor"],
        ["simulate", "zoo:lenet5-mnist"],
        ["energy", "zoo:lenet5-mnist", "--array", "compact-32x32"],
        ["rtl", "zoo:lenet5-mnist", "--array", "8x8", "--out", "rtl"],
        ["inspect", "zoo:lenet5-mnist"],
        ["zoo"],
        ["arrays"],
        ["--help"],
    ],
    ids=lambda command: command[0],
)
def test_commands_of_the_core(refused, tmp_path, command):
    np.save(tmp_path / "m.npy", np.eye(6))
    code = f"sys.argv[1:] = {command!r}\nfrom systopack.__main__ import main\nmain()"
    done = alone(refused, code, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_importing_needs_nothing_heavy(refused, tmp_path):
    code = """
import systopack
assert "simulate" in dir(systopack)
assert not {"numpy", "numba", "pydantic", "typer"} & set(sys.modules)
print(systopack.pack([[1.0, 0.0], [0.0, 1.0]], alpha=2, gamma=0))
"""
    done = alone(refused, code, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("PackedMatrix(2 x 2, 1 groups")


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        (["train", "lenet5-shift", "--out", "d.safetensors"], "train"),
        (["quantize", "m.safetensors", "--out", "n.spk"], "train"),
        (["demo"], "train"),
        (["pack", "m.npy", "--policy", "best"], "search"),
        (["pack", "m.npy", "--policy", "assignment", "--force"], "search"),
        (["report", "zoo:lenet5-mnist", "--out", "r.html"], "report"),
        (["reproduce", "--out", "r"], "report"),
        (["export", "zoo:lenet5-mnist", "--format", "qonnx", "--out", "n.onnx"], "onnx"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_what_is_missing_names_its_extra(refused, tmp_path, command, extra):
    np.save(tmp_path / "m.npy", np.eye(6))
    code = f"sys.argv[1:] = {command!r}\nfrom systopack.__main__ import main\nmain()"
    done = alone(refused, code, tmp_path)
    assert done.returncode == 2
    assert done.stderr.strip().endswith(f"install it with pip install systopack[{extra}].")
    assert len(done.stderr.strip().splitlines()) == 1


def test_extras_bring_what_they_are_named_for():
    extras = PROJECT["optional-dependencies"]
    for extra, modules in EXTRAS.items():
        packages = {name_of(requirement) for requirement in extras[extra]}
        own = {IMPORTED_AS.get(package, package.replace("-", "_")) for package in packages}
        assert own & set(modules), extra
        assert own - {"systopack"} <= {module for names in EXTRAS.values() for module in names}
    together = {name_of(item) for name in ("train", "report", "data") for item in extras[name]}
    assert {name_of(item) for item in extras["demo"]} <= together


def test_needs_and_missing():
    needs("numpy", "numba")
    assert has("numpy")
    assert missing("onnx.checker").endswith("pip install systopack[onnx].")
    assert missing("nowhere") == (
        "The Python package 'nowhere' is missing; install it with pip and run again."
    )


def test_the_version_stands_in_one_place():
    assert "version" in PROJECT["dynamic"]
    assert f"\nversion: {VERSION}\n" in (ROOT / "CITATION.cff").read_text()
    assert f" {VERSION}\n" in (ROOT / "CHANGELOG.md").read_text()
    assert json.dumps(PROJECT["urls"])
