"""The synthesis targets: one row each."""

from __future__ import annotations

from typing import Any

from systopack.errors import InvalidOptionError
from systopack.options import Options
from systopack.synthesis.asic_target import Asic
from systopack.synthesis.fpga.targets import Ecp5, Xilinx
from systopack.synthesis.target import Synthesized, Target, Work

TARGETS: dict[str, Target] = {target.name: target for target in (Asic(), Ecp5(), Xilinx())}


def register(target: Target) -> None:
    """Add a target of one's own; `systopack synthesize` then has it too.

    Raises:
        InvalidOptionError: there is one of this name.
    """
    if target.name in TARGETS:
        raise InvalidOptionError(
            f"There is a target '{target.name}' already; give yours another name."
        )
    TARGETS[target.name] = target


def target_named(name: str) -> Target:
    """The target of a name.

    Raises:
        InvalidOptionError: there is none.
    """
    if name not in TARGETS:
        raise InvalidOptionError(f"target is '{name}', but it must be one of {', '.join(TARGETS)}.")
    return TARGETS[name]


def synthesize(target: str, work: Work, options: Options | None = None) -> Synthesized:
    """Build a design for a target and measure it.

    Args:
        target: its name.
        work: the array, and what runs on it.
        options: of the target's own type; None: its defaults.

    Raises:
        InvalidOptionError: there is no such target, or the design does not fit.
        InvalidFileError: a tool is missing or fails.
    """
    chosen = target_named(target)
    given: Any = chosen.options() if options is None else options
    if not isinstance(given, chosen.options):
        raise InvalidOptionError(
            f"The options are {type(given).__name__}, but target '{target}' takes "
            f"{chosen.options.__name__}."
        )
    chosen.check(work, given)
    return chosen.synthesize(work, given)
