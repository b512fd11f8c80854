"""Cycles and memories of the tiled accelerator.

    python benchmarks/tiled_counts.py

Counts of the cycle model, which `verify` holds to the Verilog cycle for cycle. All networks run on
`compact-32x32`, those that are not combined on the same array with alpha 1. The table is that of
docs/hardware/tiled.md.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from memory_study import ZOO

from systopack.hardware.array import Array
from systopack.hardware.named_arrays import NAMED_ARRAYS
from systopack.hardware.tiled.cycles import count_tiled
from systopack.network.file import load
from systopack.network.network import PackedNetwork
from systopack.network.packaged import network_file
from systopack.network.uncombine import uncombined
from systopack.records import STORE, Record, sha256_of_file
from systopack.rtl.program import JOBS, OUTPUT_PROGRAM, PROGRAM, STREAMS, WEIGHTS, compile_tiled

ARRAY = "compact-32x32"


def counts(network: PackedNetwork, array: Array) -> dict[str, Any]:
    """Cycles of an image, bytes of the memories."""
    program = compile_tiled(network, array=array)
    plan = program.plan
    bits = {
        image.memory: image.words.shape[0] * image.words.shape[1] * image.bits
        for image in program.images
    }
    return {
        "cycles": count_tiled(network, array=array, plan=plan).cycles,
        "feature_bytes": plan.places.depth * plan.timing.banks * plan.timing.word_bytes,
        "sum_positions": plan.sum_positions,
        "weight_bytes": bits[WEIGHTS] // 8,
        "stream_bytes": bits[STREAMS] // 8,
        "job_bytes": bits[JOBS] // 8,
        "program_bytes": (bits[PROGRAM] + bits[OUTPUT_PROGRAM]) // 8,
        "split_row_tiles": sum(
            op.schedule is not None and op.schedule.walk.parts > 1 for op in plan.ops
        ),
    }


def main() -> None:
    """Count all and write the record."""
    array = NAMED_ARRAYS[ARRAY].array
    found: dict[str, dict[str, Any]] = {}
    inputs = {}
    for name, (dense, packed, _) in ZOO.items():
        found[name] = {}
        for kind, zoo in (("dense", dense), ("sparse, uncombined", packed), ("packed", packed)):
            file = network_file(Path(f"zoo:{zoo}"))
            network = load(file)
            inputs[file.name] = sha256_of_file(file)
            if kind == "sparse, uncombined":
                network = uncombined(network)
            alpha = array.alpha if kind == "packed" else 1
            own = replace(array, alpha=alpha, accumulator_bits=network.accumulator_bits)
            found[name][kind] = counts(network, own)
            print(name, kind, found[name][kind], flush=True)
    Record(
        kind="tiled_counts",
        figures={"networks": found},
        configuration={"array": ARRAY},
        inputs=inputs,
    ).write(STORE / "tiled_counts.json")


if __name__ == "__main__":
    main()
