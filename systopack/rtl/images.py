"""Memory images: what has to be in the accelerator's memories before a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PROGRAM, OUTPUT_PROGRAM, WEIGHTS, DESCRIPTORS, ROUTES, BIASES, PARAMETERS = range(7)


@dataclass(frozen=True, kw_only=True, eq=False)
class MemoryImage:
    """The content of one kind of memory, of all its banks.

    Args:
        memory: its number on the configuration port.
        bits: width of a word.
        words: shape (banks, addresses, ceil(bits / 32)), uint32, least significant first.
    """

    memory: int
    bits: int
    words: NDArray[np.uint32]


def pack_fields(fields: Sequence[tuple[int, int]]) -> int:
    """One word from (value, bits) pairs, the most significant first; values wrap."""
    word = 0
    for value, bits in fields:
        word = (word << bits) | (value & ((1 << bits) - 1))
    return word


def image_of_words(memory: int, bits: int, banks: Sequence[Sequence[int]]) -> MemoryImage:
    """A memory image from one list of words for each bank; shorter ones end in zeros."""
    chunks = -(-bits // 32)
    depth = max(1, max((len(bank) for bank in banks), default=1))
    words = np.zeros((len(banks), depth, chunks), dtype=np.uint32)
    for bank, values in enumerate(banks):
        data = b"".join(value.to_bytes(4 * chunks, "little") for value in values)
        words[bank, : len(values)] = np.frombuffer(data, dtype="<u4").reshape(-1, chunks)
    return MemoryImage(memory=memory, bits=bits, words=words)


def image_of_bits(memory: int, bits: NDArray[np.uint8]) -> MemoryImage:
    """A memory image from bits of shape (banks, addresses, bits), least significant first."""
    banks, depth, width = bits.shape
    chunks = -(-width // 32)
    padded = np.zeros((banks, depth, 32 * chunks), dtype=np.uint8)
    padded[:, :, :width] = bits
    packed = np.packbits(padded, axis=2, bitorder="little")
    return MemoryImage(
        memory=memory, bits=width, words=np.ascontiguousarray(packed).view("<u4").astype(np.uint32)
    )
