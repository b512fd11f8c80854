"""Everything the documentation shows is run here."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from systopack.data.open import open_data
from systopack.network.file import save
from systopack.nn import zoo
from systopack.packing.rule import PackingRule
from systopack.training.model import TrainedModel
from systopack.training.one_shot import combine_once
from tests.real import eight_bit, small_set

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
# make runs these tests, apt-get needs root, pip has set up what they run in, tests/demo runs the demo.
ELSEWHERE = ("make ", "apt-get ", "pip ", "systopack demo ")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(language):
    found = []
    for page in PAGES:
        for index, (kind, text) in enumerate(_BLOCK.findall(page.read_text())):
            if kind == language:
                found.append(pytest.param(text, id=f"{page.relative_to(ROOT)}-{index}"))
    return found


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """dense.spk and packed.spk, which some examples read."""
    folder = tmp_path_factory.mktemp("networks")
    torch.manual_seed(0)
    dense = TrainedModel(
        architecture="lenet5-shift",
        class_names=tuple("0123456789"),
        mean=(0.13,),
        std=(0.31,),
        state=zoo.build("lenet5-shift", classes=10).state_dict(),
    )
    packed = combine_once(dense, rule=PackingRule(alpha=8, gamma=0.5), rho=0.15)
    digits = small_set(open_data("sample"), train=200, test=100)
    for name, model in {"dense": dense, "packed": packed}.items():
        save(eight_bit(model, digits, images=50).network, folder / f"{name}.spk")
    return folder


@pytest.mark.parametrize("program", blocks("python"))
def test_python_examples(program, networks, tmp_path):
    shutil.copytree(networks, tmp_path, dirs_exist_ok=True)
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SYSTOPACK_CACHE": str(tmp_path / "cache")},
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("path", sorted(ROOT.glob("examples/*.py")), ids=lambda path: path.name)
def test_examples(path, tmp_path):
    result = subprocess.run(
        [sys.executable, path], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize("text", blocks("console"))
def test_console_examples(text, tmp_path):
    for line in text.splitlines():
        command = line.removeprefix("$ ").partition("  #")[0].strip()
        if not line.startswith("$ ") or command.startswith(ELSEWHERE):
            continue
        name, *arguments = shlex.split(command)
        assert name == "systopack", line
        result = subprocess.run(
            [sys.executable, "-m", "systopack", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, (line, result.stderr)


def test_the_tables_show_the_records_and_the_drawing_the_imports():
    subprocess.run([sys.executable, ROOT / "tools" / "tables.py", "--check"], check=True)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target
