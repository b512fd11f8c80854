"""Names that users chose, as they may stand in files that tools read."""

from __future__ import annotations

_LONGEST = 80
_MARKUP = frozenset("\\`*_{}[]<>()#+!|&~$^\"'")


def comment(name: str) -> str:
    """A name for a comment of one line: printable ASCII in quotes, all else a question mark.

    The quote keeps it from being read as a directive: some tools obey a comment that begins with
    'synthesis translate_off'. A backslash at the end would join the next line to the comment.
    """
    safe = "".join(c if c.isascii() and c.isprintable() and c not in "\\'*" else "?" for c in name)
    return f"'{safe[:_LONGEST]}'"


def markdown(name: str) -> str:
    """A name as text in Markdown: one line, with nothing in it that marks text up."""
    plain = "".join(c if c.isprintable() else "?" for c in name)[:_LONGEST]
    return "".join(f"\\{c}" if c in _MARKUP else c for c in plain)


def identifier(name: str) -> str:
    """A name as tools take it for files and cores: ASCII letters, digits and underscores."""
    plain = "".join(c if c.isascii() and c.isalnum() else "_" for c in name)[:_LONGEST]
    return plain if plain[:1].isalpha() else f"n{plain}"
