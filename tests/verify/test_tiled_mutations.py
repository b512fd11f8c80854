"""Mutants of the tiled accelerator: every fault must turn the comparison red.

All mutants of a build are in it at once: a word of the configuration says which of them is alive.
"""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from systopack.errors import InvalidNetworkError
from systopack.hardware.array import Array
from systopack.hardware.tiled.cycles import op_cycles
from systopack.hardware.tiled.plan import plan_tiles
from systopack.hardware.tiled.weight_ring import WeightMemory
from systopack.rtl.images import image_of_words
from systopack.rtl.parameters import VERILOG
from systopack.rtl.program import pack_plan
from systopack.verification.tiled import run_tiled
from systopack.verification.tiled_check import compare_run
from tests.networks import random_images, random_network
from tests.verify.tiled_networks import deep_network, pooled_network

# (fault, file, text with [[an expression]], expression of the mutant)
MUTANTS = [
    ("words read before they are written", "visit_waits.v", "drained = [[idle_words >= MIN_DRAIN]]", "1'b1"),
    ("an instruction started one word too late", "visit_waits.v", "drained = [[idle_words >= MIN_DRAIN]]", "idle_words > MIN_DRAIN"),
    ("weights not waited for", "visit_waits.v", "[[since_words >= MIN_LOAD]]", "1'b1"),
    ("weights waited for a word too long", "visit_waits.v", "[[since_words >= MIN_LOAD]]", "since_words > MIN_LOAD"),
    ("steps of a pooling counted as entered", "visit_control.v", "[[issue && !pool_step]]) entered", "issue"),
    ("waits for weights counted where there is none", "visit_control.v", "unfed = [[leaving && slot_end && !fed]]", "leaving && slot_end"),
    ("a prologue without its last slot", "visit_control.v", "last_prologue <= [[slot_stop - 10'd1]]", "slot_stop - 10'd2"),
    ("a descriptor's word not loaded", "visit_control.v", "load_ends = state == LOAD && [[loads_now == 6'd0]]", "loads_now == 6'd1"),
    ("descriptors of operands not loaded", "visit_control.v", "[[with_residual ? {2'd0, residual_words} : 6'd0]]", "6'd0"),
    ("jobs in the slots of results", "visit_control.v", "(state == PERIOD && [[slot < write_slot]])", "1'b1"),
    ("the last slot of jobs given to results", "visit_control.v", "(state == PERIOD && [[slot < write_slot]])", "slot + 10'd1 < write_slot"),
    ("words a word too far", "visit_control.v", "words_base <= [[words_base + WORD_BYTES]];\n            new_run", "words_base + 2 * WORD_BYTES"),
    ("words not moved on with a period", "visit_control.v", "words_base <= [[words_base + WORD_BYTES]];\n            if", "words_base"),
    ("a run without its first step", "visit_control.v", "gather || [[new_run]]", "1'b0"),
    ("the next block's words those of the block before", "visit_control.v", "block_base <= [[block_base + {8'd0, block_pitch}]]", "block_base"),
    ("the next run's words those of the run before", "visit_control.v", "words_base <= [[run_base + {12'd0, run_pitch}]]", "run_base"),
    ("the next block's operands those of the block before", "visit_control.v", "residual_block <= [[residual_block + {8'd0, residual_block_pitch}]]", "residual_block"),
    ("operands a period too early", "visit_control.v", "if ([[lag_left <= 6'd1]]) residual_place", "lag_left <= 6'd2"),
    ("operands a word too far where none is late", "visit_control.v", "if ([[periods_start && lag == 6'd0 && first_run]])", "periods_start && first_run"),
    ("the first column tile's jobs for all", "visit_control.v", "last_tile ? jobs : [[list + {8'd0, jobs_stride}]]", "list"),
    ("the first column tile's descriptors for all", "visit_control.v", "load_place <= last_tile ? streams : [[load_place]]", "streams"),
    ("weights of the tile before", "visit_control.v", "following_tile = wraps ? {weights_now[19], 19'd0} : [[following[19:0]]]", "weights_now"),
    ("the next block's weights those of the last column tile", "visit_control.v", "!last_block ? [[weights]] : following", "weights_now"),
    ("an image that ends too early taken for a whole one", "visit_control.v", "(image_last ? [[overrun || !whole]]", "overrun"),
    ("an image that goes on too long taken for a whole one", "visit_control.v", "overrun <= !image_last && ([[overrun || whole]])", "1'b0"),
    ("a row of the image that ends late", "visit_control.v", "column <= [[beyond >= {1'b0, out_width}]]", "beyond > {1'b0, out_width}"),
    ("a place in the row not moved back", "visit_control.v", "place_x <= [[beyond >= {1'b0, out_width}]]", "1'b0"),
    ("the horizontal stride ignored", "visit_control.v", "[[{4'd0, stride_x}]]);", "12'd1"),
    ("a tail that is a period too short", "visit_control.v", "tailing && [[tail_left == 6'd1]]", "tail_left <= 6'd2"),
    ("a gathered place of the step before", "visit_control.v", "[[walk || begin_walk]]) gathered_low", "begin_walk"),
    ("the list of jobs restarted at its second", "fetch_bank.v", "[[issue || started]] ? place", "1'b1"),
    ("the list of jobs never restarted", "fetch_bank.v", "rewind || ([[ended && !started && !first && !empty]])", "1'b0"),
    ("a list that ended once taken for an empty one", "fetch_bank.v", "if ([[first && ended && !started]]) empty", "ended && !started"),
    ("a list after an empty one taken for one too", "fetch_bank.v", "if ([[rewind]]) empty", "1'b0"),
    ("a list's first job not read", "fetch_bank.v", ".read([[restart || issue || started]])", "issue || started"),
    ("a job behind an issued one not read", "fetch_bank.v", ".read([[restart || issue || started]])", "restart || started"),
    ("a list's second job not read", "fetch_bank.v", ".read([[restart || issue || started]])", "restart || issue"),
    ("a job issued in every slot", "fetch_bank.v", "slot_valid && [[job_slot == slot]]", "1'b1"),
    ("words below the image read as data", "fetch_bank.v", "|| [[word_1 >= limit_word_1]]", "1'b0"),
    ("the last word of a plane a zero", "fetch_bank.v", "|| [[word_1 >= limit_word_1]]", "word_1 + 1 >= limit_word_1"),
    ("operands from the array's place", "fetch_bank.v", "= [[residual ? residual_base : base]]", "base"),
    ("words of the array from the operands' place", "fetch_bank.v", "= [[residual ? residual_base : base]]", "residual_base"),
    ("a plane's phase left out of its length", "fetch_bank.v", "+ [[{{(BYTES - PHASE_BITS) {1'b0}}, phase}]]", "0"),
    ("words of every slot taken", "word_streams.v", "slot_valid_3 && used && [[my_slot == slot_3]]", "1'b1"),
    ("words taken in the slot of their reading", "word_streams.v", "slot_valid_3 && used && [[my_slot == slot_3]]", "my_slot == slot"),
    ("words of the bank that is read next", "word_streams.v", "(banks[i*BANK_BITS+:BANK_BITS] & {BANK_BITS{[[match_3[i]]]}})", "match[i]"),
    ("words taken over the present ones", "word_streams.v", "[[match_3[s] && second]]) even", "match_3[s]"),
    ("the first word never skipped", "word_streams.v", "run_start ? [[!negative]]", "1'b0"),
    ("the first word always skipped", "word_streams.v", "run_start ? [[!negative]]", "1'b1"),
    ("a word begun one byte late", "word_streams.v", ": [[{1'b0, new_place} < step_bytes]]", "{1'b0, new_place} <= step_bytes"),
    ("a byte's place in its word ignored", "word_streams.v", "new_place = [[low + o]]", "o"),
    ("bytes beyond the image's row sent", "word_streams.v", "mine <= used && [[in_row[dx]]]", "1'b1"),
    ("the second half's byte of the present word", "word_streams.v", "[[second ^ far[PHASE_BITS]]] ? odd", "second"),
    ("the second half's byte the first half's", "word_streams.v", "+ [[{1'b0, upper_bytes}]]", "0"),
    ("halves that work apart given one word", "word_streams.v", "= [[apart_1]] ? upper_sent", "1'b0"),
    ("operands sent before their step", "word_streams.v", "if ([[stepped]] || !reading) sent", "step"),
    ("the second half's bytes beyond the row sent", "word_streams.v", "upper_mine <= used && [[upper_in_row[dx]]]", "in_row[dx]"),
    ("partial sums forgotten", "output_walk.v", "first <= [[tile == 12'd0]]", "1'b1"),
    ("partial sums of another position", "output_walk.v", "position <= [[place[SUM_POSITION_BITS-1:0]]]", "place[SUM_POSITION_BITS-1:0] & ~1"),
    ("a column tile goes on after the positions of the last", "output_walk.v", "plain <= [[plain_start]];", "plain + amount"),
    ("pooled rows of a column tile go on after those of the last", "output_walk.v", "outer_y <= [[outer_start]];", "outer_y"),
    ("pooled words of a column tile go on after those of the last", "output_walk.v", "row_index <= [[row_start]];", "row_index"),
    ("the next block's pooled words those of the block before", "output_walk.v", "row_start <= [[row_index + {12'd0, pooled_width}]];", "row_start"),
    ("steps of a period not counted anew", "visit_control.v", "if ([[period_ends || periods_start]]) period_steps", "periods_start"),
    ("a window a column too narrow", "output_walk.v", "inner_x_ends = [[inner_x == window_width - 12'd1]]", "inner_x == 12'd0"),
    ("a window's first member forgotten", "output_walk.v", ": [[inner_x == 12'd0 && inner_y == 12'd0]]", "inner_x == 12'd0"),
    ("padding read as data", "output_walk.v", "masked <= pool_step ? [[outside]]", "1'b0"),
    ("the average's or maximum's first of a step's window", "output_walk.v", "pool_first <= pool_step ? [[walk_first]]", "1'b0"),
    ("zeros after a plane's last byte missing", "output_walk.v", "[[(fused ? row_index + {12'd0, outer_x} : pool_step ? pool_place : plain)\n                     == final_byte]]", "1'b0"),
    ("the upper rows' last byte missed", "output_walk.v", "final_upper <= [[plain + 24'd1 == final_byte]]", "plain == final_byte"),
    ("two positions a step counted as one", "output_walk.v", "amount = [[halves ? 24'd2 : 24'd1]]", "24'd1"),
    ("the last block as long as the others", "output_walk.v", "remaining <= block == blocks - 12'd2 ? [[last_steps]]", "steps"),
    ("a word written with all its bytes", "feature_bank.v", "if ([[enables[b]]])", "|enables"),
    ("weights of another tile", "tile_weights.v", "[[WAIT == 0 ? base_now : LOADS == 1 ? earlier : held]]", "base_now"),
    ("the last column not loaded", "tile_weights.v", "[[{{(32 - COLUMN_BITS) {1'b0}}, column_now} == LOADS - 1]]", "1'b1"),
    ("weights in the column after", "tile_weights.v", "load_column <= [[column_now]]", "column_now + 1'b1"),
    ("an image's last word not written", "image_words.v", "ends = [[&in_word || last_position]]", "&in_word"),
    ("an image's plane begun with bytes of the last", "image_words.v", "gathered <= [[ends ? {BITS{1'b0}} : now]]", "now"),
    ("an image's phase ignored", "image_words.v", "place = [[position + {18'd0, first_byte}]]", "position"),
    ("an image's channels on each other", "image_words.v", "start + [[pitch[FEATURE_BITS-1:0]]]", "0"),
    ("a row's word taken with that of a lower row", "feature_memory.v", "pending[i*BANKS+b] && [[!earlier[i]]]", "1'b1"),
    ("results written in the slots of jobs", "feature_memory.v", "results_own = [[!busy_slot_2]]", "1'b1"),
    ("the second half's column the first half's", "tiled_accelerator.v", ".upper([[split ? {4'd0, stride_x} : 12'd0]])", "12'd0"),
    ("the second half's words in the first half's place", "tiled_accelerator.v", "[[upper ? index[INDEX-1:0] + 1'b1 : index[INDEX-1:0]]]", "index[INDEX-1:0]"),
    ("words outside the image not zeros", "feature_memory.v", "= [[zero_3]] ? {BITS", "1'b0"),
    ("a bank not read for the last column", "feature_memory.v", "if ([[wants[q]]] &&", "wants[q] && q != 0"),
    ("operands of the row before", "lane_operands.v", "bytes[8*[[turn_row_2]]+:8]", "turn_row"),
    ("bits of a word in the wrong order", "step_timing.v", "bit_count <= [[6'd0]];", "6'd1"),
    ("bits of a sum caught in another order", "array_sums.v", ".bit_now([[{later, complete}]])", "{complete, later}"),
    ("bits of a sum caught all the time", "sum_deserializer.v", "if ([[bit_now[k]]])", "1'b1"),
    ("an instruction not read", "visit_control.v", "LATE != 0 ? [[counted]]", "1'b0"),
    ("an instruction of parallel cells not read", "visit_control.v", ": [[start_run || start]];", "start_run"),
    ("an output instruction not read", "output_walk.v", "LANE_ROWS > 3 ? [[counted]]", "1'b0"),
    ("an output instruction of parallel cells not read", "output_walk.v", ": [[run_start || new_op]];", "run_start"),
    ("displacements not read", "row_mask.v", ".read([[start]])", "1'b0"),
    ("descriptors of operands not read", "stream_table.v", ".read([[load]])", "load && !load_residual"),
    ("descriptors given to the next columns", "stream_table.v", "number <= [[load_number]]", "load_number + 6'd1"),
    ("weights of the first column not read", "tile_weights.v", ".read([[step]])", "running"),
    ("a kept sum not read", "tiled_accelerator.v", ".send_read([[send_read && {16'd0, send_lane} == u]])", "1'b0"),
    ("a kept sum read a cycle late", "visit_control.v", "!stepped && [[send_step == 2'd0]]", "send_step == 2'd1"),
    ("the array's clock stopped before sums are whole", "array_clock.v", "issue || [[(|history)]]", "history[0]"),
    ("the array's clock not started with a step", "array_clock.v", "run || [[issue]] ||", "1'b0"),
    ("a tile that stays for its blocks let go", "visit_control.v", "tile_leaves = [[!weights_now[19] || last_block]];", "1'b1"),
    ("a tile that comes again never let go", "visit_control.v", "tile_leaves = [[!weights_now[19] || last_block]];", "last_block"),
    ("a tile that comes again taken for one that stayed", "visit_control.v", ": [[weights_next[19]]] && (last_tile ? !last_block", "1'b1"),
    ("the present tile that comes again taken for one that stayed", "visit_control.v", "WEIGHT_BUFFERS == 1 ? [[weights_now[19] && block != 12'd0]]", "block != 12'd0"),
    ("the ring's end passed", "visit_control.v", "wraps = [[RING != 0 && {13'd0, following[18:0]} == RING]];", "1'b0"),
    ("a tile that comes again looked for where it was", "visit_control.v", "passing = [[RING != 0 && !weights_now[19]]];", "1'b0"),
    ("a visit that does not wait for its weights", "visit_control.v", "(loaded_now && [[weights_there]])", "1'b1"),
    ("a place filled before its tile was read", "weight_ring.v", ".in([[begins && leaves]])", "begins"),
    ("a place never free again", "weight_ring.v", ".in([[begins && leaves]])", "1'b0"),
    ("beats taken where no place is free", "weight_ring.v", "!over && [[room != {TILE_BITS{1'b0}}]]", "1'b1"),
    ("beats taken between runs", "weight_ring.v", "weights_ready = [[busy]] &&", "1'b1"),
    ("a word for every beat", "weight_ring.v", "word_ends = took && [[{{(32 - COUNT_BITS) {1'b0}}, beat} == BEATS - 1]];", "1'b1"),
    ("a tile that is a word short", "weight_ring.v", "tile_ends = word_ends && [[{{(32 - WORD_BITS) {1'b0}}, word} == LOADS - 1]];", "{{(32 - WORD_BITS) {1'b0}}, word} == LOADS - 2"),
    ("a tile taken for whole with its first word", "weight_ring.v", "whole <= [[tile_ends]];", "word_ends && word == {WORD_BITS{1'b0}}"),
    ("words written beyond the ring", "weight_ring.v", "write_address <= [[{{(32 - ADDRESS_BITS) {1'b0}}, write_address} == TILES * LOADS - 1]]", "1'b0"),
    ("a tile loaded that is not there", "weight_ring.v", "found = [[fresh != {TILE_BITS{1'b0}}]];", "1'b1"),
    ("a load in the middle of a word time", "weight_ring.v", "first_load = [[slot_end]] && found", "1'b1"),
    ("a tile that stayed not loaded again", "weight_ring.v", "load_begins = first_load || [[(begins && again)]];", "1'b0"),
    ("a load that waits forgotten", "weight_ring.v", "asked <= [[(asked || begins)]] && !load_begins;", "asked"),
    ("a visit before its load", "weight_ring.v", "again || found : [[!asked]];", "1'b1"),
    ("a visit before its own tile", "weight_ring.v", "there = WEIGHT_BUFFERS == 1 ? [[again || found]]", "1'b1"),
    ("the tile of a later visit loaded", "weight_ring.v", "if ([[begins]]) load_address", "load_begins"),
    ("the first tile of a run not asked for", "weight_ring.v", "asked <= [[WEIGHT_BUFFERS == 2]];", "1'b0"),
    ("the run's first tile not where it came", "weight_ring.v", "{write_address, load_address} <= [[{2 * ADDRESS_BITS{1'b0}}]];", "{write_address, load_address}"),
]  # fmt: skip
HALVES = Array(
    rows=32,
    columns=2,
    cell="bit-serial-compact",
    input_fanout=16,
    cells_per_stage=2,
    weight_buffers=1,
)
NUMBER, BITS = 7, 8  # the memory of the configuration that says which mutant is alive


