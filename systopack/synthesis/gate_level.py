"""Energy of the whole tiled accelerator but its memories, at gate level, on an image.

What a part gets from memories, from other parts and from the host in every cycle of a run is taken
from the Verilog, simulated by Verilator. Its netlist then goes through the same cycles, all
instances of a part side by side, and everything that it gives has to be what the Verilog gave.
Energy is counted node by node of the network, from the start of its first instruction to that of
the next node's.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
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
from systopack.synthesis.delays import propagate
from systopack.synthesis.gate_parts import CLOCK, GateDesign, GatePart, map_parts, with_library
from systopack.synthesis.gate_simulation import RUNS, Activity, GateSimulation, Lanes
from systopack.synthesis.library import Library
from systopack.synthesis.netlist import Netlist
from systopack.synthesis.power import Energy, energy
from systopack.verification.bench import Port
from systopack.verification.tiled import run_tiled
from systopack.verification.tracing import Probe

KINDS = ("cells_pj", "clock_pj", "leakage_pj", "clock_tree_pj", "wires_pj")
_PHASE, _STARTS, _NUMBER = "phase", "op_start", "op_number"
_EVERY_WORD = ("word_start", "complete")  # come again with every word time, in a run or not
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

    cells_pj: float = 0.0
    clock_pj: float = 0.0
    leakage_pj: float = 0.0
    clock_tree_pj: float = 0.0
    wires_pj: float = 0.0

    def plus(self, found: Energy, cycles: int) -> GateEnergy:
        """With some cycles more."""
        each = cycles / 1000
        return GateEnergy(
            cells_pj=self.cells_pj + each * found.cells_fj,
            clock_pj=self.clock_pj + each * found.clock_fj,
            leakage_pj=self.leakage_pj + each * found.leakage_fj,
            clock_tree_pj=self.clock_tree_pj + each * found.clock_tree_fj,
            wires_pj=self.wires_pj + each * found.wires_fj,
        )


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
        area_um2: of all its instances.
        flip_flops: of them.
        critical_ns: longest path within one of its modules.
    """

    area_um2: float
    flip_flops: int
    critical_ns: float


@dataclass(frozen=True, kw_only=True)
class GateMeasurement:
    """The accelerator without its memories, over one image.

    Args:
        cycles: of the image.
        parts: their cells, by name.
        nodes: energy, in the order they run.
        critical_ns: shortest clock period of the whole; what memories give comes at time 0.
        endpoint: at which its longest path ends.
        slow_critical_ns: the same with the slow corner's cells, None where there was none.
        bits_checked: that the netlists gave to each other, to memories and host, all as in the
            Verilog.
    """

    cycles: int
    parts: Mapping[str, PartCells]
    nodes: tuple[NodeEnergy, ...]
    critical_ns: float
    endpoint: str
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
    design = map_parts(program, library=library, options=options)
    whole = propagate(design.whole)
    energies: defaultdict[int, dict[str, GateEnergy]] = defaultdict(dict)
    cells: dict[str, PartCells] = {}
    checked = 0
    with WorkingFolder("gates") as folder:
        say("simulating the Verilog")
        recording = _record(program, image, design, folder / "probe.bin")
        for part in design.parts:
            say(f"{part.module}: {len(part.instances)} of {part.netlist.cells} cells")
            delays, count = propagate(part.netlist), len(part.instances)
            cells[part.name] = _with_part(cells.get(part.name), part, delays.critical_ns)
            replay = _Replay(part, recording)
            for number, (_, start, stop) in enumerate(recording.windows):
                activity = replay.window(start, stop)
                found = energy(part.netlist, activity, delays, period_ns=options.clock_ns)
                here = energies[number]
                here[part.name] = here.get(part.name, GateEnergy()).plus(
                    found, count * (stop - start)
                )
            checked += replay.checked
        cycles, windows = recording.cycles, recording.windows
    return GateMeasurement(
        cycles=cycles,
        parts=dict(sorted(cells.items())),
        nodes=tuple(
            NodeEnergy(node=node, cycles=stop - start, parts=dict(sorted(energies[n].items())))
            for n, (node, start, stop) in enumerate(windows)
        ),
        critical_ns=whole.critical_ns,
        endpoint=whole.endpoint,
        slow_critical_ns=None if slow is None else _critical_ns(design.whole, slow),
        bits_checked=checked,
    )


