"""Which words of the feature memory are fetched, and in which slot of a period.

A stream holds two words of its channel's plane and reads them byte by byte. A word is fetched once
for all streams that want it. While a row of the image runs, words last for several steps; where
they do not (`gather`), each step fetches its own. Slots are given out once for a row tile: in a
slot each bank reads one word, and each array column and each lane takes one.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from systopack.errors import InvalidOptionError
from systopack.hardware.rows.timing import RowTiming

_TRIES = 24
_SLOT_LIMIT = 1023
_LAG_LIMIT = 62  # periods: the tail after a visit is one more


@dataclass(frozen=True, kw_only=True)
class Walk:
    """How the steps of a layer move over its source.

    Args:
        gather: every step fetches its own words; else words last while a row runs.
        stride: bytes from one position of a row to the next.
        parts: positions that are computed at once.
        out_width: positions of a row.
        width: bytes of a row of the source.
        word_bytes: of a word of the feature memory.
        aligned: every step starts with a word.
    """

    gather: bool
    stride: int
    parts: int
    out_width: int
    width: int
    word_bytes: int
    aligned: bool = False

    @property
    def step_bytes(self) -> int:
        """Bytes from one step to the next."""
        return self.stride * self.parts

    @property
    def steps(self) -> int:
        """Steps of a period."""
        return 1 if self.gather else self.word_bytes // self.step_bytes

    def window(self, o: int) -> tuple[int, int]:
        """Steps of a period in which the next word may come, for a stream that begins at byte o."""
        if self.gather:
            return 0, 1
        last = o + self.stride * (self.parts - 1)
        low = max(0, -(o // self.step_bytes))
        return low, min(self.steps, self.steps - last // self.step_bytes)

    def starts(self, o: int, dx: int) -> bool:
        """Whether no byte before the first fetched word is read: all of them are masked."""
        for position in range(-o * self.parts // self.step_bytes + 1 if o < 0 else 0):
            step, part = divmod(position, self.parts)
            early = o + step * self.step_bytes + part * self.stride < 0
            x = position % self.out_width * self.stride + dx
            if early and 0 <= x < self.width:
                return False
        return True


@dataclass(frozen=True, kw_only=True)
class Need:
    """A displacement of a channel that some streams read.

    Args:
        bank, plane, phase: where the channel lies.
        place: bytes from the first word of the channel to the byte at the first position.
        dx: columns to the right of the position.
        users: pairs of column tile and stream; of a residual pairs of -1 and row.
    """

    bank: int
    plane: int
    phase: int
    place: int
    dx: int
    users: tuple[tuple[int, int], ...]

    @property
    def residual(self) -> bool:
        """Whether it is an operand of rows."""
        return self.users[0][0] < 0


@dataclass(frozen=True, kw_only=True)
class Fetch:
    """One word that is fetched in every period, for all that want it.

    Args:
        needs: of one channel.
        word: of the plane, at the first position; of a gathering walk the byte.
        low, high: steps of a period between which it has to come.
    """

    needs: tuple[Need, ...]
    word: int
    low: int
    high: int


@dataclass(frozen=True, kw_only=True)
class Job:
    """An entry of a bank's table.

    Args:
        bank, slot: who reads, and when.
        plane, phase, offset: what; the offset is in bytes.
        residual: for the lanes.
    """

    bank: int
    slot: int
    plane: int
    phase: int
    offset: int
    residual: bool


@dataclass(frozen=True, kw_only=True)
class Tag:
    """Which word a stream takes, and where in it it begins.

    Args:
        slot, bank: of the word.
        o: byte of the word at a period's first step; of a gathering walk modulo a word.
        dx: columns to the right of the position.
    """

    slot: int
    bank: int
    o: int
    dx: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Schedule:
    """Slots of a row tile.

    Args:
        walk: how its steps move.
        step_cycles: from step to step.
        slot_first, slot_stop: slots that any word uses, half open.
        tables: jobs of all column tiles together, or of each.
        tags: by column tile, by stream.
        residual_tags: by row.
        lag: periods that operands come later than the words of the same step.
    """

    walk: Walk
    step_cycles: int
    slot_first: int
    slot_stop: int
    tables: tuple[tuple[Job, ...], ...]
    tags: tuple[dict[int, Tag], ...]
    residual_tags: dict[int, Tag]
    lag: int

    @property
    def slots(self) -> int:
        """Slots of a period."""
        return self.walk.steps * self.step_cycles


def find_schedule(
    needs: Sequence[Sequence[Need]],
    residuals: Sequence[Need],
    walk: Walk,
    timing: RowTiming,
    *,
    where: str,
    least: int = 0,
) -> Schedule:
    """The schedule with the least cycles a step.

    Args:
        needs: of each column tile; users name the tile.
        residuals: operands of the rows; they lie in the table of every column tile.
        where: for messages: "Layer 'conv3'".
        least: cycles of a step below which not to look.

    Raises:
        InvalidOptionError: there are more words than slots, however long a step is.
    """
    cycles = timing.array.word_cycles
    own = [tuple(_fetches(_merged(part), walk)) for part in needs]
    extra = tuple(_fetches(_merged(residuals), walk))
    shared = tuple(_fetches(_merged([need for part in needs for need in part]), walk))
    step = max(cycles, -(-least // cycles) * cycles)
    step = max(step, _least(own, extra, walk, timing) // cycles * cycles)
    while walk.steps * step <= _SLOT_LIMIT:
        for lag, start in _sides(extra, walk, step, timing):
            schedule = _try(own, extra, shared, (walk, step, lag, start), timing)
            if schedule is not None:
                return schedule
        step += cycles
    raise InvalidOptionError(
        f"{where} reads more words at a step than {_SLOT_LIMIT} cycles bring; choose an array with "
        "fewer columns or a smaller alpha."
    )


def lower_bound(
    needs: Sequence[Sequence[Need]], residuals: Sequence[Need], walk: Walk, timing: RowTiming
) -> int:
    """Cycles of a step that no schedule is below."""
    own = [tuple(_fetches(_merged(part), walk)) for part in needs]
    extra = tuple(_fetches(_merged(residuals), walk))
    cycles = timing.array.word_cycles
    return max(cycles, -(-_least(own, extra, walk, timing) // cycles) * cycles)


Pace = tuple[Walk, int, int, int]  # walk, cycles of a step, lag and first slot of operands
Slots = list[tuple[Fetch, int]]


def _try(
    own: Sequence[tuple[Fetch, ...]],
    extra: tuple[Fetch, ...],
    shared: tuple[Fetch, ...],
    pace: Pace,
    timing: RowTiming,
) -> Schedule | None:
    """One table for all column tiles, or one for each."""
    tight = _pack((*shared, *extra), {}, pace, timing)
    if tight is not None:
        return _schedule([tight], len(own), pace)
    if len(own) < 2:
        return None
    fixed: Slots = []
    if extra:
        # The operands keep their slots in all tables: those of the last column tile.
        last = _pack((*own[-1], *extra), {}, pace, timing)
        if last is None:
            return None
        fixed = [(fetch, slot) for fetch, slot in last if fetch.needs[0].residual]
    tables = []
    for fetches in own[: -1 if extra else None]:
        table = _pack(fetches, _taken(fixed), pace, timing)
        if table is None:
            return None
        tables.append(table + fixed)
    return _schedule([*tables, last] if extra else tables, len(own), pace)


def _schedule(tables: Sequence[Slots], tiles: int, pace: Pace) -> Schedule:
    walk, step, lag, _ = pace
    tags: tuple[dict[int, Tag], ...] = tuple({} for _ in range(tiles))
    residual_tags: dict[int, Tag] = {}
    jobs: list[tuple[Job, ...]] = []
    for table in tables:
        jobs.append(
            tuple(
                Job(
                    bank=fetch.needs[0].bank,
                    slot=slot,
                    plane=fetch.needs[0].plane,
                    phase=fetch.needs[0].phase,
                    offset=fetch.word if walk.gather else fetch.word * walk.word_bytes,
                    residual=fetch.needs[0].residual,
                )
                for fetch, slot in sorted(table, key=lambda item: item[1])
            )
        )
        for fetch, slot in table:
            for need in fetch.needs:
                o = need.place - fetch.word * walk.word_bytes
                if walk.gather:
                    o = need.place % walk.word_bytes
                tag = Tag(slot=slot, bank=need.bank, o=o, dx=need.dx)
                for tile, user in need.users:
                    (residual_tags if tile < 0 else tags[tile])[user] = tag
    slots = [job.slot for table in jobs for job in table]
    first = min(slots, default=0)
    return Schedule(
        walk=walk,
        step_cycles=step,
        slot_first=first,
        slot_stop=max(slots, default=first) + 1,
        tables=tuple(jobs),
        tags=tags,
        residual_tags=residual_tags,
        lag=lag,
    )


# ---- words


def _merged(needs: Iterable[Need]) -> list[Need]:
    """Each displacement once, with all its users."""
    users: dict[Need, list[tuple[int, int]]] = defaultdict(list)
    for need in needs:
        users[replace(need, users=((min(0, need.users[0][0]), 0),))] += need.users
    return [replace(need, users=tuple(found)) for need, found in users.items()]


def _fetches(needs: Sequence[Need], walk: Walk) -> Iterator[Fetch]:
    """As few words as serve all needs."""
    channels: dict[tuple[int, int], list[Need]] = defaultdict(list)
    for need in needs:
        channels[need.bank, need.plane].append(need)
    for mine in channels.values():
        mine.sort(key=lambda need: (need.place, need.dx))
        yield from (_gathered if walk.gather else _words)(mine, walk)


def _gathered(needs: Sequence[Need], walk: Walk) -> Iterator[Fetch]:
    """A word for each place; where every step starts with a word, one for all bytes of it."""
    places: dict[int, list[Need]] = defaultdict(list)
    for need in needs:
        size = walk.word_bytes
        places[need.place // size * size if walk.aligned else need.place].append(need)
    for place, mine in places.items():
        yield Fetch(needs=tuple(mine), word=place, low=0, high=1)


def _words(needs: Sequence[Need], walk: Walk) -> Iterator[Fetch]:
    """From the lowest place on, the word that serves most."""
    start = 0
    while start < len(needs):
        best: Fetch | None = None
        first = needs[start].place // walk.word_bytes
        for word in (first, first + 1):
            fetch = _longest(needs[start:], word, walk)
            if fetch is not None and (best is None or _worth(fetch) > _worth(best)):
                best = fetch
        assert best is not None  # the word of the lowest place serves that
        yield best
        start += len(best.needs)


def _worth(fetch: Fetch) -> tuple[int, int]:
    return len(fetch.needs), fetch.high - fetch.low


def _longest(needs: Sequence[Need], word: int, walk: Walk) -> Fetch | None:
    """As many needs as one word serves."""
    low, high, count = 0, walk.steps, 0
    for need in needs:
        o = need.place - word * walk.word_bytes
        if not -walk.word_bytes < o < walk.word_bytes or not walk.starts(o, need.dx):
            break
        first, last = walk.window(o)
        if max(low, first) >= min(high, last):
            break
        low, high, count = max(low, first), min(high, last), count + 1
    if not count:
        return None
    return Fetch(needs=tuple(needs[:count]), word=word, low=low, high=high)


def _split(fetch: Fetch, walk: Walk) -> list[Fetch]:
    """The same word fetched apart for the needs with the narrowest window and the others."""
    if walk.gather or fetch.needs[0].residual:
        return [fetch]
    bounds = {need: walk.window(need.place - fetch.word * walk.word_bytes) for need in fetch.needs}
    narrow = min(bounds.values(), key=lambda bound: bound[1] - bound[0])
    parts = [
        tuple(n for n in fetch.needs if bounds[n] == narrow),
        tuple(n for n in fetch.needs if bounds[n] != narrow),
    ]
    if not all(parts):
        return [fetch]
    return [
        Fetch(
            needs=part,
            word=fetch.word,
            low=max(bounds[need][0] for need in part),
            high=min(bounds[need][1] for need in part),
        )
        for part in parts
    ]


# ---- slots


def _sides(
    extra: Sequence[Fetch], walk: Walk, step: int, timing: RowTiming
) -> Iterator[tuple[int, int]]:
    """Lag of the operands, and the slot from which their words may come, wherever they fit."""
    if not extra:
        yield 0, 0
        return
    slots = walk.steps * step
    usable = slots - timing.write_slots
    whole, delta = divmod(timing.residual_cycles, slots)
    high = min(fetch.high for fetch in extra) * step
    if delta < min(usable, delta + high) and whole < _LAG_LIMIT:
        yield whole, delta
    if delta + high > slots and whole + 1 < _LAG_LIMIT:
        yield whole + 1, delta - slots  # counted from the period before


def _window(fetch: Fetch, pace: Pace, timing: RowTiming) -> tuple[int, int]:
    """Slots in which a word may come, half open."""
    walk, step, _, start = pace
    usable = walk.steps * step - timing.write_slots
    if fetch.needs[0].residual:
        return max(0, start), min(usable, start + fetch.high * step)
    return fetch.low * step, min(usable, fetch.high * step)


def _mask(fetch: Fetch, timing: RowTiming) -> int:
    """What a word occupies in its slot: a bank, array columns, lanes; one bit each."""
    mask = 1 << fetch.needs[0].bank
    above = timing.banks + timing.lanes
    for need in fetch.needs:
        for tile, user in need.users:
            if tile < 0:
                mask |= 1 << (timing.banks + user // timing.lane_rows)
            else:
                column = user // timing.array.alpha
                mask |= 1 << (above + tile * timing.array.columns + column)
    return mask


def _taken(table: Slots) -> dict[int, int]:
    """Banks that fixed words occupy, by slot."""
    taken: dict[int, int] = {}
    for fetch, slot in table:
        taken[slot] = taken.get(slot, 0) | 1 << fetch.needs[0].bank
    return taken


def _least(
    own: Sequence[Sequence[Fetch]], extra: Sequence[Fetch], walk: Walk, timing: RowTiming
) -> int:
    """Cycles of a step that the fullest bank, array column or lane takes at least."""
    most = 0
    for fetches in (*own[:-1], [*own[-1], *extra]) if own else (extra,):
        load: Counter[int] = Counter()
        for fetch in fetches:
            mask = _mask(fetch, timing)
            while mask:
                load[mask & -mask] += 1
                mask &= mask - 1
        most = max([most, *load.values()])
    return -(-(most + timing.write_slots) // walk.steps)


def _pack(
    fetches: Sequence[Fetch], taken: dict[int, int], pace: Pace, timing: RowTiming
) -> Slots | None:
    """A slot for every word: tightest windows first, then those that failed before."""
    walk = pace[0]
    found = list(fetches)
    failures: Counter[int] = Counter()
    shuffle = random.Random(0)
    masks, bounds = _wanted(found, pace, timing)
    if _overfull(masks, bounds, taken):
        return None
    for attempt in range(_TRIES):
        noise = [shuffle.random() if attempt else 0.0 for _ in found]
        order = sorted(
            range(len(found)),
            key=lambda i: (
                -failures[i],
                bounds[i][1] - bounds[i][0],
                -masks[i].bit_count(),
                noise[i],
            ),
        )
        occupied, slots, failed = dict(taken), [0] * len(found), None
        for index in order:
            low, high = bounds[index]
            mask = masks[index]
            for slot in range(low, high):
                if not occupied.get(slot, 0) & mask:
                    occupied[slot] = occupied.get(slot, 0) | mask
                    slots[index] = slot
                    break
            else:
                failed = index
                failures[index] += 1
                break
        if failed is None:
            return list(zip(found, slots, strict=True))
        if attempt % 8 == 7:
            parts = _split(found[failed], walk)
            if len(parts) > 1:
                found[failed : failed + 1] = parts
                masks, bounds = _wanted(found, pace, timing)
                failures = Counter()
    return None


def _wanted(
    fetches: Sequence[Fetch], pace: Pace, timing: RowTiming
) -> tuple[list[int], list[tuple[int, int]]]:
    """What each word occupies, and when it may come."""
    masks = [_mask(fetch, timing) for fetch in fetches]
    return masks, [_window(fetch, pace, timing) for fetch in fetches]


def _overfull(
    masks: Sequence[int], bounds: Sequence[tuple[int, int]], taken: dict[int, int]
) -> bool:
    """Whether some bank, array column or lane cannot take its words even alone."""
    wanted: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for mask, bound in zip(masks, bounds, strict=True):
        while mask:
            wanted[mask & -mask].append(bound)
            mask &= mask - 1
    for bit, mine in wanted.items():
        mine.sort(key=lambda bound: (bound[1], bound[0]))
        used = {slot for slot, mask in taken.items() if mask & bit}
        for low, high in mine:
            slot = low
            while slot in used:
                slot += 1
            if slot >= high:
                return True
            used.add(slot)
    return False
