"""Words of the accelerators' memories: every field holds its value, or the network is refused."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from systopack.errors import InvalidOptionError
from systopack.hardware.array import Array
from systopack.network.network import PackedNetwork
from systopack.network.nodes import InputNode, MatrixLayer, PoolLayer
from systopack.packing.pack import dense
from systopack.rtl.fields import (
    INSTRUCTION,
    OUTPUT_INSTRUCTION,
    Field,
    bits_of,
    job_layout,
    pack_fields,
    pipelined_row_layout,
    row_layout,
    stream_layout,
    unpack_fields,
)
from systopack.rtl.parameters import VERILOG
from systopack.rtl.pipelined.instances import table
from systopack.rtl.pipelined.program import compile_pipelined
from systopack.rtl.program import JOBS, OUTPUT_PROGRAM, PROGRAM, ROWS, TILES, WEIGHTS, compile_tiled
from tests.networks import random_network


def layer(name, source, rows, channels, size, *, last=False, **changes):
    columns = np.zeros((channels, 3), dtype=np.int32)
    columns[:, 0] = np.arange(channels)
    weights = np.random.default_rng(rows).integers(-128, 128, (rows, channels)).astype(np.int8)
    fields = {
        "name": name,
        "source": source,
        "kind": "convolution",
        "matrix": dense(weights),
        "columns": columns,
        "bias": np.zeros(rows, np.int32),
        "stride": (1, 1),
        "padding": (0, 0, 0, 0),
        "output_size": size,
        "residual": None,
        "activation": "none",
        "clip": None,
        "shift": None if last else np.full(rows, 6, np.uint8),
        "exponent": -12 if last else -4,
    }
    return MatrixLayer(**(fields | changes))


def chain(rows, size, channels=1, **changes):
    """An input, a layer of so many rows, a layer that reads them all."""
    image = InputNode(
        name="input",
        shape=(channels, *size),
        mean=(0.5,) * channels,
        std=(0.25,) * channels,
        exponent=-5,
    )
    nodes = (
        image,
        layer("first", "input", rows, channels, size),
        layer("second", "first", 2, rows, size, last=True),
    )
    return PackedNetwork(name="chain", nodes=nodes, **changes)


def verilog_fields(file, register):
    """(name, bits) of a concatenation that is assigned from, or connected to, a register."""
    text = (VERILOG / file).read_text()
    pattern = rf"\{{([\w,\s]+)\}}\s*=\s*{register};" if register else r"\.read_data\(\{([^}]+)\}\)"
    names = [re.split(r"[\s,]+", found.strip()) for found in re.findall(pattern, text)]
    widths = {}
    for width, declared in re.findall(
        r"(?:wire|output wire|reg)\s+(?:signed\s+)?(\[[^\]]+\])?\s*(\w[\w,\s]*?)[;,]\s*(?://.*)?\n",
        text,
    ):
        for name in re.split(r"[\s,]+", declared.strip()):
            widths.setdefault(name, width or "[0:0]")
    return [(name, widths[name]) for found in names for name in found]


WIDTHS = {
    "SLOT_BITS": 7, "PHASE_BITS": 3, "FEATURE_BITS": 11, "OFFSET_BITS": 9, "BANK_BITS": 5,
    "DX_BITS": 4, "ACC": 24,
}  # fmt: skip


@pytest.mark.parametrize(
    ("file", "register", "layout", "named"),
    [
        ("visit_control.v", "present", INSTRUCTION, False),
        ("output_walk.v", "present", OUTPUT_INSTRUCTION, False),
        ("fetch_bank.v", "head", job_layout(7, 3, 11, 9), False),
        ("pipe_lane.v", "", pipelined_row_layout(24), True),
    ],
)
def test_the_verilog_takes_words_apart_as_they_were_packed(file, register, layout, named):
    """Every field has its width, and its name where the Verilog has no other for it."""

    def bits(width):
        high, low = width.strip("[] ").split(":")
        return eval(high, {}, WIDTHS) - int(low) + 1

    found = [(name, bits(width)) for name, width in verilog_fields(file, register)]
    assert [bits for _, bits in found] == [field.bits for field in layout]
    assert not named or [name for name, _ in found] == [field.name for field in layout]


@pytest.mark.parametrize(
    ("file", "name", "layout"),
    [
        ("tiled_accelerator.v", "STREAM_BITS", stream_layout(7, 5, 3, 4)),
        ("tiled_accelerator.v", "JOB_BITS", job_layout(7, 3, 11, 9)),
        ("tiled_accelerator.v", "ROW_WORD", row_layout(11, 3, 24, clips=True)),
        ("tiled_accelerator.v", "ROW_WORD", row_layout(11, 3, 24, clips=False)),
        ("word_streams.v", "ENTRY", stream_layout(7, 5, 3, 4)),
    ],
)
def test_words_of_tables_are_as_wide_as_the_verilog_says(file, name, layout):
    (found,) = re.findall(rf"localparam {name} = ([^;]+);", (VERILOG / file).read_text())
    found = re.sub(r"(\w+) != 0 \? (\d+) : (\d+)", r"\2 if \1 else \3", found)
    clips = any(field.name == "lowest" for field in layout)
    assert eval(found, {}, WIDTHS | {"CLIPS": clips}) == bits_of(layout)


def test_the_widths_of_whole_words_are_those_of_the_verilog():
    top = (VERILOG / "tiled_accelerator.v").read_text()
    widths = [int(width) for width in re.findall(r"memory #\(\s*\.WIDTH\((\d+)\)", top)]
    assert widths == [bits_of(INSTRUCTION), bits_of(OUTPUT_INSTRUCTION)]


layouts = st.lists(st.tuples(st.integers(1, 33), st.booleans()), min_size=1, max_size=8).map(
    lambda sizes: tuple(Field(f"f{n}", bits, sign) for n, (bits, sign) in enumerate(sizes))
)


@given(st.data(), layouts)
def test_what_is_packed_comes_back_and_what_does_not_fit_is_refused(data, layout):
    values = {field.name: data.draw(st.integers(*field.range)) for field in layout}
    assert unpack_fields(layout, pack_fields(layout, values, where="Layer 'x'")) == values
    field = data.draw(st.sampled_from(layout))
    low, high = field.range
    beyond = {field.name: data.draw(st.sampled_from([low - 1, high + 1, 2 * high + 2]))}
    with pytest.raises(InvalidOptionError, match=rf"Layer 'x' needs '{field.name}' of") as caught:
        pack_fields(layout, values | beyond, where="Layer 'x'")
    assert f"{low}..{high}" in str(caught.value)


def words_of(image, bank=0):
    chunks = image.words[bank].astype(object)
    return [sum(int(chunk) << 32 * n for n, chunk in enumerate(word)) for word in chunks]


cells = st.sampled_from(["bit-serial", "balanced", "bit-parallel"])
sides = st.sampled_from([1, 2, 255, 256, 257, 511, 513, 1023, 1024])


@settings(deadline=None, max_examples=12)
@given(
    rows=sides,
    columns=st.sampled_from([1, 3, 1024]),
    cell=cells,
    size=st.sampled_from([(1, 1), (1, 2047), (2047, 1), (31, 33)]),
    layer_rows=st.sampled_from([1, 255, 257, 600]),
)
def test_programs_of_the_largest_arrays_hold_what_was_meant(rows, columns, cell, size, layer_rows):
    network = chain(layer_rows, size)
    array = Array(rows=rows, columns=columns, alpha=1, cell=cell)
    if cell == "bit-parallel" and rows > 256:
        with pytest.raises(InvalidOptionError, match=f"has {rows} rows with a lane of their own"):
            compile_tiled(network, array=array)
        return
    try:
        program = compile_tiled(network, array=array)
    except InvalidOptionError as error:  # that many words have no address
        assert re.search(r"but (the accelerator addresses|that field holds) ", str(error))
        return
    ops = program.plan.ops
    got = [unpack_fields(INSTRUCTION, word) for word in words_of(program.images[PROGRAM])]
    assert len(got) == len(ops) + 1
    outputs = [
        unpack_fields(OUTPUT_INSTRUCTION, word) for word in words_of(program.images[OUTPUT_PROGRAM])
    ]
    behind = iter(outputs)
    weights = 0
    for op, values in zip(ops, got, strict=False):
        assert (values["op"] == TILES) == (op.kind in ("tiles", "pool"))
        if op.kind != "tiles":
            continue
        visits, output = op.visits, next(behind)
        for name in ("column_tiles", "blocks"):
            assert values[name] == output[name] == getattr(visits, name)
        assert values["weights"] == weights
        weights += visits.column_tiles * array.load_cycles
        assert (values["out_width"], values["width"]) == (size[1], size[1])
        assert values["limit"] == size[0] * size[1] + program.plan.timing.word_bytes - 1
        steps = [visits.steps(last=last) for last in (False, True)]
        assert [output["steps"], output["last_steps"]] == steps
        if op.target is not None:
            assert output["final"] == size[0] * size[1] - 1
    assert program.images[WEIGHTS].words.shape[1] == weights


def test_every_value_of_the_tables_lies_in_its_field_at_16_bits():
    """A clip limit above what 16 bits hold limits nothing; it must not wrap to something else."""
    network = chain(3, (2, 2), accumulator_bits=16)
    first = replace(
        network.by_name["first"],
        activation="clip",
        clip=np.array([[-70_000, 70_000]] * 3, np.int32),
        matrix=dense(np.full((3, 1), 3, np.int8)),
    )
    second = replace(network.by_name["second"], matrix=dense(np.ones((2, 3), np.int8)))
    network = replace(network, nodes=(network.nodes[0], first, second))
    array = Array(rows=2, columns=1, accumulator_bits=16)
    tiled = compile_tiled(network, array=array)
    sizes = (tiled.parameters[f"{name}_BITS"] for name in ("FEATURE", "PHASE"))
    of_rows = row_layout(*sizes, 16, clips=True)
    pipelined = compile_pipelined(network, array=array).images[-1]
    for layout, image in ((of_rows, tiled.images[ROWS]), (pipelined_row_layout(16), pipelined)):
        found = unpack_fields(layout, words_of(image)[0])
        found = {name.removesuffix("_1"): value for name, value in found.items()}
        assert (found["lowest"], found["highest"]) == (-32768, 32767)


def pool(**changes):
    fields = {
        "name": "pool",
        "source": "input",
        "kind": "max",
        "kernel": (1, 1),
        "stride": (1, 1),
        "padding": (0, 0, 0, 0),
        "output_size": (1, 8),
        "multiplier": 1,
        "shift": 0,
        "exponent": -5,
    }
    return PoolLayer(**(fields | changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stride": (1, 256), "output_size": (1, 1)}, "a stride of 256"),
        ({"kernel": (1, 4096), "padding": (0, 0, 4095, 0)}, "a window side of 4096"),
        ({"kernel": (1, 4090), "padding": (0, 0, 2000, 2100)}, "a last place of 4096"),
    ],
)
def test_windows_that_places_cannot_hold_are_refused_by_name(monkeypatch, changes, words):
    monkeypatch.setattr("systopack.network.limits.PADDING_LIMIT", 5000)
    image = chain(1, (1, 8)).nodes[0]
    node = pool(**changes)
    last = layer("second", "pool", 2, 1, node.output_size, last=True)
    network = PackedNetwork(name="pools", nodes=(image, node, last))
    with pytest.raises(InvalidOptionError, match=f"Layer 'pool' has {words}, but .* at most"):
        compile_tiled(network, array=Array(rows=2, columns=2))


def test_memories_beyond_the_address_are_refused(monkeypatch):
    network = chain(40, (2, 2))
    array = Array(rows=1, columns=1, alpha=1)
    deep = compile_tiled(network, array=array).images[WEIGHTS].words.shape[1]
    monkeypatch.setattr("systopack.rtl.program.ADDRESS_LIMIT", deep - 1)
    with pytest.raises(InvalidOptionError, match=f"the accelerator addresses {deep - 1}"):
        compile_tiled(network, array=array)


def test_tables_of_the_pipelined_accelerator_refuse_what_16_bits_do_not_hold():
    assert table([1, -1]) == "32'hffff0001"
    for value in (1 << 16, -(1 << 15) - 1):
        with pytest.raises(InvalidOptionError, match=f"the value {value}"):
            table([value])


def test_planes_lie_where_jobs_find_them_and_banks_beyond_the_address_are_refused(monkeypatch):
    network, array = chain(40, (100, 100)), Array(rows=8, columns=8, alpha=1)
    program = compile_tiled(network, array=array)
    layout = job_layout(
        *(program.parameters[f"{name}_BITS"] for name in ("SLOT", "PHASE", "FEATURE", "OFFSET"))
    )
    places = program.plan.places
    found = {
        (bank, unpack_fields(layout, word)["plane"])
        for bank in range(program.plan.timing.banks)
        for word in words_of(program.images[JOBS], bank)
    }
    wanted = places.tensors["first"]
    assert set(zip(wanted.banks.tolist(), wanted.planes.tolist(), strict=True)) <= found
    assert max(plane for _, plane in found) > 1 << 12
    monkeypatch.setattr("systopack.rtl.program.TABLE_LIMIT", places.depth - 1)
    with pytest.raises(InvalidOptionError, match=f"accelerator addresses {places.depth - 1}"):
        compile_tiled(network, array=array)


def test_random_networks_pack_into_all_organisations():
    for seed in range(20):
        network = random_network(np.random.default_rng(seed), layers=4)
        for compiled in (compile_tiled, compile_pipelined):
            compiled(network, array=Array(rows=3, columns=2))
