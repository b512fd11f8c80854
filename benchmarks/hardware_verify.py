"""Claim: LeNet-5-Shift on the tiled 32 x 32 array: 0 differing words, equal cycles, 100 images.

Run: python benchmarks/hardware_verify.py NET.spk [NET.spk ...] [--images N] [--data sample]
The time includes building the hardware from Verilog, without a cache.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from systopack.data.open import open_data
from systopack.hardware.array import Array
from systopack.hardware.tiled import count_tiled
from systopack.network.network import PackedNetwork
from systopack.network.reference import quantize_images
from systopack.records import Record, sha256_of_file
from systopack.verify.verify import verify

OUT = Path(__file__).parent / "records" / "hardware_verify.json"


def main() -> None:
    """Verify each network and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="+", type=Path)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--data", default="sample")
    parser.add_argument("--alpha", type=int, default=8)
    options = parser.parse_args()
    array = Array(alpha=options.alpha)
    images = open_data(options.data).test_images[: options.images]
    figures, inputs = {}, {}
    for path in options.networks:
        network = PackedNetwork.load(path)
        with tempfile.TemporaryDirectory() as cache:
            os.environ["XDG_CACHE_HOME"] = cache
            started = time.perf_counter()
            result = verify(network, quantize_images(network, images), array=array)
            seconds = time.perf_counter() - started
        if not result.passed:
            raise SystemExit(f"{path}: {result.difference}")
        figures[path.stem] = {
            "images": result.images,
            "words_compared": result.words,
            "words_different": 0,
            "instruction_starts_compared": result.instructions,
            "cycles_per_image": result.cycles,
            "model_cycles_per_image": count_tiled(network, array=array).cycles,
            "build_and_run_s": round(seconds, 1),
        }
        inputs[path.name] = sha256_of_file(path)
        print(path, figures[path.stem])
    configuration = {"array": array.name, "data": options.data, "images": options.images}
    record = Record(
        kind="hardware_verify", figures=figures, configuration=configuration, inputs=inputs
    )
    record.write(OUT)


if __name__ == "__main__":
    main()
