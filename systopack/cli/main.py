"""The `systopack` command: its subcommands, and how errors reach the user."""

from __future__ import annotations

import sys

import typer

from systopack.cli import (
    combining,
    energy,
    evaluation,
    exporting,
    hardware,
    importing,
    matrices,
    models,
    networks,
    quantizing,
    reproduce,
    showing,
    synthesis,
)
from systopack.cli.console import explain_error
from systopack.errors import SystopackError
from systopack.version import VERSION

app = typer.Typer(
    name="systopack",
    help="Pack sparse networks into dense systolic arrays by column combining.\n\n"
    "Train a dense model, pack it while it retrains, quantize it to 8 bit, and count cycles:\n\n"
    "  systopack demo\n\n"
    "  systopack train lenet5-shift --data sample --out dense.safetensors\n\n"
    "  systopack combine dense.safetensors --data sample --out packed.safetensors\n\n"
    "  systopack quantize packed.safetensors --data sample --out packed.spk",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for module in (
    models,
    combining,
    importing,
    quantizing,
    networks,
    evaluation,
    exporting,
    matrices,
    hardware,
    energy,
    synthesis,
    showing,
    reproduce,
):
    module.register(app)


@app.callback(invoke_without_command=True)
def _top(
    version: bool = typer.Option(False, "--version", help="Print the version and leave."),
) -> None:
    if version:
        typer.echo(f"systopack {VERSION}")
        raise typer.Exit


def main() -> None:
    """Run the command line; errors a user can mend are one sentence and exit code 2."""
    try:
        app()
    except SystopackError as error:
        explain_error(str(error))
        sys.exit(2)
    except KeyboardInterrupt:
        explain_error("Interrupted.")
        sys.exit(130)
    except OSError as error:
        explain_error(f"{error.filename or 'A file'}: {error.strerror or error}.")
        sys.exit(2)
