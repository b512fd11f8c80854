"""Make the bundled sample of MNIST from the full set: `python tools/make_sample.py FOLDER`.

FOLDER holds train-*.parquet and test-*.parquet of MNIST in the Hugging Face hub's schema. The
PNGs are stored without compression of their own: zstd then sees the pixels of a thousand images
at once and gets them smaller than a thousand compressed PNGs.
"""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
from datasets import ClassLabel, Features, Image
from numpy.typing import NDArray
from PIL import Image as Pillow

from systopack.data.images import Images, Labels
from systopack.data.open import SAMPLE_FOLDER, open_data

SEED = 0
COUNTS = {"train": 10_000, "test": 2_000}
ROWS_PER_GROUP = 1000


def choose(labels: Labels, count: int, classes: int) -> NDArray[np.int64]:
    """Indices, ascending, of `count` images, equally many of each class, by the fixed seed."""
    parts = []
    for label in range(classes):
        members = np.flatnonzero(labels == label)
        generator = np.random.PCG64(np.random.SeedSequence([SEED, label]))
        order = np.argsort(generator.random_raw(len(members)), kind="stable")
        parts.append(members[order[: count // classes]])
    return np.sort(np.concatenate(parts))


def write_split(
    path: Path,
    images: Images,
    labels: Labels,
    class_names: tuple[str, ...],
    *,
    compression_level: int = 22,
) -> None:
    """Write grayscale images as parquet in the hub's schema."""
    features = Features({"image": Image(), "label": ClassLabel(names=list(class_names))})
    rows = {
        "image": [{"bytes": _stored_png(image[0]), "path": None} for image in images],
        "label": labels.tolist(),
    }
    pyarrow.parquet.write_table(
        pyarrow.table(rows, schema=features.arrow_schema),
        path,
        compression="zstd",
        compression_level=compression_level,
        row_group_size=ROWS_PER_GROUP,
        data_page_size=1 << 24,
        use_dictionary=False,
        write_statistics=False,
        write_page_checksum=True,
    )


def _stored_png(pixels: NDArray[np.uint8]) -> bytes:
    stream = BytesIO()
    Pillow.fromarray(pixels).save(stream, "PNG", compress_level=0)
    return stream.getvalue()


def main(source: str, target: Path) -> None:
    """Write train.parquet and test.parquet to `target`."""
    data = open_data(source)
    parts = {
        "train": (data.train_images, data.train_labels),
        "test": (data.test_images, data.test_labels),
    }
    for split, (images, labels) in parts.items():
        chosen = choose(labels, COUNTS[split], data.classes)
        write_split(target / f"{split}.parquet", images[chosen], labels[chosen], data.class_names)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python tools/make_sample.py FOLDER")
    main(sys.argv[1], SAMPLE_FOLDER)
