"""Small data sets on disk, written as the hub writes them."""

from io import BytesIO

import numpy as np
import pyarrow
import pyarrow.parquet
from datasets import ClassLabel, Features, Image
from PIL import Image as Pillow

NAMES = ["cat", "dog", "ship"]


def png(pixels, mode=None):
    """PNG bytes of an (height, width) or (height, width, 3) array."""
    image = Pillow.fromarray(pixels)
    stream = BytesIO()
    (image if mode is None else image.convert(mode)).save(stream, "PNG")
    return stream.getvalue()


def random_pixels(seed, count, size=(6, 5, 3)):
    return np.random.default_rng(seed).integers(0, 256, (count, *size), dtype=np.uint8)


def write(path, encoded, labels, *, names=None, features=None, rows_per_group=4):
    """One parquet file with the columns `picture` and `kind`."""
    features = features or Features({"kind": ClassLabel(names=names or NAMES), "picture": Image()})
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = {
        "kind": labels,
        "picture": [{"bytes": content, "path": None} for content in encoded],
    }
    table = pyarrow.table(rows, schema=features.arrow_schema)
    pyarrow.parquet.write_table(table, path, row_group_size=rows_per_group, compression="zstd")


def write_set(folder, *, train=7, test=4, size=(6, 5, 3), seed=0):
    """A whole set; returns the pixels of (train, test), channels last, labels counting up."""
    parts = []
    for split, count in (("train", train), ("test", test)):
        pixels = random_pixels(seed + count, count, size)
        labels = [row % 3 for row in range(count)]
        write(folder / f"{split}-00000-of-00001.parquet", [png(p) for p in pixels], labels)
        parts.append(pixels)
    return parts
