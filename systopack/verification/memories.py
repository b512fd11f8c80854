"""Memory contents as a simulation's host writes them: one row for each word."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from systopack.rtl.images import MemoryImage


def memory_rows(images: Sequence[MemoryImage], config_bits: int) -> NDArray[np.uint32]:
    """Shape (words, 3 + chunks), uint32: memory, bank, address, then the word.

    Args:
        images: contents of all memories.
        config_bits: width of the configuration port.
    """
    chunks = -(-config_bits // 32)
    rows = []
    for image in images:
        banks, depth, width = image.words.shape
        row = np.zeros((banks, depth, 3 + chunks), dtype=np.uint32)
        row[:, :, 0] = image.memory
        row[:, :, 1] = np.arange(banks)[:, None]
        row[:, :, 2] = np.arange(depth)[None]
        row[:, :, 3 : 3 + width] = image.words
        rows.append(row.reshape(-1, 3 + chunks))
    return np.ascontiguousarray(np.concatenate(rows))
