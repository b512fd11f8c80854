"""The command line in an empty folder."""

import sys

import numpy as np
import pytest

from systopack.cli import main as command_line
from systopack.network.file import save
from tests.networks import random_network


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run the command line in an empty folder: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run_command(*arguments):
        monkeypatch.setattr(sys, "argv", ["systopack", *map(str, arguments)])
        code = 0
        try:
            command_line.main()
        except SystemExit as stop:
            code = stop.code or 0
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run_command


@pytest.fixture
def network(tmp_path):
    """A small packed network."""
    path = tmp_path / "net.spk"
    save(random_network(np.random.default_rng(7)), path)
    return path
