"""The exceptions a user can meet.

Every message is one sentence that says what is wrong, where, which rule it breaks and what to
do about it. The command line prints it on stderr and exits with code 2.
"""

from __future__ import annotations


class SystopackError(Exception):
    """Base of all errors that a user can cause and mend."""


class InvalidOptionError(SystopackError):
    """An option or argument is outside its range."""


class InvalidMatrixError(SystopackError):
    """A filter matrix, or a packed one, breaks a rule of its type."""


class InvalidNetworkError(SystopackError):
    """A network breaks a rule of `PackedNetwork`, or a model cannot be turned into one."""


class InvalidFileError(SystopackError):
    """A file or data set is missing, damaged, or not what it should be."""


class TrainingError(SystopackError):
    """Training cannot start, go on, or reach its target."""


class MissingPackageError(SystopackError):
    """A package that this needs is not installed."""


class SystopackWarning(UserWarning):
    """Something that a user should know of, though the work goes on."""


def one_line(error: BaseException, *, limit: int = 200) -> str:
    """An error of another library on one line, for the middle of a message."""
    text = " ".join(str(error).split()).rstrip(".")
    return (text[: limit - 3] + "..." if len(text) > limit else text) or type(error).__name__
