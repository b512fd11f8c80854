"""Trained packed networks that come with the package, by name: `zoo:resnet20-cifar10`.

The record of its training and accuracy lies in the store of records (`records.STORE`).
"""

from __future__ import annotations

from pathlib import Path

from systopack.errors import InvalidFileError
from systopack.records import STORE, record_path

FOLDER = Path(__file__).resolve().parent.parent / "zoo_data"
_PREFIX = "zoo:"
_RUNS = {  # networks that runs of an experiment have left; the others' records have their names
    "resnet20-cifar10": "accuracy/ours-full-seed0",
    "resnet20-cifar10-fast": "accuracy/ours-full-fast-seed0",
    "resnet20-cifar10-tenth": "accuracy/ours-10-seed0",
    "resnet20-cifar10-tenth-small": "accuracy/ours-10-mixed-small-seed0",
    "vgg16-shift-cifar10": "shift/vgg16-shift-seed0",
}


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


def record_file(name: str) -> Path:
    """The record of a network that comes with the package, by its name without prefix.

    >>> record_file("lenet5-mnist").relative_to(STORE).as_posix()
    'zoo/lenet5-mnist.json'
    """
    return STORE / f"{_RUNS.get(name, f'zoo/{name}')}.json"


def record_beside(path: Path, command: str) -> Path:
    """Where a command writes its record about a network: beside its file, for a name here.

    >>> record_beside(Path("runs/net.spk"), "simulate").as_posix()
    'runs/net.simulate.json'
    >>> record_beside(Path("zoo:resnet20-cifar10"), "simulate").as_posix()
    'resnet20-cifar10.simulate.json'
    """
    return record_path(Path(str(path).removeprefix(_PREFIX)), command)
