"""Which words of the feature memory are fetched, and for which streams.

A stream holds two words of its channel's plane and reads them byte by byte. A word is fetched once
for all streams that want it. While a row of the image runs, words last for several steps; where
they do not (`gather`), each step fetches its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace


class NotHeldError(Exception):
    """A step needs two words of a stream before the second one can come."""


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

    @property
    def operands(self) -> Walk:
        """How the lanes move over their operands: each reads a position of every step."""
        return self if self.gather else replace(self, stride=self.parts, parts=1)

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
        last: it is not read before the next period.
    """

    needs: tuple[Need, ...]
    word: int
    low: int
    high: int
    last: bool


def fetches(needs: Sequence[Need], walk: Walk) -> tuple[Fetch, ...]:
    """As few words as serve all needs.

    Raises:
        NotHeldError: a step of several parts needs words that cannot be held at once.
    """
    channels: dict[tuple[int, int], list[Need]] = defaultdict(list)
    for need in _merged(needs):
        channels[need.bank, need.plane].append(need)
    found: list[Fetch] = []
    for mine in channels.values():
        mine.sort(key=lambda need: (need.place, need.dx))
        found += (_gathered if walk.gather else _words)(mine, walk)
    return tuple(found)


def split_fetch(fetch: Fetch, walk: Walk) -> list[Fetch]:
    """The same word fetched apart: for the narrowest window, or for half of the users."""
    if fetch.needs[0].residual:
        return [fetch]
    bounds = {need: walk.window(need.place - fetch.word * walk.word_bytes) for need in fetch.needs}
    narrow = min(bounds.values(), key=lambda bound: bound[1] - bound[0])
    parts = [
        tuple(need for need in fetch.needs if bounds[need] == narrow),
        tuple(need for need in fetch.needs if bounds[need] != narrow),
    ]
    if not parts[1] and len(fetch.needs) > 1:
        half = len(fetch.needs) // 2
        parts = [fetch.needs[:half], fetch.needs[half:]]
    elif not parts[1]:
        need, half = fetch.needs[0], len(fetch.needs[0].users) // 2
        if not half:
            return [fetch]
        parts = [
            (replace(need, users=need.users[:half]),),
            (replace(need, users=need.users[half:]),),
        ]
    return [_narrowed(fetch, part, walk) for part in parts]


def _narrowed(fetch: Fetch, needs: tuple[Need, ...], walk: Walk) -> Fetch:
    """The same word for some of the needs."""
    bounds = [walk.window(need.place - fetch.word * walk.word_bytes) for need in needs]
    high = min(bound[1] for bound in bounds)
    return replace(
        fetch,
        needs=needs,
        low=max(bound[0] for bound in bounds),
        high=high,
        last=high == walk.steps,
    )


def _merged(needs: Iterable[Need]) -> list[Need]:
    """Each displacement once, with all its users."""
    same: dict[tuple[int, ...], list[Need]] = defaultdict(list)
    for need in needs:
        same[need.bank, need.plane, need.phase, need.place, need.dx, need.residual].append(need)
    return [
        replace(mine[0], users=tuple(user for need in mine for user in need.users))
        if len(mine) > 1
        else mine[0]
        for mine in same.values()
    ]


def _gathered(needs: Sequence[Need], walk: Walk) -> Iterator[Fetch]:
    """A word for each place; where every step starts with a word, one for all bytes of it."""
    places: dict[int, list[Need]] = defaultdict(list)
    for need in needs:
        size = walk.word_bytes
        places[need.place // size * size if walk.aligned else need.place].append(need)
    for place, mine in places.items():
        yield Fetch(needs=tuple(mine), word=place, low=0, high=1, last=True)


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
        if best is None:  # only where steps have several parts
            raise NotHeldError
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
    return Fetch(needs=tuple(needs[:count]), word=word, low=low, high=high, last=high == walk.steps)
