"""Words of the accelerators' memories: every field holds its value, or the network is refused."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from systopack.hardware.timing import TiledTiming

from systopack.errors import InvalidOptionError
from systopack.hardware.array import Array
from systopack.hardware.row_tiles import place, row_tiles
from systopack.network.network import PackedNetwork
from systopack.network.nodes import InputNode, MatrixLayer, PoolLayer
from systopack.packing.pack import dense
from systopack.rtl import rows_fields
from systopack.rtl.fields import (
    INSTRUCTION,
    OUTPUT_INSTRUCTION,
    Field,
    bits_of,
    descriptor_layout,
    pack_fields,
    pipelined_row_layout,
    route_layout,
    row_layout,
    unpack_fields,
)
from systopack.rtl.images import DESCRIPTORS, PROGRAM, WEIGHTS
from systopack.rtl.parameters import VERILOG, sources
from systopack.rtl.pipelined.instances import table
from systopack.rtl.pipelined.program import compile_pipelined
from systopack.rtl.program import TILE, compile_tiled
from systopack.verification.bench import Bench, Port
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


@pytest.mark.parametrize(
    ("file", "register", "layout", "names"),
    [
        ("controller.v", "present", INSTRUCTION, {}),
        ("output_sequencer.v", "present", OUTPUT_INSTRUCTION, {}),
        (
            "stream_bank.v",
            "",
            [*descriptor_layout(13, 17), *route_layout(11, 16)],
            {"MOVE": 13, "ADDRESS_BITS": 17, "SOURCE_BITS": 11, "PLACE_BITS": 16},
        ),
        ("output_lane.v", "", row_layout(24), {"ACCUMULATOR_BITS": 24}),
        ("pipe_lane.v", "", pipelined_row_layout(24), {"ACC": 24}),
    ],
)
def test_the_verilog_takes_words_apart_as_they_were_packed(file, register, layout, names):
    def bits(width):
        high, low = width.strip("[] ").split(":")
        return eval(high, {}, names) - int(low) + 1

    found = [(name, bits(width)) for name, width in verilog_fields(file, register)]
    assert found == [(field.name, field.bits) for field in layout]


@pytest.mark.parametrize(
    ("file", "register", "layout"),
    [
        ("visit_control.v", "present", rows_fields.INSTRUCTION),
        ("output_walk.v", "present", rows_fields.OUTPUT_INSTRUCTION),
        ("fetch_bank.v", "head", rows_fields.job_layout(7, 3, 11, 9)),
    ],
)
def test_words_of_one_feature_memory_are_taken_apart_at_the_widths_they_were_packed(
    file, register, layout
):
    names = {"SLOT_BITS": 7, "PHASE_BITS": 3, "FEATURE_BITS": 11, "OFFSET_BITS": 9}
    found = [width.strip("[] ").split(":") for _, width in verilog_fields(file, register)]
    bits = [eval(high, {}, names) - int(low) + 1 for high, low in found]
    assert bits == [field.bits for field in layout]


def test_the_widths_of_whole_words_are_those_of_the_verilog():
    top = (VERILOG / "tiled_accelerator.v").read_text()
    widths = [int(width) for width in re.findall(r"memory #\(\.WIDTH\((\d+)\)", top)]
    assert widths == [bits_of(INSTRUCTION), bits_of(OUTPUT_INSTRUCTION)]
    top = (VERILOG / "tiled_accelerator.v").read_text()
    widths = [int(width) for width in re.findall(r"memory #\(\.WIDTH\((\d+)\)", top)]
    assert widths == [bits_of(rows_fields.INSTRUCTION), bits_of(rows_fields.OUTPUT_INSTRUCTION)]


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
    parts=st.sampled_from([1, 2, 4]),
    size=st.sampled_from([(1, 1), (1, 2047), (2047, 1), (31, 33)]),
    layer_rows=st.sampled_from([1, 255, 257, 600]),
)
def test_programs_of_the_largest_arrays_hold_what_was_meant(
    rows, columns, cell, parts, size, layer_rows
):
    network = chain(layer_rows, size)
    array = Array(rows=rows, columns=columns, alpha=1, cell=cell, sub_banks=parts)
    timing = TiledTiming(array=array)
    placement = place(network, timing)
    if placement.depth > 1 << 20:  # that many words have no address
        with pytest.raises(InvalidOptionError, match="but the accelerator addresses 1048576"):
            compile_tiled(network, array=array)
        return
    program = compile_tiled(network, array=array)
    got = [unpack_fields(INSTRUCTION, word) for word in words_of(program.images[PROGRAM])]
    for operation, values in zip(program.operations, got, strict=True):
        assert values["op"] == operation.kind
        if operation.kind != TILE:
            continue
        node = network.by_name[operation.node]
        tile = row_tiles(node, rows=rows, columns=columns)[operation.row_tile]
        last = operation.column_tile == tile.column_tiles - 1
        writes = 0 if node is network.output else placement.writes(node.name, tile)
        assert values["spacing"] == (max(1, -(-writes // array.word_cycles)) if last else 1)
        assert values["positions"] == size[0] * size[1]
        assert (values["height"], values["width"]) == size
        assert values["out_width"] == size[1]


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
    tiled = compile_tiled(network, array=array).images[-1]
    pipelined = compile_pipelined(network, array=array).images[-1]
    for layout, image in ((row_layout(16), tiled), (pipelined_row_layout(16), pipelined)):
        values = list(unpack_fields(layout, words_of(image)[0]).values())
        names = [field.name[:-2] for field in layout]
        found = dict(zip(names, values, strict=True))
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


def test_banks_of_more_than_65536_words_are_read_and_written_at_every_address():
    """The offset of a position has 16 bits, the address of a bank up to 20."""
    top = (VERILOG / "tiled_accelerator.v").read_text()
    assert "wire [19:0] store_offset" in top
    program = compile_tiled(chain(3, (200, 200), 3), array=Array(rows=2, columns=1, alpha=4))
    assert program.placement.place_bits == 18
    layout = descriptor_layout(program.placement.displacement_bits, 18)
    bases = [unpack_fields(layout, word)["base"] for word in words_of(program.images[DESCRIPTORS])]
    assert max(bases) > 65536


def controller(**waits):
    parameters = {"WORD_CYCLES": 1, "PHASE_BITS": 1, "PROGRAM_BITS": 3, "LANE_ROWS": 1}
    return Bench(
        top="controller",
        sources=sources(("position_walker.v", "controller.v")),
        parameters={**parameters, "MIN_LOAD": 4, "MIN_RETURN": 4, "MIN_DRAIN": 4, **waits},
        inputs=[Port(name=n, bits=1) for n in ("reset", "go", "image_valid", "result_ready")]
        + [Port(name="program_word", bits=bits_of(INSTRUCTION))],
        outputs=[Port(name=n, bits=1) for n in ("op_start", "issue", "busy")],
    )


def run_tiles(bench, cycles, *, spacing, positions):
    """Two tiles after another: the cycles in which instructions and positions start."""
    values = {field.name: 1 for field in INSTRUCTION} | {
        "op": TILE,
        "barrier": 0,
        "spacing": spacing,
        "positions": positions,
    }
    word = pack_fields(INSTRUCTION, values, where="")
    bits = [(word >> bit) & 1 for bit in range(bits_of(INSTRUCTION))]
    record = {port.name: np.zeros((cycles, port.bits), np.uint8) for port in bench.inputs}
    record["program_word"][:] = bits
    record["reset"][:3] = 1
    record["go"][3:] = 1
    out = bench.run(record)
    return tuple(np.flatnonzero(out[name][:, 0]) for name in ("op_start", "issue"))


@pytest.mark.parametrize("spacing", [1, 255, 256, 300, 1024])
def test_positions_follow_each_other_at_every_spacing(spacing):
    starts, issues = run_tiles(controller(), 12 * spacing + 40, spacing=spacing, positions=5)
    assert len(issues) >= 10
    assert set(np.diff(issues)[:4]) == {spacing}
    assert starts[1] - starts[0] == max(5 * spacing, 4)


@pytest.mark.slow
def test_waits_of_more_than_65535_word_times_end():
    """1024 rows loaded one by one into 70 columns take 71,680 cycles, all of them word times."""
    starts, _ = run_tiles(controller(MIN_LOAD=71_680), 150_000, spacing=1, positions=2)
    assert starts[1] - starts[0] == 71_680


def test_random_networks_pack_into_all_organisations():
    for seed in range(20):
        network = random_network(np.random.default_rng(seed), layers=4)
        for compiled in (compile_tiled, compile_tiled, compile_pipelined):
            compiled(network, array=Array(rows=3, columns=2))
