"""Files that are nearly right: bytes and JSON changed at random, with a seed."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

ODD = [
    None, True, -1, 0, 1, 3, 2**31, 2**63, 10**30, 10**400, 1.5, float("nan"), float("inf"),
    "", "x", "\x1b[31m", "../x", [], {}, [1], [[]], {"a": 1}, "a" * 3000,
]  # fmt: skip


def changed_bytes(rng: random.Random, content: bytes) -> bytes:
    """Some bytes replaced, inserted, left out, or the end cut off."""
    data = bytearray(content)
    kind = rng.random()
    at = rng.randrange(len(data))
    if kind < 0.6:
        for _ in range(rng.choice([1, 1, 2, 8, 30])):
            place = rng.randrange(len(data))
            data[place] = rng.choice([0, 255, data[place] ^ (1 << rng.randrange(8))])
    elif kind < 0.75:
        del data[at:]
    elif kind < 0.9:
        data[at:at] = rng.randbytes(rng.randrange(1, 20))
    else:
        del data[at : at + rng.randrange(1, 30)]
    return bytes(data)


def changed_json(rng: random.Random, content: Any) -> Any:
    """One or two places of a JSON value replaced by something odd, or left out."""
    result = copy.deepcopy(content)
    for _ in range(rng.choice([1, 1, 2])):
        *path, last = rng.choice(list(_places(result)))
        holder = result
        for key in path:
            holder = holder[key]
        if rng.random() < 0.2:
            del holder[last]
        else:
            holder[last] = copy.deepcopy(rng.choice(ODD))
        if not list(_places(result)):
            break
    return result


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    items: Any = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, item in items:
        yield from _places(item, (*path, key))
