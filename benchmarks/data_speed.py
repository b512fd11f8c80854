"""How fast images reach training: `python benchmarks/data_speed.py FOLDER` (of MNIST parquet).

Loading from the cache, and batches of 128 on one thread with and without augmentation; the best
of five passes over the whole training set.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from systopack.data.augment import Augment
from systopack.data.batches import Batches
from systopack.data.images import ImageData
from systopack.data.open import open_data
from systopack.records import Record

PASSES = 5
BATCH_SIZE = 128
PAD = 2


def best_s(work: Callable[[], object]) -> float:
    """The shortest wall time of `PASSES` runs, in seconds."""
    times = []
    for _ in range(PASSES):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def batches_images_per_s(data: ImageData, augment: Augment) -> float:
    """Images a second of one epoch of normalised float32 batches."""
    batches = Batches(
        images=data.train_images,
        labels=data.train_labels,
        batch_size=BATCH_SIZE,
        seed=0,
        augment=augment,
        mean=data.mean,
        std=data.std,
    )

    def epoch() -> None:
        for _ in batches.epoch(0):
            pass

    return len(batches) * BATCH_SIZE / best_s(epoch)


def main(source: str) -> None:
    """Measure and write the record."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        start = time.perf_counter()
        data = open_data(source, cache_dir=cache)
        decode_s = time.perf_counter() - start
        load_s = best_s(lambda: open_data(source, cache_dir=cache))
    figures = {
        "train_images": len(data.train_images),
        "decode_s": decode_s,
        "load_from_cache_s": load_s,
        "batches_images_per_s": batches_images_per_s(data, Augment()),
        "cropped_batches_images_per_s": batches_images_per_s(data, Augment(pad=PAD)),
        "cropped_flipped_batches_images_per_s": batches_images_per_s(
            data, Augment(pad=PAD, flip=True)
        ),
    }
    Record(
        kind="benchmark data_speed",
        figures=figures,
        configuration={"batch_size": BATCH_SIZE, "pad": PAD, "threads": 1, "passes": PASSES},
        seed=0,
        inputs={data.name: data.sha256},
    ).write(Path(__file__).parent / "records" / "data_speed.json")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python benchmarks/data_speed.py FOLDER")
    main(sys.argv[1])
