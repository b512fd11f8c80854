"""Pieces of Verilog text: instances and constants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from systopack.errors import InvalidOptionError


def delay(name: str, cycles: int, start: str, end: str) -> Iterator[str]:
    """A valid that follows another so many cycles later, unless `still` clears it on the way."""
    yield from instance(
        "valid_line",
        name,
        {"CYCLES": cycles},
        {"clk": "clk", "reset": "still", "in": start, "out": end},
    )


def position(name: str) -> dict[str, str]:
    """Ports of the position that a unit takes."""
    return {
        "issue": f"{name}_issue",
        "last_x": f"{name}_last_x",
        "last": f"{name}_last",
        "place_y": f"{name}_y",
        "place_x": f"{name}_x",
    }


def same(names: str) -> dict[str, str]:
    """Ports connected to wires of their own names."""
    return {name: name for name in names.split()}


def instance(
    module: str, name: str, parameters: Mapping[str, int | str], ports: Mapping[str, str]
) -> Iterator[str]:
    """An instance, its lists broken into lines."""
    yield f"    {module} #("
    yield from _wrapped([f".{key}({value})" for key, value in parameters.items()])
    yield f"    ) {name} ("
    yield from _wrapped([f".{key}({value})" for key, value in ports.items()])
    yield "    );"


def _wrapped(items: Sequence[str], width: int = 96) -> Iterator[str]:
    line = "       "
    for index, item in enumerate(items):
        text = item + ("," if index < len(items) - 1 else "")
        if len(line) + len(text) + 1 > width and line.strip():
            yield line
            line = "       "
        line += f" {text}"
    yield line


def table(values: Sequence[int]) -> str:
    """A constant of 16 bits a value, the first one lowest.

    Raises:
        InvalidOptionError: a value needs more.
    """
    for value in values:
        if not -0x8000 <= value <= 0xFFFF:
            raise InvalidOptionError(
                f"A table of the layer-pipelined accelerator needs the value {value}, but its "
                "entries have 16 bits; use a smaller layer."
            )
    digits = "".join(f"{value & 0xFFFF:04x}" for value in reversed(values))
    return f"{16 * len(values)}'h{digits}"
