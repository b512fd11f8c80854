"""2:4 after a column permutation, on the matrix of the published channel-permutation search.

J. Pool and C. Yu, Channel Permutations for N:M Sparsity, NeurIPS 2021; the figures are those of
the authors' README (NVIDIA/apex, apex/contrib/sparsity/permutation_tests), V100, for 128 filters
and 64 channels of uniform random weights, seed 1. Efficacy is their measure: 0 % is what 2:4
keeps without a permutation, 100 % the larger half of every row.
"""

from __future__ import annotations

import numpy as np
from _bench import save, timed

from systopack.packing.pack import n_of_m

PUBLISHED = {  # search: (magnitude kept, efficacy %, seconds on a V100)
    "channel_swap,0": (2913.352, 32.1, 0.214),
    "channel_swap,100": (2914.174, 32.5, 2.249),
    "channel_swap,1000": (2920.694, 36.0, 20.248),
    "optimize_stripe_groups,8,0": (2919.757, 35.5, 0.013),
    "optimize_stripe_groups,8,1000": (2919.935, 35.6, 1.387),
    "optimize_stripe_groups,12,0": (2921.947, 36.6, 0.860),
}
PUBLISHED_UNPRUNED = 4083.169
PUBLISHED_DEFAULT = 2852.376


def main() -> None:
    """Measure and write the record."""
    weights = np.random.RandomState(1).rand(128, 64)
    default = float(n_of_m(weights, n=2, m=4).values.sum())
    if abs(weights.sum() - PUBLISHED_UNPRUNED) > 0.01 or abs(default - PUBLISHED_DEFAULT) > 0.01:
        raise SystemExit("this is not the published matrix")
    half = float(np.sort(weights, axis=1)[:, 32:].sum())
    searches: list[dict[str, object]] = []
    # Importance 1 / |w| makes the squared norm importance * w^2 the magnitude |w| of that paper.
    importance = 1 / np.abs(weights)
    n_of_m(weights, n=2, m=4, permute="best", importance=importance, time_limit_s=0.2)
    for policy, limit in (("least-loss", None), ("refine", None), ("best", 1.0), ("best", 10.0)):
        own = {"permute": policy, "time_limit_s": limit}
        packed, seconds = timed(n_of_m, weights, n=2, m=4, importance=importance, **own)
        kept = float(packed.values.sum())
        searches.append(
            {
                "policy": policy,
                "time_limit_s": limit,
                "magnitude": kept,
                "efficacy_percent": 100 * (kept - default) / (half - default),
                "seconds_s": seconds,
            }
        )
    names = ("search", "magnitude", "efficacy_percent", "seconds_s")
    published = [dict(zip(names, (name, *of), strict=True)) for name, of in PUBLISHED.items()]
    save(
        "packing_n_of_m",
        {"default": default, "half_of_rows": half, "searches": searches},
        configuration={"published": published},
    )


if __name__ == "__main__":
    main()
