"""Weights that are 0 or plus or minus a power of two: those of cells without a multiplier."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def is_power_of_two(weights: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Where a weight is 0 or plus or minus a power of two, of the shape given.

    >>> is_power_of_two(np.array([0, 1, -128, 3, -6])).tolist()
    [True, True, True, False, False]
    """
    magnitudes = np.abs(weights.astype(np.int64))
    return np.asarray(magnitudes & (magnitudes - 1) == 0)


def nearest_power_of_two(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest of 0, +-1, +-2 .. +-64 and -128; between two of them the smaller one.

    >>> nearest_power_of_two(np.array([0.5, 0.6, 3.0, -3.1, 100.0, -100.0])).tolist()
    [0.0, 1.0, 2.0, -4.0, 64.0, -128.0]
    """
    magnitudes = np.abs(values)
    fraction, exponent = np.frexp(magnitudes)
    power = np.maximum(np.ldexp(1.0, np.where(fraction > 0.75, exponent, exponent - 1)), 1.0)
    power = np.where(magnitudes > 0.5, np.minimum(power, np.where(values > 0, 64.0, 128.0)), 0.0)
    return np.asarray(np.copysign(power, values) + 0.0)
