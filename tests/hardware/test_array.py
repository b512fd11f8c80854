"""The array description: its checks, and what it says about its own timing."""

import numpy as np
import pytest

from systopack.errors import InvalidOptionError
from systopack.hardware.array import Array, check_fits
from systopack.hardware.cycles import tile_interval
from tests.networks import random_network


def test_compact_cells_work_in_pairs_where_the_columns_of_a_stage_are_even():
    shared = [
        Array(cell="bit-serial-compact", cells_per_stage=n).cells_per_adder for n in (1, 2, 3, 8)
    ]
    assert shared == [1, 2, 1, 2]
    assert Array().cells_per_adder == 1
    assert Array(cell="bit-parallel-compact", cells_per_stage=3).cells_per_adder == 3
    assert Array(cell="power-of-two", cells_per_stage=3).cells_per_adder == 3


def test_parallel_cells_that_share_a_sum_wait_for_their_products():
    array = Array(rows=4, columns=7, cell="bit-parallel-compact", cells_per_stage=3, input_fanout=2)
    assert array.latency_cycles == 3 + 1 + 1
    assert array.swap_cycles == 2


def test_a_label_tells_what_is_not_the_default():
    assert Array().label == "bit-serial 32x32 alpha 8"
    assert Array(rows=8, weight_bits=4, input_fanout=2).label == (
        "bit-serial 8x32 alpha 8, weight bits 4, input fanout 2"
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rows": 0}, "rows is 0"),
        ({"columns": 2000}, "columns is 2000"),
        ({"alpha": 17}, "alpha is 17"),
        ({"alpha": True}, "alpha is True"),
        ({"accumulator_bits": 20}, "accumulator_bits is 20"),
        ({"cell": "xx"}, "cell is 'xx'"),
        ({"input_fanout": 33}, "input_fanout is 33"),
        ({"weight_bits": 1}, "weight_bits is 1"),
        ({"weight_bits": 9}, "weight_bits is 9"),
        ({"accumulator_bits": 24}, "accumulator_bits is 24"),
        ({"cells_per_stage": 2}, "choose cell 'bit-serial-compact'"),
        ({"cell": "bit-serial-compact", "cells_per_stage": 33}, "cells_per_stage is 33"),
        ({"weight_buffers": 3}, "weight_buffers is 3"),
    ],
)
def test_an_array_out_of_range_is_refused_by_name(options, words):
    with pytest.raises(InvalidOptionError, match=words):
        Array(**options)


def test_word_times_of_the_cells():
    assert Array(cell="bit-serial").word_cycles == 8
    assert Array(cell="bit-serial", alpha=1).word_cycles == 8
    assert Array(cell="balanced", accumulator_bits=16).word_cycles == 16
    assert Array(cell="bit-parallel").word_cycles == 1
    assert Array(cell="bit-parallel-compact").word_cycles == 1
    assert Array(cell="power-of-two").word_cycles == 8


def test_the_weight_load_follows_the_wave_of_take_over():
    assert Array(rows=4, columns=3, alpha=1, cell="bit-serial").swap_cycles == 4
    assert Array(rows=4, columns=3, alpha=8).swap_cycles == 5
    assert Array(rows=4, columns=3, alpha=8, input_fanout=4).swap_cycles == 2


def test_weights_that_come_with_the_words_need_no_load_before_them():
    array = Array(rows=4, columns=7, weight_buffers=1)
    assert (array.load_columns, array.load_cycles, array.swap_cycles) == (1, 7, 0)
    assert array.first_load_cycles == 1
    wide = Array(rows=4, columns=7, cell="bit-serial-compact", cells_per_stage=3, weight_buffers=1)
    assert (wide.load_columns, wide.load_cycles) == (3, 3)
    # Tiles of one word follow each other as fast as columns can be loaded.
    parallel = Array(rows=4, columns=7, alpha=1, cell="bit-parallel", weight_buffers=1)
    assert tile_interval(parallel, 1, returns=False) == 7
    assert tile_interval(parallel, 9, returns=False) == 9


def test_a_network_that_does_not_fit_is_refused_with_layer_group_and_remedy():
    for seed in range(100):
        network = random_network(np.random.default_rng(seed))
        largest = max(layer.matrix.largest_group for layer in network.layers)
        if largest > 2:
            break
    with pytest.raises(InvalidOptionError, match="repack with --alpha 2"):
        check_fits(network, Array(alpha=2))
    with pytest.raises(InvalidOptionError, match="accumulates in 32 bits"):
        check_fits(network, Array(accumulator_bits=16))
    with pytest.raises(InvalidOptionError, match=r"Layer '\w+' has a weight of .* 7 bits, -64..63"):
        check_fits(network, Array(alpha=largest, weight_bits=7))
    check_fits(network, Array(alpha=largest))
