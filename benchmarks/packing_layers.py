"""Real layers: the Pareto front of all policies, and what per-tile grouping wins.

The layers are those of a ResNet-20 for CIFAR-10, each pruned to 16 % by magnitude.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from _bench import arguments, save
from packing_matrices import ALPHA, Matrix, kept_l2
from safetensors.numpy import load_file

from systopack.packing.objective import MostNorm
from systopack.packing.pack import pack
from systopack.packing.pruning import magnitude_mask

DENSITY = 0.16
GAMMA = 0.5
BAND_ROWS = (16, 32, 64)
POLICIES = ("dense-column-first", "authors", "least-loss", "assignment", "refine", "best")


def layers(path: Path) -> dict[str, Matrix]:
    """The pruned filter matrices of all convolutions."""
    found = {}
    for name, weights in load_file(path).items():
        if weights.ndim == 4:
            matrix = weights.reshape(len(weights), -1).astype(np.float32)
            keep = round(DENSITY * matrix.size)
            found[name] = np.where(magnitude_mask(matrix, keep=keep), matrix, 0)
    return found


def main() -> None:
    """Measure and write the record."""
    parser = arguments(__doc__)
    parser.add_argument("weights", type=Path, help="a safetensors file")
    path = parser.parse_args().weights
    figures: dict[str, object] = {}
    for name, matrix in layers(path).items():
        rows: dict[str, object] = {"rows": matrix.shape[0], "columns": matrix.shape[1]}
        packed = {p: pack(matrix, alpha=ALPHA, gamma=GAMMA, policy=p) for p in POLICIES}
        for policy, result in packed.items():
            rows[policy] = {"groups": len(result.groups), "l2": kept_l2(result, matrix)}
        same = pack(
            matrix,
            alpha=ALPHA,
            gamma=GAMMA,
            policy="best",
            objective=MostNorm(groups=len(packed["authors"].groups)),
        )
        rows["best at the groups of authors"] = {
            "groups": len(same.groups),
            "l2": kept_l2(same, matrix),
        }
        for band_rows in BAND_ROWS:
            if band_rows <= matrix.shape[0]:
                bands = pack(matrix, alpha=ALPHA, gamma=GAMMA, policy="best", band_rows=band_rows)
                rows[f"bands of {band_rows}"] = {
                    "packed_cells": bands.packed_cells,
                    "whole_packed_cells": packed["best"].packed_cells,
                    "l2": kept_l2(bands, matrix),
                }
        figures[name] = rows
        print(name, rows, flush=True)
    configuration = {"alpha": ALPHA, "gamma": GAMMA, "density": DENSITY}
    save("packing_layers", figures, configuration=configuration, inputs=[path])


if __name__ == "__main__":
    main()