def _critical_ns(netlist: Netlist, library: Library) -> float:
    return propagate(with_library(netlist, library)).critical_ns


def _with_part(cells: PartCells | None, part: GatePart, critical_ns: float) -> PartCells:
    before = cells or PartCells(area_um2=0.0, flip_flops=0, critical_ns=0.0)
    count = len(part.instances)
    return PartCells(
        area_um2=before.area_um2 + count * part.netlist.area_um2,
        flip_flops=before.flip_flops + count * part.netlist.count("flip-flop"),
        critical_ns=max(before.critical_ns, critical_ns),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Recording:
    """What the Verilog did in every cycle of an image.

    Args:
        words: shape (cycles, words), uint32.
        places: signal -> first bit and number of bits.
        word_cycles: cycles of a word time.
        phase: how far the first cycle is into one.
        windows: node, its first cycle, and the one after its last.
    """

    words: NDArray[np.uint32]
    places: Mapping[str, tuple[int, int]]
    word_cycles: int
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


def _record(
    program: TiledProgram, image: NDArray[np.int8], design: GateDesign, file: Path
) -> _Recording:
    widths = {_PHASE: bits_for(program.array.word_cycles)}
    for part in design.parts:
        ports = {**part.netlist.inputs, **part.netlist.outputs}
        for path, (port, nets) in itertools.product(part.instances, ports.items()):
            if port != CLOCK:
                widths[part.signal(path, port)] = len(nets)
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
        word_cycles=program.array.word_cycles,
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
    """The same cycles on a part's netlist, all its instances at once; every output compared.

    Before them a reset, and cycles of waiting until a word time is as far as in the Verilog.
    """

    def __init__(self, part: GatePart, recording: _Recording) -> None:
        if len(part.instances) > RUNS:
            raise InvalidFileError(
                f"The accelerator has {len(part.instances)} instances of '{part.module}', but at "
                f"most {RUNS} are simulated side by side; take a smaller array."
            )
        self.checked = 0
        self._part, self._recording = part, recording
        self._inputs = [name for name in part.netlist.inputs if name != CLOCK]
        self._run = GateSimulation(part.netlist, clock=CLOCK).start(runs=len(part.instances))
        count = _RESET_CYCLES + _RESTING_CYCLES + recording.phase
        first = recording.bits(0, 1).repeat(count, axis=0)
        words = recording.bits(0, recording.word_cycles)[
            np.arange(-count, 0) % recording.word_cycles
        ]
        resting = {
            name: _lanes(part, name, words if name in _EVERY_WORD else first, recording)
            for name in self._inputs
        }
        if "go" in resting:
            resting["go"][:] = 0
        if "reset" in resting:
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
        part, recording = self._part, self._recording
        bits = recording.bits(start, stop)
        given = self._run.advance(
            {name: _lanes(part, name, bits, recording) for name in self._inputs}
        )
        mask = ~np.uint64(0) >> np.uint64(RUNS - len(part.instances))
        skipped = max(0, _SETTLED - start)
        for name, words in given.items():
            wanted = _lanes(part, name, bits, recording)
            different = np.argwhere(((words ^ wanted) & mask)[skipped:])
            if len(different):
                cycle, bit = different[0].tolist()
                raise InvalidFileError(
                    f"The netlist of '{part.module}' gives another bit {bit} of '{name}' than the "
                    f"Verilog in cycle {start + skipped + cycle}; the library or the tools misread "
                    "the design."
                )
            self.checked += words[skipped:].size * len(part.instances)


def _lanes(part: GatePart, port: str, bits: NDArray[np.uint8], recording: _Recording) -> Lanes:
    """A port of all instances: shape (cycles, bits), bit k of instance k."""
    lanes: Lanes | None = None
    for number, path in enumerate(part.instances):
        first, count = recording.places[part.signal(path, port)]
        own = bits[:, first : first + count].astype(np.uint64) << np.uint64(number)
        lanes = own if lanes is None else lanes | own
    assert lanes is not None
    return lanes
