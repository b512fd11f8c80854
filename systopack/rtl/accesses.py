"""How often the memories of the tiled accelerator are read and written for one image.

Counted from the program in closed form, instruction by instruction; a test holds every number to
what the Verilog does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from systopack.hardware.energy.events import Access
from systopack.hardware.tiled.ops import TileOp, Visits
from systopack.hardware.tiled.places import TensorPlace
from systopack.hardware.tiled.slots import Job, Schedule, Tag
from systopack.rtl.memories import MEMORY, tiled_memories
from systopack.rtl.program import TiledProgram

FEATURES, WEIGHTS, STREAMS, JOBS = "features", "weights", "streams", "jobs"
PROGRAMS, OUTPUT_PROGRAMS, DISPLACEMENTS = "instructions", "output instructions", "displacements"
STARTS, LIMITS, PLACES = "row starts", "row limits", "row places"
SUMS, WINDOWS = "partial sums", "pooling windows"
Counts = Mapping[str, Access]


def tiled_accesses(program: TiledProgram) -> tuple[Counts, ...]:
    """Reads and writes by memory, all its instances together, of each instruction of the plan."""
    found = [_Op(program, op).counts() for op in program.plan.ops]
    # A run starts with the first instruction, and reads one beyond the end.
    start = {PROGRAMS: Access(reads=2), OUTPUT_PROGRAMS: Access(reads=1)}
    if program.array.weight_buffers == 2 and program.plan.ring is None:
        start[WEIGHTS] = Access(reads=program.array.load_cycles)
    found[0] = merged(found[0], start)
    return tuple(found)


def merged(*parts: Counts) -> Counts:
    """The sum of all, by memory."""
    total: dict[str, Access] = {}
    for part in parts:
        for name, access in part.items():
            before = total.get(name, Access())
            total[name] = Access(
                reads=before.reads + access.reads, writes=before.writes + access.writes
            )
    return total


@dataclass(frozen=True, kw_only=True)
class _Passes:
    """How often the slots of a visit are gone through.

    Args:
        firsts: before runs, for their first words.
        periods: with steps.
        tail: without.
    """

    firsts: int
    periods: int
    tail: int


class _Op:
    """The accesses of one instruction."""

    def __init__(self, program: TiledProgram, op: TileOp) -> None:
        self.program, self.op = program, op
        self.timing, self.array = program.plan.timing, program.array
        self.window_memory = any(
            memory.name == WINDOWS and memory.module == MEMORY for memory in tiled_memories(program)
        )

    def counts(self) -> Counts:
        """By memory."""
        op = self.op
        counts: Counter[str] = Counter({PROGRAMS: 1})
        writes: Counter[str] = Counter()
        if op.kind == "image":
            assert op.target is not None
            writes[FEATURES] = int(_words(op.target, self.timing.word_bytes, 0, op.positions).sum())
        elif op.kind == "send":
            counts[SUMS] = op.entries * op.positions
        else:
            counts[OUTPUT_PROGRAMS] = 1
            self._tables(counts, writes)
            self._features(counts, writes)
            self._lanes(counts, writes)
        return {
            name: Access(reads=counts[name], writes=writes[name])
            for name in sorted({*counts, *writes})
            if counts[name] or writes[name]
        }

    @property
    def schedule(self) -> Schedule:
        assert self.op.schedule is not None
        return self.op.schedule

    @property
    def visits(self) -> Visits:
        assert self.op.visits is not None
        return self.op.visits

    def _visits(self) -> Iterator[tuple[int, bool]]:
        """Number of visits of a block that are alike, and whether it is the last block."""
        if self.visits.blocks > 1:
            yield self.visits.blocks - 1, False
        yield 1, True

    def _passes(self, *, last_block: bool, last_tile: bool) -> _Passes:
        schedule, visits = self.schedule, self.visits
        runs = visits.runs(last=last_block)
        firsts = 1 if schedule.walk.gather else runs
        return _Passes(
            firsts=firsts if schedule.slot_first != schedule.slot_stop else 0,
            periods=-(-visits.run_steps(last=last_block) // schedule.walk.steps) * runs,
            tail=self.op.tail if last_tile else 0,
        )

    def _tables(self, counts: Counter[str], writes: Counter[str]) -> None:
        """Descriptors, displacements, weights and jobs."""
        visits, tiles = self.visits, self.visits.column_tiles
        number = visits.blocks * tiles
        counts[DISPLACEMENTS] += number
        counts[STREAMS] += number * self.timing.stream_words
        if self.op.residual:
            counts[STREAMS] += visits.blocks * self.timing.residual_words
        if self.op.kind == "tiles":
            counts[WEIGHTS] += number * self.array.load_cycles
            if (ring := self.program.plan.ring) is not None:
                writes[WEIGHTS] += ring.streamed(tiles, visits.blocks) * self.array.load_cycles
        for times, last_block in self._visits():
            for tile in range(tiles):
                passes = self._passes(last_block=last_block, last_tile=tile == tiles - 1)
                counts[JOBS] += times * self._job_reads(tile, passes)

    def _job_reads(self, tile: int, passes: _Passes) -> int:
        """Entries that the banks read in a visit: two where a list starts, one for each job."""
        slots = self.schedule.slots
        stop = max(0, slots - self.timing.write_slots)
        reads = 0
        by_bank: Counter[int] = Counter()
        in_period: Counter[int] = Counter()
        for job in self._jobs(tile):
            by_bank[job.bank] += 1
            in_period[job.bank] += job.slot < stop
        for bank in range(self.timing.banks):
            jobs, reached = by_bank[bank], in_period[bank]
            starts = 1
            if jobs:
                starts += passes.firsts
                starts += (passes.periods + passes.tail) * (reached == jobs)
            reads += 2 * starts + jobs * passes.firsts
            reads += reached * (passes.periods + passes.tail)
        return reads

    def _jobs(self, tile: int) -> tuple[Job, ...]:
        tables = self.schedule.tables
        return tables[tile if len(tables) > 1 else 0]

    def _features(self, counts: Counter[str], writes: Counter[str]) -> None:
        """Words that streams and lanes take, and words that rows write."""
        visits, tiles = self.visits, self.visits.column_tiles
        lanes = len(_wanted(self.schedule.residual_tags))
        for times, last_block in self._visits():
            passes = self._passes(last_block=last_block, last_tile=True)
            both = passes.firsts + passes.periods + passes.tail
            counts[FEATURES] += times * both * lanes
        if self.op.kind == "tiles":
            bases = self._bases()
            for tile in range(tiles):
                wanted = _wanted(self.schedule.tags[tile])
                for job in self._jobs(tile):
                    if not job.residual and (job.bank, job.slot) in wanted:
                        counts[FEATURES] += int(self._inside(job, bases).sum())
        if self.op.target is not None:
            for block in range(visits.blocks):
                writes[FEATURES] += self._written(block)

    def _bases(self) -> NDArray[np.int64]:
        """Where the array's words come from in every pass of a column tile's visits, in bytes."""
        schedule, visits, walk = self.schedule, self.visits, self.schedule.walk
        pitch = self._pitch()
        found = []
        for block in range(visits.blocks):
            last = block == visits.blocks - 1
            start = block * visits.block_rows * pitch
            runs, steps = visits.runs(last=last), visits.run_steps(last=last)
            if walk.gather:
                place = np.arange(runs * steps)
                y, x = np.divmod(place, walk.out_width)
                found.append(start + y * pitch + x * walk.stride)
                if schedule.slot_first == schedule.slot_stop:
                    found.pop()
                continue
            periods = -(-steps // walk.steps)
            places = np.arange(periods + 1) * walk.word_bytes
            found.append((start + np.arange(runs)[:, None] * pitch + places).ravel())
        return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)

    def _pitch(self) -> int:
        """Bytes from the first position of a row to that of the next one."""
        node = self.program.network.by_name[self.op.node]
        return node.stride[0] * self.schedule.walk.width  # type: ignore[union-attr]

    def _inside(self, job: Job, bases: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the words lie in the plane; others are zeros, without a read."""
        place, size = self._source(), self.timing.word_bytes
        word = (bases + job.offset) // size
        limit = place.height * place.width + size - 1 + job.phase
        return np.asarray((word >= 0) & (word < limit // size))

    def _source(self) -> TensorPlace:
        source = self.program.network.by_name[self.op.node].source  # type: ignore[union-attr]
        return self.program.plan.places.tensors[source]

    def _written(self, block: int) -> int:
        """Words that the rows of a block write, each once for every visit that reaches it."""
        op, visits = self.op, self.visits
        assert op.target is not None and op.tile is not None
        first, size = visits.block_rows * block, visits.block_rows
        if block == visits.blocks - 1:
            size = visits.rows - first
        width = visits.width
        if op.pool is not None and op.kind == "tiles":
            first, size = first // op.pool.kernel[0], size // op.pool.kernel[0]
            size = min(size, op.pool.output_size[0] - first)
            width = op.pool.output_size[1]
        start, stop = first * width, (first + size) * width
        channels = slice(op.tile.row_start, op.tile.row_stop)
        place = TensorPlace(
            banks=op.target.banks[channels],
            planes=op.target.planes[channels],
            phases=op.target.phases[channels],
            height=op.target.height,
            width=op.target.width,
        )
        parts = self.schedule.walk.parts
        words = 0
        for part in range(parts):
            if stop - start > part:
                end = stop - (stop - start - part - 1) % parts
                words += int(_words(place, self.timing.word_bytes, start + part, end).sum())
        return words

    def _lanes(self, counts: Counter[str], writes: Counter[str]) -> None:
        """Parameters of rows, partial sums and windows, all lanes in step."""
        op, visits, tiles = self.op, self.visits, self.visits.column_tiles
        sizes, rows = self.program.parameters, self.timing.lanes * self.timing.lane_rows
        paired = self.timing.lane_rows % 2 == 0
        halves = rows // 2 if paired else rows
        keeps = op.kind == "tiles" and op.node == self.program.network.output.name
        for times, last_block in self._visits():
            steps = times * visits.steps(last=last_block)
            counts[STARTS] += rows * steps * min(tiles, 2)
            counts[LIMITS] += rows * steps * tiles * sizes["CLIPS"]
            if op.kind == "tiles":
                counts[SUMS] += halves * steps * (tiles - 1)
                writes[SUMS] += halves * steps * (tiles - 1 + keeps)
            if op.pool is not None and self.window_memory:
                counts[WINDOWS] += rows * steps * tiles
                writes[WINDOWS] += rows * steps
        if op.target is not None:
            counts[PLACES] += rows * self._stored()

    def _stored(self) -> int:
        """Tokens whose bytes go to the feature memory."""
        op, visits = self.op, self.visits
        if op.pool is not None:
            height, width = op.pool.output_size
            return height * width
        return sum(times * visits.steps(last=last) for times, last in self._visits())


def _wanted(tags: Mapping[int, Tag]) -> set[tuple[int, int]]:
    """Words that some stream takes, by bank and slot."""
    return {(tag.bank, tag.slot) for tag in tags.values()}


def _words(place: TensorPlace, size: int, start: int, stop: int) -> NDArray[np.int64]:
    """Words of each plane that hold bytes from `start` to before `stop`."""
    return np.asarray(
        (place.phases + stop - 1) // size - (place.phases + start) // size + 1, dtype=np.int64
    )
