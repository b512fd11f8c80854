"""Rows: every number of a reproduction, with what it is of and where it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from systopack.errors import InvalidFileError

COMPUTED = "computed now"
CITED = "cited"
Rows = tuple["Row", ...]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One number.

    Args:
        network: a network of the paper or of the package.
        quantity: what was counted or measured.
        value: the number.
        unit: of it; "" for a count or a ratio.
        origin: where it comes from: computed now, records, or cited.
        variant: which of several: the dense or the packed network, a run, a design.
        design_point: name of the array and of how its clock is gated.
        organisation: "tiled" or "pipelined".
        layer: of the network.
        at: value of the parameter that a sweep changes.
        seed: of a training run.
    """

    network: str
    quantity: str
    value: float
    unit: str = ""
    origin: tuple[str, ...]
    variant: str = ""
    design_point: str = ""
    organisation: str = ""
    layer: str = ""
    at: float | None = None
    seed: int | None = None

    def to_json(self) -> dict[str, Any]:
        """All fields that say something."""
        return {name: value for name, value in asdict(self).items() if value not in ("", None)}


def rows_of(numbers: Iterable[tuple[str, float, str]], **fields: Any) -> Iterator[Row]:
    """A row for each quantity, value and unit, all with the same other fields."""
    for quantity, value, unit in numbers:
        yield Row(quantity=quantity, value=value, unit=unit, **fields)


def recorded(name: str) -> str:
    """The mark of numbers from a record."""
    return f"record `{name}`"


def select(rows: Iterable[Row], **fields: Any) -> Rows:
    """The rows whose fields have these values."""
    return tuple(
        row for row in rows if all(getattr(row, name) == value for name, value in fields.items())
    )


def value_of(rows: Iterable[Row], **fields: Any) -> float | None:
    """The value of the one row with these fields; None where there is none.

    Raises:
        InvalidFileError: several rows have these fields.
    """
    found = select(rows, **fields)
    if len(found) > 1:
        told = ", ".join(f"{name} '{value}'" for name, value in fields.items())
        raise InvalidFileError(f"{len(found)} rows have {told}; ask for more fields of one row.")
    return found[0].value if found else None


def distinct(rows: Iterable[Row], name: str) -> list[Any]:
    """The values of a field, in order of their first row."""
    return list(dict.fromkeys(getattr(row, name) for row in rows))


def read_rows(figures: Mapping[str, Iterable[Mapping[str, Any]]]) -> dict[str, Rows]:
    """The rows of every section, from the figures of a record of kind `reproduce`.

    Raises:
        InvalidFileError: an entry is no row.
    """
    try:
        return {
            section: tuple(Row(**{**entry, "origin": tuple(entry["origin"])}) for entry in entries)
            for section, entries in figures.items()
        }
    except (TypeError, KeyError, AttributeError):
        raise InvalidFileError(
            "The figures of this record are not rows of a reproduction; give a record that "
            "'systopack reproduce' wrote."
        ) from None
