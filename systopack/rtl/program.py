"""Compile a packed network into the tiled accelerator's program and memory images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidOptionError
from systopack.hardware.array import Array
from systopack.hardware.row_tiles import RowTile
from systopack.hardware.tiled.ops import TileOp, TilePlan
from systopack.hardware.tiled.plan import plan_tiles
from systopack.hardware.tiled.slots import Job, Schedule, Tag
from systopack.hardware.tiled.weight_ring import WeightMemory
from systopack.network.network import PackedNetwork
from systopack.network.nodes import MatrixLayer, PoolLayer
from systopack.rtl.fields import (
    INSTRUCTION,
    OUTPUT_INSTRUCTION,
    bits_of,
    job_layout,
    pack_fields,
    row_layout,
    stream_layout,
)
from systopack.rtl.images import (
    MemoryImage,
    clip_limits,
    image_of_bits,
    image_of_words,
)
from systopack.rtl.limits import (
    ADDRESS_LIMIT,
    TABLE_LIMIT,
    check_tables,
    check_tiled_network,
)
from systopack.rtl.parameters import array_parameters, bits_for
from systopack.rtl.tables import Displacements, WeightTiles, memory_depth, place_of, signed_bits

PROGRAM, OUTPUT_PROGRAM, WEIGHTS, STREAMS, JOBS, DISPLACEMENTS, ROWS = range(7)
END, TILES, IMAGE, SEND = range(4)
LANE_LIMIT = 256  # that a host tells apart
_POOLS = {"max": 1, "average": 2}
_NO_EFFECT = {field.name: 0 for field in INSTRUCTION}
_NO_OUTPUT = {field.name: 0 for field in OUTPUT_INSTRUCTION}


@dataclass(frozen=True, kw_only=True, eq=False)
class TiledProgram:
    """A packed network, ready to run on a tiled accelerator.

    Args:
        plan: what runs, in which order, and where tensors lie.
        parameters: of the Verilog module `tiled_accelerator`.
        images: content of the memories.
        weight_beats: of the stream of weights of every image, shape (beats, beat bits / 32),
            uint32, least significant first; None where the memory holds them all.
    """

    plan: TilePlan
    parameters: dict[str, int]
    images: tuple[MemoryImage, ...]
    weight_beats: NDArray[np.uint32] | None = None

    @property
    def instructions(self) -> int:
        """Of the program, the end included."""
        return int(self.images[PROGRAM].words.shape[1])

    @property
    def network(self) -> PackedNetwork:
        """What was compiled."""
        return self.plan.network

    @property
    def array(self) -> Array:
        """For which array."""
        return self.plan.array


def compile_tiled(
    network: PackedNetwork, *, array: Array, weights: WeightMemory | None = None
) -> TiledProgram:
    """Compile a network for the tiled accelerator around an array.

    Args:
        weights: the memory that they share; None: one that holds them all.

    Raises:
        InvalidOptionError: the network does not fit; the message names the layer and the limit.
    """
    check_tiled_network(network)
    return pack_plan(plan_tiles(network, array=array, weights=weights))


def pack_plan(plan: TilePlan) -> TiledProgram:
    """Encode a plan.

    Raises:
        InvalidOptionError: a value does not fit its field, a table the addresses.
    """
    if plan.places.depth > TABLE_LIMIT:
        raise InvalidOptionError(
            f"Network '{plan.network.name}' needs {plan.places.depth} words in a bank of the "
            f"feature memory, but the accelerator addresses {TABLE_LIMIT}; use smaller images."
        )
    if plan.timing.lanes > LANE_LIMIT:
        raise InvalidOptionError(
            f"The array has {plan.timing.lanes} rows with a lane of their own, but the accelerator "
            f"with one feature memory numbers at most {LANE_LIMIT} lanes; choose fewer rows, or "
            "serial cells."
        )
    compiler = _Compiler(plan)
    for op in plan.ops:
        compiler.add(op)
    return compiler.finish()


class _Compiler:
    """Collects instructions and tables op by op."""

    def __init__(self, plan: TilePlan) -> None:
        self.plan = plan
        self.network, self.timing, self.array = plan.network, plan.timing, plan.array
        schedules = [op.schedule for op in plan.ops if op.schedule is not None]
        jobs = [job for schedule in schedules for table in schedule.tables for job in table]
        self.slot_bits = max(max(s.slots, s.slot_stop) for s in schedules).bit_length()
        self.phase_bits = (self.timing.word_bytes - 1).bit_length()
        self.offset_bits = max(signed_bits(job.offset) for job in jobs) if jobs else 1
        self.feature_bits = bits_for(plan.places.depth)
        self.layouts = Displacements(plan)
        self.stream = stream_layout(
            self.slot_bits, self.timing.bank_bits, self.phase_bits, self.layouts.bits
        )
        self.job = job_layout(self.slot_bits, self.phase_bits, self.feature_bits, self.offset_bits)
        self.clips = any(layer.clip is not None for layer in self.network.layers)
        self.row = row_layout(
            self.feature_bits, self.phase_bits, self.array.accumulator_bits, clips=self.clips
        )
        self.program: list[dict[str, int]] = []
        self.nodes: list[str] = []
        self.output_program: list[int] = []
        self.weights = WeightTiles(plan)
        self.streams: list[int] = []
        self.jobs: list[list[int]] = [[] for _ in range(self.timing.banks)]
        self.rows: list[list[int]] = [[] for _ in range(self.timing.lanes)]
        self.row_tile = 0
        self.known: dict[Schedule, dict[str, int]] = {}

    def add(self, op: TileOp) -> None:
        """An instruction with its tables."""
        if op.kind == "image":
            self._add_image(op)
        elif op.kind == "send":
            self._instruct(op.node, SEND, {"entries": op.entries, "positions": op.positions})
        else:
            self._add_tiles(op)

    def _add_image(self, op: TileOp) -> None:
        """Planes of one phase, a pitch from each other where they lie in the same bank."""
        assert op.target is not None
        planes, banks = op.target.planes, self.timing.banks
        values = {
            "entries": op.entries,
            "positions": op.positions,
            "streams": int(planes[0]),
            "jobs": int(planes[banks] - planes[0]) if op.entries > banks else 0,
            "lag": int(op.target.phases[0]),
        }
        self._instruct(op.node, IMAGE, values)

    def _add_tiles(self, op: TileOp) -> None:
        schedule, visits, tile = op.schedule, op.visits, op.tile
        assert schedule is not None and visits is not None and tile is not None
        node = op.pool if op.kind == "pool" else self.network.by_name[op.node]
        assert isinstance(node, MatrixLayer | PoolLayer)
        place = self.plan.places.tensors[node.source]
        pitch = node.stride[0] * place.width
        walk = schedule.walk
        window = node.kernel if isinstance(node, PoolLayer) else (1, 1)
        values = {
            "gather": int(walk.gather),
            "split": int(walk.parts > 1),
            "residual": int(op.residual),
            "pool_step": int(op.kind == "pool"),
            "column_tiles": visits.column_tiles,
            "blocks": visits.blocks,
            "steps_per_period": walk.steps,
            "step_cycles": schedule.step_cycles,
            "slots": schedule.slots,
            "slot_first": schedule.slot_first,
            "slot_stop": schedule.slot_stop,
            "load_words": self.timing.stream_words,
            "residual_words": self.timing.residual_words if op.residual else 0,
            "tail": op.tail,
            "lag": schedule.lag,
            "out_width": node.output_size[1],
            "stride_x": node.stride[1],
            "width": place.width,
            "run_pitch": pitch,
            "block_pitch": visits.block_rows * pitch,
            "limit": place.height * place.width + self.timing.word_bytes - 1,
            "window_height": window[0],
            "window_width": window[1],
            "stride_pitch": pitch,
            "positions": op.positions,
            "residual_block_pitch": visits.block_positions,
            "row_tile": self.row_tile,
            **self._add_tables(op),
        }
        for name, last in (("", False), ("last_", True)):
            values[f"{name}runs"] = visits.runs(last=last)
            values[f"{name}run_steps"] = visits.run_steps(last=last)
            values[f"{name}run_periods"] = -(-visits.run_steps(last=last) // walk.steps)
        if op.kind == "tiles":
            assert isinstance(node, MatrixLayer)
            values["weights"] = self.weights.add(node, tile, visits, walk.parts)
        self._instruct(op.node, TILES, {**values, "barrier": int(op.barrier)})
        self._follow(op)
        self._add_rows(op, tile, self._layer(op))

    def _layer(self, op: TileOp) -> MatrixLayer | None:
        node = self.network.by_name[op.node]
        return node if op.kind == "tiles" and isinstance(node, MatrixLayer) else None

    def finish(self) -> TiledProgram:
        """All tables as memory images."""
        self._instruct("", END, {})
        tiles = [word for word in self.program if word["op"] == TILES and not word["pool_step"]]
        for word, after in zip(tiles, tiles[1:] + tiles[:1], strict=True):
            word["next_weights"] = after["weights"]
        program = [
            pack_fields(INSTRUCTION, word, where=f"Layer '{node}'")
            for word, node in zip(self.program, self.nodes, strict=True)
        ]
        together, held = self.timing.stream_word, self.plan.ring is None
        weights = image_of_bits(WEIGHTS, self.weights.bits)
        images = (
            image_of_words(PROGRAM, bits_of(INSTRUCTION), [program]),
            image_of_words(OUTPUT_PROGRAM, bits_of(OUTPUT_INSTRUCTION), [self.output_program]),
            *([weights] if held else []),
            image_of_words(STREAMS, together * bits_of(self.stream), [self.streams]),
            image_of_words(JOBS, bits_of(self.job), self.jobs),
            image_of_words(DISPLACEMENTS, bits_of(self.layouts.layout), [self.layouts.words]),
            image_of_words(ROWS, bits_of(self.row), self.rows),
        )
        depths = {image.memory: image.words.shape[1] for image in images}
        limits = {
            "instructions": (PROGRAM, ADDRESS_LIMIT),
            "words of weights": (WEIGHTS, ADDRESS_LIMIT),
            "words of stream descriptors": (STREAMS, TABLE_LIMIT),
            "jobs a bank": (JOBS, TABLE_LIMIT),
            "rows of output parameters a lane": (ROWS, ADDRESS_LIMIT),
        }
        check_tables(
            self.network,
            {what: (depths.get(memory, 0), limit) for what, (memory, limit) in limits.items()},
        )
        return TiledProgram(
            plan=self.plan,
            parameters=self._parameters(images, depths),
            images=images,
            weight_beats=None if held else self.weights.beats(weights),
        )

    def _parameters(
        self, images: Sequence[MemoryImage], depths: Mapping[int, int]
    ) -> dict[str, int]:
        plan, ops = self.plan, self.plan.ops
        pools = [op for op in ops if op.pool is not None]
        widest = max(
            [op.pool.output_size[1] for op in pools if op.kind == "tiles" and op.pool], default=1
        )
        return {
            **array_parameters(self.array),
            "BANKS": self.timing.banks,
            "WORD_BYTES": self.timing.word_bytes,
            "FEATURE_BITS": self.feature_bits,
            "SLOT_BITS": self.slot_bits,
            "PHASE_BITS": self.phase_bits,
            "OFFSET_BITS": self.offset_bits,
            "DX_BITS": self.layouts.bits,
            "STREAM_ADDRESS_BITS": bits_for(depths[STREAMS]),
            "JOB_ADDRESS_BITS": bits_for(depths[JOBS]),
            "DISPLACEMENT_ADDRESS_BITS": bits_for(depths[DISPLACEMENTS]),
            "PARAMETER_BITS": bits_for(max(depths[ROWS], 2 * self.timing.lane_rows)),
            "PARAMETER_WORDS": memory_depth(max(depths[ROWS], 2 * self.timing.lane_rows)),
            "STREAM_WORDS": memory_depth(depths[STREAMS]),
            "JOB_WORDS": memory_depth(depths[JOBS]),
            "PROGRAM_WORDS": memory_depth(len(self.program)),
            "OUTPUT_WORDS": memory_depth(len(self.output_program)),
            "SUM_POSITION_BITS": bits_for(plan.sum_positions),
            "POOL_BITS": bits_for(widest),
            "PROGRAM_BITS": bits_for(len(self.program)),
            **self.weights.sizes,
            "BANK_DEPTH": plan.places.depth,
            "RESIDUALS": int(any(op.residual for op in ops)),
            "POOLS": plan.pools,
            "CLIPS": int(self.clips),
            "SPLIT": int(any(op.schedule and op.schedule.walk.parts > 1 for op in ops)),
            "CONFIG_BITS": max(image.bits for image in images),
        }

    def _instruct(self, node: str, op: int, values: Mapping[str, int]) -> None:
        """An instruction; fields that are not named have no effect on it."""
        barrier = {} if op == TILES else {"barrier": 1}
        self.nodes.append(node)
        self.program.append({**_NO_EFFECT, **barrier, **values, "op": op})

    def _follow(self, op: TileOp) -> None:
        """The entry of a row tile for what follows the array."""
        visits, schedule, pool = op.visits, op.schedule, op.pool
        assert visits is not None and schedule is not None
        layer = self._layer(op)
        values = {
            "column_tiles": visits.column_tiles,
            "blocks": visits.blocks,
            "steps": visits.steps(last=False),
            "last_steps": visits.steps(last=True),
            "keep": int(layer is not None and layer is self.network.output),
            "requantized": int(layer is not None and layer.shift is not None),
            "residual": int(op.residual),
            "bypass": int(layer is None),
            "split": int(schedule.walk.parts > 1),
            "write": int(op.target is not None),
            "gather": int(schedule.walk.gather),
            "row_tile": self.row_tile,
            "final": op.target.height * op.target.width - 1 if op.target is not None else 0,
            "window_height": 1,
            "window_width": 1,
            "out_width": visits.width,
        }
        if pool is not None:
            source = self.plan.places.tensors.get(pool.source)
            values |= {
                "pool": _POOLS[pool.kind],
                "window_height": pool.kernel[0],
                "window_width": pool.kernel[1],
                "pooled_width": pool.output_size[1],
                "pooled_height": pool.output_size[0],
                "multiplier": pool.multiplier,
                "pool_shift": pool.shift,
                "stride_y": pool.stride[0],
                "stride_x": pool.stride[1],
                "top": pool.padding[0],
                "left": pool.padding[2],
                "height": source.height if source is not None else visits.rows,
                "width": source.width if source is not None else visits.width,
            }
        self.output_program.append(
            pack_fields(OUTPUT_INSTRUCTION, {**_NO_OUTPUT, **values}, where=f"Layer '{op.node}'")
        )

    def _add_tables(self, op: TileOp) -> dict[str, int]:
        """Streams and jobs of a schedule, once; where they begin."""
        schedule = op.schedule
        assert schedule is not None
        if schedule in self.known:
            return self.known[schedule]
        where = f"Layer '{op.node}'"
        values = {
            "streams": len(self.streams),
            "jobs": len(self.jobs[0]),
            "window": self.layouts.numbers[schedule],
        }
        for tags in schedule.tags:
            self._add_streams(tags, self.timing.stream_words, self.layouts.places[schedule], where)
        if schedule.residual_tags:
            self._add_streams(schedule.residual_tags, self.timing.residual_words, {0: 0}, where)
        deepest = 0
        for table in schedule.tables:
            for bank in range(self.timing.banks):
                deepest = max(deepest, sum(job.bank == bank for job in table))
        for jobs in schedule.tables:
            self._add_jobs(jobs, deepest + 1, where)
        values["jobs_stride"] = deepest + 1 if len(schedule.tables) > 1 else 0
        self.known[schedule] = values
        return values

    def _add_streams(
        self, tags: Mapping[int, Tag], words: int, places: Mapping[int, int], where: str
    ) -> None:
        """Descriptors side by side, the lowest stream in the lowest bits."""
        idle = (1 << self.slot_bits) - 1
        unused = pack_fields(self.stream, [0, idle, 0, 0, 0], where=where)
        together, bits = self.timing.stream_word, bits_of(self.stream)
        for start in range(0, words * together, together):
            word = 0
            for place in range(together):
                tag = tags.get(start + place)
                entry = unused
                if tag is not None:
                    values = [1, tag.slot, tag.bank, tag.o, places[tag.dx]]
                    entry = pack_fields(self.stream, values, where=where)
                word |= entry << (bits * place)
            self.streams.append(word)

    def _add_jobs(self, table: Sequence[Job], depth: int, where: str) -> None:
        """A table for each bank, all of the same length, each ended by a slot that never comes."""
        idle = pack_fields(self.job, [0, (1 << self.slot_bits) - 1, 0, 0, 0], where=where)
        for bank, entries in enumerate(self.jobs):
            mine = [
                pack_fields(
                    self.job,
                    [int(job.residual), job.slot, job.phase, job.plane, job.offset],
                    where=where,
                )
                for job in table
                if job.bank == bank
            ]
            entries.extend(mine + [idle] * (depth - len(mine)))

    def _add_rows(self, op: TileOp, tile: RowTile, layer: MatrixLayer | None) -> None:
        """Parameters of the rows of a tile."""
        lane_rows = self.timing.lane_rows
        padding = (1 << (lane_rows - 1).bit_length()) - lane_rows
        bits = self.array.accumulator_bits
        clip = clip_limits(layer, bits) if layer is not None else None
        ends = [(1 << (bits - 1)) - 1, -(1 << (bits - 1))]
        assert op.schedule is not None
        tags, half = op.schedule.residual_tags, self.array.rows // op.schedule.walk.parts
        rows = op.rows or range(tile.rows)
        for lane, table in enumerate(self.rows):
            for place in range(lane_rows):
                row = lane * lane_rows + place
                if row >= self.array.rows or row % half not in rows:
                    table.append(0)
                    continue
                channel = tile.row_start + rows.index(row % half)
                added, shift, bias, rectified, limits = 0, 0, 0, 0, ends
                if layer is not None and clip is not None:
                    bias = int(layer.bias[channel])
                    shift = 0 if layer.shift is None else int(layer.shift[channel])
                    rectified = int(layer.activation == "relu")
                    limits = [int(clip[channel, 1]), int(clip[channel, 0])]
                    if row in tags and layer.residual is not None:
                        added = int(layer.residual.shift[channel])
                where_to = place_of(op.target, channel)
                values = [*where_to, int(row in tags), added, rectified, shift, bias]
                values += limits if self.clips else []
                table.append(pack_fields(self.row, values, where=f"Layer '{op.node}'"))
            table.extend([0] * padding)
        self.row_tile += 1
