"""Energy, area and clock of the whole tiled accelerator at gate level, memories left out.

    python benchmarks/gate_level.py --data ../shared/data \
        --library ../shared/pdk/nangate45/nangate45_typ.lib.gz \
        --slow ../shared/pdk/nangate45/nangate45_slow.lib.gz [CASE ...]

Each case is a network on `compact-32x32`, with alpha 1 where nothing is combined. Every signal that
the netlists give is compared with the simulated Verilog, in every cycle of an image. A case that is
named is measured anew, the others stay in the record as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from _bench import arguments, kept_cases, save

from systopack.data.open import open_data
from systopack.hardware.named_arrays import array_from
from systopack.network.file import load
from systopack.network.packaged import network_file
from systopack.network.reference import quantize_images
from systopack.network.uncombine import uncombined
from systopack.records import sha256_of_file
from systopack.rtl.program import compile_tiled
from systopack.synthesis.accelerator import map_accelerator
from systopack.synthesis.asic import MappingOptions
from systopack.synthesis.facts import DEFAULT_LIBRARY
from systopack.synthesis.gate_level import KINDS, measure_gates
from systopack.synthesis.liberty import open_library
from systopack.synthesis.library import Library

ARRAY = "compact-32x32"
CLOCK_NS = 1.33  # that gates are sized for


@dataclass(frozen=True, kw_only=True)
class Case:
    """One network on the array.

    Args:
        network: of the zoo.
        data: whose first test image runs.
        combined: whether its columns are combined.
        apart: whether combined columns are taken apart again.
    """

    network: str
    data: str
    combined: bool = False
    apart: bool = False


CASES: Mapping[str, Case] = {
    "lenet5": Case(network="lenet5-mnist", data="mnist", combined=True),
    "lenet5-sparse": Case(network="lenet5-mnist", data="mnist", apart=True),
    "lenet5-dense": Case(network="lenet5-mnist-dense", data="mnist"),
    "resnet20": Case(network="resnet20-cifar10-fast", data="cifar10", combined=True),
    "resnet20-sparse": Case(network="resnet20-cifar10-fast", data="cifar10", apart=True),
    "resnet20-dense": Case(network="resnet20-cifar10-dense", data="cifar10"),
}


def measure(case: Case, data: Path, library: Library, slow: Library | None) -> dict[str, Any]:
    """Map, simulate, replay."""
    file = network_file(Path(f"zoo:{case.network}"))
    network = load(file)
    image = quantize_images(network, open_data(str(data / case.data)).test_images[:1])[0]
    if case.apart:
        network = uncombined(network)
    array = array_from(
        ARRAY,
        [] if case.combined else ["alpha=1"],
        accumulator_bits=network.accumulator_bits,
    )
    program = compile_tiled(network, array=array)
    options = MappingOptions(clock_ns=CLOCK_NS)
    found = measure_gates(
        program,
        image,
        library=library,
        slow=slow,
        options=options,
        on_progress=lambda said: print(said, flush=True),
    )
    return {
        **asdict(case),
        "network_sha256": sha256_of_file(file),
        "array": asdict(array),
        **asdict(found),
        "pj_per_cycle": {kind: found.total(kind) / found.cycles for kind in KINDS},
        "areas": [
            asdict(part) for part in map_accelerator(program, library=library, options=options)
        ],
    }


def main() -> None:
    """Measure the cases and write the record after each."""
    parser = arguments(__doc__, data=True)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], default=[])
    parser.add_argument("--library", default=DEFAULT_LIBRARY)
    parser.add_argument("--slow", help="the same cells at their slow corner")
    options = parser.parse_args()
    library = open_library(options.library)
    slow = None if options.slow is None else open_library(options.slow, power=False)
    for name in options.cases or CASES:
        figures = kept_cases("gate_level")
        figures[name] = measure(CASES[name], options.data, library, slow)
        save(
            "gate_level",
            figures,
            configuration={
                "clock_ns": CLOCK_NS,
                "library": library.name,
                "slow_library": None if slow is None else slow.name,
            },
            inputs=[library.path] if slow is None else [library.path, slow.path],
        )


if __name__ == "__main__":
    main()
