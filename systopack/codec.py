"""Frozen dataclasses as plain data (JSON) and tensors, and back, by nothing but their type hints.

| hint | plain data |
|---|---|
| `bool`, `int`, `float`, `str`, `Literal` | itself; floats are finite, texts names |
| `Any` | whatever JSON holds, clean texts and finite numbers throughout |
| `tuple[X, ...]`, `list[X]`, `tuple[X, Y]` | a list, of any length or of exactly that |
| `Mapping[str, X]`, `dict[str, X]` | an object |
| a dataclass | an object with exactly its fields, in their order |
| dataclasses joined by `or` | the same, with its `TYPE` as "type" in front; they have names |
| `X` or `None` | null, but objects and tensors are left out |
| `Annotated` with `Stored`, `Special`, `Rule` or `UpTo` | see there |

A key or tensor that is missing, or that nobody reads, is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    NoReturn,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from systopack.fields import MalformedError, check_plain, shown
from systopack.names import NAME_LIMIT, TEXT_LIMIT, flaw_of
from systopack.tensor_set import TensorSet

if TYPE_CHECKING:
    import numpy as np

_INTEGER_LIMIT = 1 << 63


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a value stands.

    Args:
        what: what it is, for messages.
        tensors: those of the whole.
        owner: the beginning of the names of its tensors.
        key: its own in the object that holds it.
    """

    what: str
    tensors: TensorSet
    owner: str = ""
    key: str = ""

    def refuse(self, value: object, wanted: str) -> NoReturn:
        """Say what should be there."""
        raise MalformedError(f"{self.what} is {shown(value)}, not {wanted}")

    def inside(self, key: str) -> Place:
        """The place of an entry of the object that stands here."""
        owner = f"{self.owner}{self.key}_" if self.key else self.owner
        return Place(what=f"'{key}' of {self.what}", tensors=self.tensors, owner=owner, key=key)


@dataclass(frozen=True)
class Stored:
    """An array that is kept as a tensor of its own, not among the plain data.

    Args:
        rank: dimensions.
        alone: it is the one tensor of its object, and has that object's name.
    """

    rank: int
    alone: bool = False


@dataclass(frozen=True)
class Special:
    """A value with a form of its own: one entry of plain data, and tensors.

    Args:
        key: of the entry.
        read, write: from the entry to the value and back.
    """

    key: str
    read: Callable[[object, Place], Any]
    write: Callable[[Any, Place], Any]


@dataclass(frozen=True)
class Rule:
    """What must hold of a value, and the words for it."""

    holds: Callable[[Any], bool]
    wanted: str


@dataclass(frozen=True)
class UpTo:
    """Characters that a text may have; without it those of a name."""

    limit: int


LongText = Annotated[str, UpTo(TEXT_LIMIT)]


@dataclass(frozen=True, kw_only=True)
class _Form:
    """How one hint is read and written.

    Args:
        read, write: the value from plain data, and back.
        key: under which it stands; "": that of the field; None: it is a tensor alone.
        optional: it may be None, and is left out then.
    """

    read: Callable[[Any, Place], Any]
    write: Callable[[Any, Place], Any] = lambda value, _: value
    key: str | None = ""
    optional: bool = False


def to_plain(value: Any, tensors: TensorSet | None = None) -> dict[str, Any]:
    """A dataclass as plain data; its arrays are put into `tensors`.

    Raises:
        InvalidNetworkError: two layers would store a tensor of the same name.
    """
    kind: Any = type(value)
    written: dict[str, Any] = _form(kind).write(value, _whole("it", tensors))
    return written


def from_plain(hint: Any, content: object, what: str, tensors: TensorSet | None = None) -> Any:
    """The value that a hint says, from plain data.

    Args:
        hint: a dataclass, or any type of the table above.
        content: what JSON gave.
        what: it is, for messages: "the header".
        tensors: that `Stored` arrays are taken from; the caller ends them.

    Raises:
        MalformedError: naming what is of another type, missing or unknown.
    """
    return _form(hint).read(content, _whole(what, tensors))


def _whole(what: str, tensors: TensorSet | None) -> Place:
    return Place(what=what, tensors=TensorSet() if tensors is None else tensors)


