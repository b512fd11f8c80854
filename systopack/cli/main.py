"""The `systopack` command: its subcommands, and how errors reach the user."""

from __future__ import annotations

import io
import os
import select
import signal
import sys
import traceback

import typer

from systopack.cli import (
    evaluation,
    exploration,
    hardware,
    importing,
    matrices,
    quantizing,
    showing,
    synthesis,
    training,
)
from systopack.cli.arguments import CheckedGroup
from systopack.cli.console import explain_error, own_warnings
from systopack.cli.failure import sentence_of
from systopack.cli.interrupt import EXIT_CODE, Interruptions, RunInterrupted
from systopack.training.devices import is_main_process
from systopack.version import VERSION

_TRACEBACK = "--traceback"
_CLOSED_PIPE = 128 + signal.SIGPIPE  # as a program ends that leaves this to the system
_COMPLETION = "_SYSTOPACK_COMPLETE"  # set by a shell that asks what could come next

app = typer.Typer(
    name="systopack",
    cls=CheckedGroup,
    help="Pack sparse networks into dense systolic arrays by column combining.\n\n"
    "Train a dense model, pack it while it retrains, quantize it to 8 bit, and count cycles:\n\n"
    "  systopack demo\n\n"
    "  systopack train lenet5-shift --data sample --out dense.safetensors\n\n"
    "  systopack combine dense.safetensors --data sample --out packed.safetensors\n\n"
    "  systopack quantize packed.safetensors --data sample --out packed.spk",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (
    training,
    importing,
    quantizing,
    evaluation,
    matrices,
    hardware,
    exploration,
    synthesis,
    showing,
):
    module.register(app)


@app.callback(invoke_without_command=True)
def _top(
    version: bool = typer.Option(False, "-V", "--version", help="Print the version and leave."),
    _: bool = typer.Option(
        False, _TRACEBACK, help="On an error show where in the program it came from."
    ),
) -> None:
    if version:
        typer.echo(f"systopack {VERSION}")
        raise typer.Exit


def main() -> None:
    """Run the command line and exit.

    Every error is one sentence on stderr and exit code 2, and Ctrl-C "Interrupted." and 130. With
    `--traceback`, anywhere on the line, an error shows where it came from first.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show a letter
    arguments = [argument for argument in sys.argv[1:] if argument != _TRACEBACK]
    with Interruptions() as interruptions, own_warnings():
        try:
            code = app(args=arguments, prog_name="systopack", standalone_mode=False)
            sys.stdout.flush()  # a full disk shows here at the latest
            if code == EXIT_CODE:  # typer's answer to a KeyboardInterrupt
                explain_error("Interrupted.")
        except BaseException as error:
            code = _explain(error, interrupted=interruptions.received)
    sys.exit(code if isinstance(code, int) else 0)


def _explain(error: BaseException, *, interrupted: bool) -> int:
    """Tell the user about an error; the exit code."""
    if interrupted or isinstance(error, RunInterrupted | KeyboardInterrupt | typer.Abort):
        if is_main_process():
            explain_error(str(error) if isinstance(error, RunInterrupted) else "Interrupted.")
        return EXIT_CODE
    if _reader_left(error):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # for what is still buffered
        return _CLOSED_PIPE
    if isinstance(error, SystemExit) and isinstance(error.__context__, BrokenPipeError):
        error = error.__context__  # click's doing
    if isinstance(error, SystemExit) and _COMPLETION in os.environ:
        return error.code if isinstance(error.code, int) else 0
    if _TRACEBACK in sys.argv:
        traceback.print_exception(error)
    if type(error).__name__ == "NoArgsIsHelpError":  # the help was printed
        return 2
    explain_error(sentence_of(error))
    return 2


def _reader_left(error: BaseException) -> bool:
    """Whether nobody reads stdout any more, as in `systopack --help | head -3`.

    click and rich turn a broken pipe into a `SystemExit`, and rich has stdout closed by then. Any
    other pipe may break as well, and that is an error.
    """
    broken = error.__context__ if isinstance(error, SystemExit) else error
    if not isinstance(broken, BrokenPipeError):
        return False
    places = traceback.walk_tb(broken.__traceback__)
    if any(frame.f_globals.get("__name__", "").startswith("rich.") for frame, _ in places):
        return True
    try:
        poll = select.poll()
        poll.register(1, 0)
        return any(state & (select.POLLERR | select.POLLHUP) for _, state in poll.poll(0))
    except (OSError, ValueError, AttributeError):  # no file, or no `poll` on this system
        return False
