"""Text files of an accelerator's folder that all organisations have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from systopack.rtl.parameters import LICENSE_LINE, VERILOG
from systopack.rtl.registers import map_lines

BENCH_IMAGES = 3

# Run in the written folder; ends with a status other than 0 unless the bench prints PASS.
BENCH_COMMAND = "iverilog -g2005 -o bench $(cat sources.f) testbench.v && vvp -N bench"

# All organisations have the same ports and registers.
PORTS = """\
| port | protocol | meaning |
|---|---|---|
| `clk`, `aresetn` | | one clock; reset is synchronous, active low |
| `s_axi_*` | AXI4-Lite, 32 bits | registers below |
| `s_axis_image_*` | AXI4-Stream, {image_bits} bits | {image}; TLAST ends an image |
{weights}\
| `m_axis_result_*` | AXI4-Stream, 32 bits | {results}; TLAST ends an image's |

No output depends on an input in the same cycle. An image that TLAST ends too early or too late is
dropped: it gives no result, DROPPED counts it, and the next one is right.
"""
_REGISTERS = """\
{map}

WSTRB says which bytes are written; DATA ends with its highest byte, COMMIT and CONTROL act by
their lowest. The two lowest address bits are ignored. The answer is SLVERR, and nothing changes,
for other addresses, for writes of what is read only or of 0x08 to 0x14 while busy, for DATA beyond
a word, for COMMIT of a word that no memory has, and for a start that cannot be kept. A write of
MEMORY or ADDRESS and an abort forget the bits of a word that was begun, so a configuration that was
cut off is repeated from its first line. An abort stops what is going on: a result packet that
had begun ends with a word 0, the rest of an image that had begun is thrown away, memories keep
their contents.
"""


def registers_text(*, identity: int, build: int) -> str:
    """The registers of one accelerator, and how they answer."""
    told = {
        "IDENTITY": f"{identity:#010x}",
        "BUILD": f"{build:#010x}, digest of all widths and depths",
    }
    return _REGISTERS.format(map="\n".join(map_lines(told)))


def configuration_text(writes: Iterable[tuple[int, int]]) -> str:
    """One line for each register write: register (2 digits), value (8 digits)."""
    return "".join(f"{register:02x}{value:08x}\n" for register, value in writes)


def hex_lines(values: NDArray[np.integer], bits: int) -> str:
    """Two's complement numbers of so many bits, a line each.

    A two-dimensional array gives one line a row, its first number lowest.
    """
    digits, mask = bits // 4, (1 << bits) - 1
    rows = values if values.ndim == 2 else values[:, None]
    return "".join(
        "".join(f"{int(value) & mask:0{digits}x}" for value in reversed(row)) + "\n" for row in rows
    )


def accelerator_text(
    module: str,
    parameters: Mapping[str, int],
    *,
    heading: str,
    sizes: Mapping[str, int] | None = None,
    tied: Mapping[str, str] | None = None,
) -> str:
    """The module `accelerator`: an AXI accelerator for one network, whose one parameter is GATED.

    Args:
        module: that it wraps, with the same ports.
        parameters: of it.
        heading: comment lines.
        sizes: numbers for the parameters in its ports.
        tied: what stands at inputs that it has no use for; an output's is "".
    """
    source = (VERILOG / f"{module}.v").read_text()
    ports = source[source.index(") (\n") + 4 : source.index(");\n")].replace("reg ", "wire")
    at = dict(tied or {})
    kept = []
    for line in ports.splitlines():
        name = line.rstrip(",").split()[-1]
        if name not in at:
            kept.append(line)
            if line.startswith(("    input", "    output")):
                at[name] = name
    ports = "\n".join(kept) + "\n"
    for name, size in (sizes or {}).items():
        ports = ports.replace(f"{name}-1", str(size - 1))
    values = ",\n".join(
        f"        .{name}({value})" for name, value in {"GATED": "GATED", **parameters}.items()
    )
    connections = ",\n".join(f"        .{name}({value})" for name, value in at.items())
    lint = "" if all(at.values()) else "    /* verilator lint_off PINCONNECTEMPTY */\n"
    return (
        f"{LICENSE_LINE}{heading}module accelerator #(\n    parameter GATED = 0\n) (\n{ports});\n"
        f"{lint}    {module} #(\n{values}\n    ) axi (\n{connections}\n    );\nendmodule\n"
    )


def bench_files(
    beats: NDArray[np.integer],
    words: NDArray[np.integer],
    *,
    writes: Sequence[tuple[int, int]],
    cycles: int,
    starts: bool,
    weight_beats: NDArray[np.uint32] | None = None,
) -> dict[str, str]:
    """The self-checking test bench, its sizes set, and what it reads.

    Args:
        beats: shape (images, beats, channels), int8: the image stream.
        words: shape (images, words), int32: what it must give.
        writes: to the registers, in order.
        cycles: of one image.
        starts: whether every image wants a start of its own.
        weight_beats: see `TiledProgram`.
    """
    text = (VERILOG / "testbench.v").read_text()
    more = {}
    if weight_beats is not None:
        more["weights.hex"] = hex_lines(weight_beats, 32)
        text = f"`define WEIGHTS\n{text}"
        shape = weight_beats.shape
        text = text.replace("WEIGHT_BEATS = 1;", f"WEIGHT_BEATS = {shape[0]};")
        text = text.replace("BEAT_BITS = 32;", f"BEAT_BITS = {32 * shape[1]};")
    for name, before, value in (
        ("WRITES", 1, len(writes)),
        ("IMAGE_BITS", 8, 8 * beats.shape[2]),
        ("BEATS", 1, beats.shape[1]),
        ("RESULTS", 1, words.shape[1]),
        ("IMAGES", 1, len(beats)),
        ("CYCLES", 1, cycles),
        ("STARTS", 0, int(starts)),
    ):
        text = text.replace(f"parameter {name} = {before};", f"parameter {name} = {value};")
    return {
        "testbench.v": text,
        "configuration.hex": configuration_text(writes),
        "image.hex": hex_lines(beats.reshape(-1, beats.shape[2]), 8),
        "results.hex": hex_lines(words.reshape(-1), 32),
        **more,
    }
