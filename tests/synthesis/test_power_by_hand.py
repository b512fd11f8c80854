"""Netlists of a few cells of the bundled library, their activity and energy worked out by hand."""

import json

import numpy as np
import pytest

from systopack.errors import InvalidFileError
from systopack.synthesis.allowance import clock_tree
from systopack.synthesis.delays import CLOCK_TRANSITION_NS, INPUT_TRANSITION_NS, propagate
from systopack.synthesis.gate_simulation import GateSimulation, pack_runs, unpack_runs
from systopack.synthesis.liberty import read_library
from systopack.synthesis.netlist import parse_netlist
from systopack.synthesis.power import energy

INVERTER, FLIP_FLOP, NAND, GATE = (
    f"sky130_fd_sc_hd__{name}" for name in ("inv_1", "dfxtp_1", "nand2_1", "dlclkp_1")
)


@pytest.fixture(scope="module")
def library():
    return read_library()


def netlist(library, cells):
    """Bits: 2 clk, 3 a, 4 b, 5.. inside; 9 is the output."""
    ports = {
        "clk": {"direction": "input", "bits": [2]},
        "a": {"direction": "input", "bits": [3]},
        "b": {"direction": "input", "bits": [4]},
        "z": {"direction": "output", "bits": [9]},
    }
    made = {
        f"cell{number}": {"type": kind, "connections": {pin: [bit] for pin, bit in pins.items()}}
        for number, (kind, pins) in enumerate(cells)
    }
    text = json.dumps({"modules": {"top": {"ports": ports, "cells": made}}})
    return parse_netlist(text, top="top", library=library)


def run(design, a, b, warm_up=1):
    def same(bits):
        return pack_runs(np.tile(np.array(bits, dtype=np.uint8)[None, :, None], (64, 1, 1)))

    return GateSimulation(design).run({"a": same(a), "b": same(b)}, warm_up=warm_up)


def test_an_inverter_that_toggles_every_cycle(library):
    design = netlist(library, [(INVERTER, {"A": 3, "Y": 9})])
    activity = run(design, [0, 1] * 8, [0] * 16)
    found = energy(design, activity, propagate(design), period_ns=10.0)
    cell = library.cells[INVERTER]
    load = cell.pins["A"].capacitance_ff
    power = cell.pins["Y"].power[0]
    at, nothing = np.array([INPUT_TRANSITION_NS]), np.zeros(1)
    inside = float((power.rise_fj.at(at, nothing) + power.fall_fj.at(at, nothing))[0]) / 2
    hidden = [
        float((p.rise_fj.at(at, nothing) + p.fall_fj.at(at, nothing))[0]) / 2
        for p in cell.pins["A"].power
    ]
    assert found.switching_fj == pytest.approx(0.5 * load * 1.8**2)
    assert found.internal_fj == pytest.approx(inside + sum(hidden))
    leakage = [value for _, value in cell.leakage_when]
    expected_nw = sum(leakage) / 2  # the input is 1 in 8 of the 15 cycles that count
    assert found.leakage_fj == pytest.approx(expected_nw * 10.0 * 1e-3, rel=0.1)
    assert found.clock_fj == 0


def test_a_still_netlist_leaks_and_nothing_else(library):
    design = netlist(library, [(NAND, {"A": 3, "B": 4, "Y": 9})])
    found = energy(design, run(design, [1] * 9, [0] * 9), propagate(design), period_ns=1.0)
    assert found.cells_fj == found.leakage_fj > 0


def test_a_flip_flops_clock_energy_is_there_in_every_cycle(library):
    design = netlist(library, [(FLIP_FLOP, {"CLK": 2, "D": 3, "Q": 9})])
    activity = run(design, [0] * 9, [0] * 9)
    assert activity.clocked[FLIP_FLOP].tolist() == [[8 * 64, 0, 0, 0]]
    found = energy(design, activity, propagate(design), period_ns=1.0)
    pin = library.cells[FLIP_FLOP].pins["CLK"]
    at, nothing = np.array([CLOCK_TRANSITION_NS]), np.array([pin.capacitance_ff])
    inside = sum(
        float((p.rise_fj.at(at, nothing) + p.fall_fj.at(at, nothing))[0]) for p in pin.power
    )
    assert found.clock_fj == pytest.approx(inside + pin.capacitance_ff * 1.8**2)
    # One pin needs no buffer; the default model gives its wire 23.2746 um of 0.0142 fF.
    assert found.clock_tree_fj == pytest.approx(23.2746 * 0.0142 * 1.8**2)
    assert found.wires_fj == 0


def test_a_clock_tree_by_hand(library):
    wires = library.wire_load
    # 40 pins: 3 buffers with 13.33 pins each, and their 3 pins at the source.
    wire_ff, buffers = clock_tree(np.array([40.0, 1.0]), wires)
    per_um, slope = 0.0142, 8.3631
    leaf = per_um * (84.2649 + slope * (40 / 3 - 6))
    assert buffers.tolist() == [3.0, 0.0]
    assert wire_ff == pytest.approx([3 * leaf + per_um * 48.4862, per_um * 23.2746])
    # 300 pins: 19 buffers, 2 above them.
    assert clock_tree(np.array([300.0]), wires)[1].tolist() == [21.0]


def test_a_gated_flip_flop_takes_its_input_over_where_the_gate_is_open(library):
    design = netlist(
        library,
        [
            (GATE, {"CLK": 2, "GATE": 4, "GCLK": 5}),
            (FLIP_FLOP, {"CLK": 5, "D": 3, "Q": 9}),
        ],
    )
    activity = run(design, [1, 1, 0, 0, 1], [0, 1, 0, 1, 0], warm_up=0)
    assert unpack_runs(activity.outputs["z"])[0, :, 0].tolist() == [0, 0, 1, 1, 0]
    assert activity.clocked[FLIP_FLOP].sum() == 2 * 64


def test_a_cell_that_the_library_lacks_is_named(library):
    with pytest.raises(InvalidFileError, match="holds 'nothing_1', which library"):
        netlist(library, [("nothing_1", {})])


@pytest.mark.parametrize(
    "content", [b"", b"library(x) { cell( ", b"\x1f\x8bdamaged", b"a(x){" * 100_000]
)
def test_a_damaged_library_is_one_sentence(tmp_path, content):
    path = tmp_path / "bad.lib"
    path.write_bytes(content)
    with pytest.raises(InvalidFileError, match=r"bad\.lib"):
        read_library(path)
