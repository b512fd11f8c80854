"""Energy of the tiled accelerator's periphery, at gate level, on a whole image.

The accelerator is mapped part by part: banks, output lanes, serializers, and what is left of it,
the control. Memories and the array are no part; what a part gets from them, from other parts and
from the host in every cycle of a run is taken from the Verilog, simulated by Verilator. Its netlist
then goes through the same cycles, all instances of a part side by side, and everything that it
gives has to be what the Verilog gave.
"""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidFileError
from systopack.folders.working import WorkingFolder
from systopack.rtl.parameters import bits_for
from systopack.rtl.program import TiledProgram
from systopack.synthesis.accelerator import run_mapping
from systopack.synthesis.asic import TOP, MappingOptions
from systopack.synthesis.delays import propagate
from systopack.synthesis.gate_simulation import RUNS, Activity, GateSimulation, Lanes
from systopack.synthesis.library import Library
from systopack.synthesis.netlist import Netlist, parse_netlist
from systopack.synthesis.parts import base_name, part_of
from systopack.synthesis.power import energy
from systopack.verification.bench import Port
from systopack.verification.tiled import run_tiled
from systopack.verification.tracing import Probe

_CLOCK, _PHASE = "clk", "phase"
_PARTS = ("stream_bank", "output_lane", "sum_serializer", "sum_deserializer")
_BEYOND = ("memory", "systolic_array")
_PIECE = 2048  # cycles simulated at a time
_RESET_CYCLES = 16
_SETTLED = 16  # first cycles that are not compared: what was before them is not recorded


@dataclass(frozen=True, kw_only=True)
class PeripheryEnergy:
    """What the periphery takes, over one image.

    Args:
        cycles: of the image.
        blocks_pj: pJ a clock cycle, on average, of the cells of each block.
        clock_pj: of all blocks, what clock pins and the load of clock nets take.
        clock_tree_pj, wires_pj: allowances (`allowance`), in nothing else.
        flip_flops, area_um2: of all blocks.
        critical_ns: shortest clock period of the logic; memories and array are beyond.
        bits_checked: that the netlist gave to array, memories and host, all as in the Verilog.
    """

    cycles: int
    blocks_pj: Mapping[str, float]
    clock_pj: float
    clock_tree_pj: float
    wires_pj: float
    flip_flops: int
    area_um2: float
    critical_ns: float
    bits_checked: int

    @property
    def total_pj(self) -> float:
        """Of all blocks, a cycle."""
        return sum(self.blocks_pj.values())


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """A module of the accelerator and its instances, or the top module without them.

    Args:
        block: that it belongs to.
        netlist: pins of memories, of the array and of other parts inside it are ports, named
            `instance.pin`.
        instances: paths from the top module; the top module itself is "".
        joined: (path, port) -> the (path, port) that stands for all that hang on the same nets.
    """

    block: str
    netlist: Netlist
    instances: tuple[str, ...]
    joined: Mapping[tuple[str, str], tuple[str, str]]

    def signal(self, path: str, port: str) -> str:
        """The Verilog path of an instance's port."""
        path, port = self.joined.get((path, port), (path, port))
        return f"{path}.{port}" if path else port


