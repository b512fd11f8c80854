"""Which characters a name may hold, and how any text is shown on a terminal.

Names travel far: into comments of Verilog, HTML, file names and terminals. A line break, an escape
sequence or a character that turns the direction of writing would say something else there.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from systopack.errors import InvalidNetworkError

NAME_LIMIT = 512
TEXT_LIMIT = 65536
_DIRECTION = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_CONTROLS = frozenset({"Cc", "Cs", "Zl", "Zp"})


def flaw_of(text: str, *, limit: int = NAME_LIMIT) -> str | None:
    r"""What is wrong with a name, or None.

    Args:
        limit: most characters it may have.

    >>> flaw_of("conv1/weights of \u00e9tage 2") is None
    True
    >>> flaw_of("a\nb")
    'holds the control character U+000A'
    """
    if len(text) > limit:
        return f"has {len(text):,} characters, more than {limit:,}"
    if text.isprintable():
        return None
    for character in text:
        if _is_hostile(character):
            kind = "half of a" if 0xD800 <= ord(character) < 0xE000 else "the control"
            return f"holds {kind} character U+{ord(character):04X}"
    return None


def check_names(names: Iterable[str], what: str) -> None:
    """Refuse names that hold what no name may.

    Args:
        what: what they are the names of, for instance "of the model".

    Raises:
        InvalidNetworkError: naming the character.
    """
    for name in names:
        flaw = flaw_of(name)
        if flaw is not None:
            raise InvalidNetworkError(
                f"The name {name[:40]!a} {what} {flaw}; choose another of ordinary characters."
            )


def printable(text: str, *, keep: str = "") -> str:
    r"""Text as a terminal may show it: control characters written out, nothing that acts.

    Args:
        keep: characters to leave as they are, for instance a line break.

    >>> printable("net\x1b[2J")
    'net\\x1b[2J'
    """
    if text.isprintable():
        return text
    return "".join(
        character.encode("unicode_escape").decode()
        if character not in keep and _is_hostile(character)
        else character
        for character in text
    )


def _is_hostile(character: str) -> bool:
    return character in _DIRECTION or unicodedata.category(character) in _CONTROLS
