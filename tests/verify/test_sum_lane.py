"""A lane behind the array against the integer reference: sums, bytes, poolings, words of planes."""

import shutil

import numpy as np
import pytest

from systopack.rtl.parameters import VERILOG
from systopack.verification.verilator import take_assertion
from tests.verify.lane_bench import Lane
from tests.verify.lane_run import Layer, Run, add_layer, difference, inputs_of

SERIAL = Lane()
PARALLEL = Lane(rows=1, word_bytes=8)
NO_LIMITS = Lane(clips=0)
LANES = {
    "bit-serial": SERIAL,
    "bit-parallel": PARALLEL,
    "balanced": Lane(rows=32, residual_stage=2, pools=1, feature_bits=13, parameter_bits=10),
    "two rows, 16 bits": Lane(rows=2, accumulator_bits=16),
    "no limits": NO_LIMITS,
    "three rows": Lane(rows=3, pools=1, residuals=0, word_bytes=8),
    "six rows, 24 bits, no pooling": Lane(rows=6, pools=0, accumulator_bits=24),
    "one row, few windows": Lane(
        rows=1, residual_stage=2, pools=1, pool_bits=2, accumulator_bits=16
    ),
}


def layers(lane: Lane):
    """Layers that this lane can have."""
    yield Layer(size=(3, 5), blocks=(1, 2))
    yield Layer(size=(4, 5), blocks=(1, 2, 1), row_tiles=2, column_tiles=3, residual=True)
    yield Layer(size=(1, 1), blocks=(1,), column_tiles=3)
    yield Layer(size=(2, 3), blocks=(2,), row_tiles=2, column_tiles=2, keep=True, requantized=False)
    yield Layer(size=(1, 4), blocks=(1,), keep=True)
    yield Layer(size=(5, 5), blocks=(1, 2, 2), column_tiles=2, parts=2)
    yield Layer(size=(2, 4), blocks=(2,), row_tiles=2, parts=2)
    yield Layer(size=(1, 2), blocks=(1,))
    for pool in range(1, lane.pools + 1):
        yield Layer(size=(5, 7), blocks=(2, 2, 1), pool=pool, window=(2, 2), column_tiles=2)
        yield Layer(size=(4, 6), blocks=(4,), pool=pool, window=(2, 3), row_tiles=2)
        yield Layer(size=(2, 3), blocks=(2,), pool=pool, window=(2, 3))
        if lane.residuals:
            yield Layer(size=(3, 3), blocks=(1, 2), pool=pool, window=(3, 2), alone=True)
            yield Layer(size=(2, 3), blocks=(2,), pool=pool, alone=True, row_tiles=2)
    yield Layer(size=(3, 3), blocks=(3,), column_tiles=2)


def difference_of(lane: Lane, seed: int, verilog=VERILOG):
    random = np.random.default_rng(seed)
    run = Run(lane=lane, random=random, cycle=4)
    chosen = list(layers(lane))
    for index in random.permutation(len(chosen)):
        add_layer(run, chosen[index])
    return difference(run, lane.bench(verilog))


FAST = ("bit-serial", "bit-parallel", "balanced", "no limits")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in LANES],
)
def test_a_lane_is_the_reference(name):
    for seed in range(3):
        assert difference_of(LANES[name], seed) is None


def test_a_word_that_is_not_taken_in_time_is_named():
    run = Run(lane=SERIAL, random=np.random.default_rng(1), cycle=4)
    add_layer(run, Layer(size=(3, 5), blocks=(3,)))
    bench, bits = SERIAL.bench(), inputs_of(run)
    bits["taken"][:] = 0
    bench.run(bits)
    found = take_assertion(bench._library)
    assert found is not None and found.endswith("complete before one is taken")


def test_turns_that_meet_the_writing_of_sums_are_named():
    run = Run(lane=SERIAL, random=np.random.default_rng(1), cycle=4)
    add_layer(run, Layer(size=(1, 1), blocks=(1,), column_tiles=2))
    bench, bits = SERIAL.bench(), inputs_of(run)
    first, second = np.flatnonzero(np.diff(bits["turn"][:, 0], prepend=0) == 1)
    idle = np.arange(first + 9, second)  # without them tokens are 9 cycles apart
    bench.run({name: np.delete(values, idle, axis=0) for name, values in bits.items()})
    found = take_assertion(bench._library)
    assert found is not None and found.endswith("read and written in one cycle")