def map_periphery(
    program: TiledProgram,
    *,
    library: Library,
    options: MappingOptions | None = None,
    on_line: Callable[[str], None] | None = None,
) -> tuple[Part, ...]:
    """Map the accelerator of a compiled network without array and memories, part by part.

    Raises:
        InvalidFileError: yosys is missing or refuses the design or the library.
    """
    run = run_mapping(
        program,
        library=library,
        options=options or MappingOptions(),
        before=["blackbox *systolic_array*"],
        after=[
            *(f"setattr -mod -set keep_hierarchy 1 *{name}*" for name in _PARTS),
            "flatten",
            "opt_clean -purge",
            "write_json design.json",
        ],
        outputs=["design.json"],
        plain_flip_flops=True,
        on_line=on_line,
    )
    modules = json.loads(run.text("design.json"))["modules"]
    instances: defaultdict[str, list[str]] = defaultdict(list)
    joined: dict[tuple[str, str], tuple[str, str]] = {}
    first: dict[tuple[int | str, ...], tuple[str, str]] = {}
    for path, instance in modules[TOP]["cells"].items():
        if base_name(instance["type"]) in _PARTS:
            instances[instance["type"]].append(path)
            for pin, bits in instance["connections"].items():
                joined[path, pin] = first.setdefault(tuple(bits), (path, pin))
    instances[TOP] = [""]
    return tuple(
        Part(
            block=part_of(kind),
            netlist=_netlist(kind, modules[kind], library),
            instances=tuple(paths),
            joined=joined,
        )
        for kind, paths in instances.items()
    )


def _netlist(kind: str, module: dict[str, Any], library: Library) -> Netlist:
    """The netlist of a module; instances that are no cells of the library become ports."""
    cells = {}
    given: set[tuple[int | str, ...]] = set()  # what all banks are given alike is one port
    for name, instance in module["cells"].items():
        if instance["type"] in library.cells:
            cells[name] = instance
        elif base_name(instance["type"]) in (*_PARTS, *_BEYOND):
            for pin, bits in instance["connections"].items():
                inward = instance["port_directions"][pin] == "input"
                if pin == _CLOCK or not bits or (inward and tuple(bits) in given):
                    continue
                if inward:
                    given.add(tuple(bits))
                direction = "output" if inward else "input"
                module["ports"][f"{name}.{pin}"] = {"direction": direction, "bits": bits}
    text = json.dumps({"modules": {kind: {**module, "cells": cells}}})
    return parse_netlist(text, top=kind, library=library)


