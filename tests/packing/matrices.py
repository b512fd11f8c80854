"""Filter matrices for property tests: every shape, density and pattern, hostile values too."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

_PATTERNS = ("random", "empty", "full", "diagonal", "blocks", "one row", "one column", "ties")
_DTYPES = (np.int8, np.int32, np.float32, np.float64)


def random_filter_matrix(
    rng: np.random.Generator, *, largest_rows: int = 70, largest_columns: int = 24
) -> NDArray:
    """One matrix; sizes around the word length of a bit set come often."""
    rows = int(rng.choice([1, 2, 3, 7, 63, 64, 65, int(rng.integers(1, largest_rows + 1))]))
    columns = int(rng.choice([1, 2, 5, int(rng.integers(1, largest_columns + 1))]))
    dtype = _DTYPES[int(rng.integers(len(_DTYPES)))]
    matrix = (rng.standard_normal((rows, columns)) * 40).astype(dtype)
    pattern = _PATTERNS[int(rng.integers(len(_PATTERNS)))]
    if pattern == "ties":
        matrix = rng.integers(-1, 2, (rows, columns)).astype(dtype)
    keep = _pattern_mask(rng, pattern, rows, columns)
    matrix[~keep] = 0
    if dtype == np.int8 and rng.random() < 0.3:
        matrix[matrix < 0] = -128
    return matrix


def _pattern_mask(rng: np.random.Generator, pattern: str, rows: int, columns: int) -> NDArray:
    row, column = np.indices((rows, columns))
    makers: dict[str, Callable[[], NDArray]] = {
        "random": lambda: rng.random((rows, columns)) < rng.choice([0.05, 0.15, 0.5]),
        "empty": lambda: np.zeros((rows, columns), bool),
        "full": lambda: np.ones((rows, columns), bool),
        "diagonal": lambda: (row % columns) == column,
        "blocks": lambda: (row // 3 + column // 2) % 3 == 0,
        "one row": lambda: row == rng.integers(rows),
        "one column": lambda: column == rng.integers(columns),
        "ties": lambda: rng.random((rows, columns)) < 0.5,
    }
    return makers[pattern]()


filter_matrices = st.builds(
    lambda seed: random_filter_matrix(np.random.default_rng(seed)), st.integers(0, 2**32)
)


@st.composite
def packing_limits(draw: st.DrawFn) -> tuple[int, float]:
    """Alpha and a gamma that it allows."""
    alpha = draw(st.integers(1, 9))
    gamma = draw(st.sampled_from([g for g in (0, 0.1, 0.25, 0.5, 1, 2.75) if g <= alpha - 1]))
    return alpha, gamma