# (fault, lane, file, text, text of the mutant)
MUTANTS = [
    ("the bias added for every column tile", SERIAL, "sum_lane.v", "first_1 ? bias : partial_1", "bias"),
    ("a row's bias missing", SERIAL, "sum_lane.v", "pass ? {ACC{1'b0}} : first_1 ? bias", "pass ? {ACC{1'b0}} : first_1 ? 0"),
    ("a sum counted in a pooling of its own", SERIAL, "sum_lane.v", "word_2 <= pass ? {ACC{1'b0}} : word_1", "word_2 <= word_1"),
    ("a partial sum counted there", SERIAL, "sum_lane.v", "base_2 <= pass ? {ACC{1'b0}} :", "base_2 <="),
    ("a residual in unfinished sums", SERIAL, "sum_lane.v", "byte_10} : sum_4", "byte_10} : acc_5"),
    ("a residual never added", PARALLEL, "sum_lane.v", "pass || used_2", "pass"),
    ("a residual shifted in a pooling of its own", SERIAL, "sum_lane.v", "pass ? 5'd0 : residual_shift_2;", "residual_shift_2;"),
    ("pooled bytes clipped", SERIAL, "sum_lane.v", "above_6   <= !pass && ", "above_6   <= "),
    ("the lower limit ignored", SERIAL, "sum_lane.v", "below_6 ? lowest_6 : acc_6", "acc_6"),
    ("limits of the row before", SERIAL, "sum_lane.v", ".read_address(address_3), .read_data({highest", ".read_address(token_3 | 8'd1), .read_data({highest"),
    ("limits of a token's first row for all", SERIAL, "sum_lane.v", ".read(turning[3])", ".read(starting[3])"),
    ("the bias not read", SERIAL, "sum_lane.v", ".read(turn && (first || finished))", ".read(turn && finished)"),
    ("parameters of a finished sum not read", SERIAL, "sum_lane.v", ".read(turn && (first || finished))", ".read(turn && first)"),
    ("planes of a token's first row for all", SERIAL, "sum_lane.v", ".read(turning[END-3] && stores_places)", ".read(starting[END-3] && stores_places)"),
    ("partial sums read for finished ones only", SERIAL, "sum_lane.v", ".read(turn && !first && !pass)", ".read(turn && !first && last)"),
    ("kept sums not read", SERIAL, "lane_sums.v", "reads = send_read || (", "reads = ("),
    ("kept sums of one row not read", PARALLEL, "lane_sums.v", ".read(read || send_read)", ".read(read)"),
    ("a window's word not read beside a write", SERIAL, "lane_pool.v", ".read(read), .read_address(read_address), .read_data(stored)", ".read(read && !write), .read_address(read_address), .read_data(stored)"),
    ("all rows rectified", NO_LIMITS, "sum_lane.v", "rectifies[3] && acc_5", "acc_5"),
    ("a row rectified as the next one is", NO_LIMITS, "sum_lane.v", "rectifies[3] && acc_5", "rectifies[2] && acc_5"),
    ("no row rectified", NO_LIMITS, "sum_lane.v", "below_6 ? {ACC{1'b0}} : acc_6", "acc_6"),
    ("pooled bytes rectified", NO_LIMITS, "sum_lane.v", "!pass && rectifies[3]", "rectifies[3]"),
    ("a shift one row late", SERIAL, "sum_lane.v", "if (|turning[5:1]) shifts", "if (|turning[5:2]) shifts"),
    ("pooled bytes requantized", SERIAL, "sum_lane.v", "raw = pass || (keep", "raw = (keep"),
    ("unfinished bytes stored", SERIAL, "sum_lane.v", "finished && store &&", "store &&"),
    ("every member of a window stored", SERIAL, "sum_lane.v", "(!pools || pool_last)", "1'b1"),
    ("rows without a plane stored", SERIAL, "sum_lane.v", "stores_end && used_end", "stores_end"),
    ("results kept at another position", SERIAL, "sum_lane.v", "kept_10 ? position_10", "kept_10 ? position_4"),
    ("raw results kept before they are clipped", SERIAL, "sum_lane.v", "kept_8 ? result_8", "kept_8 ? sum_4"),
    ("raw results shifted", SERIAL, "sum_lane.v", "pass || (keep && !requantized)", "pass"),
    ("the first place told by another token", PARALLEL, "sum_lane.v", "leads_end <= index_places == {INDEX_BITS{1'b0}}", "leads_end <= index == {INDEX_BITS{1'b0}}"),
    ("an even row's sum of another word", SERIAL, "lane_sums.v", "odd_next ?", "!odd_next ?"),
    ("the other sum of a pair sent", SERIAL, "lane_sums.v", "odd_sent ?", "!odd_sent ?"),
    ("a pair written with the wrong half waiting", SERIAL, "lane_sums.v", "if (write && !write_row[0]) even", "if (write && write_row[0]) even"),
    ("sums of all positions in one place", PARALLEL, "lane_sums.v", "to = {write_position, write_row}", "to = {{SUM_POSITION_BITS{1'b0}}, write_row}"),
    ("a plane's first places not written", SERIAL, "lane_words.v", "| (below & {WORD_BYTES{first}})", ""),
    ("a plane's last places not written", SERIAL, "lane_words.v", "| (~(here | below) & {WORD_BYTES{last}})", ""),
    ("bytes of the word before at free places", SERIAL, "lane_words.v", "fresh ? 8'd0 :", ""),
    ("a block's end not written", SERIAL, "lane_words.v", "last || flush ||", "last ||"),
    ("a plane's end not written", PARALLEL, "lane_words.v", "last || flush ||", "flush ||"),
    ("split rows' words never complete", SERIAL, "lane_words.v", "+ {30'd0, step_bytes}", "+ 32'd1"),
    ("a word's enables kept for the next one", SERIAL, "lane_words.v", "if (reset || (!busy && (ready || waits))) enables", "if (reset) enables"),
    ("a new word lost where one is taken", PARALLEL, "lane_words.v", "(ready || busy || waits)", "((ready && !pending[r]) || busy || waits)"),
    ("the smaller of two pooled bytes", SERIAL, "lane_pool.v", "member > $signed", "member < $signed"),
    ("a window goes on with the last one's", SERIAL, "lane_pool.v", "pool == 2'd0 || first ||", "pool == 2'd0 ||"),
    ("members outside the image are zeros", SERIAL, "lane_pool.v", "maximum ? 8'h80 : 8'h00", "8'h00"),
    ("members outside the image are the least bytes", SERIAL, "lane_pool.v", "maximum ? 8'h80 : 8'h00", "8'h80"),
    ("a window's word that is not written yet", PARALLEL, "lane_pool.v", "again ? reduced : operand", "operand"),
    ("a window's word that is being written", PARALLEL, "lane_pool.v", "write && write_address == read_1 ? reduced", "1'b0 ? reduced"),
    ("a window's word that was just written", PARALLEL, "lane_pool.v", "wrote && write_1 == read_1 ? reduced_1", "1'b0 ? reduced_1"),
    ("three times a sum without a carry", SERIAL, "lane_pool.v", "wide + (wide <<< 1)", "wide | (wide <<< 1)"),
    ("an average rounded before it is there", SERIAL, "lane_pool.v", ".valid(on[3])", ".valid(on[2])"),
    ("bytes beside averages kept too long", SERIAL, "lane_pool.v", "if (through_now[d])", "if (through_now[0])"),
    ("a token's last finished sum left behind", SERIAL, "sum_lane.v", "turning[4] && finished_4};", "turning[3] && finished_4};"),
    ("the multiplier's highest digit ignored", SERIAL, "lane_pool.v", "{1'b0, multiplier}", "{2'b00, multiplier[13:0]}"),
    ("a token's register taken over by all turns", SERIAL, "token_line.v", "if (starts[DUE-1]) kept <= g_hop[h-1].kept", "kept <= g_hop[h-1].kept"),
    ("ties rounded upwards", SERIAL, "requantize_stages.v", "(rest_1 || shifted_1[1])", "1'b1"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant[0])
def test_every_mutant_of_a_lane_is_killed(tmp_path, mutant):
    _, lane, name, old, new = mutant
    folder = tmp_path / "verilog"
    shutil.copytree(VERILOG, folder)
    text = (folder / name).read_text()
    assert text.count(old) == 1, f"{name} has {text.count(old)} times {old}"
    (folder / name).write_text(text.replace(old, new))
    assert any(difference_of(lane, seed, folder) is not None for seed in range(3))
