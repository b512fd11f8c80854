"""Write an accelerator for one network as a folder of Verilog that stands on its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidOptionError
from systopack.folders.output import write_folder
from systopack.hardware.array import Array
from systopack.hardware.named_arrays import array_toml
from systopack.hardware.tiled.cycles import TiledCycles, count_tiled
from systopack.hardware.tiled.weight_ring import WeightMemory, check_organisation
from systopack.network.network import PackedNetwork
from systopack.rtl.delivery import Delivery
from systopack.rtl.host import configuration_writes
from systopack.rtl.identity import axi_parameters, build_digest
from systopack.rtl.memories import (
    Memory,
    memories_text,
    memory_bits,
    tiled_memories,
)
from systopack.rtl.names import comment, markdown
from systopack.rtl.packages.packages import check_packages, with_packages
from systopack.rtl.parameters import (
    AXI_TILED_SOURCES,
    LICENSE,
    VERILOG,
)
from systopack.rtl.pipelined.write import pipelined_contents
from systopack.rtl.program import TiledProgram, compile_tiled
from systopack.rtl.registers import CONTROL, START, TILED_IDENTITY
from systopack.rtl.telling import telling_images
from systopack.rtl.texts import (
    BENCH_COMMAND,
    BENCH_IMAGES,
    PORTS,
    accelerator_text,
    bench_files,
    registers_text,
)

ORGANISATIONS = ("tiled", "pipelined")


@dataclass(frozen=True, kw_only=True)
class WrittenRtl:
    """What `write_rtl` wrote.

    Args:
        files: in the order they were written.
        cycles: the model's cycles for one image.
        memory_bits: of all memories that the accelerator needs.
        warning: what the test bench cannot see with its images, in one sentence, or None.
    """

    files: tuple[Path, ...]
    cycles: int
    memory_bits: int
    warning: str | None


def write_rtl(
    network: PackedNetwork,
    *,
    array: Array,
    out: Path | str,
    organisation: str = "tiled",
    image: NDArray[np.int8] | None = None,
    count: int = BENCH_IMAGES,
    weights: WeightMemory | None = None,
    packages: Sequence[str] = (),
    force: bool = False,
) -> WrittenRtl:
    """Write Verilog, memory contents, a self-checking test bench and a README.

    Args:
        out: the folder; made where missing.
        network, array, organisation, image, count, weights, packages: see `rtl_contents`.
        force: replace files of the same names, whoever wrote them.

    Raises:
        InvalidOptionError: the network does not fit; raised before any file is written.
        InvalidFileError: the folder cannot be written.
    """
    made = rtl_contents(
        network,
        array=array,
        organisation=organisation,
        image=image,
        count=count,
        weights=weights,
        packages=packages,
    )
    return WrittenRtl(
        files=write_folder(out, made.files, force=force),
        cycles=made.cycles,
        memory_bits=made.memory_bits,
        warning=made.warning,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class RtlContents:
    """What `write_rtl` writes.

    Args:
        files: by name.
        cycles, memory_bits, warning: see `WrittenRtl`.
    """

    files: Mapping[str, str]
    cycles: int
    memory_bits: int
    warning: str | None


def rtl_contents(
    network: PackedNetwork,
    *,
    array: Array,
    organisation: str = "tiled",
    image: NDArray[np.int8] | None = None,
    count: int = BENCH_IMAGES,
    weights: WeightMemory | None = None,
    packages: Sequence[str] = (),
) -> RtlContents:
    """Make Verilog, memory contents, a self-checking test bench and a README.

    Args:
        network: the packed network.
        array: the array to build.
        organisation: "tiled" or "pipelined" (one set of cells for each layer).
        image: int8, for the test bench: one of shape (C, H, W), or several (B, C, H, W); None:
            noise. Where all give the same results, one that gives others is added.
        count: images of noise, at least 1.
        weights: the memory that the weights of a tiled accelerator share; None: one for them all.
        packages: what else to write for the tools of others, of `packages.PACKAGES`.

    Raises:
        InvalidOptionError: the network does not fit, or not even two of its tiles the memory, or
            there is no such package.
    """
    if organisation not in ORGANISATIONS:
        raise InvalidOptionError(
            f"organisation is '{organisation}', but it must be one of {', '.join(ORGANISATIONS)}."
        )
    check_packages(packages)
    check_organisation(weights, organisation)
    images = image[None] if image is not None and image.ndim == 3 else image
    if images is not None and (len(images) == 0 or images.shape[1:] != network.input.shape):
        raise InvalidOptionError(
            f"Images for the test bench have shape {images.shape}, but network '{network.name}' "
            f"takes {network.input.shape}; give at least one of that shape."
        )
    images, results, warning = telling_images(network, images, count)
    if organisation == "pipelined":
        made = pipelined_contents(network, array, images, results)
    else:
        made = _contents(network, array, images, results, weights)
    contents = {
        **with_packages(made, packages),
        "array.toml": array_toml(array),  # what every command takes as --array
    }
    if warning is not None:
        contents["README.md"] += f"\n{warning}\n"
    return RtlContents(
        files=contents, cycles=made.cycles, memory_bits=made.memory_bits, warning=warning
    )


def _contents(
    network: PackedNetwork,
    array: Array,
    images: NDArray[np.int8],
    results: NDArray[np.int32],
    weights: WeightMemory | None,
) -> Delivery:
    program = compile_tiled(network, array=array, weights=weights)
    counted = count_tiled(network, array=array, plan=program.plan)
    memories = tiled_memories(program)
    writes = [*configuration_writes(program.images), (CONTROL, START)]
    contents = {
        **{name: (VERILOG / name).read_text() for name in AXI_TILED_SOURCES},
        "LICENSE": LICENSE.read_text(),
        "accelerator.v": accelerator_text(
            "axi_tiled",
            axi_parameters(program),
            heading=f"// Network {comment(network.name)} on a tiled accelerator:\n"
            f"// {array.label}.\n",
            **_ports(program),
        ),
        **bench_files(
            images.reshape(len(images), -1, 1),
            results.reshape(len(results), -1),
            writes=writes,
            cycles=counted.cycles,
            starts=True,
            weight_beats=program.weight_beats,
        ),
        "sources.f": "".join(f"{name}\n" for name in (*AXI_TILED_SOURCES, "accelerator.v")),
        "README.md": _readme(program, counted, memories, len(writes)),
    }
    return Delivery(
        program=program,
        files=contents,
        cycles=counted.cycles,
        memory_bits=memory_bits(memories),
    )


def _ports(program: TiledProgram) -> dict[str, dict[str, Any]]:
    """How the ports of `axi_tiled` come out of the accelerator: the stream of weights has a use."""
    if program.plan.ring is not None:
        return {"sizes": {"BEAT_BITS": program.plan.ring.beat_bits}}
    nothing = {"tdata": "32'd0", "tvalid": "1'b0", "tlast": "1'b0", "tready": ""}
    return {"tied": {f"s_axis_weights_{name}": value for name, value in nothing.items()}}


def _stream_row(program: TiledProgram) -> str:
    if program.plan.ring is None:
        return ""
    bits = program.plan.ring.beat_bits
    return (
        f"| `s_axis_weights_*` | AXI4-Stream, {bits} bits | the lines of `weights.hex`, for every "
        "image anew; TLAST ends them |\n"
    )


def _stream_file(program: TiledProgram) -> str:
    beats = program.weight_beats
    if beats is None:
        return ""
    return (
        f"- `weights.hex`: the stream of weights of every image, {len(beats):,} beats of "
        f"{32 * beats.shape[1]} bits, in the order in which tiles are loaded for the first time. "
        f"The memory holds {program.parameters['RING']} tiles.\n"
    )


def _readme(
    program: TiledProgram, counted: TiledCycles, memories: tuple[Memory, ...], writes: int
) -> str:
    network, array = program.network, program.array
    held = "2 weights, " if program.weight_beats is None else ""
    steps = "\n".join(
        f"| {markdown(step.name)} | {step.kind} | {step.tiles} | {step.start_cycle:,} | "
        f"{step.cycles:,} |"
        for step in counted.steps
    )
    return f"""# {markdown(network.name)} on a tiled accelerator

