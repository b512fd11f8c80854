"""SRAM by capacity, width and ports at 45 nm, from CACTI 7.

    python benchmarks/memory_table.py CACTI_FOLDER

CACTI_FOLDER is a built checkout of github.com/HewlettPackard/cacti (`make opt`). The settings are
those of the package's cited table (`hardware/energy/technology.toml`); the record holds its three
points too, run at 40 nm with one and with two ports.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from systopack.hardware.energy.technology import load_technology
from systopack.records import STORE, Record

CAPACITIES = tuple(256 << i for i in range(10))
WIDTHS = (8, 16, 32, 64)
PORTS = {1: (1, 0, 0), 2: (0, 1, 1)}  # read-write, read only, write only
SETTINGS: Mapping[str, str] = {
    "-associativity": "1",
    "-UCA bank count": "1",
    "-operating temperature": "(K) 300",
    "-cache type": '"ram"',
    "-tag size": "(b) 0",
    "-access mode": '(normal, sequential, fast) - "fast"',
    "-design objective": "(weight delay, dynamic power, leakage power, cycle time, area) "
    "0:100:100:0:0",
    "-deviate": "(delay, dynamic power, leakage power, cycle time, area) "
    "20:100000:100000:1000000:1000000",
    "-Optimize ED": 'or ED^2 (ED, ED^2, NONE): "NONE"',
    "-Cache model": '(NUCA, UCA)  - "UCA"',
    "-Wire signaling": '(fullswing, lowswing, default) - "Global_30"',
    "-Wire inside mat": '- "semi-global"',
    "-Wire outside mat": '- "semi-global"',
    "-Interconnect projection": '- "normal"',
    "-Add ECC": '- "false"',
    "-Force cache config": '- "false"',
    "-Print level": '(DETAILED, CONCISE) - "CONCISE"',
    "-Print input": 'parameters - "false"',
}


def run_cacti(
    folder: Path, *, capacity: int, width: int, ports: tuple[int, int, int], node_nm: float
) -> dict[str, float]:
    """One memory: energy of an access, area, leakage, cycle time."""
    wanted = {
        **SETTINGS,
        "-size (bytes)": str(capacity),
        "-block size": f"(bytes) {max(4, width // 8)}",
        "-read-write port": str(ports[0]),
        "-exclusive read port": str(ports[1]),
        "-exclusive write port": str(ports[2]),
        "-technology": f"(u) {node_nm / 1000:.3f}",
        "-output/input bus width": str(width),
    }
    lines = []
    for line in (folder / "cache.cfg").read_text().splitlines():
        found = [key for key in wanted if line.strip().startswith(key)]
        lines.append(f"{found[0]} {wanted[found[0]]}" if found else line)
    (folder / "study.cfg").write_text("\n".join(lines) + "\n")
    table = folder / "study.cfg.out"
    table.unlink(missing_ok=True)
    subprocess.run(
        ["./cacti", "-infile", "study.cfg"], cwd=folder, check=True, stdout=subprocess.DEVNULL
    )
    header, values = list(csv.reader(table.open()))
    found_by = dict(zip((name.strip() for name in header), values, strict=False))
    return {
        "read_pj": 1e3 * float(found_by["Dynamic read energy (nJ)"]),
        "write_pj": 1e3 * float(found_by["Dynamic write energy (nJ)"]),
        "leakage_mw": float(found_by["Standby leakage per bank(mW)"]),
        "um2": 1e6 * float(found_by["Area (mm2)"]),
        "cycle_ns": float(found_by["Random cycle time (ns)"]),
    }


def main() -> None:
    """Run the grid and the cited points, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cacti", type=Path)
    folder = parser.parse_args().cacti
    points = [
        {"bytes": capacity, "width_bits": width, "ports": ports}
        | run_cacti(folder, capacity=capacity, width=width, ports=PORTS[ports], node_nm=45)
        for ports in PORTS
        for width in WIDTHS
        for capacity in CAPACITIES
    ]
    cited: list[dict[str, Any]] = []
    for point in load_technology().sram:
        size = {"capacity": point.bytes, "width": point.width_bits, "node_nm": 40}
        cited.append(
            {
                "bytes": point.bytes,
                "width_bits": point.width_bits,
                "cited": {"read_pj": point.read_pj, "um2": point.area_um2},
                "one_port": run_cacti(folder, ports=(1, 0, 0), **size),
                "two_ports": run_cacti(folder, ports=(2, 0, 0), **size),
            }
        )
    Record(
        kind="memory_table",
        figures={"points": points, "cited": cited},
        configuration={
            "tool": "CACTI 7, github.com/HewlettPackard/cacti, "
            "commit 1ffd8dfb10303d306ecd8d215320aea07651e878",
            "node_nm": 45,
            "voltage_v": 1.0,
            "cells": "itrs-hp",
            "settings": SETTINGS,
        },
    ).write(STORE / "memory_table.json")


if __name__ == "__main__":
    main()
