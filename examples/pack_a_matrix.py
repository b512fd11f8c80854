"""Pack one sparse matrix with every policy and compare groups, energy kept and lower bound."""

import numpy as np

from systopack.packing.bounds import group_gap
from systopack.packing.pack import pack
from systopack.packing.policies.registry import policy_names

rng = np.random.default_rng(0)
weights = rng.standard_normal((96, 94)).astype(np.float32)
weights[np.abs(weights) < 1.4] = 0  # 16 % of the weights are left

for policy in policy_names():
    packed = pack(weights, alpha=8, gamma=0.5, policy=policy)
    kept = np.square(packed.to_dense()).sum() / np.square(weights).sum()
    gap = group_gap(packed, weights, alpha=8, gamma=0.5)
    print(f"{policy:20s} {gap}; {kept:.3f} of the energy kept")