@cache
def _form(hint: Any) -> _Form:
    """How a hint is read and written."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _noted(arguments[0], arguments[1])
    if origin in (Union, UnionType):
        return _one_of(tuple(kind for kind in arguments if kind is not NoneType))
    if origin is Literal:
        return _Form(read=_choice(arguments))
    if origin is list or (origin is tuple and arguments[1:] == (...,)):
        return _sequence(_form(arguments[0]), origin)
    if origin is tuple:
        return _row(tuple(map(_form, arguments)))
    if origin in (dict, Mapping):
        return _names(_form(arguments[1]))
    return _object(hint) if is_dataclass(hint) else _SIMPLE[hint]


def _noted(base: Any, note: Any) -> _Form:
    if isinstance(note, Special):
        return _Form(read=note.read, write=note.write, key=note.key)
    if isinstance(note, UpTo):
        return _Form(read=_text(note.limit))
    if isinstance(note, Stored):
        return _tensor(_dtype_of(base), note)
    form = _form(base)

    def read(value: Any, place: Place) -> Any:
        found = form.read(value, place)
        if not note.holds(found):
            place.refuse(value, note.wanted)
        return found

    return replace(form, read=read)


def _dtype_of(array: Any) -> type[np.generic]:
    """Of `NDArray[DTYPE]`."""
    dtype: type[np.generic] = get_args(get_args(array)[1])[0]
    return dtype


def _one_of(kinds: tuple[Any, ...]) -> _Form:
    """`X | None`, or one of several dataclasses, told apart by their `TYPE`."""
    if len(kinds) > 1:
        return _typed({kind.TYPE: _form(kind) for kind in kinds})
    form = _form(kinds[0])
    note = get_args(kinds[0])[-1] if get_origin(kinds[0]) is Annotated else None
    if isinstance(note, Stored):
        return _tensor(_dtype_of(get_args(kinds[0])[0]), note, optional=True)
    if is_dataclass(kinds[0]):
        return replace(form, optional=True)
    return _Form(
        read=lambda value, place: None if value is None else form.read(value, place),
        write=lambda value, place: None if value is None else form.write(value, place),
    )


def _typed(forms: Mapping[str, _Form]) -> _Form:
    choose = _choice(tuple(forms))

    def read(content: Any, place: Place) -> Any:
        entry = dict(_entries(content, replace(place, what="a layer")))
        name = _text(NAME_LIMIT)(_entry(entry, "name", "a layer"), replace(place, what="a name"))
        own = Place(what=f"layer '{name}'", tensors=place.tensors, owner=f"{name}/")
        kind = choose(_entry(entry, "type", own.what), own.inside("type"))
        del entry["type"]
        return forms[kind].read(entry, own)

    def write(value: Any, place: Place) -> Any:
        own = Place(what="a layer", tensors=place.tensors, owner=f"{value.name}/")
        return {"type": value.TYPE, **forms[value.TYPE].write(value, own)}

    return _Form(read=read, write=write)


def _object(kind: Any) -> _Form:
    hints = get_type_hints(kind, include_extras=True)
    forms = {item.name: _form(hints[item.name]) for item in fields(kind)}

    def read(content: Any, place: Place) -> Any:
        left = dict(_entries(content, place))
        values = {}
        for name, form in forms.items():
            key = form.key or name
            if form.key is None:
                values[name] = form.read(None, place.inside(name))
            elif form.optional and key not in left:
                values[name] = None
            else:
                values[name] = form.read(_entry(left, key, place.what), place.inside(key))
                del left[key]
        if left:
            raise MalformedError(f"{place.what} has the unknown {shown(min(left))}")
        return kind(**values)

    def write(value: Any, place: Place) -> Any:
        written = {}
        for name, form in forms.items():
            part = getattr(value, name)
            if part is None and form.optional:
                continue
            entry = form.write(part, place.inside(name))
            if form.key is not None:
                written[form.key or name] = entry
        return written

    return _Form(read=read, write=write)


def _tensor(dtype: type[np.generic], note: Stored, *, optional: bool = False) -> _Form:
    def name(place: Place) -> str:
        return place.owner.removesuffix("_") if note.alone else f"{place.owner}{place.key}"

    def read(_: object, place: Place) -> Any:
        if optional and name(place) not in place.tensors.tensors:
            return None
        return place.tensors.take(name(place), dtype, note.rank)

    def write(value: Any, place: Place) -> Any:
        place.tensors.put(name(place), value)

    return _Form(read=read, write=write, key=None, optional=optional)


def _sequence(form: _Form, kind: Callable[[Iterable[Any]], Any]) -> _Form:
    return _Form(
        read=lambda value, place: kind(form.read(part, place) for part in _list(value, place)),
        write=lambda value, place: [form.write(part, place) for part in value],
    )


def _row(forms: tuple[_Form, ...]) -> _Form:
    def read(value: Any, place: Place) -> Any:
        parts = _list(value, place)
        if len(parts) != len(forms):
            place.refuse(value, f"a list of {len(forms)}")
        return tuple(form.read(part, place) for form, part in zip(forms, parts, strict=True))

    def write(value: Any, place: Place) -> Any:
        return [form.write(part, place) for form, part in zip(forms, value, strict=True)]

    return _Form(read=read, write=write)


def _names(form: _Form) -> _Form:
    read_name = _text(NAME_LIMIT)
    return _Form(
        read=lambda value, place: {
            read_name(name, place): form.read(part, place.inside(name))
            for name, part in _entries(value, place).items()
        },
        write=lambda value, place: {
            name: form.write(part, place.inside(name)) for name, part in value.items()
        },
    )


def _choice(options: tuple[Any, ...]) -> Callable[[Any, Place], Any]:
    def read(value: Any, place: Place) -> Any:
        if not isinstance(value, str) or value not in options:
            place.refuse(value, f"one of {', '.join(options)}")
        return value

    return read


def _text(limit: int) -> Callable[[Any, Place], str]:
    def read(value: Any, place: Place) -> str:
        if not isinstance(value, str):
            place.refuse(value, "text")
        flaw = flaw_of(value, limit=limit)
        if flaw is not None:
            raise MalformedError(f"{place.what} {flaw}")
        return value

    return read


def _entries(value: Any, place: Place) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        place.refuse(value, "an object")
    return value


def _entry(content: Mapping[str, Any], key: str, what: str) -> Any:
    if key not in content:
        raise MalformedError(f"{what} lacks '{key}'")
    return content[key]


def _list(value: Any, place: Place) -> list[Any] | tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        place.refuse(value, "a list")
    return value


def _boolean(value: Any, place: Place) -> bool:
    if not isinstance(value, bool):
        place.refuse(value, "true or false")
    return value


def _integer(value: Any, place: Place) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= _INTEGER_LIMIT:
        place.refuse(value, "a whole number")
    return value


def _number(value: Any, place: Place) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        place.refuse(value, "a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        place.refuse(value, "a finite number")
    return number


def _anything(value: Any, place: Place) -> Any:
    check_plain(value, place.what)
    return value


_SIMPLE: Mapping[Any, _Form] = {
    bool: _Form(read=_boolean),
    int: _Form(read=_integer),
    float: _Form(read=_number, write=lambda value, _: float(value)),
    str: _Form(read=_text(NAME_LIMIT)),
    Any: _Form(read=_anything),
}
