"""Values from plain data by their type hints: exact types, and one sentence where they differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from systopack.codec import LongText, Rule, Stored, from_plain, to_plain
from systopack.fields import MalformedError
from systopack.tensor_set import TensorSet


@dataclass(frozen=True, kw_only=True)
class Part:
    size: int
    scales: Annotated[NDArray[np.int32], Stored(1)] | None = None


@dataclass(frozen=True, kw_only=True)
class Round:
    TYPE: ClassVar = "round"

    name: str
    radius: float


@dataclass(frozen=True, kw_only=True)
class Square:
    TYPE: ClassVar = "square"

    name: str
    sides: tuple[int, int]
    part: Part | None
    weights: Annotated[NDArray[np.uint8], Stored(2)]


@dataclass(frozen=True, kw_only=True)
class Drawing:
    version: Annotated[int, Rule(lambda version: version > 0, "a number above 0")]
    shapes: tuple[Round | Square, ...]
    colour: Literal["red", "blue"]
    notes: dict[str, LongText]
    extra: Any
    title: str | None
    closed: bool


def drawing():
    square = Square(
        name="s",
        sides=(1, 2),
        part=Part(size=3, scales=np.array([7], np.int32)),
        weights=np.zeros((1, 2), np.uint8),
    )
    return Drawing(
        version=1,
        shapes=(Round(name="r", radius=2), square),
        colour="red",
        notes={"a": "b\u00e9"},
        extra=[1, {"x": None}],
        title=None,
        closed=True,
    )


def written():
    tensors = TensorSet()
    return to_plain(drawing(), tensors), tensors.tensors


def test_a_value_comes_back_with_its_tensors():
    plain, tensors = written()
    assert list(tensors) == ["s/part_scales", "s/weights"]
    assert plain["shapes"] == [
        {"type": "round", "name": "r", "radius": 2.0},
        {"type": "square", "name": "s", "sides": [1, 2], "part": {"size": 3}},
    ]
    kept = TensorSet(tensors)
    again = from_plain(Drawing, plain, "the drawing", kept)
    kept.end()
    assert to_plain(again, TensorSet()) == plain
    assert again.shapes[1].part.scales.tolist() == [7]


def of(place, value):
    def change(plain, tensors):
        *holders, last = place
        for key in holders:
            plain = plain[key]
        plain[last] = value

    return change


WRONG = {
    "'version' of it is True, not a whole number": of(["version"], True),
    "'version' of it is 0, not a number above 0": of(["version"], 0),
    "'version' of it is 92233": of(["version"], 2**63),
    "'closed' of it is 1, not true or false": of(["closed"], 1),
    "'colour' of it is 'green', not one of red, blue": of(["colour"], "green"),
    "'colour' of it is \\['red'\\], not one": of(["colour"], ["red"]),
    "'notes' of it is 3, not an object": of(["notes"], 3),
    "'a' of 'notes' of it is 3, not text": of(["notes", "a"], 3),
    "'title' of it holds the control character U\\+000A": of(["title"], "a\nb"),
    "a number in 'extra' of it is not finite": of(["extra"], [float("nan")]),
    "it has the unknown 'evil'": of(["evil"], 1),
    "'radius' of layer 'r' is '2', not a number": of(["shapes", 0, "radius"], "2"),
    "'radius' of layer 'r' is inf, not a finite": of(["shapes", 0, "radius"], float("inf")),
    "'type' of layer 'r' is 'oval', not one of round, square": of(["shapes", 0, "type"], "oval"),
    "a layer is 5, not an object": of(["shapes", 0], 5),
    "'sides' of layer 's' is \\[1, 2, 3\\], not a list of 2": of(["shapes", 1, "sides"], [1, 2, 3]),
    "'part' of layer 's' is None, not an object": of(["shapes", 1, "part"], None),
    "'part' of layer 's' lacks 'size'": of(["shapes", 1, "part"], {}),
    "layer 's' has the unknown 'weights'": of(["shapes", 1, "weights"], []),
    "'shapes' of it is 'ab', not a list": of(["shapes"], "ab"),
    "tensor 's/weights' is int64": lambda _, tensors: tensors.update(
        {"s/weights": np.zeros((1, 2), np.int64)}
    ),
    "tensor 's/weights' is missing": lambda _, tensors: tensors.pop("s/weights"),
    "tensor 'x' belongs to no layer": lambda _, tensors: tensors.update(x=np.zeros(1)),
}


@pytest.mark.parametrize("sentence", WRONG)
def test_what_is_not_as_its_hint_says_is_named(sentence):
    plain, tensors = written()
    WRONG[sentence](plain, tensors)
    kept = TensorSet(tensors)
    with pytest.raises(MalformedError, match=sentence):
        from_plain(Drawing, plain, "it", kept)
        kept.end()


@pytest.mark.parametrize(
    "key", ["version", "shapes", "colour", "notes", "extra", "title", "closed"]
)
def test_no_key_may_be_missing(key):
    plain, tensors = written()
    del plain[key]
    with pytest.raises(MalformedError, match=f"it lacks '{key}'"):
        from_plain(Drawing, plain, "it", TensorSet(tensors))