def cases():
    """Networks on arrays: by name the program and images; compact cells have a clock that stops."""
    found = {}
    alone = {"cell": "bit-parallel-compact", "cells_per_stage": 2, "weight_buffers": 1}
    ring = {"block": 4, "weights": WeightMemory(capacity_bytes=198, beat_bits=32)}
    deep = deep_network(1, size=(4, 4), rows=6)
    for name, array, network, options in (
        ("pooled", Array(rows=18, columns=2), pooled_network(3, rows=20, channels=18), {"block": 16}),
        ("long blocks", Array(rows=4, columns=2), pooled_network(3), {}),
        ("halves", HALVES, random_network(np.random.default_rng(9), layers=6, concatenations=True), {"split": True}),
        ("parallel", Array(rows=5, columns=3, cell="bit-parallel"), random_network(np.random.default_rng(117), layers=6, concatenations=True), {}),
        ("ring", Array(rows=12, columns=4, cell="bit-parallel", input_fanout=12), deep, ring),
        ("ring of words", Array(rows=12, columns=3, **alone), deep, ring),
        ("serial ring", Array(rows=18, columns=4), deep, ring),
    ):  # fmt: skip
        fitting = replace(array, accumulator_bits=network.accumulator_bits)
        program = pack_plan(plan_tiles(network, array=fitting, **options))
        gated = {"GATED": int(array.weight_buffers == 1)}
        program = replace(program, parameters=program.parameters | gated)
        found[name] = program, random_images(np.random.default_rng(2), network, 2)
    return found


