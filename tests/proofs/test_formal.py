"""Proofs for all values; and that a wrong block cannot be proven."""

import shutil
from dataclasses import replace

import pytest

from systopack.hardware.array import Array
from systopack.rtl.parameters import VERILOG
from systopack.rtl.pipelined.program import compile_pipelined
from systopack.rtl.program import compile_tiled
from tests.networks import network_of_positions
from tests.proofs.formal import Property, prove, prove_all
from tests.proofs.properties import (
    cell_properties,
    cell_property,
    handshake_properties,
    host_property,
    lanes_property,
    multiplexer_property,
    parallel_property,
    product_property,
    registers_property,
    requantizer_property,
    results_property,
    rows_property,
    source_property,
    stages_property,
    streams_property,
)
from tests.proofs.reset_properties import reset_property

IL = Array(rows=1, columns=1, alpha=1, cell="bit-serial")
BL = replace(IL, cell="balanced")
PARALLEL = replace(IL, cell="bit-parallel")
COMPACT = Array(rows=1, columns=1, alpha=1, accumulator_bits=16, cell="bit-serial-compact")
PAIR = replace(COMPACT, columns=2, cells_per_stage=2)
TREE = Array(rows=1, columns=3, alpha=1, accumulator_bits=16, weight_bits=2, cells_per_stage=2, cell="bit-parallel-compact")  # fmt: skip

POWERS = Array(rows=1, columns=2, alpha=1, accumulator_bits=16, weight_bits=2, cells_per_stage=2, cell="power-of-two")  # fmt: skip


@pytest.mark.parametrize("bits", [16, 24, 32, 40])
def test_the_requantizer_is_the_method_for_every_value_and_shift(bits):
    assert prove(requantizer_property(bits))


@pytest.mark.parametrize("bits", [16, 24, 32, 40])
def test_the_requantizer_in_stages_is_the_one_without(bits):
    assert prove(stages_property(bits))


@pytest.mark.parametrize(
    "property",
    [
        multiplexer_property(1, word_bits=1),
        multiplexer_property(5, word_bits=1),
        multiplexer_property(16, word_bits=8),
        product_property(IL),
        product_property(replace(IL, weight_bits=3)),
        product_property(BL),
        lanes_property(IL),
        lanes_property(BL),
        pytest.param(parallel_property(PARALLEL), marks=pytest.mark.slow),
        rows_property(4),
    ],
    ids=lambda property: property.name,
)
def test_the_steps_of_a_cells_proof(property):
    assert prove(property)


@pytest.mark.parametrize(
    "property", list(handshake_properties()), ids=lambda property: property.name
)
def test_the_handshakes_of_hosts_registers_and_streams(property):
    assert prove(property)


@pytest.mark.slow
def test_every_cell_is_proven():
    properties = list(cell_properties())
    assert len({property.name for property in properties}) == len(properties)
    assert prove_all(properties) == ()


@pytest.mark.slow
@pytest.mark.parametrize(
    "array",
    [
        Array(rows=1, columns=1, alpha=3, accumulator_bits=16, weight_bits=2),
        Array(rows=1, columns=1, alpha=2, cell="balanced", accumulator_bits=16, weight_bits=2),
        Array(rows=1, columns=1, alpha=8, cell="bit-parallel", weight_bits=2),
        COMPACT,
        replace(COMPACT, alpha=8, weight_bits=4),
        replace(COMPACT, alpha=3, weight_bits=3, accumulator_bits=16),
        replace(PAIR, weight_bits=2),
        replace(PAIR, alpha=2, weight_bits=2, accumulator_bits=16),
    ],
    ids=lambda array: f"{array.cell}-{array.columns}-{array.alpha}-{array.weight_bits}",
)
def test_a_whole_cell_from_its_ports_only(array):
    assert prove(cell_property(array))


@pytest.mark.slow
@pytest.mark.parametrize("carry_save", [False, True])
@pytest.mark.parametrize(
    "array",
    [
        replace(TREE, cells_per_stage=1, accumulator_bits=32, weight_bits=4),
        replace(TREE, cells_per_stage=1, accumulator_bits=32, alpha=3),
        replace(TREE, alpha=2),
    ],
    ids=lambda array: f"{array.cells_per_stage}-{array.alpha}-{array.weight_bits}",
)
def test_parallel_cells_that_share_a_sum_from_their_ports_only(array, carry_save):
    assert prove(cell_property(array, carry_save=carry_save))