Array: {array.label}, {array.accumulator_bits}-bit accumulators. One image takes
{counted.cycles:,} clock cycles with a host that never waits; the memories hold
{memory_bits(memories):,} bits, {counted.bank_words:,} words in each bank of the feature memory.

## Files

- `accelerator.v`: the top module; `sources.f` lists all files it needs.
- `configuration.hex`: {writes:,} register writes, in order, a line each: register (2 digits),
  value (8 digits). They fill the memories; the last one starts a run.
- `testbench.v` with `image.hex` and `results.hex`: several images, the first without a wait, the
  others with random back-pressure on both streams; prints PASS, or FAIL
  and then ends with a status other than 0; `-DSYSTOPACK_ASSERTIONS` adds the design's assertions.
  `{BENCH_COMMAND}`
{_stream_file(program)}\
- `clock_gate.v`: with `GATED` 1 the clock of an idle array stops; silicon puts its own cell there,
  and drives `test_enable` in a scan test. With `GATED` 0, the default, tie it low.

## Ports

{
        PORTS.format(
            image_bits=8,
            image="int8 pixels: channel by channel, row by row",
            results="results in order",
            weights=_stream_row(program),
        )
    }
## Registers

{registers_text(identity=TILED_IDENTITY, build=build_digest(program))}
A start begins one run, of one image. It is refused while another one waits, and during a run until
the last result has been taken.

Memories: 0 program, 1 output program, {held}3 stream descriptors, 4 jobs of the
banks, 5 displacements, 6 output parameters of the lanes' rows.

## Memories

{memories_text(memories)}
## Latency

| node | kind | tiles | starts in cycle | cycles |
|---|---|---|---|---|
{steps}
"""
