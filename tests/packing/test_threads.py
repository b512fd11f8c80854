"""Packing from several threads at once gives the same groups and does not abort."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from systopack.packing.pack import pack


def test_callers_in_several_threads():
    rng = np.random.default_rng(0)
    matrices = [rng.standard_normal((1000, 600)).astype(np.float32) for _ in range(4)]
    for matrix in matrices:
        matrix[np.abs(matrix) < 1.5] = 0
    alone = [pack(matrix, alpha=8, gamma=0.5).groups for matrix in matrices]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda m: pack(m, alpha=8, gamma=0.5).groups, matrices))
    assert together == alone
