"""Random layers for a lane of the accelerator, and what becomes of them by the integer reference."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from systopack.network import reference
from systopack.verification.bench import Bench
from systopack.verification.verilator import take_assertion
from tests.verify.lane_bench import Lane

DRAIN = 30  # cycles from a layer's last turn to the next layer


@dataclass(frozen=True, kw_only=True)
class Layer:
    """What a lane is to do.

    Args:
        size: height and width of the sums' image (a pooling of its own: of its output).
        row_tiles, column_tiles: how many of them.
        blocks: rows of positions in each block.
        parts: 2 where another lane has every second position; the two take turns here.
        residual, keep, requantized: as the ports.
        pool: 0 none, 1 maximum, 2 average.
        window: of the pooling.
        alone: the pooling is a step of its own.
    """

    size: tuple[int, int]
    blocks: tuple[int, ...]
    row_tiles: int = 1
    column_tiles: int = 1
    parts: int = 1
    residual: bool = False
    keep: bool = False
    requantized: bool = True
    pool: int = 0
    window: tuple[int, int] = (1, 1)
    alone: bool = False


@dataclass(kw_only=True)
class Run:
    """Inputs by cycle, and what is expected of the outputs."""

    lane: Lane
    random: np.random.Generator
    cycle: int = 0
    row_tile: int = 0
    plane: int = 0
    inputs: list[tuple[int, str, int, int]] = field(
        default_factory=list
    )  # cycle, port, value, cycles
    made: dict[int, tuple[int, int]] = field(default_factory=dict)
    kept: dict[int, int] = field(default_factory=dict)
    complete: list[list[int]] = field(default_factory=list)  # by row: cycles of whole words
    memory: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.uint8))
    expected: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.uint8))

    def __post_init__(self) -> None:
        self.complete = [[] for _ in range(self.lane.rows)]
        size = self.lane.word_bytes << self.lane.feature_bits
        self.memory = self.random.integers(0, 256, size, dtype=np.uint8)
        self.expected = self.memory.copy()

    def put(self, port: str, value: int, *, at: int | None = None, cycles: int = 1) -> None:
        """Give a port a value; ports that nobody gives one have any."""
        self.inputs.append((self.cycle if at is None else at, port, int(value), cycles))

    def chance(self, share: float = 0.5) -> bool:
        return bool(self.random.random() < share)


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """Parameters of a row tile's rows."""

    used: np.ndarray
    place: np.ndarray  # of a plane's first byte
    residual_used: np.ndarray
    residual_shift: np.ndarray
    shift: np.ndarray
    bias: np.ndarray
    rectified: np.ndarray
    highest: np.ndarray
    lowest: np.ndarray


def _rows(run: Run, layer: Layer, stored: int) -> _Rows:
    """Choose and write them; their planes get places in the memory."""
    lane, random = run.lane, run.random
    acc, count = lane.accumulator_bits, lane.rows
    phase = random.integers(0, lane.word_bytes, count)
    words = (stored + phase + lane.word_bytes - 1) // lane.word_bytes
    planes = run.plane + np.concatenate([[0], np.cumsum(words)[:-1]])
    run.plane += int(words.sum())
    assert run.plane <= 1 << lane.feature_bits
    limit = 1 << (acc - 1)
    relu = random.random(count) < 0.4
    spread = random.integers(0, limit, (2, count)) >> random.integers(0, acc - 2, (2, count))
    free = (random.random((2, count)) < 0.5) | (not lane.clips)
    rows = _Rows(
        used=(random.random(count) < 0.9) & (not layer.keep),
        place=planes * lane.word_bytes + phase,
        residual_used=random.random(count) < 0.8,
        residual_shift=random.integers(0, 16, count) + 16 * (random.random(count) < 0.1),
        shift=random.integers(0, 17, count) + 8 * (random.random(count) < 0.2),
        bias=random.integers(-limit, limit, count) >> random.integers(0, acc - 4, count),
        highest=np.where(free[0], limit - 1, spread[0]),
        lowest=np.where(relu, 0, np.where(free[1], -limit, -spread[1])),
        rectified=relu,
    )
    mask = (1 << acc) - 1
    for row in range(count):
        word = int(rows.used[row])
        for value, bits in (
            (rows.place[row], lane.feature_bits + lane.phase_bits),
            *((rows.residual_used[row], 1), (rows.residual_shift[row], 5)),
            *((rows.rectified[row], 1), (rows.shift[row], 5), (rows.bias[row], acc)),
            *((limit[row], acc) for limit in (rows.highest, rows.lowest) if lane.clips),
        ):
            word = word << bits | int(value) & (mask if bits == acc else (1 << bits) - 1)
        run.put("write_parameter", 1)
        run.put("table_address", run.row_tile << _tile_bits(lane) | row)
        run.put("table_data", word)
        run.cycle += 1
        if rows.used[row]:
            first = int(planes[row]) * lane.word_bytes
            run.expected[first : first + int(words[row]) * lane.word_bytes] = 0
    return rows


