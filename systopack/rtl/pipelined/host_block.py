"""The top module's ports, and the block that faces the host."""

from __future__ import annotations

from collections.abc import Iterator

from systopack.hardware.pipelined.units import LayerUnit, PoolUnit
from systopack.rtl.parameters import bits_for
from systopack.rtl.pipelined.instances import instance, same
from systopack.rtl.pipelined.program import PipelinedProgram

_PORTS = """\
    input  wire        clk,
    input  wire        reset,
    input  wire        go,
    output wire        started,
    output wire        busy,
    output wire [31:0] cycles,
    input  wire        test_enable,
    // 2 weights: bank of a row block, word of a column. 6 output parameters: lane, row.
    input  wire        config_write,
    input  wire [2:0]  config_memory,
    input  wire [{bank}:0] config_bank,
    input  wire [19:0] config_address,
    input  wire [{config}:0] config_data,
    input  wire        image_valid,
    input  wire        image_last,
    output wire        image_ready,
    input  wire [{image}:0] image_word,
    output wire        image_dropped,
    output wire        result_valid,
    input  wire        result_ready,
    output wire [31:0] result_word,
    output wire        result_last,
    // For observation: bit u with a word of unit u, and all units' words, unit 0 lowest.
    output wire [{units}:0] observed,
    output wire [{words}:0] observed_words
"""


def host_ports(program: PipelinedProgram) -> str:
    """The ports of `pipelined_accelerator`."""
    return _PORTS.format(
        bank=program.parameters["BANK_BITS"] - 1,
        config=program.parameters["CONFIG_BITS"] - 1,
        image=program.parameters["IMAGE_BITS"] - 1,
        units=len(program.units) - 1,
        words=sum(output_bits(program, unit) for unit in program.units) - 1,
    )


def output_bits(program: PipelinedProgram, unit: LayerUnit | PoolUnit) -> int:
    """Wires of a unit's words: accumulators where they are the results, else bytes."""
    rows = program.network.shapes[unit.name][0]
    is_result = unit is program.units[-1] and isinstance(unit, LayerUnit)
    return rows * (program.array.accumulator_bits if is_result else 8)


def host_block(program: PipelinedProgram) -> Iterator[str]:
    """The block that faces the host, around all units."""
    unit, name = program.units[-1], f"u{len(program.units) - 1}"
    word_cycles = program.array.word_cycles
    _, image_height, image_width = program.network.input.shape
    rows, height, width = program.network.shapes[unit.name]
    words, entries = image_height * image_width, program.credits * height * width
    phase_bits = bits_for(word_cycles)
    yield f"    wire [{phase_bits - 1}:0] phase;"
    yield "    wire slot, take, still, idle, arrived;"
    yield f"    wire {name}_valid;"
    yield f"    wire [{output_bits(program, unit) - 1}:0] {name}_words;"
    yield from instance(
        "pipe_host",
        "host",
        {
            "WORD_CYCLES": word_cycles,
            "PREPARE": program.prepare_words,
            "IMAGE_WORDS": words,
            "PERIOD": program.period_words,
            "CREDITS": program.credits,
            "ROWS": rows,
            "RESULT_BITS": output_bits(program, unit) // rows,
            "POSITIONS": height * width,
            "ENTRIES": entries,
        },
        {
            **same("clk reset go started busy idle cycles phase slot take still arrived"),
            **same("image_valid image_last image_ready image_dropped"),
            **same("result_valid result_ready result_word result_last"),
            "position_arrived": f"{name}_valid",
            "position_words": f"{name}_words",
        },
    )
