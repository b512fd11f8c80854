"""The first sentences of long pages: what was found, from the records."""

from __future__ import annotations

import pages

from systopack.reproduce.content import Notes
from systopack.reproduce.rows import read_rows
from systopack.reproduce.run import SECTIONS


def silicon() -> list[str]:
    """What the packed ResNet-20 takes on the headline's design point."""
    case = pages.figures("headline")["resnet20"]
    base = case["baselines"]["sparse_uncombined"]
    return [
        f"**In short:** the packed ResNet-20 on `{case['design_point']}`, whole accelerator with "
        "memories, 45 nm,",
        f"typical corner: {case['energy_pj']['total'] / 1e6:.2f} uJ and {case['latency_us']:.1f} "
        f"us a frame at {case['clock_mhz']:.0f} MHz, {case['area_um2']['total'] / 1e6:.2f} mm2. "
        "The same sparse",
        f"network uncombined takes {1 / base['energy_ratio']:.2f} times the energy and "
        f"{base['throughput_ratio']:.2f} times the time.",
        "All of it: [headline](results.md#headline).",
    ]


def energy() -> list[str]:
    """How well the model holds."""
    errors = [
        (what, error)
        for array in pages.figures("periphery_model")["arrays"]
        for what, error in array["kept_back"].items()
    ]
    layers = max(abs(error) for what, error in errors if "whole" not in what)
    whole = [abs(error) for what, error in errors if "whole" in what]
    packed = pages.figures("headline")["resnet20"]["energy_pj"]["total"] / 1e6
    return [
        f"**In short:** the packed ResNet-20 takes {packed:.2f} uJ a frame at gate level. The "
        "model of this page is within",
        f"{100 * layers:.1f} % of gate level on layers that it was not fitted to, and within "
        f"{100 * min(whole):.1f} to {100 * max(whole):.0f} % on other whole networks.",
    ]


def related() -> list[str]:
    """The verdict on the packed ResNet-20 beside related designs."""
    name = "related accelerators"
    record = pages.record("reproduce")
    rows = read_rows(record["figures"])[name]
    notes = Notes(**record["configuration"]["notes"])
    networks = dict.fromkeys(row.network for row in rows if row.network.startswith("resnet20"))
    found = [
        text for text in SECTIONS[name][1](rows, notes).verdict if text.split(":")[0] in networks
    ]
    alike = pages.figures("headline")["resnet20"]["baselines"]["n_of_m"]
    return [
        f"**In short:** on the packed ResNet-20, {found[0].partition(': ')[2]}",
        "Trained each for itself on a tenth of the data, 2:8 takes "
        f"{1 / alike['energy_ratio']:.2f} times the energy of column combining and",
        f"{alike['throughput_ratio']:.2f} times its time, at {alike['accuracy_percent'][0]:.2f} % "
        f"against {alike['packed']['accuracy_percent'][0]:.2f} %.",
    ]
