"""Trained packed networks that come with the package, by name: `zoo:resnet20-cifar10`.

Each is a `.spk` file with the record of its training and accuracy beside it.
"""

from __future__ import annotations

from pathlib import Path

from systopack.errors import InvalidFileError

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


def beside(path: Path, suffix: str) -> Path:
    """Where a result about a network is written: beside its file, for a name here.

    >>> beside(Path("runs/net.spk"), ".cycles.json").as_posix()
    'runs/net.cycles.json'
    >>> beside(Path("zoo:resnet20-cifar10"), ".cycles.json").as_posix()
    'resnet20-cifar10.cycles.json'
    """
    text = str(path)
    if text.startswith(_PREFIX):
        return Path(text.removeprefix(_PREFIX) + suffix)
    return path.with_suffix(suffix)
