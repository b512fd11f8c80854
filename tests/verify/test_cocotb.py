"""Delivered accelerators against cocotbext-axi, a foreign AXI4-Lite and AXI4-Stream host, in Icarus."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from systopack.hardware.array import Array
from systopack.network.reference import run
from systopack.rtl.host import configuration_writes
from systopack.rtl.identity import build_digest
from systopack.rtl.pipelined.program import compile_pipelined
from systopack.rtl.program import compile_tiled
from systopack.rtl.registers import CONTROL
from systopack.rtl.write import write_rtl
from tests.networks import network_of_positions, random_images

ROOT = Path(__file__).parents[2]
TESTS = 7  # in cocotb_axi


@pytest.mark.slow
@pytest.mark.parametrize("organisation", ["tiled", "pipelined"])
def test_a_foreign_host_finds_nothing(tmp_path, organisation):
    runner = pytest.importorskip("cocotb_tools.runner")
    pytest.importorskip("cocotbext.axi")
    if shutil.which("iverilog") is None:
        pytest.skip("needs iverilog")
    network, array = network_of_positions(), Array(rows=2, columns=2)
    images = random_images(np.random.default_rng(6), network, 4)
    written = write_rtl(network, array=array, out=tmp_path / "rtl", organisation=organisation)
    vectors = vectors_of(network, array, images, organisation, written.cycles)
    (tmp_path / "vectors.json").write_text(json.dumps(vectors))
    folder = tmp_path / "rtl"
    simulator = runner.get_runner("icarus")
    simulator.build(
        sources=[folder / name for name in (folder / "sources.f").read_text().split()],
        hdl_toplevel="accelerator",
        build_dir=tmp_path / "build",
        build_args=["-g2005"],
        timescale=("1ns", "1ps"),
    )
    results = tmp_path / "results.xml"
    try:
        simulator.test(
            hdl_toplevel="accelerator",
            test_module="tests.verify.cocotb_axi",
            build_dir=tmp_path / "build",
            test_dir=tmp_path,
            results_xml=str(results),
            extra_env={
                "VECTORS": str(tmp_path / "vectors.json"),
                "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
                "COCOTB_LOG_LEVEL": "WARNING",
            },
        )
    finally:
        assert results.exists(), "the simulation wrote no results"
    assert runner.get_results(results) == (TESTS, 0)


def vectors_of(network, array, images, organisation, cycles):
    """What the bench in the simulator needs, all from the integer reference."""
    tiled = organisation == "tiled"
    program = (compile_tiled if tiled else compile_pipelined)(network, array=array)
    count, channels = images.shape[:2]
    expected = run(network, images)[network.output.name].astype(np.int64)
    expected = expected.reshape(count, expected.shape[1], -1)
    planes = images.reshape(count, channels, -1)
    beats = planes.reshape(count, -1, 1) if tiled else planes.swapaxes(1, 2)
    expected = expected if tiled else expected.swapaxes(1, 2)
    return {
        "organisation": organisation,
        "writes": [pair for pair in configuration_writes(program.images) if pair[0] != CONTROL],
        "images": [
            [
                int.from_bytes(beat.view(np.uint8).tobytes(), "little")
                for beat in np.ascontiguousarray(image)
            ]
            for image in beats
        ],
        "results": (expected.reshape(count, -1) & 0xFFFFFFFF).tolist(),
        "cycles": cycles,
        "build": build_digest(program),
    }
