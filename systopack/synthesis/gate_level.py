"""Energy of the whole tiled accelerator but its memories, at gate level, on an image.

What memories and the host give in every cycle of a run is taken from the Verilog, simulated by
Verilator. The netlist then goes through the same cycles, and everything that it gives to memories
and host has to be what the Verilog gave. Energy is counted node by node of the network, from the
start of its first instruction to that of the next node's, and part by part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidFileError
from systopack.folders.working import WorkingFolder
from systopack.rtl.parameters import bits_for
from systopack.rtl.program import TiledProgram
from systopack.synthesis.asic import MappingOptions
from systopack.synthesis.delays import Delays, propagate, starts_of
from systopack.synthesis.gate_parts import CLOCK, GateDesign, map_gates, with_library
from systopack.synthesis.gate_simulation import Activity, GateSimulation, Lanes
from systopack.synthesis.library import Library
from systopack.synthesis.netlist import Netlist
from systopack.synthesis.power import Energy, energy_of_parts
from systopack.verification.bench import Port
from systopack.verification.tiled import run_tiled
from systopack.verification.tracing import Probe

KINDS = ("cells_pj", "clock_pj", "leakage_pj", "clock_tree_pj", "wires_pj")
_PHASE, _STARTS, _NUMBER = "phase", "op_start", "op_number"
_PIECE = 2048  # cycles simulated at a time
_RESET_CYCLES = 16
_RESTING_CYCLES = 512  # whole word times in which all that was before leaves the array
_SETTLED = 16  # first cycles that are not compared: what was before them is not recorded


@dataclass(frozen=True, kw_only=True)
class GateEnergy:
    """Energy over some cycles, in pJ.

    Args:
        cells_pj: of the cells and their pins.
        clock_pj: of it clock pins, and the load of clock nets.
        leakage_pj: of it leakage.
        clock_tree_pj, wires_pj: allowances (`allowance`), in nothing else.
    """

    cells_pj: float
    clock_pj: float
    leakage_pj: float
    clock_tree_pj: float
    wires_pj: float


@dataclass(frozen=True, kw_only=True)
class NodeEnergy:
    """What one node of the network takes.

    Args:
        node: its name.
        cycles: until the next one's first instruction starts, or the run ends.
        parts: energy of these cycles, by part.
    """

    node: str
    cycles: int
    parts: Mapping[str, GateEnergy]


@dataclass(frozen=True, kw_only=True)
class PartCells:
    """The standard cells of a part.

    Args:
        area_um2: of them.
        flip_flops: of them.
        critical_ns: shortest clock period for the paths that end in it.
        startpoint, endpoint: registers (or clock gates) between which the longest of these goes.
    """

    area_um2: float
    flip_flops: int
    critical_ns: float
    startpoint: str
    endpoint: str


@dataclass(frozen=True, kw_only=True)
class GateMeasurement:
    """The accelerator without its memories, over one image.

    Args:
        cycles: of the image.
        parts: their cells, by name.
        nodes: energy, in the order they run.
        critical_ns: shortest clock period of the whole; what memories give comes at time 0.
        slow_critical_ns: the same with the slow corner's cells, None where there was none.
        bits_checked: that the netlist gave to memories and host, all as in the Verilog.
    """

    cycles: int
    parts: Mapping[str, PartCells]
    nodes: tuple[NodeEnergy, ...]
    critical_ns: float
    slow_critical_ns: float | None
    bits_checked: int

    @property
    def area_um2(self) -> float:
        """Of all parts."""
        return sum(part.area_um2 for part in self.parts.values())

    @property
    def flip_flops(self) -> int:
        """Of all parts."""
        return sum(part.flip_flops for part in self.parts.values())

    def total(self, kind: str, part: str | None = None) -> float:
        """A figure of `GateEnergy`, pJ an image, of a part or of all."""
        return sum(
            float(getattr(found, kind))
            for node in self.nodes
            for name, found in node.parts.items()
            if part in (None, name)
        )


def measure_gates(
    program: TiledProgram,
    image: NDArray[np.int8],
    *,
    library: Library,
    slow: Library | None = None,
    options: MappingOptions | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> GateMeasurement:
    """Run an image through Verilog and netlists and sum up the netlists' energy.

    Args:
        program: the network on its array.
        image: shape (C, H, W), int8.
        library, options: what is mapped to, and how.
        slow: the same cells at the corner that the clock has to allow for.
        on_progress: called with what happens.

    Raises:
        InvalidFileError: a tool is missing, or a netlist does other than the Verilog.
    """
    options = options or MappingOptions()
    say = on_progress or (lambda _: None)
    say("mapping")
    design = map_gates(program, library=library, options=options)
    netlist, delays = design.netlist, propagate(design.netlist)
    nodes = []
    with WorkingFolder("gates") as folder:
        say("simulating the Verilog")
        recording = _record(program, image, netlist, folder / "probe.bin")
        replay = _Replay(netlist, recording)
        for node, start, stop in recording.windows:
            say(f"{netlist.cells:,} cells: {node}, {stop - start:,} cycles")
            activity = replay.window(start, stop)
            found = energy_of_parts(
                netlist, activity, delays, design.members, period_ns=options.clock_ns
            )
            parts = {
                name: _energy(one, stop - start)
                for name, one in zip(design.parts, found, strict=True)
            }
            nodes.append(NodeEnergy(node=node, cycles=stop - start, parts=parts))
        cycles = recording.cycles
    return GateMeasurement(
        cycles=cycles,
        parts=_parts(design, delays),
        nodes=tuple(nodes),
        critical_ns=delays.critical_ns,
        slow_critical_ns=None
        if slow is None
        else propagate(with_library(netlist, slow)).critical_ns,
        bits_checked=replay.checked,
    )


def _energy(found: Energy, cycles: int) -> GateEnergy:
    each = cycles / 1000
    return GateEnergy(
        cells_pj=each * found.cells_fj,
        clock_pj=each * found.clock_fj,
        leakage_pj=each * found.leakage_fj,
        clock_tree_pj=each * found.clock_tree_fj,
        wires_pj=each * found.wires_fj,
    )


def _parts(design: GateDesign, delays: Delays) -> dict[str, PartCells]:
    ends = [_last(design, number, delays) for number in range(len(design.parts))]
    starts = starts_of(design.netlist, delays, [end for _, end in ends])
    found = {}
    for number, name in enumerate(design.parts):
        area_um2, flip_flops = 0.0, 0
        for cell, item in design.netlist.instances.items():
            count = int(np.count_nonzero(design.members[cell] == number))
            area_um2 += item.cell.area_um2 * count
            flip_flops += count if item.cell.kind == "flip-flop" else 0
        found[name] = PartCells(
            area_um2=area_um2,
            flip_flops=flip_flops,
            critical_ns=ends[number][0],
            startpoint=design.registers.get(starts[number], starts[number]),
            endpoint=design.registers.get(ends[number][1], ends[number][1]),
        )
    return found


def _last(design: GateDesign, number: int, delays: Delays) -> tuple[float, str]:
    """The longest path that ends in a part, in ns, and at which instance it does."""
    worst, end = 0.0, "none"
    for cell, times in delays.ends_ns.items():
        mine = np.flatnonzero(design.members[cell] == number)
        if len(mine) and times[mine].max() > worst:
            worst = float(times[mine].max())
            end = design.netlist.instances[cell].names[int(mine[times[mine].argmax()])]
    return worst, end


@dataclass(frozen=True, kw_only=True, eq=False)
class _Recording:
    """What the Verilog did in every cycle of an image.

    Args:
        words: shape (cycles, words), uint32.
        places: signal -> first bit and number of bits.
        phase: how far the first cycle is into a word time.
        windows: node, its first cycle, and the one after its last.
    """

    words: NDArray[np.uint32]
    places: Mapping[str, tuple[int, int]]
    phase: int
    windows: tuple[tuple[str, int, int], ...]

    @property
    def cycles(self) -> int:
        """Of the image."""
        return len(self.words)

    def bits(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Some cycles, shape (cycles, bits)."""
        part = np.ascontiguousarray(self.words[start:stop])
        return np.unpackbits(part.view(np.uint8), axis=1, bitorder="little")

    def signal(self, name: str, bits: NDArray[np.uint8]) -> Lanes:
        """A signal in these cycles, for the netlist: shape (cycles, bits)."""
        first, count = self.places[name]
        return bits[:, first : first + count].astype(np.uint64)


