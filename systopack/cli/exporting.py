"""`systopack export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from systopack.cli import console
from systopack.cli.options import check_out
from systopack.cli.outputs import claim
from systopack.errors import InvalidOptionError
from systopack.records import Record, record_path, sha256_of_file

_SUFFIXES = {"state-dict": ".safetensors", "onnx": ".onnx", "qonnx": ".onnx"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(export)


def export(
    model: Annotated[
        Path, typer.Argument(help="Model file (.safetensors), or packed network (.spk) for qonnx.")
    ],
    out: Annotated[Path, typer.Option(help="File to write (.safetensors or .onnx).")],
    kind: Annotated[
        str,
        typer.Option(
            "--format",
            help="state-dict (masked weights, your own names), onnx (the same, as a graph), or "
            "qonnx (8 bit, for hls4ml and FINN).",
        ),
    ] = "state-dict",
) -> None:
    """Write a model for other tools.

    Example: systopack export packed.safetensors --format onnx --out packed.onnx
    """
    if kind not in _SUFFIXES:
        raise InvalidOptionError(f"--format is '{kind}'; choose {', '.join(_SUFFIXES)}.")
    check_out(out, _SUFFIXES[kind])
    record = record_path(out, "export")
    claim("export", inputs=(model,), outputs=(out,), record=record)
    wanted = ".spk" if kind == "qonnx" else ".safetensors"
    if model.suffix != wanted:
        step = "quantize the model first" if kind == "qonnx" else "give the model before quantizing"
        raise InvalidOptionError(f"--format {kind} reads {wanted} files, not '{model}'; {step}.")
    if kind == "qonnx":
        from systopack.export.qonnx import write_qonnx
        from systopack.network.file import load

        write_qonnx(load(model), out)
    else:
        from systopack.export.float_model import write_onnx, write_state_dict
        from systopack.training.model import load_model

        write = write_onnx if kind == "onnx" else write_state_dict
        write(load_model(model), out)
    Record(
        kind="export",
        figures={"bytes": out.stat().st_size},
        configuration={"format": kind},
        inputs={str(model): sha256_of_file(model)},
        outputs={str(out): sha256_of_file(out)},
    ).write(record)
    console.say(f"wrote {out} and {record}")
