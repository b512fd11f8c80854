"""A target of one's own, as docs/hardware/add-a-target.md has it."""

from typing import get_args

import pytest
import typer
from typer.testing import CliRunner

import systopack
from systopack.cli.synthesis import add_target
from systopack.errors import InvalidOptionError
from systopack.options import Options, option
from systopack.records import read_record
from systopack.synthesis.asic_target import AsicOptions
from systopack.synthesis.blocks import BLOCKS
from systopack.synthesis.target import Synthesized
from systopack.synthesis.targets import TARGETS, register


class ToyOptions(Options):
    """One option."""

    pins: int = option(4, "Pins of the toy.", ge=1)


class Toy:
    """Counts cells, and needs no tool."""

    name = "toy"
    summary = "A toy: cells and pins."
    example = "systopack synthesize toy --out toy"
    options = ToyOptions
    runs_images = None

    def check(self, work, options):
        """Refuse an array without a pin for each row."""
        if options.pins > work.array.rows:
            raise InvalidOptionError(
                f"--pins is {options.pins}, but the array has {work.array.rows} rows."
            )

    def synthesize(self, work, options):
        """Multiply."""
        cells = work.array.rows * work.array.columns
        return Synthesized(
            figures={"cells": cells, "pins": options.pins},
            header=("cells", "pins"),
            rows=[(f"{cells:,}", str(options.pins))],
            told=f"a toy of {cells:,} cells",
            files={"toy.txt": "toy\n"},
        )


@pytest.fixture
def toy(monkeypatch):
    monkeypatch.setattr("systopack.synthesis.targets.TARGETS", dict(TARGETS))
    register(Toy())


def test_a_toy_target_from_python(toy, tmp_path):
    found = systopack.synthesize(None, "toy", "tiny-8x8", options={"pins": 2}, out=tmp_path / "t")
    assert found.figures == {"cells": 64, "pins": 2}
    assert read_record(tmp_path / "t" / "synthesize.json")["kind"] == "synthesize-toy"
    assert (tmp_path / "t" / "toy.txt").read_text() == "toy\n"
    with pytest.raises(InvalidOptionError, match="--pins is 9, but the array has 8 rows"):
        systopack.synthesize(None, "toy", "tiny-8x8", options={"pins": 9})
    with pytest.raises(InvalidOptionError, match="--pins is 0, but it must be"):
        systopack.synthesize(None, "toy", "tiny-8x8", options={"pins": 0})
    with pytest.raises(InvalidOptionError, match="--seeds is 1, but it must be one that exists"):
        systopack.synthesize(None, "toy", "tiny-8x8", options={"seeds": 1})
    with pytest.raises(InvalidOptionError, match="There is a target 'toy' already"):
        register(Toy())
    with pytest.raises(InvalidOptionError, match="must be one of asic, ecp5, xilinx, toy"):
        systopack.synthesize(None, "moon")


def test_a_toy_target_on_the_command_line(toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    group = typer.Typer()
    add_target(group, TARGETS["asic"])
    add_target(group, Toy())
    result = CliRunner().invoke(group, ["toy", "--array", "tiny-8x8", "--pins", "3", "--out", "t"])
    assert result.exit_code == 0, result.output
    assert "a toy of 64 cells; wrote t" in result.output
    assert CliRunner().invoke(group, ["toy", "--data", "sample", "--out", "t"]).exit_code == 2


def test_the_table_of_blocks_and_the_option_name_the_same():
    assert get_args(AsicOptions.model_fields["block"].annotation) == tuple(BLOCKS)