@pytest.mark.slow
@pytest.mark.parametrize("carry_save", [False, True])
@pytest.mark.parametrize(
    "array",
    [
        replace(POWERS, columns=1, cells_per_stage=1, weight_bits=8),
        replace(POWERS, columns=1, cells_per_stage=1, alpha=3),
    ],
    ids=lambda array: f"{array.cells_per_stage}-{array.alpha}-{array.weight_bits}",
)
def test_cells_without_a_multiplier_from_their_ports_only(array, carry_save):
    assert prove(cell_property(array, carry_save=carry_save))


# (property, file, text, text of the mutant): a fault in each part of a cell, and in the rounding
MUTANTS = [
    (requantizer_property(32), "requantize.v", "below == half && quotient[0]", "below == half"),
    (stages_property(32), "requantize_stages.v", "(rest_1 || shifted_1[1])", "rest_1"),
    (stages_property(32), "requantize_stages.v", "if (valid) {rest_1", "{rest_1"),
    (stages_property(32), "requantize_stages.v", "(shift[1] && |by_4[1:0])", "1'b0"),
    (stages_property(32), "requantize_stages.v", " && !(up_2 && quotient_2 == 8'h7f)", ""),
    (multiplexer_property(5, word_bits=1), "multiplexer_row.v", ".taken(taken)", ".taken({CELLS{|taken}})"),
    (multiplexer_property(5, word_bits=8), "multiplexer_row.v", "(from[HALF-1:0] & ~select)", "(from[HALF-1:0] & select)"),
    (product_property(IL), "mx_row.v", "(j == TOP ? ~last : last)", "last"),
    (product_property(replace(IL, weight_bits=2)), "mx_row.v", "carry <= carry_now & ~last;", "carry <= carry_now;"),
    (product_property(BL), "bl_row.v", "& {BITS{~first}};", ";"),
    (lanes_property(IL), "mx_row.v", "(g_lane[p-1].sum_carry & first) |", ""),
    (lanes_property(BL), "bl_row.v", "sum_carry & ~first;", "sum_carry;"),
    (cell_property(replace(COMPACT, weight_bits=2)), "compact_cell.v", "minus[c] = word & last;", "minus[c] = 1'b0;"),
    (cell_property(replace(COMPACT, weight_bits=2)), "compact_cell.v", "sum_carry & ~first", "sum_carry"),
    (cell_property(replace(PAIR, weight_bits=2)), "compact_cell.v", "assign plus = minus[1];", "assign plus = 1'b0;"),
    (parallel_property(PARALLEL), "parallel_row.v", "= weight * word", "= load_weight * word"),
    (cell_property(replace(TREE, cells_per_stage=1)), "parallel_stage.v", "sum_out <= sum_in + wide[", "sum_out <= wide["),
    (cell_property(replace(TREE, cells_per_stage=1, alpha=3)), "parallel_stage.v", "channels[{index, 3'd0}+:8]", "channels[{index, 3'd0}>>1+:8]"),
    (cell_property(TREE), "signed_adder.v", "{a[BITS-1], a}", "{1'b0, a}"),
    (cell_property(TREE, carry_save=True), "carry_save.v", "MINUS ? ~product : product", "product"),
    (cell_property(TREE, carry_save=True), "full_adder.v", "(c & (a ^ b))", "(c & a)"),
    (cell_property(TREE, carry_save=True), "parallel_stage.v", " - SURPLUS", ""),
    (cell_property(POWERS), "selector_cell.v", "above_it = minus & first & ~word", "above_it = 1'b0"),
    (cell_property(POWERS), "selector_cell.v", "total[0] ^ last", "total[0]"),
    (cell_property(POWERS, carry_save=True), "selector_cell.v", "&& (j < TOP || minus)", ""),
    (registers_property(70), "axi_registers.v", "read_waits && (!s_axi_rvalid || s_axi_rready);", "read_waits;"),
    (registers_property(70), "axi_registers.v", "s_axi_bvalid <= write || (s_axi_bvalid && !s_axi_bready);", "s_axi_bvalid <= write;"),
    (registers_property(70), "axi_registers.v", "if (started) go <= 1'b0;", ""),
    (registers_property(70), "axi_registers.v", "MEMORY, ADDRESS: writable = !active;", "MEMORY, ADDRESS: writable = 1'b1;"),
    (registers_property(70), "axi_registers.v", "COMMIT: writable = !active && (exists || !strobe[0]);", "COMMIT: writable = !active;"),
    (registers_property(70), "axi_registers.v", "if (aborts) {aborting, chunk} <= {1'b1, 16'd0};", "if (aborts) aborting <= 1'b1;"),
    (registers_property(70), "axi_registers.v", "address_next = s_axi_awvalid && s_axi_awready || address_waits && !write;", "address_next = s_axi_awvalid && s_axi_awready;"),
    (registers_property(70), "axi_registers.v", "memory <= (memory & ~mask) | (write_data & mask);", "memory <= write_data;"),
    (source_property(period=7, credits=3), "pipe_source.v", "paced && images != LIMIT[CREDIT_BITS-1:0]", "paced"),
    (source_property(period=7, credits=3), "pipe_source.v", "paced = !begun || since == PACE", "paced = since == PACE"),
    (host_property(credits=2, positions=2), "pipe_source.v", "wire open = !first || (!hold && ", "wire open = !hold && (!first || "),
    (host_property(credits=2, positions=2), "pipe_control.v", "&& !busy && !preparing;", "&& !preparing;"),
    (host_property(credits=2, positions=2), "pipe_host.v", ".running(running), .hold(go)", ".running(running && !go), .hold(go)"),
    (host_property(credits=2, positions=2), "pipe_results.v", "wire skip = waits && !verdicts[0] && !result_valid;", "wire skip = 1'b0;"),
    (streams_property(), "axi_streams.v", "(!result_valid || m_axis_result_tready)", "1'b1"),
    (streams_property(), "axi_streams.v", "closes <= cut ? open_now", "closes <= cut ? 1'b0"),
    (results_property(positions=2, entries=3), "pipe_results.v", "fetch || (result_valid && !(sent && last_row))", "fetch || (result_valid && !sent)"),
    (results_property(positions=2, entries=3), "pipe_results.v", "if (!arrived && next) held", "if (next) held"),
]  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant[0].name}: {mutant[3]}")
def test_a_fault_is_refuted(tmp_path, mutant):
    property, name, old, new = mutant
    assert not prove(replace(property, files=mutated(property, tmp_path, name, old, new)))


