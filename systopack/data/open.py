"""`open_data`: one word on the command line becomes an `ImageData`."""

from __future__ import annotations

from pathlib import Path

from systopack.data.cache import cache_file, default_cache_dir, read_cache, write_cache
from systopack.data.decode import decode_rows
from systopack.data.hub import HubData, is_hub_id, load_hub
from systopack.data.images import ImageData, make_image_data
from systopack.data.parquet import ParquetFolder, find_parquet

SAMPLE = "sample"
SAMPLE_FOLDER = Path(__file__).parent / "sample"


def open_data(source: str, *, cache_dir: Path | None = None) -> ImageData:
    """Read an image set: from the cache, or decode it and put it there.

    Args:
        source: 'sample' for the bundled digits; else a local folder of parquet files in the
            Hugging Face hub's schema; else a hub id such as 'ylecun/mnist'.
        cache_dir: folder of the decoded sets; None for `default_cache_dir()`.

    Raises:
        InvalidFileError: the set is missing, damaged, or not what it should be.
    """
    found = _find(source)
    files = _source_files(found)
    place = cache_file(cache_dir or default_cache_dir(), found.name, files) if files else None
    cached = read_cache(place) if place else None
    if cached is not None:
        return cached
    schema, rows = found.open()
    data = make_image_data(
        name=found.name,
        class_names=schema.class_names,
        train=decode_rows(rows["train"], schema),
        test=decode_rows(rows["test"], schema),
    )
    if place:
        write_cache(place, data)
    return data


def _find(source: str) -> ParquetFolder | HubData:
    if source == SAMPLE:
        return find_parquet(SAMPLE_FOLDER)
    folder = Path(source).expanduser()
    if not folder.exists() and is_hub_id(source):
        return load_hub(source)
    return find_parquet(folder)


def _source_files(found: ParquetFolder | HubData) -> tuple[Path, ...]:
    if isinstance(found, HubData):
        return found.files
    return tuple(path for paths in found.files.values() for path in paths)