def _record(
    program: TiledProgram, image: NDArray[np.int8], netlist: Netlist, file: Path
) -> _Recording:
    widths = {_PHASE: bits_for(program.array.word_cycles)}
    widths |= {
        name: len(nets)
        for name, nets in {**netlist.inputs, **netlist.outputs}.items()
        if name != CLOCK
    }
    probe = Probe(ports=[Port(name=name, bits=bits) for name, bits in widths.items()], file=file)
    run_tiled(program, image[None], probe=probe)
    ends = np.cumsum(list(widths.values())).tolist()
    places = {
        name: (end - bits, bits) for (name, bits), end in zip(widths.items(), ends, strict=True)
    }
    words = np.memmap(file, dtype="<u4", mode="r").reshape(-1, -(-probe.bits // 32))
    starts = np.flatnonzero(_values(words, *places[_STARTS]))
    numbers = _values(words, *places[_NUMBER])[starts]
    nodes = [program.plan.ops[int(number)].node for number in numbers]
    return _Recording(
        words=words,
        places=places,
        phase=int(words[0, 0]) & ((1 << widths[_PHASE]) - 1),
        windows=tuple(_windows(nodes, starts.tolist(), len(words))),
    )


def _values(words: NDArray[np.uint32], first: int, bits: int) -> NDArray[np.int64]:
    """A signal of at most 32 bits in every cycle."""
    low = words[:, first // 32].astype(np.int64)
    high = words[:, min(first // 32 + 1, words.shape[1] - 1)].astype(np.int64)
    found: NDArray[np.int64] = ((high << 32 | low) >> (first % 32)) & ((1 << bits) - 1)
    return found


def _windows(
    nodes: Sequence[str], starts: Sequence[int], cycles: int
) -> Iterator[tuple[str, int, int]]:
    """Successive instructions of one node are one window; the first begins with the run."""
    begin = 0
    for number, node in enumerate(nodes):
        if number + 1 == len(nodes):
            yield node, begin, cycles
        elif nodes[number + 1] != node:
            yield node, begin, starts[number + 1]
            begin = starts[number + 1]


class _Replay:
    """The same cycles on the netlist; every output compared.

    Before them a reset, and cycles of waiting until a word time is as far as in the Verilog.
    """

    def __init__(self, netlist: Netlist, recording: _Recording) -> None:
        self.checked = 0
        self._recording = recording
        self._inputs = [name for name in netlist.inputs if name != CLOCK]
        self._run = GateSimulation(netlist, clock=CLOCK).start(runs=1)
        first = recording.bits(0, 1).repeat(
            _RESET_CYCLES + _RESTING_CYCLES + recording.phase, axis=0
        )
        resting = {name: recording.signal(name, first) for name in self._inputs}
        resting["go"][:] = 0
        resting["reset"][:_RESET_CYCLES] = 1
        self._run.advance(resting, counted=False)
        self._before = self._run.activity()

    def window(self, start: int, stop: int) -> Activity:
        """Some cycles, which follow those before; what happened in them."""
        for at in range(start, stop, _PIECE):
            self._piece(at, min(stop, at + _PIECE))
        now = self._run.activity()
        found, self._before = now.since(self._before), now
        return found

    def _piece(self, start: int, stop: int) -> None:
        recording = self._recording
        bits = recording.bits(start, stop)
        given = self._run.advance({name: recording.signal(name, bits) for name in self._inputs})
        skipped = max(0, _SETTLED - start)
        for name, words in given.items():
            wanted = recording.signal(name, bits)
            different = np.argwhere(((words ^ wanted) & np.uint64(1))[skipped:])
            if len(different):
                cycle, bit = different[0].tolist()
                raise InvalidFileError(
                    f"The netlist gives another bit {bit} of '{name}' than the Verilog in cycle "
                    f"{start + skipped + cycle}; the library or the tools misread the design."
                )
            self.checked += words[skipped:].size