def mutated(property: Property, folder, name, old, new):
    """The property's files, one of them changed."""
    original = next(file for file in property.files if file.name == name)
    text = original.read_text()
    assert text.count(old) == 1, f"{name} has {text.count(old)} times {old}"
    (folder / name).write_text(text.replace(old, new))
    return tuple(folder / name if file is original else file for file in property.files)


SMALL = [Array(rows=2, columns=2, cell="bit-parallel"), Array(rows=2, columns=2)]
COMPILED = [compile_tiled, compile_pipelined]


@pytest.mark.parametrize("compiled", COMPILED, ids=lambda compiled: compiled.__name__)
@pytest.mark.parametrize(
    "array",
    [SMALL[0], pytest.param(SMALL[1], marks=pytest.mark.slow)],
    ids=lambda array: array.cell,
)
def test_one_cycle_of_reset_leaves_nothing_in_a_whole_accelerator(tmp_path, compiled, array):
    program = compiled(network_of_positions(), array=array)
    assert prove(reset_property(program, folder=tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("compiled", COMPILED, ids=lambda compiled: compiled.__name__)
def test_a_valid_that_outlives_the_reset_is_refuted(tmp_path, compiled):
    verilog = tmp_path / "verilog"
    shutil.copytree(VERILOG, verilog)
    line = verilog / "valid_line.v"
    line.write_text(line.read_text().replace("line <= reset ? {CYCLES{1'b0}} : ", "line <= "))
    program = compiled(network_of_positions(), array=SMALL[0])
    assert not prove(reset_property(program, folder=tmp_path, verilog=verilog))
