"""The tiled accelerator's images, executed slot by slot: what its RTL has to do, in numpy.

Nothing here looks at the plan but for the fixed delays of the array; words that were not fetched in
time, or were overwritten too early, come out as bytes of noise.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from systopack.hardware.tiled.timing import TiledTiming
from systopack.network.reference import wrap
from systopack.rtl.fields import (
    INSTRUCTION,
    OUTPUT_INSTRUCTION,
    job_layout,
    row_layout,
    stream_layout,
    unpack_fields,
)
from systopack.rtl.parameters import index_bits
from systopack.rtl.program import (
    DISPLACEMENTS,
    END,
    IMAGE,
    JOBS,
    OUTPUT_PROGRAM,
    PROGRAM,
    ROWS,
    SEND,
    STREAMS,
    WEIGHTS,
    TiledProgram,
)


@dataclass(kw_only=True, eq=False)
class Visit:
    """What the array's streams sent in one visit: shape (streams, steps)."""

    op: int
    block: int
    column_tile: int
    words: np.ndarray
    used: np.ndarray


@dataclass(kw_only=True, eq=False)
class Machine:
    """Runs one image; `results` are the words sent, `visits` what streamed."""

    program: TiledProgram
    visits: list[Visit] = field(default_factory=list)
    results: list[np.ndarray] = field(default_factory=list)

    def __post_init__(self) -> None:
        parameters = self.program.parameters
        self.p = parameters
        self.array = self.program.array
        self.timing = TiledTiming(array=self.array)
        self.size = parameters["WORD_BYTES"]
        self.banks = parameters["BANKS"]
        self.rng = np.random.default_rng(5)
        self.memory = self.noise(self.banks, parameters["BANK_DEPTH"], self.size)
        bank_bits = (self.banks - 1).bit_length()
        self.stream = stream_layout(
            parameters["SLOT_BITS"], bank_bits, parameters["PHASE_BITS"], parameters["DX_BITS"]
        )
        self.job = job_layout(
            *(parameters[f"{name}_BITS"] for name in ("SLOT", "PHASE", "FEATURE", "OFFSET"))
        )
        self.row = row_layout(
            parameters["FEATURE_BITS"],
            parameters["PHASE_BITS"],
            self.array.accumulator_bits,
            clips=bool(parameters["CLIPS"]),
        )
        self.idle = (1 << parameters["SLOT_BITS"]) - 1
        self.instructions = [unpack_fields(INSTRUCTION, w) for w in self.words(PROGRAM)]
        self.outputs = [unpack_fields(OUTPUT_INSTRUCTION, w) for w in self.words(OUTPUT_PROGRAM)]
        self.stream_table = self.words(STREAMS)
        self.job_tables = [self.words(JOBS, bank) for bank in range(self.banks)]
        self.row_tables = [self.words(ROWS, lane) for lane in range(self.timing.lanes)]
        self.displacements = self.words(DISPLACEMENTS)

    def words(self, memory: int, bank: int = 0) -> list[int]:
        """The words of a memory as numbers."""
        image = self.program.images[memory]
        return [int.from_bytes(w.astype("<u4").tobytes(), "little") for w in image.words[bank]]

    def noise(self, *shape: int) -> np.ndarray:
        """Bytes that nobody wrote."""
        return self.rng.integers(-128, 128, shape).astype(np.int8)

    def run(self, image: np.ndarray, after=lambda op: None) -> np.ndarray:
        """One image, (C, H, W) int8; `after` is called when an instruction is over."""
        sequence = iter(self.outputs)
        for number, ins in enumerate(self.instructions):
            if ins["op"] == END:
                assert number == len(self.instructions) - 1
                break
            if ins["op"] == IMAGE:
                self.store_image(ins, image)
            elif ins["op"] == SEND:
                assert ins["barrier"]
                self.results.append(self.sums[: ins["entries"], : ins["positions"]].copy())
            else:
                self.tiles(number, ins, next(sequence))
            after(number)
        assert next(sequence, None) is None
        return np.concatenate(self.results)

    def store_image(self, ins: dict[str, int], image: np.ndarray) -> None:
        """Channel by channel, into the banks in turn."""
        assert image.shape[0] == ins["entries"] and image[0].size == ins["positions"]
        for channel, plane in enumerate(image):
            place = ins["streams"] + channel // self.banks * ins["jobs"]
            self.store(
                channel % self.banks, place, ins["lag"], plane.ravel(), 0, ins["positions"] - 1
            )

    def store(
        self, bank: int, plane: int, phase: int, data: np.ndarray, first: int, final: int
    ) -> None:
        """Bytes first.. of a plane, with the zeros before its first and after its last byte."""
        flat = self.memory[bank].reshape(-1)
        start = plane * self.size + phase
        assert first + len(data) <= final + 1
        flat[start + first : start + first + len(data)] = data
        if first == 0:
            flat[start - phase : start] = 0
        if first + len(data) == final + 1:
            end = start + final + 1
            flat[end : -(-end // self.size) * self.size] = 0

    def tiles(self, number: int, ins: dict[str, int], out: dict[str, int]) -> None:
        """A row tile or a pool step."""
        assert ins["blocks"] == out["blocks"] and ins["column_tiles"] == out["column_tiles"]
        assert ins["slots"] >= ins["steps_per_period"] * ins["step_cycles"]
        assert ins["slots"] % self.array.word_cycles == 0
        assert ins["step_cycles"] % self.array.word_cycles == 0
        steps = ins["blocks"] * ins["last_runs"] * ins["last_run_steps"]
        assert steps == 1 or ins["slot_stop"] <= ins["slots"] - self.timing.write_slots
        rows = self.row_parameters(out["row_tile"])
        pooled: dict[int, list[np.ndarray]] = {row: [] for row in rows}
        for block in range(ins["blocks"]):
            last_block = block == ins["blocks"] - 1
            prefix = "last_" if last_block else ""
            steps = ins[f"{prefix}runs"] * ins[f"{prefix}run_steps"]
            assert steps == out["last_steps" if last_block else "steps"]
            sums = np.zeros((self.array.rows, steps), dtype=np.int64)
            for row, values in rows.items():
                sums[row] = values["bias"]
            for column_tile in range(ins["column_tiles"]):
                last = column_tile == ins["column_tiles"] - 1
                tags = self.load(ins, column_tile, with_residual=last and bool(ins["residual"]))
                tables = self.tables(ins, column_tile)
                if not ins["pool_step"]:
                    sums += self.visit(number, ins, block, column_tile, tags[0], tables)
                if last:
                    added = self.lanes(tags[1], tables)
                    self.finish(ins, out, block, sums, added, rows, pooled)
        if out["pool"] and not out["bypass"]:
            self.pool(out, rows, pooled)

    # ---- streams and jobs

    def load(self, ins: dict[str, int], column_tile: int, *, with_residual: bool):
        """Descriptors of the array's streams and of the rows."""
        count = self.array.columns * self.array.alpha
        per_word, bits = self.timing.stream_word, sum(f.bits for f in self.stream)

        def tags(first: int, words: int, limit: int) -> list[dict[str, int]]:
            found = []
            for word in self.stream_table[first : first + words]:
                for place in range(per_word):
                    found.append(
                        unpack_fields(self.stream, word >> (bits * place) & (1 << bits) - 1)
                    )
            return found[:limit]

        own = tags(ins["streams"] + column_tile * ins["load_words"], ins["load_words"], count)
        rows = []
        if with_residual:
            after = ins["streams"] + ins["column_tiles"] * ins["load_words"]
            rows = tags(after, ins["residual_words"], self.array.rows)
        return own, rows

    def tables(
        self, ins: dict[str, int], column_tile: int
    ) -> dict[tuple[int, int], dict[str, int]]:
        """Jobs by slot and bank, as the banks read them: in order, up to one that never comes."""
        found = {}
        for bank, table in enumerate(self.job_tables):
            place, before = ins["jobs"] + column_tile * ins["jobs_stride"], -1
            while True:
                job = unpack_fields(self.job, table[place])
                if job["slot"] == self.idle:
                    break
                assert before < job["slot"]
                assert ins["slot_first"] <= job["slot"] < ins["slot_stop"]
                found[job["slot"], bank] = job
                before, place = job["slot"], place + 1
        return found

    def fetch(self, job: dict[str, int], bank: int, bases: np.ndarray, limit: int) -> np.ndarray:
        """The words of a job at some bases: shape (bases, word bytes)."""
        index = (bases + job["offset"]) // self.size
        zero = (index < 0) | (index >= (limit + job["phase"]) // self.size)
        if job["residual"]:
            zero = index < 0
        address = job["plane"] + index
        inside = ~zero & (address >= 0) & (address < len(self.memory[bank]))
        words = self.noise(len(bases), self.size)
        words[inside] = self.memory[bank][address[inside]]
        words[zero] = 0
        return words

    def held(
        self, number: np.ndarray, time: np.ndarray, slot: int, slots: int, most: int, lag: int
    ):
        """The number of the word in a buffer of its parity, read at some times and a word later."""
        newest = []
        for moment in (time, time + self.array.word_cycles - 1):
            latest = np.minimum((moment - 1 - slot) // slots + 1 - lag, most)
            if not lag:
                latest = np.maximum(latest, 0)  # the first word comes before the first period
            newest.append(latest - (latest - number) % 2)
        return np.where(newest[0] == newest[1], newest[0], -1)

    def visit(self, number, ins, block, column_tile, tags, tables) -> np.ndarray:
        """Sums of one visit: shape (rows, steps)."""
        prefix = "last_" if block == ins["blocks"] - 1 else ""
        runs, run_steps = ins[f"{prefix}runs"], ins[f"{prefix}run_steps"]
        seen: set[tuple[int, int, int]] = set()
        parts = 1 + ins["split"]
        words = self.noise(len(tags), parts, runs * run_steps).astype(np.int64)
        for stream, tag in enumerate(tags):
            if not tag["used"]:
                assert tag["slot"] == self.idle
                continue
            job = tables[tag["slot"], tag["bank"]]
            assert not job["residual"]
            seen.add((stream // self.array.alpha, tag["slot"], tag["bank"]))
            base = block * ins["block_pitch"]
            for run in range(runs):
                part = slice(run * run_steps, (run + 1) * run_steps)
                if not ins["gather"]:
                    start = base + run * ins["run_pitch"]
                    for half in range(parts):
                        words[stream, half, part] = self.sent(ins, tag, job, start, run_steps, half)
            if ins["gather"]:
                words[stream, 0] = self.gathered(ins, tag, job, base, runs, run_steps)
        pairs = {(column, slot) for column, slot, _ in seen}
        assert len(pairs) == len(seen)  # a word a slot for each array column
        used = np.array([bool(tag["used"]) for tag in tags])
        together = words.swapaxes(1, 2).reshape(len(tags), -1)  # in the order of positions
        self.visits.append(
            Visit(op=number, block=block, column_tile=column_tile, words=together, used=used)
        )
        weights, half = self.weights(ins, column_tile), self.array.rows // parts
        own = [weights[part * half : (part + 1) * half] @ words[:, part] for part in range(parts)]
        return np.concatenate(own)

    def masked(self, ins, tag, x: np.ndarray, data: np.ndarray) -> np.ndarray:
        """Zero where the byte is left or right of the image."""
        word = self.displacements[ins["window"]] >> (13 * tag["dx"]) & 0x1FFF
        place = x + word - (word >> 12 << 13)
        return np.where((place >= 0) & (place < ins["width"]), data, 0)

    def sent(self, ins, tag, job, base: int, steps: int, half: int) -> np.ndarray:
        """The bytes of a stream in one run of whole words, for one half of the rows."""
        per, slots, stride = ins["steps_per_period"], ins["slots"], ins["stride_x"]
        parts = 1 + ins["split"]
        step = np.arange(steps)
        periods = -(-steps // per)
        fetched = self.fetch(
            job, tag["bank"], base + self.size * np.arange(periods + 1), ins["limit"]
        )
        byte = tag["o"] + step % per * stride * parts + half * stride
        number = step // per + byte // self.size
        time = step // per * slots + step % per * ins["step_cycles"]
        found = self.held(number, time, tag["slot"], slots, periods, 0)
        data = np.where(
            found >= 0, fetched[np.maximum(found, 0), byte % self.size], self.noise(steps)
        )
        x = (step * parts + half) % ins["out_width"] * stride
        return self.masked(ins, tag, x, data)

    def gathered(self, ins, tag, job, base: int, runs: int, run_steps: int) -> np.ndarray:
        """The bytes of a stream where every step fetches its own word."""
        run, place = np.divmod(np.arange(runs * run_steps), run_steps)
        moved = base + run * ins["run_pitch"] + place * ins["stride_x"]
        fetched = self.fetch(job, tag["bank"], moved, ins["limit"])
        number = np.arange(len(moved))
        found = self.held(
            number, number * ins["slots"], tag["slot"], ins["slots"], len(moved) - 1, 0
        )
        data = np.where(
            found >= 0,
            fetched[np.maximum(found, 0), (moved + tag["o"]) % self.size],
            self.noise(len(moved)),
        )
        return self.masked(ins, tag, place * ins["stride_x"], data)

    def weights(self, ins, column_tile: int) -> np.ndarray:
        """The weights of a tile: shape (rows, streams), int64."""
        array = self.array
        first = ins["weights"] + column_tile * array.load_cycles
        image = self.program.images[WEIGHTS]
        words = image.words[0, first : first + array.load_cycles].astype("<u4")
        bits = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little")[:, : image.bits]
        width = array.weight_bits + index_bits(array)
        cells = bits.reshape(array.load_cycles * array.load_columns, width, array.rows)
        cells = cells[: array.columns].swapaxes(1, 2).astype(np.int64)
        values = cells[:, :, : array.weight_bits] @ (1 << np.arange(array.weight_bits))
        values -= values >> (array.weight_bits - 1) << array.weight_bits
        chosen = cells[:, :, array.weight_bits :] @ (1 << np.arange(index_bits(array)))
        matrix = np.zeros((array.rows, array.columns * array.alpha), dtype=np.int64)
        for column in range(array.columns):
            matrix[np.arange(array.rows), column * array.alpha + chosen[column]] = values[column]
        return matrix

    # ---- lanes

    def row_parameters(self, row_tile: int) -> dict[int, dict[str, int]]:
        """By row."""
        lane_rows = self.timing.lane_rows
        stride = 1 << (lane_rows - 1).bit_length()
        found = {}
        for row in range(self.timing.lanes * lane_rows):
            word = self.row_tables[row // lane_rows][row_tile * stride + row % lane_rows]
            if row < self.array.rows:
                found[row] = unpack_fields(self.row, word)
            else:
                assert not word  # the last lane has fewer rows
        return found

    def lanes(self, tags, tables):
        """By row with an operand, how its lane reads: descriptor and job."""
        lane_rows = self.timing.lane_rows
        found, seen = {}, set()
        for row, tag in enumerate(tags):
            if tag["used"]:
                job = tables[tag["slot"], tag["bank"]]
                assert job["residual"]
                found[row] = tag, job
                seen.add((row // lane_rows, tag["slot"], tag["bank"]))
        assert len({(lane, slot) for lane, slot, _ in seen}) == len(seen)
        return found

    def finish(self, ins, out, block, sums, added, rows, pooled) -> None:
        """Operands, activation and requantization; words to the memory, the pooling or the host."""
        self.sums = np.zeros_like(sums)
        first = block * ins["residual_block_pitch"]
        assert ins["split"] == out["split"] and not (ins["split"] and out["pool"])
        for row, values in rows.items():
            operand = np.zeros(sums.shape[1], dtype=np.int64)
            if values["residual_used"]:
                operand = self.operand(ins, out, block, *added[row], values, sums[row])
            total = wrap(
                sums[row] + (operand << values["residual_shift"]), self.array.accumulator_bits
            )
            if "lowest" in values:
                total = np.clip(total, values["lowest"], values["highest"])
            elif values["rectified"]:
                total = np.maximum(total, 0)
            if out["requantized"]:
                total = np.clip(np.rint(total * 2.0 ** -values["shift"]), -128, 127).astype(
                    np.int64
                )
            self.sums[row] = total
            if not values["used"] or not out["write"]:
                continue
            if out["bypass"]:
                self.store_row(row, values, self.reduced(ins, out, operand), 0, out["final"])
            elif out["pool"]:
                pooled[row].append(total)
            else:
                half = int(ins["split"] and row >= self.array.rows // 2)
                self.store_row(row, values, total, first, out["final"], half, 1 + ins["split"])

    def store_row(self, row, values, data, first, final, half=0, parts=1) -> None:
        """A row's words go into its bank, those of half of the rows into every second byte."""
        bank, data = row % self.banks, data.astype(np.int8)
        if parts == 1:
            self.store(bank, values["plane"], values["phase"], data, first, final)
            return
        for place, byte in enumerate(data):
            position = first + place * parts + half
            self.store(bank, values["plane"], values["phase"], byte[None], position, final)

    def operand(self, ins, out, block, tag, job, values, sums) -> np.ndarray:
        """The bytes that a lane reads; its own writes may lie in the same place."""
        slots, lag, steps = ins["slots"], ins["lag"], len(sums)
        number = np.arange(steps)
        per = ins["steps_per_period"]
        base = block * ins["residual_block_pitch"]
        if ins["pool_step"]:
            elements = ins["window_height"] * ins["window_width"]
            position, element = np.divmod(number, elements)
            y, x = np.divmod(position, ins["out_width"])
            i, j = np.divmod(element, ins["window_width"])
            bases = y * ins["run_pitch"] + x * ins["stride_x"] + i * ins["width"] + j
        elif ins["gather"]:
            bases = base + number
        else:
            bases = base + self.size * np.arange(-(-steps // per) + 1)
        parts = 1 + ins["split"]
        fetched = self.fetch(job, tag["bank"], bases, ins["limit"])
        last = "last_" if block == ins["blocks"] - 1 else ""
        periods = ins[f"{last}run_periods"] * ins[f"{last}runs"] + ins["tail"]
        if ins["gather"]:
            byte = (bases + tag["o"]) % self.size
            word, time = number, number * slots
        else:
            byte = tag["o"] + number % per * parts
            word = number // per + byte // self.size
            time = number // per * slots + number % per * ins["step_cycles"]
        delay = self.timing.residual_cycles
        found = self.held(
            word, time + delay, tag["slot"], slots, min(len(bases) - 1, periods - lag), lag
        )
        # No byte is written before the word that holds it was fetched for the last time.
        assert ((found + lag - 1) * slots + tag["slot"] < time + delay).all()
        return np.where(
            found >= 0, fetched[np.maximum(found, 0), byte % self.size], self.noise(steps)
        ).astype(np.int64)

    def reduced(self, ins, out, data: np.ndarray) -> np.ndarray:
        """A pooling as a step of its own."""
        height, width = out["window_height"], out["window_width"]
        windows = data.reshape(-1, height * width)
        position, element = np.divmod(np.arange(data.size), height * width)
        y, x = np.divmod(position, out["out_width"])
        i, j = np.divmod(element, width)
        row = y * out["stride_y"] - out["top"] + i
        column = x * out["stride_x"] - out["left"] + j
        inside = (row >= 0) & (row < out["height"]) & (column >= 0) & (column < out["width"])
        windows = np.where(inside, data, -128 if out["pool"] == 1 else 0).reshape(windows.shape)
        return self.reduce(out, windows)

    def reduce(self, out, windows: np.ndarray) -> np.ndarray:
        """Maximum or rounded average of the last axis."""
        if out["pool"] == 1:
            return windows.max(axis=-1)
        total = windows.sum(axis=-1) * out["multiplier"]
        return np.clip(np.rint(total * 2.0 ** -out["pool_shift"]), -128, 127)

    def pool(self, out, rows, pooled) -> None:
        """A pooling on the way out: whole windows of the layer's positions."""
        height, width = out["window_height"], out["window_width"]
        down, across = out["pooled_height"], out["pooled_width"]
        for row, values in rows.items():
            if not values["used"]:
                continue
            plane = np.concatenate(pooled[row]).reshape(-1, out["out_width"])
            plane = plane[: down * height, : across * width]
            windows = plane.reshape(down, height, across, width).swapaxes(1, 2)
            data = self.reduce(out, windows.reshape(down * across, height * width))
            self.store_row(row, values, data, 0, out["final"])
