"""The folder of a layer-pipelined accelerator: Verilog, memory contents, test bench, README."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from systopack.hardware.array import Array
from systopack.hardware.pipelined.routing import routing
from systopack.network.network import PackedNetwork
from systopack.rtl.delivery import Delivery
from systopack.rtl.host import configuration_writes
from systopack.rtl.identity import axi_parameters, build_digest
from systopack.rtl.memories import memories_text, memory_bits, pipelined_memories
from systopack.rtl.names import markdown
from systopack.rtl.parameters import AXI_PIPELINED_SOURCES, LICENSE, VERILOG
from systopack.rtl.pipelined.program import PipelinedProgram, compile_pipelined
from systopack.rtl.pipelined.top import top_module
from systopack.rtl.registers import CONTROL, PIPELINED_IDENTITY, START
from systopack.rtl.texts import (
    BENCH_COMMAND,
    PORTS,
    accelerator_text,
    bench_files,
    registers_text,
)

_TOPS = ("pipelined_accelerator.v", "accelerator.v")


def pipelined_contents(
    network: PackedNetwork, array: Array, images: NDArray[np.int8], results: NDArray[np.int32]
) -> Delivery:
    """The folder of a network; its cycles are the latency of an image.

    Args:
        images: shape (B, C, H, W), int8, for the test bench.
        results: shape (B, rows, H, W): what they must give.

    Raises:
        InvalidOptionError: the network does not fit.
    """
    program = compile_pipelined(network, array=array)
    writes = [*configuration_writes(program.images), (CONTROL, START)]
    beats = images.reshape(*images.shape[:2], -1).swapaxes(1, 2)
    words = results.reshape(*results.shape[:2], -1).swapaxes(1, 2).reshape(len(results), -1)
    contents = {
        **{name: (VERILOG / name).read_text() for name in AXI_PIPELINED_SOURCES},
        "LICENSE": LICENSE.read_text(),
        "pipelined_accelerator.v": top_module(program),
        "accelerator.v": accelerator_text(
            "axi_pipelined",
            axi_parameters(program),
            heading="",
            sizes={"IMAGE_BITS": program.parameters["IMAGE_BITS"]},
        ),
        **bench_files(
            beats,
            words,
            writes=writes,
            cycles=program.cycles.latency_cycles,
            starts=False,
        ),
        "sources.f": "".join(f"{name}\n" for name in (*AXI_PIPELINED_SOURCES, *_TOPS)),
        "README.md": _readme(program, len(writes)),
    }
    return Delivery(
        program=program,
        files=contents,
        cycles=program.cycles.latency_cycles,
        memory_bits=memory_bits(pipelined_memories(program)),
    )


def _readme(program: PipelinedProgram, writes: int) -> str:
    network, array, cycles = program.network, program.array, program.cycles
    image_bits = program.parameters["IMAGE_BITS"]
    memories = pipelined_memories(program)
    rows = "\n".join(
        f"| {markdown(unit.name)} | {unit.kind} | {unit.cells:,} | {unit.tiles} | "
        f"{unit.start_cycle:,} | {unit.first_word_cycle:,} | {unit.end_cycle:,} |"
        for unit in cycles.units
    )
    before, after = routing(network)
    wires = "\n".join(
        f"| {markdown(now.name)} | {now.streams} | {now.out_of_place} | {then.out_of_place} | "
        f"{now.crossed_rows} | {then.crossed_rows} |"
        for now, then in zip(before, after, strict=True)
    )
    return f"""# {markdown(network.name)} as a layer-pipelined accelerator

Every layer has its own cells, {cycles.cells:,} in all, in tiles of at most {array.rows} x
{array.columns}: {array.cell}, {array.accumulator_bits}-bit accumulators. An image takes
{cycles.latency_cycles:,} clock cycles from its first word to its last result; images follow each
other every {cycles.period_cycles:,} cycles. The memories hold {memory_bits(memories):,} bits.

## Files

- `accelerator.v`: the top module, without parameters; `sources.f` lists all files it needs.
- `configuration.hex`: {writes:,} register writes, in order, a line each: register (2 digits),
  value (8 digits). They load weights and output parameters; the last one starts.
- `testbench.v` with `image.hex` and `results.hex`: several images, the first without a wait, the
  others with random back-pressure on both streams; prints PASS, or FAIL
  and then ends with a status other than 0; `-DSYSTOPACK_ASSERTIONS` adds the design's assertions.
  `{BENCH_COMMAND}`
- `clock_gate.v`: with `GATED` 1 the clocks of idle cells stop; silicon puts its own cell there, and
  drives `test_enable` in a scan test. With `GATED` 0, the default, tie it low.
- Verilator unrolls generate loops over a layer's columns: give it `--unroll-count 65536`.

## Ports

{
        PORTS.format(
            weights="",
            image_bits=image_bits,
            image="all channels of a position, 0 lowest",
            results="all rows of a position",
        )
    }
## Registers

{registers_text(identity=PIPELINED_IDENTITY, build=build_digest(program))}
A start lets images follow each other. One that comes while images are under way waits for their
results, and the next image waits for it.

Memories: 2 weights (bank: row band, word: column), 6 output parameters (bank: lane, word: row).

## Memories

{memories_text(memories)}
## Latency

| node | kind | cells | tiles | first position in cycle | first word in cycle | last word in cycle |
|---|---|---|---|---|---|---|
{rows}

## Routing

Streams that do not leave the layer before beside the others of their column group, and rows that
lie between them, as built and after the row permutation (`systopack.network.permute.permute_rows`).

| layer | streams | out of place | permuted | rows crossed | permuted |
|---|---|---|---|---|---|
{wires}
"""
