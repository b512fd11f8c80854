"""Records: the JSON files that every number in a report or a table comes from.

A record says what was measured, on what, with which configuration, seed, versions and machine.
Units stand in the names of the figures (`_cycles`, `_images_per_s`, `_percent`, ...).
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from systopack.errors import InvalidFileError, InvalidOptionError
from systopack.fields import MalformedError, parse_json
from systopack.files import read_file, sha256_of, write_atomically
from systopack.version import VERSION

RECORD_VERSION = 1
STORE = Path(__file__).resolve().parent / "records_data"  # all that figures and tables come from
COEFFICIENTS = STORE / "energy_coefficients_nangate45.json"
PERIPHERY = STORE / "periphery_model.json"
_SUFFIXES = {  # of what a command makes or reads in the first place; the others: .spk
    **dict.fromkeys(("train", "combine", "compress", "import", "pack"), ".safetensors"),
    "report": ".html",
    "export": "",  # files of several kinds, so that the suffix tells two of them apart
}
_LIBRARIES = ("numpy", "numba", "torch", "lightning-fabric", "safetensors", "scipy", "ortools")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, kw_only=True)
class Record:
    """One measurement with all that is needed to repeat it.

    Args:
        kind: what was done, a word of the command line or a benchmark's name.
        figures: the results; names carry units.
        configuration: every option that was in force.
        seed: the seed of the run, None where nothing is random.
        inputs: file name -> sha256 of each file read.
        outputs: file name -> sha256 of each file written.
        time_utc: when the figures were known, ISO 8601 in seconds; now unless said.
    """

    kind: str
    figures: Mapping[str, Any]
    configuration: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    time_utc: str = field(default_factory=_now)

    def to_json(self) -> str:
        """The record as JSON text, with versions and machine added: the same text at every call.

        Raises:
            InvalidOptionError: a figure is NaN or infinite, which JSON cannot hold.
        """
        content = {
            "record_version": RECORD_VERSION,
            **asdict(self),
            "versions": versions(),
            "machine": machine(),
        }
        try:
            return json.dumps(content, indent=1, default=_plain, allow_nan=False) + "\n"
        except ValueError:
            raise InvalidOptionError(
                f"The record of '{self.kind}' would hold a NaN or infinite number, so it was not "
                "written; look at its input for numbers that are much too large or too small."
            ) from None

    def write(self, path: Path | str) -> None:
        """Write the record atomically to `path`."""
        write_atomically(path, self.to_json())


def record_path(file: Path, command: str) -> Path:
    """Where a command's record about a file lies: beside it, named after the file and the command.

    The suffix of the file that the command makes, or reads in the first place, is left out; that
    of any other stays, so that two files never share a record.

    >>> record_path(Path("runs/packed.safetensors"), "combine").as_posix()
    'runs/packed.combine.json'
    >>> record_path(Path("runs/packed.spk"), "evaluate").as_posix()
    'runs/packed.evaluate.json'
    >>> record_path(Path("runs/packed.safetensors"), "evaluate").as_posix()
    'runs/packed.safetensors.evaluate.json'
    >>> record_path(Path("runs/packed.onnx"), "export").as_posix()
    'runs/packed.onnx.export.json'
    """
    stem = file.name.removesuffix(_SUFFIXES.get(command, ".spk")) or file.name
    return file.with_name(f"{stem}.{command}.json")


def _fields() -> Mapping[str, tuple[Any, bool]]:
    """What the fields of a record hold, and whether all records have them."""
    from systopack.codec import LongText

    return {
        "kind": (str, True),
        "figures": (dict[str, Any], True),
        "configuration": (dict[str, Any], False),
        "inputs": (dict[str, LongText], False),
        "outputs": (dict[str, LongText], False),
        "seed": (int | None, False),
    }


def read_record(path: Path | str) -> dict[str, Any]:
    """Read a record back as plain data, its fields of the types that `Record` writes.

    Raises:
        InvalidFileError: the file is missing, not JSON, of another version, or no such record.
    """
    from systopack.codec import from_plain  # needs numpy, which nobody waits for in vain

    content = read_file(path, what="a JSON record")
    try:
        record: dict[str, Any] = from_plain(dict[str, Any], parse_json(content), "the record")
        version = record.get("record_version")
        if version != RECORD_VERSION or isinstance(version, bool):
            raise InvalidFileError(
                f"'{path}' is not a systopack record of version {RECORD_VERSION}; make it anew."
            )
        for key, (hint, needed) in _fields().items():
            if needed or key in record:
                from_plain(hint, record.get(key), f"'{key}' of the record")
    except MalformedError as error:
        raise InvalidFileError(f"'{path}' is not a JSON record: {error}.") from error
    return record


def versions() -> dict[str, str]:
    """The versions of Python, systopack and the libraries that can change a number."""
    found = {"python": platform.python_version(), "systopack": VERSION}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """The processor, its cores, the threads in use and the system.

    So that a timing can be judged, and a training repeated: with another number of threads sums
    are added in another order, and the weights differ.
    """
    return {
        "processor": _processor_name(),
        "cores": os.cpu_count(),
        "threads": threads(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def threads() -> dict[str, int]:
    """Threads that numpy's linear algebra, torch and numba compute with; the last two if loaded."""
    affinity = getattr(os, "sched_getaffinity", None)
    allowed = len(affinity(0)) if affinity else os.cpu_count() or 1
    variables = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
    asked = next((os.environ[name] for name in variables if os.environ.get(name)), "")
    found = {"numpy": int(asked) if asked.isdecimal() and int(asked) else allowed}
    for name in ("torch", "numba"):
        count = getattr(sys.modules.get(name), "get_num_threads", None)
        if count is not None:
            found[name] = int(count())
    return found


def sha256_of_file(path: Path | str) -> str:
    """The sha256 of a file, as 64 hexadecimal digits."""
    with open(path, "rb") as stream:
        return sha256_of(iter(lambda: stream.read(1 << 20), b""))


def _processor_name() -> str:
    if sys.platform == "linux":
        try:
            for line in Path("/proc/cpuinfo").read_text().splitlines():
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
        except OSError:
            pass
    return platform.processor() or "unknown"


def _plain(value: Any) -> Any:
    """Turn numpy scalars and arrays and paths into what JSON knows."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    raise TypeError(f"a record cannot hold {type(value).__name__}")
