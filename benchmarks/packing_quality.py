"""Groups and squared norm kept of every policy on the eleven entries; `best` with time limits."""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from packing_matrices import ALPHA, CASES, kept_l2, pruned_matrix

from systopack.packing.bounds import group_gap
from systopack.packing.pack import pack
from systopack.packing.policies.registry import policy_names
from systopack.records import Record

LIMITS_S = (1.0, 10.0)


def main() -> None:
    """Measure and write the record."""
    figures: dict[str, object] = {}
    for policy in policy_names():  # compile before the clock runs
        for size in ((64, 64), (64, 1300)):
            pack(
                pruned_matrix(*size, 0.15), alpha=ALPHA, gamma=0.25, policy=policy, time_limit_s=0.2
            )
    for case in CASES:
        matrix = pruned_matrix(case.rows, case.columns, case.density, uneven=case.uneven)
        runs = [(p, p, None) for p in ("authors", "dense-column-first", "least-loss", "assignment")]
        runs += [(f"best {limit:g} s", "best", limit) for limit in LIMITS_S]
        entry: dict[str, object] = {"trial_groups": case.trial_groups, "trial_l2": case.trial_l2}
        for name, policy, limit in runs:
            began = time.perf_counter()
            packed = pack(matrix, alpha=ALPHA, gamma=case.gamma, policy=policy, time_limit_s=limit)
            seconds = time.perf_counter() - began
            l2 = kept_l2(packed, matrix)
            entry[name] = {"groups": len(packed.groups), "l2": l2, "seconds_s": seconds}
            print(f"{case.name:32} {name:20} {len(packed.groups):4} {l2:.4f} {seconds:.3f} s")
        gap = group_gap(packed, matrix, alpha=ALPHA, gamma=case.gamma, exact=case.gamma == 0)
        entry["bound_groups"] = gap.bound
        entry["proof"] = gap.proof
        print(f"{case.name:32} {gap}")
        figures[case.name] = entry
    Record(kind="packing_quality", figures=figures, configuration={"alpha": ALPHA}, seed=0).write(
        Path(__file__).parent / "records" / "packing_quality.json"
    )


if __name__ == "__main__":
    main()
