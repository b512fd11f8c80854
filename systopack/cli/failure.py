"""Any error that leaves a command, as one sentence for the user."""

from __future__ import annotations

import errno

from systopack.errors import SystopackError
from systopack.requirements import missing

_HOW = "run the same command with --traceback to see where"


def sentence_of(error: BaseException) -> str:
    """What to tell the user, without a line break.

    Errors of systopack say what is wrong and what to do. Those of Python and of libraries that
    come through are named for what they usually mean; the others are faults of systopack.
    """
    if isinstance(error, SystopackError):
        return str(error)
    if hasattr(error, "format_message"):  # a wrong command line
        text = str(error.format_message())
        return f"{text}{'' if text.endswith('.') else '.'} See --help."
    reason = " ".join(str(error).split())[:300]
    if isinstance(error, OSError):
        return _of_system(error)
    if isinstance(error, RecursionError):
        return f"What was read is nested more deeply than Python can follow; {_HOW}."
    if isinstance(error, MemoryError) or "allocate memory" in reason or "out of memory" in reason:
        return (
            "There is not enough memory for this; use smaller batches, images or networks, or a "
            "machine with more."
        )
    if isinstance(error, UnicodeError):
        return f"A text holds characters that cannot be written ({reason}); {_HOW}."
    if isinstance(error, ModuleNotFoundError):
        return missing(error.name)
    if isinstance(error, SystemExit):  # no command of ours ends so
        return (
            "Code that was run for this command ended the program by sys.exit; take that call out "
            f"of it, or {_HOW}."
        )
    kind = type(error).__name__
    return (
        f"systopack met something that it does not handle ({kind}{': ' if reason else ''}{reason}"
        f"); {_HOW}, and please report it."
    )


def _of_system(error: OSError) -> str:
    what = error.filename or "A file"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full ({what}); free some space and run again."
    return f"{what}: {error.strerror or ' '.join(str(error).split()) or type(error).__name__}."