def write_mutants(folder):
    """The package's Verilog with every mutant in it."""
    shutil.copytree(VERILOG, folder)
    places = {}
    for number, (_, name, marked, new) in enumerate(MUTANTS, start=1):
        before, rest = marked.split("[[", 1)
        cut = rest.rindex("]]")
        old, after = rest[:cut], rest[cut + 2 :]
        text = (VERILOG / name).read_text()
        assert text.count(before + old + after) == 1, (name, marked)
        start = text.index(before + old + after) + len(before)
        places.setdefault((name, start, start + len(old)), []).append((number, new))
    for (name, start, stop), mutants in sorted(places.items(), reverse=True):
        path = folder / name
        text = path.read_text()
        expression = f"({text[start:stop]})"
        for number, new in mutants:
            expression = f"(mutants::number == {BITS}'d{number} ? ({new}) : {expression})"
        path.write_text(text[:start] + expression + text[stop:])
    for name in {name for name, *_ in places}:
        path = folder / name
        path.write_text("/* verilator lint_off WIDTH */ " + path.read_text())
    first = folder / "delay_line.v"
    first.write_text(
        f"package mutants; reg [{BITS - 1}:0] number; endpackage\n" + first.read_text()
    )
    top = folder / "tiled_accelerator.v"
    text = top.read_text()
    end = text.rindex("endmodule")
    top.write_text(
        f"{text[:end]}    always @(posedge clk) if (config_write && config_memory == 3'd{NUMBER})\n"
        f"        mutants::number <= config_data[{BITS - 1}:0];\n{text[end:]}"
    )


def killed(program, images, verilog, number):
    """Whether a comparison is red with this mutant alive; 0: none is."""
    alive = image_of_words(NUMBER, BITS, [[number]])
    cycles = list(op_cycles(program.plan))[-1].begin
    own = replace(program, images=(*program.images, alive))
    length = images[0].size
    for wrong_bytes in (0, length // 2, 2 * length):  # images of other lengths come before
        try:
            found = run_tiled(
                own, images, cycle_limit=3 * cycles, wrong_bytes=wrong_bytes, verilog=verilog
            )
        except InvalidNetworkError:
            return True  # it does not end
        difference = compare_run(program, found, images, cycles=not wrong_bytes)[1]
        if found.assertion is not None or difference is not None:
            return True
    return False


@pytest.mark.slow
def test_every_mutant_is_killed(tmp_path):
    write_mutants(tmp_path / "verilog")
    living = set(range(1, 1 + len(MUTANTS)))
    for name, (program, images) in cases().items():
        assert not killed(program, images, tmp_path / "verilog", 0), name
        living -= {
            number for number in living if killed(program, images, tmp_path / "verilog", number)
        }
    assert not [MUTANTS[number - 1][0] for number in living]
