"""Proofs for all values; and that a wrong block cannot be proven."""

import shutil
from dataclasses import replace

import pytest

from systopack.hardware.array import Array
from systopack.rtl.parameters import VERILOG
from systopack.rtl.pipelined.program import compile_pipelined
from systopack.rtl.program import compile_tiled
from systopack.verify.claims import (
    cell_claim,
    cell_claims,
    choice_claim,
    controller_claim,
    handshake_claims,
    host_claim,
    lanes_claim,
    parallel_claim,
    product_claim,
    registers_claim,
    requantizer_claim,
    results_claim,
    rows_claim,
    source_claim,
    streams_claim,
)
from systopack.verify.formal import Claim, prove, prove_all
from systopack.verify.reset_claims import reset_claim
from tests.networks import network_of_positions

IL = Array(rows=1, columns=1, alpha=1, cell="il")
BL = replace(IL, cell="bl")
PARALLEL = replace(IL, cell="bit-parallel")
LEAN = Array(rows=1, columns=1, alpha=1, accumulator_bits=16, lean=True)
PAIR = replace(LEAN, columns=2, columns_per_register=2, columns_per_accumulator=2)


@pytest.mark.parametrize("bits", [16, 24, 32, 40])
def test_the_requantizer_is_the_method_for_every_value_and_shift(bits):
    assert prove(requantizer_claim(bits))


@pytest.mark.parametrize(
    "claim",
    [
        choice_claim(1, word_bits=1),
        choice_claim(5, word_bits=1),
        choice_claim(16, word_bits=8),
        product_claim(IL),
        product_claim(replace(IL, weight_bits=3)),
        product_claim(BL),
        lanes_claim(IL),
        lanes_claim(BL),
        parallel_claim(PARALLEL),
        rows_claim(4),
    ],
    ids=lambda claim: claim.name,
)
def test_the_steps_of_a_cells_proof(claim):
    assert prove(claim)


@pytest.mark.parametrize("claim", list(handshake_claims()), ids=lambda claim: claim.name)
def test_the_handshakes_of_controllers_registers_and_streams(claim):
    assert prove(claim)


@pytest.mark.slow
def test_every_cell_is_proven():
    claims = list(cell_claims())
    assert len({claim.name for claim in claims}) == len(claims)
    assert prove_all(claims) == ()


@pytest.mark.slow
@pytest.mark.parametrize(
    "array",
    [
        Array(rows=1, columns=1, alpha=3, accumulator_bits=16, weight_bits=2),
        Array(rows=1, columns=1, alpha=2, cell="bl", accumulator_bits=16, weight_bits=2),
        Array(rows=1, columns=1, alpha=8, cell="bit-parallel", weight_bits=2),
        LEAN,
        replace(LEAN, alpha=8, weight_bits=4),
        replace(LEAN, alpha=3, weight_bits=3, accumulator_bits=24),
        replace(PAIR, weight_bits=2),
        replace(PAIR, alpha=2, weight_bits=2, accumulator_bits=24),
    ],
    ids=lambda array: f"{array.cell}-{array.columns}-{array.alpha}-{array.weight_bits}",
)
def test_a_whole_cell_from_its_ports_only(array):
    assert prove(cell_claim(array))