def _tile_bits(lane: Lane) -> int:
    return (lane.rows - 1).bit_length()


def _constants(run: Run, layer: Layer, multiplier: int, pool_shift: int) -> dict[str, int]:
    return {
        "keep": layer.keep,
        "requantized": layer.requantized,
        "bypass": layer.alone,
        "pool": layer.pool,
        "multiplier": multiplier,
        "pool_shift": pool_shift,
        "step_bytes": layer.parts,
    }


def add_layer(run: Run, layer: Layer) -> None:
    """Let the lane do a layer; split rows one half after the other."""
    lane = run.lane
    scale = (int(run.random.integers(1, 1 << 15)), int(run.random.integers(8, 20)))
    height, width = layer.size
    pooled = layer.size
    if layer.pool and not layer.alone:
        pooled = (height // layer.window[0], width // layer.window[1])
    for half in range(layer.parts):
        start = run.cycle
        if layer.parts == 2 and half == 0:
            tables = []
        for tile in range(layer.row_tiles):
            if half == 0:
                rows = _rows(run, layer, pooled[0] * pooled[1])
                if layer.parts == 2:
                    tables.append((rows, run.row_tile))
            else:
                rows, run.row_tile = tables[tile]
            if tile == 0:
                start = run.cycle
                run.cycle += run.cycle % 2
            _tile(run, layer, rows, half, scale, pooled)
            run.row_tile += 1
        run.cycle += DRAIN + lane.rows
        for port, value in _constants(run, layer, *scale).items():
            run.put(port, value, at=start, cycles=run.cycle - start)


def _tile(run, layer, rows, half, scale, pooled) -> None:
    """All visits of a row tile, and what they give."""
    lane = run.lane
    random = run.random
    tokens = _tokens(layer, half, pooled)
    limit = 1 << (lane.accumulator_bits - 1)
    step = int(lane.rows + 2 * random.integers(0, 3) if lane.rows > 1 else random.integers(1, 4))
    sends = {}
    for block in tokens:
        count = len(block)
        shape = (layer.column_tiles, count, lane.rows)
        sums = random.integers(-limit, limit, shape) >> random.integers(
            0, lane.accumulator_bits, shape
        )
        residual = random.integers(-128, 128, (count, lane.rows))
        masked = np.array([layer.alone and run.chance(0.3) for _ in block])
        bytes_, results = _results(lane, layer, rows, sums, residual)
        for tile in range(layer.column_tiles):
            last = tile == layer.column_tiles - 1
            for k, token in enumerate(block):
                _token(
                    run, layer, rows, token, k, tile, last, sums[tile, k], residual[k], masked[k]
                )
                if last:
                    _finish(run, layer, rows, token, bytes_[k])
                run.cycle += step
            run.cycle += max(0, 6 - step * count) + 2 * int(random.integers(0, 3))
        _store(run, layer, rows, block, bytes_, masked, scale)
        for k in range(count):
            sends[k] = results[k]
    if layer.keep:
        run.cycle += DRAIN + lane.rows
        order = [(k, row) for k in sends for row in range(lane.rows)]
        random.shuffle(order)
        for k, row in order:
            run.put("send_read", 1)
            run.put("send_position", k)
            run.put("send_row", row)
            run.kept[run.cycle + 1] = int(sends[k][row])
            run.cycle += int(random.integers(1, 3))
        run.cycle += run.cycle % 2


@dataclass(kw_only=True)
class _Token:
    """A step of a visit's last column tile."""

    index: int = 0
    window: int = 0
    store: bool = False  # before pooling
    pool_first: bool = False
    pool_last: bool = False
    stored: bool = False
    ends: bool = False
    flush: bool = False


def _tokens(layer: Layer, half: int, pooled: tuple[int, int]) -> list[list[_Token]]:
    """By block."""
    height, width = layer.size
    down, right = layer.window
    blocks: list[list[_Token]] = []
    y = 0
    for rows in layer.blocks:
        block = []
        places = [(y + dy, x) for dy in range(rows) for x in range(width)]
        y += rows
        if layer.alone:
            for v, x in places:
                for element in range(down * right):
                    block.append(
                        _Token(
                            index=v * width + x,
                            store=True,
                            pool_first=element == 0,
                            pool_last=element == down * right - 1,
                        )
                    )
        elif layer.pool:
            for v, x in places:
                inside = v // down < pooled[0] and x // right < pooled[1]
                block.append(
                    _Token(
                        index=v // down * pooled[1] + x // right,
                        window=x // right,
                        store=inside,
                        pool_first=v % down == 0 and x % right == 0,
                        pool_last=v % down == down - 1 and x % right == right - 1,
                    )
                )
        else:
            for k in range(-(-len(places) // layer.parts)):
                place = k * layer.parts + half
                exists = place < len(places)
                index = places[0][0] * width + place
                block.append(_Token(index=index, store=exists and not layer.keep))
        for token in block:
            token.stored = token.store and (not layer.pool or token.pool_last)
            token.ends = token.index == pooled[0] * pooled[1] - 1
        stored = [token for token in block if token.stored]
        if stored:
            stored[-1].flush = True
        blocks.append(block)
    assert y == height
    return blocks


def _results(lane, layer, rows, sums, residual):
    """Bytes and kept results of the tokens of a block: shape (tokens, rows)."""
    if layer.alone:
        return residual, residual
    total = sums.sum(axis=0) + rows.bias
    used = rows.residual_used & bool(lane.residuals)
    total = total + np.where(used, residual << rows.residual_shift, 0)
    total = np.clip(reference.wrap(total, lane.accumulator_bits), rows.lowest, rows.highest)
    shift = rows.shift if layer.requantized or not layer.keep else 0 * rows.shift
    bytes_ = reference._to_int8(total * 2.0**-shift).astype(np.int64)
    return bytes_, bytes_ if layer.requantized else total


def _token(run, layer, rows, token, k, tile, last, sums, residual, masked) -> None:
    """Inputs of a token's turns."""
    lane, at = run.lane, run.cycle
    count, mask = lane.rows, (1 << lane.accumulator_bits) - 1
    word = 0
    for row in reversed(range(count)):
        word = word << lane.accumulator_bits | int(sums[row]) & mask
    # Of the token, for all turns; some have any value where nobody looks at them.
    values = {"sums": word, "position": k % (1 << lane.position_bits)}
    values |= {"index": token.index, "masked": masked, "pool_index": token.window}
    values |= {"pool_first": token.pool_first, "pool_last": token.pool_last, "ends": token.ends}
    flush = token.flush and not (token.ends and run.chance())  # a plane's end is an end as well
    values |= {"flush": flush, "store": token.store}
    if not layer.alone:
        values |= {"first": tile == 0, "last": last}
        if layer.pool == 0:
            del values["pool_index"], values["pool_first"], values["pool_last"]
    for port, value in values.items():
        run.put(port, value, cycles=count)
    for row in range(count):
        run.put("turn", 1, at=at + row)
        run.put("turn_row", row, at=at + row)
        run.put("parameter_address", run.row_tile << _tile_bits(lane) | row, at=at + row)
        run.put("residual", residual[row] & 255, at=at + row + lane.residual_stage)


def _finish(run, layer, rows, token, bytes_) -> None:
    """What the outputs give of a finished token."""
    lane = run.lane
    for row in range(lane.rows):
        run.made[run.cycle + row + 10] = (row, int(bytes_[row]) & 255)
        place = (token.index + rows.place[row]) % lane.word_bytes
        whole = place + layer.parts >= lane.word_bytes or token.flush or token.ends
        if token.stored and rows.used[row] and whole:
            run.complete[row].append(run.cycle + row + lane.stage)


def _store(run, layer, rows, block, bytes_, masked, scale) -> None:
    """Put the bytes of a block where they belong."""
    windows: dict[int, list[np.ndarray]] = {}
    for k, token in enumerate(block):
        value = bytes_[k]
        if layer.pool:
            fill = -128 if layer.pool == 1 else 0
            members = windows.setdefault(token.index if token.store else -1, [])
            members.append(np.full_like(value, fill) if masked[k] else value)
            if token.stored:
                members = windows.pop(token.index)
                assert len(members) == layer.window[0] * layer.window[1]
                value = np.max(members, axis=0)
                if layer.pool == 2:
                    products = np.sum(members, axis=0) * scale[0]
                    value = reference._to_int8(products.astype(np.float64) * 2.0 ** -scale[1])
        if token.stored:
            places = rows.place[rows.used] + token.index
            run.expected[places] = value[rows.used].astype(np.int8).view(np.uint8)


def inputs_of(run: Run) -> dict[str, np.ndarray]:
    """The inputs as bits: what is not given is any value, but for the ports that begin something."""
    lane = run.lane
    cycles = run.cycle + 40
    bits = {
        name: run.random.integers(0, 2, (cycles, width), dtype=np.uint8)
        for name, width in lane.inputs().items()
    }
    for name in ("reset", "write_parameter", "turn", "taken", "send_read"):
        bits[name][:] = 0
    bits["reset"][:2] = 1
    for at, name, value, count in run.inputs:
        width = lane.inputs()[name]
        data = np.frombuffer(value.to_bytes(-(-width // 8), "little"), dtype=np.uint8)
        bits[name][at : at + count] = np.unpackbits(data, bitorder="little")[:width]
    for row, whole in enumerate(run.complete):
        ends = [*whole[1:], cycles - 1][: len(whole)]
        for start, end in zip(whole, ends, strict=True):
            bits["taken"][int(run.random.integers(start + 1, end + 1)), row] = 1
    return bits


def difference(run: Run, bench: Bench) -> str | None:
    """Where the lane's outputs are not what is expected; None where all are."""
    lane = run.lane
    bits = inputs_of(run)
    got = bench.run(bits)
    asserted = take_assertion(bench._library)
    if asserted is not None:
        return asserted
    numbers = {
        name: _numbers(got[name]) for name in ("made_valid", "made_row", "made_byte", "kept")
    }
    valid = np.flatnonzero(numbers["made_valid"][2:]) + 2
    if list(valid) != sorted(run.made):
        return "bytes are made in other cycles"
    for cycle, made in run.made.items():
        found = (int(numbers["made_row"][cycle]), int(numbers["made_byte"][cycle]))
        if found != made:
            return f"byte of cycle {cycle}: {found}, not {made}"
    mask = (1 << lane.accumulator_bits) - 1
    for cycle, value in run.kept.items():
        if int(numbers["kept"][cycle]) != value & mask:
            return f"kept sum of cycle {cycle}"
    pending = np.zeros((len(bits["taken"]), lane.rows), dtype=bool)
    for row, whole in enumerate(run.complete):
        taken = np.flatnonzero(bits["taken"][:, row])
        for start, end in zip(whole, taken, strict=True):
            pending[start + 1 : end + 1, row] = True
    if not (got["pending"][2:].astype(bool) == pending[2:]).all():
        return "words are pending in other cycles"
    size = lane.word_bytes
    for cycle, row in np.argwhere(bits["taken"]):
        address, data, enables = (
            got[name][cycle].reshape(lane.rows, -1)[row]
            for name in ("pending_address", "pending_data", "pending_enables")
        )
        first = int(_numbers(address[None])[0]) * size
        word = np.packbits(data.reshape(size, 8), axis=1, bitorder="little")[:, 0]
        chosen = enables.astype(bool)
        run.memory[first : first + size][chosen] = word[chosen]
    wrong = np.flatnonzero(run.memory != run.expected)
    return f"byte {wrong[0]} of the memory" if len(wrong) else None


def _numbers(bits: np.ndarray) -> np.ndarray:
    """Rows of bits as numbers."""
    weights = 1 << np.arange(bits.shape[1], dtype=np.int64)
    return bits.astype(np.int64) @ weights
