"""A driver in C99, and the network's configuration as an array."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from systopack.rtl.delivery import Delivery
from systopack.rtl.identity import build_digest, identity
from systopack.rtl.images import MemoryImage
from systopack.rtl.names import comment
from systopack.rtl.registers import PIPELINED_IDENTITY, REGISTERS, TILED_IDENTITY

_DRIVER = Path(__file__).parent / "c"
_LICENSE = "/* SPDX-License-Identifier: Apache-2.0 */\n"
_A_LINE = 8  # numbers

_NETWORK = """\
/* The configuration of network {name} on
 * {label}. */
#include "systopack.h"

#ifndef SYSTOPACK_NETWORK
#define SYSTOPACK_NETWORK systopack_network
#endif

static const uint32_t words[{count}] = {{
{words}
}};

extern const struct systopack_network SYSTOPACK_NETWORK;
const struct systopack_network SYSTOPACK_NETWORK = {{
    {identity:#010x}u, {build:#010x}u, /* IDENTITY, BUILD */
    {beats}u, {beat_bytes}u, /* beats of an image, bytes of a beat */
    {results}u, {cycles}u, /* words of results, cycles of an image */
    words, {count}u
}};
"""


def driver_files(delivery: Delivery) -> dict[str, str]:
    """The driver, its registers and the network, in the folder `c`."""
    return {
        **{f"c/{name}": (_DRIVER / name).read_text() for name in ("systopack.h", "systopack.c")},
        "c/systopack_registers.h": registers_header(),
        "c/systopack_network.c": _network(delivery),
    }


def registers_header() -> str:
    """Offsets of the registers in bytes, and masks of their bits."""
    return "\n".join((f"{_LICENSE}#ifndef SYSTOPACK_REGISTERS_H", *_defines(), "", "#endif", ""))


def _defines() -> Iterator[str]:
    yield "#define SYSTOPACK_REGISTERS_H"
    for register in REGISTERS:
        yield f"\n/* {register.told_access}: {register.meaning} */"
        yield f"#define SYSTOPACK_{register.name} {register.address:#04x}u"
        for bits in register.bits:
            name = f"SYSTOPACK_{register.name}_{bits.name}"
            yield f"#define {name} {bits.mask:#010x}u /* {bits.access}: {bits.meaning} */"
    yield f"\n#define SYSTOPACK_IDENTITY_TILED {TILED_IDENTITY:#010x}u"
    yield f"#define SYSTOPACK_IDENTITY_PIPELINED {PIPELINED_IDENTITY:#010x}u"


def _network(delivery: Delivery) -> str:
    network, program = delivery.network, delivery.program
    words = configuration_words(program.images)
    texts = [f"{word:#010x}u" for word in words]
    lines = [", ".join(texts[at : at + _A_LINE]) for at in range(0, len(texts), _A_LINE)]
    pixels, beat_bytes = int(np.prod(network.input.shape)), delivery.image_bits // 8
    return _LICENSE + _NETWORK.format(
        name=comment(network.name),
        label=program.array.label,
        count=len(words),
        words=",\n".join(f"    {line}" for line in lines),
        identity=identity(program),
        build=build_digest(program),
        beats=pixels // beat_bytes,
        beat_bytes=beat_bytes,
        results=int(np.prod(network.shapes[network.output.name])),
        cycles=delivery.cycles,
    )


def configuration_words(images: Sequence[MemoryImage]) -> list[int]:
    """Blocks, one for each bank of a memory: MEMORY, words, uint32 in each, their values."""
    found: list[int] = []
    for image in images:
        _, depth, chunks = image.words.shape
        for bank, words in enumerate(image.words):
            found += [image.memory | bank << 8, depth, chunks, *words.reshape(-1).tolist()]
    return found
