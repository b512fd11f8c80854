"""Names of the training runs whose records a reproduction reads, and the sweeps they belong to."""

from __future__ import annotations

from collections.abc import Mapping

ALPHAS = (1, 2, 4, 16)  # alpha 8 is the run at gamma 0.5
GAMMAS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
FRACTIONS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
LONG_FRACTIONS = (0.1, 1.0)
GAMMA_ZERO = "gamma-0.0"
# Of each sweep the value that every run of it has, by the run's name.
SWEEPS: Mapping[str, Mapping[str, float]] = {
    "alpha": {
        **{f"alpha-{alpha}": alpha for alpha in ALPHAS[:-1]},
        "gamma-0.5": 8,
        "alpha-16": 16,
    },
    "gamma": {f"gamma-{gamma}": gamma for gamma in GAMMAS},
    "fraction": {f"fraction-{fraction}": fraction for fraction in FRACTIONS},
    "scratch": {f"scratch-{fraction}": fraction for fraction in FRACTIONS},
    "long-scratch": {f"long-scratch-{fraction}": fraction for fraction in LONG_FRACTIONS},
}
MAIN: Mapping[str, str] = {
    "ours-full": "all training images",
    "ours-10": "10 % of the training images",
    "plain-10": "the paper's loop, 10 % of the training images",
    "ours-10-small": "10 % of the images, cells at most 0.18",
    "ours-10-mixed-small": "the same with mixed images (CutMix)",
}
