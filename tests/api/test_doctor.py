"""What the doctor says of tools of others."""

import json
import os
import subprocess
import sys

from systopack.api import doctor as module
from systopack.api.doctor import doctor
from systopack.requirements import EXTRAS


def test_every_extra_and_program_is_looked_for():
    found = {tool.name: tool for tool in doctor()}
    assert {package for packages in EXTRAS.values() for package in packages} <= set(found)
    assert {"iverilog", "sta"} <= set(found)
    assert found["torch"].version.startswith("2.") and not found["torch"].install


def test_what_is_missing_has_the_line_that_brings_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(module, "has", lambda package: package != "torch")
    found = {tool.name: tool for tool in doctor()}
    assert found["torch"].version is None
    assert found["torch"].install == "pip install 'systopack[train]'"
    assert found["iverilog"].install == "apt-get install iverilog"


def test_a_program_that_tells_nothing_does_not_stop_it(monkeypatch, tmp_path):
    for name, text in (("iverilog", "exit 3"), ("sta", "printf '\\377\\n'")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
    found = {tool.name: tool.version for tool in doctor()}
    assert found["iverilog"] == "of unknown version"
    assert found["sta"]


def test_the_command_gives_a_record():
    done = subprocess.run(
        [sys.executable, "-m", "systopack", "doctor", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["figures"]["torch"]["version"]
