"""Which memories an accelerator is built with: their places, widths and depths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from systopack.hardware.pipelined.units import LayerUnit
from systopack.rtl.parameters import bits_for
from systopack.rtl.pipelined.program import PipelinedProgram
from systopack.rtl.program import (
    DISPLACEMENTS,
    JOBS,
    OUTPUT_PROGRAM,
    PROGRAM,
    STREAMS,
    TiledProgram,
)

MEMORY, REGISTER_MEMORY = "memory", "register_memory"
SINGLE_MEMORY, FEATURE_BANK = "single_memory", "feature_bank"
_ACCESS = {
    MEMORY: "reads a word one cycle after its address",
    REGISTER_MEMORY: "reads in the same cycle",
    SINGLE_MEMORY: "reads or writes, and gives a word one cycle after its address",
    FEATURE_BANK: "does so too, and writes the bytes that are enabled",
}


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Instances of one wrapper that are alike.

    Args:
        name: what it holds.
        place: the instance below the accelerator, "g_lane[*].lane.biases": all lanes.
        count: how many there are.
        width: bits of a word.
        depth: words.
        module: "memory", "register_memory", "single_memory" or "feature_bank".
        ports: 1, or 2 where it is read and written in one cycle of a run. What is written only
            before a run needs one.
    """

    name: str
    place: str
    count: int
    width: int
    depth: int
    module: str = MEMORY
    ports: int = 1

    @property
    def bits(self) -> int:
        """Of all instances together."""
        return self.count * self.width * self.depth


def tiled_memories(program: TiledProgram) -> tuple[Memory, ...]:
    """The memories of a tiled accelerator; tables have some words more than are used."""
    sizes, timing = program.parameters, program.plan.timing
    widths = {image.memory: image.bits for image in program.images}
    accumulator, lanes, banks = sizes["ACCUMULATOR_BITS"], timing.lanes, timing.banks
    rows, row_bits = sizes["PARAMETER_WORDS"], bits_for(timing.lane_rows)
    paired = timing.lane_rows % 2 == 0
    sums = 1 << (sizes["SUM_POSITION_BITS"] + row_bits - int(paired or timing.lane_rows == 1))
    lane = "g_lane[*].lane"
    ports = 1 if program.plan.ring is None else 2

    found = [
        _table("instructions", "instructions", 1, widths[PROGRAM], sizes["PROGRAM_WORDS"]),
        _table(
            "output instructions",
            "output_instructions",
            1,
            widths[OUTPUT_PROGRAM],
            sizes["OUTPUT_WORDS"],
        ),
        _table(
            "weights", "weights.weights", 1, timing.weight_bits, sizes["WEIGHT_WORDS"], ports=ports
        ),
        _table("streams", "streams.kept", 1, widths[STREAMS], sizes["STREAM_WORDS"]),
        _table(
            "displacements",
            "mask.windows",
            1,
            widths[DISPLACEMENTS],
            1 << sizes["DISPLACEMENT_ADDRESS_BITS"],
        ),
        _table("jobs", "features.g_bank[*].jobs.jobs", banks, widths[JOBS], sizes["JOB_WORDS"]),
        Memory(
            name="features",
            place="features.g_bank[*].features",
            count=banks,
            width=8 * timing.word_bytes,
            depth=sizes["BANK_DEPTH"],
            module=FEATURE_BANK,
        ),
        _table("row starts", f"{lane}.starts", lanes, 12 + accumulator, rows),
        _table(
            "row limits",
            f"{lane}.g_limits.limits",
            sizes["CLIPS"] * lanes,
            2 * accumulator,
            rows,
        ),
        _table(
            "row places",
            f"{lane}.places",
            lanes,
            1 + sizes["FEATURE_BITS"] + sizes["PHASE_BITS"],
            rows,
        ),
        Memory(
            name="partial sums",
            place=f"{lane}.partial_sums.{'g_pairs.pairs' if paired else 'g_ports.sums'}",
            count=lanes,
            width=2 * accumulator if paired else accumulator,
            depth=sums,
            module=SINGLE_MEMORY if paired else MEMORY,
            ports=1 if paired else 2,
        ),
    ]
    if sizes["POOLS"]:
        window = sizes["POOL_BITS"] + (row_bits if timing.lane_rows > 1 else 0)
        few = window <= 3
        found.append(
            Memory(
                name="pooling windows",
                place=f"{lane}.g_pool.windows.{'g_few' if few else 'g_many'}.windows",
                count=lanes,
                width=24 if sizes["POOLS"] == 2 else 8,
                depth=1 << window,
                module=REGISTER_MEMORY if few else MEMORY,
                ports=2,
            )
        )
    return tuple(memory for memory in found if memory.count)


def _table(name: str, place: str, count: int, width: int, depth: int, *, ports: int = 1) -> Memory:
    return Memory(name=name, place=place, count=count, width=width, depth=depth, ports=ports)


def pipelined_memories(program: PipelinedProgram) -> tuple[Memory, ...]:
    """The memories of a layer-pipelined accelerator: line buffers, parameters, results."""
    network, accumulator = program.network, program.array.accumulator_bits
    found = []
    for number, unit in enumerate(program.units):
        name, depths = f"u{number}", program.depths[unit.name]
        windows = [(f"{name}_window{index}.lines", w) for index, w in enumerate(unit.windows)]
        if not isinstance(unit, LayerUnit):
            windows = [(f"{name}_window.lines", unit.windows[0])]
        elif unit.residual is not None:
            windows.append((f"{name}_residual.lines", unit.residual))
        found += [
            Memory(
                name="line buffer",
                place=place,
                count=1,
                width=8 * len(window.channels),
                depth=depth,
                ports=2,
            )
            for (place, window), depth in zip(windows, depths, strict=True)
        ]
        if isinstance(unit, LayerUnit):
            rows, lane_rows = unit.layer.matrix.rows, unit.lane_rows
            found += [
                Memory(
                    name="row parameters",
                    place=f"{name}_lane{first // lane_rows}.parameters",
                    count=1,
                    width=12 + 3 * accumulator,
                    depth=min(lane_rows, rows - first),
                )
                for first in range(0, rows, lane_rows)
            ]
    last = program.units[-1]
    rows, height, width = network.shapes[last.name]
    found.append(
        Memory(
            name="results",
            place="host.results.kept",
            count=1,
            width=rows * (accumulator if isinstance(last, LayerUnit) else 8),
            depth=program.credits * height * width,
            module=REGISTER_MEMORY,
        )
    )
    return tuple(found)


def memory_bits(memories: Sequence[Memory]) -> int:
    """Bits of all of them."""
    return sum(memory.bits for memory in memories)


def memories_text(memories: Sequence[Memory]) -> str:
    """A table in Markdown, and what to put in their places."""
    rows = "\n".join(
        f"| `{memory.module}` | `{memory.place}` | {memory.count} | {memory.width} | "
        f"{memory.depth:,} |"
        for memory in memories
    )
    modules = {memory.module for memory in memories}
    wrappers = "\n".join(f"- `{name}.v` {_ACCESS[name]}." for name in _ACCESS if name in modules)
    return f"""Every memory is an instance of a wrapper, with parameters for width and depth:

{wrappers}

To build with macros, replace the module by one with the same ports that picks the macro of its
size. None has to give a written word before the next cycle, and what `memory.v` reads in the cycle
in which the same word is written is not used.

| wrapper | place | instances | bits of a word | words |
|---|---|---|---|---|
{rows}
"""
