"""Groups and squared norm kept of every policy on the eleven entries; `best` with time limits."""

from __future__ import annotations

from _bench import save, timed
from packing_matrices import ALPHA, CASES, kept_l2, pruned_matrix

from systopack.packing.bounds import group_gap
from systopack.packing.pack import pack
from systopack.packing.policies.registry import policy_names

RUNS = (
    *((name, name, None) for name in ("authors", "dense-column-first", "least-loss", "assignment")),
    *((f"best {limit:g} s", "best", limit) for limit in (1.0, 10.0)),
)


def main() -> None:
    """Measure and write the record."""
    figures: dict[str, dict[str, object]] = {}
    for policy in policy_names():  # compile before the clock runs
        for columns in (64, 1300):
            small = pruned_matrix(64, columns, 0.15)
            pack(small, alpha=ALPHA, gamma=0.25, policy=policy, time_limit_s=0.2)
    for case in CASES:
        matrix = pruned_matrix(case.rows, case.columns, case.density, uneven=case.uneven)
        entry: dict[str, object] = {"trial_groups": case.trial_groups, "trial_l2": case.trial_l2}
        own = {"alpha": ALPHA, "gamma": case.gamma}
        for name, policy, limit in RUNS:
            packed, seconds = timed(pack, matrix, policy=policy, time_limit_s=limit, **own)
            groups, l2 = len(packed.groups), kept_l2(packed, matrix)
            entry[name] = {"groups": groups, "l2": l2, "seconds_s": seconds}
            print(f"{case.name:32} {name:20} {groups:4} {l2:.4f} {seconds:.3f} s", flush=True)
        gap = group_gap(packed, matrix, exact=case.gamma == 0, **own)
        figures[case.name] = {**entry, "bound_groups": gap.bound, "proof": gap.proof}
    save("packing_quality", figures, configuration={"alpha": ALPHA})


if __name__ == "__main__":
    main()
