"""Trained packed networks that come with the package, by name: `zoo:resnet20-cifar10`.

Each is a `.spk` file with the record of its training and accuracy beside it.
"""

from __future__ import annotations

from pathlib import Path

from systopack.errors import InvalidFileError
from systopack.records import record_path

FOLDER = Path(__file__).resolve().parent.parent / "zoo_data"
_PREFIX = "zoo:"


def packaged_names() -> tuple[str, ...]:
    """The names there are, without the prefix."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.spk")))


def network_file(path: Path) -> Path:
    """The file that a path or a name such as `zoo:resnet20-cifar10` stands for.

    Raises:
        InvalidFileError: no network of that name comes with the package.
    """
    text = str(path)
    if not text.startswith(_PREFIX):
        return path
    name = text.removeprefix(_PREFIX)
    if name not in packaged_names():
        raise InvalidFileError(
            f"No packed network '{name}' comes with systopack; there are "
            f"{', '.join(packaged_names())}."
        )
    return FOLDER / f"{name}.spk"


def record_beside(path: Path, command: str) -> Path:
    """Where a command writes its record about a network: beside its file, for a name here.

    >>> record_beside(Path("runs/net.spk"), "simulate").as_posix()
    'runs/net.simulate.json'
    >>> record_beside(Path("zoo:resnet20-cifar10"), "simulate").as_posix()
    'resnet20-cifar10.simulate.json'
    """
    return record_path(Path(str(path).removeprefix(_PREFIX)), command)
