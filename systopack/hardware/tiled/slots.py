"""In which slot of a period each word is fetched.

Slots are given out once for a row tile: in a slot each bank of the feature memory reads one word,
and each array column and each lane takes one. The last slots of a period belong to results.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from systopack.errors import InvalidOptionError
from systopack.hardware.tiled.jobs import Fetch, Need, NotHeldError, Walk, fetches, split_fetch
from systopack.hardware.tiled.timing import TiledTiming

_ROUNDS = 12  # of fetching words apart
_EJECTIONS = 150  # in a round
_SLOT_LIMIT = 1023
_LAG_LIMIT = 62  # periods: the tail after a visit is one more


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
        slots: of a period; after its last step it may rest for words that have no slot else.
        slot_first, slot_stop: slots that any word uses, half open; where there is a single step
            they may go beyond its period.
        tables: jobs of all column tiles together, or of each.
        tags: by column tile, by stream.
        residual_tags: by row.
        lag: periods that operands come later than the words of the same step.
    """

    walk: Walk
    step_cycles: int
    slots: int
    slot_first: int
    slot_stop: int
    tables: tuple[tuple[Job, ...], ...]
    tags: tuple[dict[int, Tag], ...]
    residual_tags: dict[int, Tag]
    lag: int


def find_schedule(
    needs: Sequence[Sequence[Need]],
    residuals: Sequence[Need],
    walk: Walk,
    timing: TiledTiming,
    *,
    where: str,
    once: bool = False,
) -> Schedule | None:
    """The schedule with the shortest periods.

    Args:
        needs: of each column tile; users name the tile.
        residuals: operands of the rows; they lie in the table of every column tile.
        where: for messages: "Layer 'conv3'".
        once: there is a single step, for which words come before its period.

    Returns:
        None where a step of several parts needs words that cannot be held at once.

    Raises:
        InvalidOptionError: there are more words than slots, however long a step is.
    """
    cycles = timing.array.word_cycles
    try:
        own = [fetches(part, walk) for part in needs]
        extra = fetches(residuals, walk.operands)
        shared = own[0] if len(own) == 1 else fetches([n for part in needs for n in part], walk)
    except NotHeldError:
        return None
    apart = 1 if once else cycles
    slots = max(walk.steps * cycles, -(-_least(own, extra, timing) // apart) * apart)
    while slots <= _SLOT_LIMIT:
        step = slots // walk.steps // cycles * cycles
        for lag, start in _sides(extra, step, slots, timing):
            pace = Pace(walk=walk, step=step, slots=slots, lag=lag, start=start)
            schedule = _try(own, extra, shared, pace, timing)
            if schedule is not None:
                return replace(schedule, step_cycles=cycles, slots=cycles) if once else schedule
        slots += apart
    raise InvalidOptionError(
        f"{where} reads more words at a step than {_SLOT_LIMIT} cycles bring; choose an array with "
        "fewer columns or a smaller alpha."
    )


def lower_bound(
    needs: Sequence[Sequence[Need]], residuals: Sequence[Need], walk: Walk, timing: TiledTiming
) -> int:
    """Slots of a period of single positions that no schedule is below."""
    own = [fetches(part, walk) for part in needs]
    extra = fetches(residuals, walk)
    cycles = timing.array.word_cycles
    return max(walk.steps * cycles, -(-_least(own, extra, timing) // cycles) * cycles)


@dataclass(frozen=True, kw_only=True)
class Pace:
    """What a schedule keeps to: cycles of a step and a period, lag and first slot of operands."""

    walk: Walk
    step: int
    slots: int
    lag: int
    start: int


Slots = list[tuple[Fetch, int]]


def _try(
    own: Sequence[tuple[Fetch, ...]],
    extra: tuple[Fetch, ...],
    shared: tuple[Fetch, ...],
    pace: Pace,
    timing: TiledTiming,
) -> Schedule | None:
    """One table for all column tiles, or one for each."""
    tight = _pack((*shared, *extra), {}, pace, timing)
    if tight is not None:
        return _schedule([tight], len(own), pace)
    if len(own) < 2:
        return None
    # The operands keep their slots in all tables: those of the last column tile.
    last = _pack((*own[-1], *extra), {}, pace, timing)
    if last is None:
        return None
    fixed = [(fetch, slot) for fetch, slot in last if fetch.needs[0].residual]
    tables = []
    for part in own[:-1]:
        table = _pack(part, _taken(fixed), pace, timing)
        if table is None:
            return None
        tables.append(table + fixed)
    return _schedule([*tables, last], len(own), pace)


def _schedule(tables: Sequence[Slots], tiles: int, pace: Pace) -> Schedule:
    walk = pace.walk
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
        step_cycles=pace.step,
        slots=pace.slots,
        slot_first=first,
        slot_stop=max(slots, default=first) + 1,
        tables=tuple(jobs),
        tags=tags,
        residual_tags=residual_tags,
        lag=pace.lag,
    )


def _sides(
    extra: Sequence[Fetch], step: int, slots: int, timing: TiledTiming
) -> Iterator[tuple[int, int]]:
    """Lag of the operands, and the slot from which their words may come, wherever they fit."""
    if not extra:
        yield 0, 0
        return
    usable = slots - timing.write_slots
    whole, delta = divmod(timing.residual_cycles, slots)
    high = min(_end(fetch, step, slots) for fetch in extra)
    if delta < min(usable, delta + high) and whole < _LAG_LIMIT:
        yield whole, delta
    if delta + high > slots and whole + 1 < _LAG_LIMIT:
        yield whole + 1, delta - slots  # counted from the period before


def _end(fetch: Fetch, step: int, slots: int) -> int:
    """The slot in which the word is read, counted from the period's first."""
    return slots if fetch.last else fetch.high * step


def _window(fetch: Fetch, pace: Pace, timing: TiledTiming) -> tuple[int, int]:
    """Slots in which a word may come, half open."""
    usable, end = pace.slots - timing.write_slots, _end(fetch, pace.step, pace.slots)
    if fetch.needs[0].residual:
        return max(0, pace.start), min(usable, pace.start + end)
    return fetch.low * pace.step, min(usable, end)


def _mask(fetch: Fetch, timing: TiledTiming) -> int:
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


def _bits(mask: int) -> Iterator[int]:
    """Its ones, each as a number of its own."""
    while mask:
        yield mask & -mask
        mask &= mask - 1


def _taken(table: Slots) -> dict[int, int]:
    """Banks that fixed words occupy, by slot."""
    taken: dict[int, int] = {}
    for fetch, slot in table:
        taken[slot] = taken.get(slot, 0) | 1 << fetch.needs[0].bank
    return taken


def _least(own: Sequence[Sequence[Fetch]], extra: Sequence[Fetch], timing: TiledTiming) -> int:
    """Slots of a period that the fullest bank, array column or lane takes at least."""
    most = 1
    for part in (*own[:-1], [*own[-1], *extra]):
        load: Counter[int] = Counter()
        for fetch in part:
            load.update(_bits(_mask(fetch, timing)))
        most = max([most, *load.values()])
    return most + timing.write_slots


def _pack(
    fetches: Sequence[Fetch], taken: dict[int, int], pace: Pace, timing: TiledTiming
) -> Slots | None:
    """A slot for every word; words that are in the way of many are fetched apart."""
    found = list(fetches)
    for _ in range(_ROUNDS):
        masks, bounds = _wanted(found, pace, timing)
        if _overfull(masks, bounds, taken):
            return None
        slots, weights = _place(masks, bounds, taken)
        if slots is not None:
            return list(zip(found, slots, strict=True))
        for index in sorted(range(len(found)), key=lambda i: -weights[i]):
            parts = split_fetch(found[index], pace.walk)
            if len(parts) > 1:
                found[index : index + 1] = parts
                break
        else:
            return None
    return None


def _place(
    masks: Sequence[int], bounds: Sequence[tuple[int, int]], taken: dict[int, int]
) -> tuple[list[int] | None, list[int]]:
    """Slots by ejection: a word takes the slot where those in its way were so least often.

    Returns:
        A slot for each word, None where they were not found, and how often each was in the way.
    """
    weights, slots = [0] * len(masks), [-1] * len(masks)
    there: dict[int, list[int]] = defaultdict(list)  # by slot, the words
    occupied = defaultdict(int, taken)
    waiting = deque(
        sorted(
            range(len(masks)),
            key=lambda i: (bounds[i][1] - bounds[i][0], -masks[i].bit_count()),
        )
    )
    left = _EJECTIONS
    while waiting:
        index = waiting.popleft()
        mask = masks[index]
        best, least = -1, -1
        for slot in range(*bounds[index]):
            if not occupied[slot] & mask:
                best, least = slot, 0
                break
            if taken.get(slot, 0) & mask:
                continue
            cost = sum(1 + weights[other] for other in there[slot] if masks[other] & mask)
            if best < 0 or cost < least:
                best, least = slot, cost
        if best < 0 or (least and not left):
            return None, weights
        if least:
            left -= 1
            for other in [other for other in there[best] if masks[other] & mask]:
                weights[other] += 1
                there[best].remove(other)
                occupied[best] ^= masks[other]
                waiting.append(other)
        slots[index] = best
        there[best].append(index)
        occupied[best] |= mask
    return slots, weights


def _wanted(
    fetches: Sequence[Fetch], pace: Pace, timing: TiledTiming
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
        for bit in _bits(mask):
            wanted[bit].append(bound)
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
