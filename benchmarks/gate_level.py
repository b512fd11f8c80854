"""Energy, area and clock of the tiled accelerator's periphery, on a whole image.

    python benchmarks/periphery.py --data ../shared/data \
        --library ../shared/pdk/nangate45/nangate45_typ.lib.gz [CASE ...]

Each case is a network on its own array of 32 x 32, banks of two parts. Every signal that the
netlists give is compared with the simulated Verilog, in every cycle. A case that is named is
measured anew, the others stay in the record as they are.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from systopack.data.open import open_data
from systopack.hardware.array import Array
from systopack.network.file import load
from systopack.network.packaged import network_file
from systopack.network.reference import quantize_images
from systopack.records import STORE, Record, read_record, sha256_of_file
from systopack.rtl.program import compile_tiled
from systopack.synthesis.asic import MappingOptions
from systopack.synthesis.facts import DEFAULT_LIBRARY
from systopack.synthesis.liberty import open_library
from systopack.synthesis.library import Library
from systopack.synthesis.periphery import measure_periphery

CLOCK_NS = 1.5  # that gates are sized for


@dataclass(frozen=True, kw_only=True)
class Case:
    """One network on its array."""

    network: str
    data: str
    alpha: int
    clock_gates: bool


NETWORKS = (
    ("lenet5", "lenet5-mnist", "mnist", 8),
    ("lenet5-dense", "lenet5-mnist-dense", "mnist", 1),
    ("resnet20", "resnet20-cifar10-fast", "cifar10", 8),
    ("resnet20-dense", "resnet20-cifar10-dense", "cifar10", 1),
)
CASES: Mapping[str, Case] = {
    f"{name}{'' if gates else '-ungated'}": Case(
        network=network, data=data, alpha=alpha, clock_gates=gates
    )
    for gates in (True, False)
    for name, network, data, alpha in NETWORKS
}


def measure(case: Case, data: Path, library: Library) -> dict[str, Any]:
    """Map, simulate, replay."""
    network = load(network_file(Path(f"zoo:{case.network}")))
    array = Array(
        alpha=case.alpha,
        accumulator_bits=network.accumulator_bits,
        input_fanout=8,
        sub_banks=2,
    )
    found = measure_periphery(
        compile_tiled(network, array=array),
        quantize_images(network, open_data(str(data / case.data)).test_images[:1])[0],
        library=library,
        options=MappingOptions(clock_gates=case.clock_gates, clock_ns=CLOCK_NS),
        on_progress=lambda done, total: print(f"part {done} of {total}", flush=True),
    )
    return {
        **asdict(case),
        "network_sha256": sha256_of_file(network_file(Path(f"zoo:{case.network}"))),
        "array": asdict(array),
        **asdict(found),
        "total_pj": found.total_pj,
    }


def main() -> None:
    """Measure the cases and write the record after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], default=[])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--library", default=DEFAULT_LIBRARY)
    parser.add_argument("--out", default="periphery.json")
    options = parser.parse_args()
    library = open_library(options.library)
    out = STORE / options.out
    figures = dict(read_record(out)["figures"]) if out.exists() else {}
    for name in options.cases or CASES:
        figures[name] = measure(CASES[name], options.data, library)
        print(name, {k: v for k, v in figures[name].items() if k != "array"}, flush=True)
        Record(
            kind="periphery",
            figures=figures,
            configuration={
                "clock_ns": CLOCK_NS,
                "library": library.name,
                "library_file": library.path.name,
            },
        ).write(out)


if __name__ == "__main__":
    main()