# (claim, file, text, text of the mutant): a fault in each part of a cell, and in the rounding
MUTANTS = [
    (requantizer_claim(32), "requantize.v", "below == half && quotient[0]", "below == half"),
    (choice_claim(5, word_bits=1), "choice_row.v", ".taken(taken)", ".taken({CELLS{|taken}})"),
    (choice_claim(5, word_bits=8), "choice_row.v", "(from[HALF-1:0] & ~select)", "(from[HALF-1:0] & select)"),
    (product_claim(IL), "mx_row.v", "(j == TOP ? ~last : last)", "last"),
    (product_claim(replace(IL, weight_bits=2)), "mx_row.v", "carry <= carry_now & ~last;", "carry <= carry_now;"),
    (product_claim(BL), "bl_row.v", "& {BITS{~first}};", ";"),
    (lanes_claim(IL), "mx_row.v", "(g_lane[p-1].sum_carry & first) |", ""),
    (lanes_claim(BL), "bl_row.v", "sum_carry & ~first;", "sum_carry;"),
    (cell_claim(replace(LEAN, weight_bits=2)), "lean_cell.v", "minus[c] = word & last;", "minus[c] = 1'b0;"),
    (cell_claim(replace(LEAN, weight_bits=2)), "lean_cell.v", "sum_carry & ~first", "sum_carry"),
    (cell_claim(replace(PAIR, weight_bits=2)), "lean_cell.v", "assign plus = minus[1];", "assign plus = 1'b0;"),
    (parallel_claim(PARALLEL), "parallel_row.v", "= weight * word", "= load_weight * word"),
    (controller_claim(0, word_cycles=8), "controller.v", "send_step == 2'd2 && !result_ready));", "send_step == 2'd2));"),
    (controller_claim(0, word_cycles=8), "controller.v", "assign image_ready = is_image && !stepped;", "assign image_ready = is_image;"),
    (controller_claim(0, word_cycles=8), "controller.v", "(!is_image || image_last)) stepped", "1'b1) stepped"),
    (controller_claim(1, word_cycles=8), "controller.v", "since_words >= MIN_LOAD", "since_words > MIN_LOAD - 2"),
    (controller_claim(1, word_cycles=8), "controller.v", "wire start = next_up && clear && fed;", "wire start = next_up && fed;"),
    (controller_claim(1, word_cycles=8), "controller.v", "if (tile_ends) idle <= {WAIT_BITS{1'b0}};", ""),
    (controller_claim(1, word_cycles=8), "controller.v", "run_start <= 1'b0;", ""),
    (controller_claim(2, word_cycles=8), "controller.v", "if (last_entry && (!is_image || image_last)) stepped <= 1'b1;", ""),
    (registers_claim(70), "axi_registers.v", "read_waits && (!s_axi_rvalid || s_axi_rready);", "read_waits;"),
    (registers_claim(70), "axi_registers.v", "s_axi_bvalid <= write || (s_axi_bvalid && !s_axi_bready);", "s_axi_bvalid <= write;"),
    (registers_claim(70), "axi_registers.v", "if (started) go <= 1'b0;", ""),
    (registers_claim(70), "axi_registers.v", "MEMORY, ADDRESS: writable = !active;", "MEMORY, ADDRESS: writable = 1'b1;"),
    (registers_claim(70), "axi_registers.v", "COMMIT: writable = !active && (exists || !strobe[0]);", "COMMIT: writable = !active;"),
    (registers_claim(70), "axi_registers.v", "if (aborts) {aborting, chunk} <= {1'b1, 16'd0};", "if (aborts) aborting <= 1'b1;"),
    (registers_claim(70), "axi_registers.v", "address_next = s_axi_awvalid && s_axi_awready || address_waits && !write;", "address_next = s_axi_awvalid && s_axi_awready;"),
    (registers_claim(70), "axi_registers.v", "memory <= (memory & ~mask) | (write_data & mask);", "memory <= write_data;"),
    (source_claim(period=7, credits=3), "pipe_source.v", "paced && images != LIMIT[CREDIT_BITS-1:0]", "paced"),
    (source_claim(period=7, credits=3), "pipe_source.v", "paced = !begun || since == PACE", "paced = since == PACE"),
    (host_claim(credits=2, positions=2), "pipe_source.v", "wire open = !first || (!hold && ", "wire open = !hold && (!first || "),
    (host_claim(credits=2, positions=2), "pipe_control.v", "&& !busy && !preparing;", "&& !preparing;"),
    (host_claim(credits=2, positions=2), "pipe_host.v", ".running(running), .hold(go)", ".running(running && !go), .hold(go)"),
    (host_claim(credits=2, positions=2), "pipe_results.v", "wire skip = waits && !verdicts[0] && !result_valid;", "wire skip = 1'b0;"),
    (streams_claim(), "axi_streams.v", "(!result_valid || m_axis_result_tready)", "1'b1"),
    (streams_claim(), "axi_streams.v", "closes <= cut ? open_now", "closes <= cut ? 1'b0"),
    (results_claim(positions=2, entries=3), "pipe_results.v", "fetch || (result_valid && !(sent && last_row))", "fetch || (result_valid && !sent)"),
    (results_claim(positions=2, entries=3), "pipe_results.v", "if (!arrived && next) held", "if (next) held"),
]  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant[0].name}: {mutant[3]}")
def test_a_fault_is_refuted(tmp_path, mutant):
    claim, name, old, new = mutant
    assert not prove(replace(claim, files=mutated(claim, tmp_path, name, old, new)))


def mutated(claim: Claim, folder, name, old, new):
    """The claim's files, one of them changed."""
    original = next(file for file in claim.files if file.name == name)
    text = original.read_text()
    assert text.count(old) == 1, f"{name} has {text.count(old)} times {old}"
    (folder / name).write_text(text.replace(old, new))
    return tuple(folder / name if file is original else file for file in claim.files)


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
    assert prove(reset_claim(program, folder=tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("compiled", COMPILED, ids=lambda compiled: compiled.__name__)
def test_a_valid_that_outlives_the_reset_is_refuted(tmp_path, compiled):
    verilog = tmp_path / "verilog"
    shutil.copytree(VERILOG, verilog)
    line = verilog / "valid_line.v"
    line.write_text(line.read_text().replace("line <= reset ? {CYCLES{1'b0}} : ", "line <= "))
    program = compiled(network_of_positions(), array=SMALL[0])
    assert not prove(reset_claim(program, folder=tmp_path, verilog=verilog))
