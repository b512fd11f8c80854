"""Memory images: what has to be in the accelerator's memories before a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from systopack.network.nodes import MatrixLayer


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


def clip_limits(layer: MatrixLayer, bits: int) -> NDArray[np.int64]:
    """The limits between which a row's accumulator is held: shape (N, 2), lowest and highest.

    A limit beyond what an accumulator of `bits` bits holds limits nothing and becomes its end; one
    that no accumulator can reach stays as it is, and does not fit its field.
    """
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    limits = np.tile(np.array([[low, high]], dtype=np.int64), (layer.matrix.rows, 1))
    if layer.activation == "relu":
        limits[:, 0] = 0
    elif layer.clip is not None:
        limits[:, 0] = np.maximum(layer.clip[:, 0], low)
        limits[:, 1] = np.minimum(layer.clip[:, 1], high)
    return limits


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