def measure_periphery(
    program: TiledProgram,
    image: NDArray[np.int8],
    *,
    library: Library,
    options: MappingOptions | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> PeripheryEnergy:
    """Run an image through Verilog and netlists and sum up the netlists' energy.

    Args:
        program: the network on its array.
        image: shape (C, H, W), int8.
        library, options: what is mapped to, and how.
        on_progress: called with the parts that are done, and their number.

    Raises:
        InvalidFileError: a tool is missing, or a netlist does other than the Verilog.
    """
    options = options or MappingOptions()
    parts = map_periphery(program, library=library, options=options)
    blocks: defaultdict[str, float] = defaultdict(float)
    clock_fj = tree_fj = wires_fj = area_um2 = critical_ns = 0.0
    flip_flops = checked = cycles = 0
    with WorkingFolder("periphery") as folder:
        recording = _record(program, image, parts, folder / "probe.bin")
        for number, part in enumerate(parts):
            count = len(part.instances)
            activity, bits = _replay(part, recording)
            netlist, delays = part.netlist, propagate(part.netlist)
            found = energy(netlist, activity, delays, period_ns=options.clock_ns)
            blocks[part.block] += count * found.cells_fj
            clock_fj += count * found.clock_fj
            tree_fj += count * found.clock_tree_fj
            wires_fj += count * found.wires_fj
            flip_flops += count * netlist.count("flip-flop")
            area_um2 += count * netlist.area_um2
            critical_ns = max(critical_ns, delays.critical_ns)
            checked += bits
            cycles = recording.cycles
            if on_progress is not None:
                on_progress(number + 1, len(parts))
    return PeripheryEnergy(
        cycles=cycles,
        blocks_pj={name: value / 1000 for name, value in sorted(blocks.items())},
        clock_pj=clock_fj / 1000,
        clock_tree_pj=tree_fj / 1000,
        wires_pj=wires_fj / 1000,
        flip_flops=flip_flops,
        area_um2=area_um2,
        critical_ns=critical_ns,
        bits_checked=checked,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Recording:
    """What the Verilog did in every cycle of an image.

    Args:
        words: shape (cycles, words), uint32.
        places: signal -> first bit and number of bits.
        phase: how far the first cycle is into a word time.
    """

    words: NDArray[np.uint32]
    places: Mapping[str, tuple[int, int]]
    phase: int

    @property
    def cycles(self) -> int:
        """Of the image."""
        return len(self.words)

    def bits(self, start: int, count: int) -> NDArray[np.uint8]:
        """Some cycles, shape (cycles, bits)."""
        part = np.ascontiguousarray(self.words[start : start + count])
        return np.unpackbits(part.view(np.uint8), axis=1, bitorder="little")


def _record(
    program: TiledProgram, image: NDArray[np.int8], parts: Sequence[Part], file: Path
) -> _Recording:
    widths = {_PHASE: bits_for(program.array.word_cycles)}
    for part in parts:
        ports = {**part.netlist.inputs, **part.netlist.outputs}
        for path, (port, nets) in itertools.product(part.instances, ports.items()):
            if port != _CLOCK:
                widths[part.signal(path, port)] = len(nets)
    probe = Probe(ports=[Port(name=name, bits=bits) for name, bits in widths.items()], file=file)
    run_tiled(program, image[None], probe=probe)
    ends = np.cumsum(list(widths.values())).tolist()
    words = np.memmap(file, dtype="<u4", mode="r").reshape(-1, -(-probe.bits // 32))
    return _Recording(
        words=words,
        places={
            name: (end - bits, bits) for (name, bits), end in zip(widths.items(), ends, strict=True)
        },
        phase=int(words[0, 0]) & ((1 << widths[_PHASE]) - 1),
    )


def _replay(part: Part, recording: _Recording) -> tuple[Activity, int]:
    """The same cycles on a part's netlist, all its instances at once; every output compared.

    Before them a reset, and cycles of waiting until a word time is as far as in the Verilog.
    """
    if len(part.instances) > RUNS:
        raise InvalidFileError(
            f"The accelerator has {len(part.instances)} instances of '{part.netlist.top}', but at "
            f"most {RUNS} are simulated side by side; take a smaller array."
        )
    inputs = [name for name in part.netlist.inputs if name != _CLOCK]
    run = GateSimulation(part.netlist, clock=_CLOCK).start(runs=len(part.instances))
    first = recording.bits(0, 1).repeat(_RESET_CYCLES + recording.phase, axis=0)
    resting = {name: _lanes(part, name, first, recording) for name in inputs}
    if "go" in resting:
        resting["go"][:] = 0
    if "reset" in resting:
        resting["reset"][:_RESET_CYCLES] = 1
    run.advance(resting, counted=False)
    checked = 0
    for start in range(0, recording.cycles, _PIECE):
        bits = recording.bits(start, _PIECE)
        given = run.advance({name: _lanes(part, name, bits, recording) for name in inputs})
        for name, words in given.items():
            wanted = _lanes(part, name, bits, recording)
            mask = ~np.uint64(0) >> np.uint64(RUNS - len(part.instances))
            skipped = max(0, _SETTLED - start)
            different = np.argwhere(((words ^ wanted) & mask)[skipped:])
            if len(different):
                cycle, bit = different[0].tolist()
                cycle += skipped
                raise InvalidFileError(
                    f"The netlist of '{base_name(part.netlist.top)}' gives another bit {bit} of "
                    f"'{name}' than the Verilog in cycle {start + cycle}; the library or the tools "
                    "misread the design."
                )
            checked += words[skipped:].size * len(part.instances)
    return run.activity(), checked


def _lanes(part: Part, port: str, bits: NDArray[np.uint8], recording: _Recording) -> Lanes:
    """A port of all instances: shape (cycles, bits), bit k of instance k."""
    lanes: Lanes | None = None
    for number, path in enumerate(part.instances):
        first, count = recording.places[part.signal(path, port)]
        own = bits[:, first : first + count].astype(np.uint64) << np.uint64(number)
        lanes = own if lanes is None else lanes | own
    assert lanes is not None
    return lanes
