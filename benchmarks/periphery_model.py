"""How well the logic outside the array is told from cycles, word times and words read.

    python benchmarks/periphery_model.py

From the gate-level record: for every array the energy of ResNet-20's nodes but five, all of it but
the array's own cells, allowance for clock tree and wires of all included. The five and the nodes of
the other networks are kept back and predicted.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from _bench import save
from energy_coefficients import KEPT_BACK

from systopack.hardware.array import Array
from systopack.hardware.energy.periphery import fit_periphery, periphery_counts
from systopack.network.file import load
from systopack.network.packaged import network_file
from systopack.network.uncombine import uncombined
from systopack.records import STORE, read_record
from systopack.rtl.tiled_events import tiled_events

FITTED = "resnet20"


def steps_of(case: dict[str, Any]) -> dict[str, tuple[Any, float]]:
    """By node: counts, and the measured energy outside the array in pJ."""
    network = load(network_file(Path(f"zoo:{case['network']}")))
    if case["apart"]:
        network = uncombined(network)
    array = Array(**case["array"])
    events = tiled_events(network, array=array)
    cells = array.rows * array.columns
    counts: dict[str, Any] = {}
    for step in events.steps:
        counts[step.name] = counts.get(step.name, 0) + periphery_counts(step, cells)
    found: dict[str, tuple[Any, float]] = {}
    for node in case["nodes"]:
        energy = sum(
            (0.0 if part == "array" else one["cells_pj"]) + one["clock_tree_pj"] + one["wires_pj"]
            for part, one in node["parts"].items()
        )
        if node["node"] in counts and node["cycles"]:
            found[node["node"]] = counts[node["node"]], energy
    return found


def main() -> None:
    """Fit, predict, write the record."""
    cases = read_record(STORE / "gate_level.json")["figures"]
    arrays = []
    for name, case in cases.items():
        if not name.startswith(FITTED) or case["apart"]:
            continue
        own = steps_of(case)
        fitted = [node for node in own if node not in KEPT_BACK]
        model = fit_periphery(
            np.array([own[node][0] for node in fitted]),
            [own[node][1] for node in fitted],
            critical_ns=case["critical_ns"],
        )
        energies = np.array([model.cycle_pj, model.word_pj, model.read_pj])
        errors = {
            f"{name} {node}": float(own[node][0] @ energies / own[node][1] - 1)
            for node in KEPT_BACK
        }
        for other, another in cases.items():
            if another["array"]["alpha"] == case["array"]["alpha"] and other != name:
                whole = list(steps_of(another).values())
                predicted = sum(float(counts @ energies) for counts, _ in whole)
                errors[f"{other}, whole"] = predicted / sum(pj for _, pj in whole) - 1
        arrays.append({"array": case["array"], **asdict(model), "kept_back": errors})
    save("periphery_model", {"arrays": arrays})


if __name__ == "__main__":
    main()
