"""Netlists of small modules with yosys' models of their cells, in Verilator, against plain Python."""

import numpy as np
import pytest

from systopack.errors import InvalidFileError
from systopack.rtl.parameters import sources
from systopack.synthesis.fpga.design import FpgaDesign
from systopack.synthesis.fpga.ecp5 import synthesize_ecp5
from systopack.verification.bench import Bench, Port
from tests.synthesis.fpga.netlist_run import simulation_verilog


def bench(tmp_path, top, *, inputs, outputs, files=None, **parameters):
    """The netlist of a module."""
    files = files or sources((f"{top}.v",))
    netlist = synthesize_ecp5(FpgaDesign(top=top, sources=tuple(files), parameters=parameters))
    path = tmp_path / "simulated.v"
    path.write_text(simulation_verilog(netlist, top=top))
    return Bench(
        top=top,
        sources=[path],
        parameters={},
        inputs=[Port(name=name, bits=bits) for name, bits in inputs.items()],
        outputs=[Port(name=name, bits=bits) for name, bits in outputs.items()],
    )


def bits_of(values, bits):
    """Values of shape (n,) as bits of shape (n, bits)."""
    return (np.asarray(values)[:, None] >> np.arange(bits) & 1).astype(np.uint8)


def values_of(bits):
    return (bits.astype(np.int64) << np.arange(bits.shape[1])).sum(axis=1)


@pytest.mark.parametrize(("width", "words"), [(36, 500), (18, 900), (4, 12), (9, 1700), (2, 7000)])
def test_memories_keep_their_words(tmp_path, width, words):
    places = (words - 1).bit_length()
    pins = bench(
        tmp_path,
        "memory",
        inputs={
            "write": 1,
            "write_address": places,
            "write_data": width,
            "read": 1,
            "read_address": places,
        },
        outputs={"read_data": width},
        WIDTH=width,
        ADDRESS_BITS=places,
        WORDS=words,
    )
    rng = np.random.default_rng(width)
    addresses = np.tile(rng.integers(0, words, 20), 2)
    values = rng.integers(0, 1 << width, len(addresses))
    kept = dict(zip(addresses.tolist(), values.tolist(), strict=True))
    reads = np.array([*kept])
    write = np.concatenate([np.ones(len(addresses)), np.zeros(len(reads) + 1)]).astype(int)
    idle = np.zeros(len(reads) + 1, dtype=int)
    found = pins.run(
        {
            "write": bits_of(write, 1),
            "write_address": bits_of(np.concatenate([addresses, idle]), places),
            "write_data": bits_of(np.concatenate([values, idle]), width),
            "read": bits_of(np.concatenate([0 * addresses, 0 * reads + 1, [0]]), 1),
            "read_address": bits_of(
                np.concatenate([np.zeros(len(addresses), int), reads, [0]]), places
            ),
        }
    )
    assert values_of(found["read_data"])[len(addresses) + 1 :].tolist() == [*kept.values()]


def test_registers_with_a_mask(tmp_path):
    pins = bench(
        tmp_path,
        "masked_register",
        inputs={"in": 8, "mask": 8},
        outputs={"out": 8},
        WIDTH=8,
    )
    given = {"in": bits_of([0b10101010, 0], 8), "mask": bits_of([0b11110000, 0], 8)}
    assert values_of(pins.run(given)["out"])[1] == 0b10100000


def test_rounding(tmp_path):
    top = tmp_path / "rounding.v"
    top.write_text(
        "module rounding (input clk, input signed [15:0] value, input [4:0] shift,\n"
        "    output reg [7:0] result);\n"
        "    wire [7:0] rounded;\n"
        "    requantize #(.WIDTH(16)) requantize (.value(value), .shift(shift), .result(rounded));\n"
        "    always @(posedge clk) result <= rounded;\nendmodule\n"
    )
    pins = bench(
        tmp_path,
        "rounding",
        files=[*sources(("requantize.v",)), top],
        inputs={"value": 16, "shift": 5},
        outputs={"result": 8},
    )
    rng = np.random.default_rng(0)
    values, shifts = rng.integers(-(1 << 15), 1 << 15, 256), rng.choice([0, 1, 5, 15], 256)
    found = values_of(
        pins.run({"value": bits_of(values & 0xFFFF, 16), "shift": bits_of(shifts, 5)})["result"]
    )
    rounded = np.clip(np.rint(values / 2.0**shifts), -128, 127).astype(np.int64) & 255
    assert found[1:].tolist() == rounded[:-1].tolist()


@pytest.mark.parametrize("signed", ["", "signed"])
def test_products(tmp_path, signed):
    top = tmp_path / "product.v"
    top.write_text(
        f"module product (input clk, input {signed} [15:0] a, b, output reg {signed} [31:0] c);\n"
        "    always @(posedge clk) c <= a * b;\nendmodule\n"
    )
    pins = bench(tmp_path, "product", files=[top], inputs={"a": 16, "b": 16}, outputs={"c": 32})
    rng = np.random.default_rng(0)
    a, b = rng.integers(-(1 << 15) * bool(signed), 1 << (15 if signed else 16), (2, 64))
    found = values_of(pins.run({"a": bits_of(a, 16), "b": bits_of(b, 16)})["c"])
    assert found[1:].tolist() == (a * b & 0xFFFFFFFF).tolist()[:-1]


@pytest.mark.parametrize(("word_bytes", "words"), [(4, 600), (8, 600), (4, 12)])
def test_banks_write_the_bytes_that_are_enabled(tmp_path, word_bytes, words):
    places, rng = (words - 1).bit_length(), np.random.default_rng(words)
    pins = bench(
        tmp_path,
        "feature_bank",
        inputs={
            "access": 1,
            "enables": word_bytes,
            "address": places,
            "write_data": 8 * word_bytes,
        },
        outputs={"read_data": 8 * word_bytes},
        WORD_BYTES=word_bytes,
        ADDRESS_BITS=places,
        WORDS=words,
    )
    count = 400
    access, address = rng.integers(0, 4, count) > 0, rng.integers(0, min(words, 24), count)
    enables = rng.integers(0, 2, (count, word_bytes)) * rng.integers(0, 2, (count, 1))
    data = rng.integers(0, 256, (count, word_bytes))
    access[0], enables[0], kept = True, 0, None
    memory = np.zeros((words, word_bytes), int)
    bits = (data[..., None] >> np.arange(8) & 1).reshape(count, -1).astype(np.uint8)
    found = pins.run(
        {
            "access": bits_of(access.astype(int), 1),
            "enables": enables.astype(np.uint8),
            "address": bits_of(address, places),
            "write_data": bits,
        }
    )["read_data"]
    for cycle in range(count - 1):
        if access[cycle]:
            if enables[cycle].any():
                memory[address[cycle]][enables[cycle] > 0] = data[cycle][enables[cycle] > 0]
                kept = None  # after a write nobody asks for it
            else:
                kept = memory[address[cycle]].copy()
        read = found[cycle + 1].reshape(word_bytes, 8) @ (1 << np.arange(8))
        assert kept is None or (read == kept).all(), cycle


def test_a_cell_without_model_is_named(tmp_path):
    top = tmp_path / "user.v"
    top.write_text(
        "module user (input clk, input a, output reg b);\n    always @(posedge clk) b <= a;\n"
        "    (* keep *) USRMCLK pin (.USRMCLKI(b), .USRMCLKTS(a));\nendmodule\n"
    )
    with pytest.raises(InvalidFileError, match="USRMCLK"):
        bench(tmp_path, "user", files=[top], inputs={"a": 1}, outputs={"b": 1})
