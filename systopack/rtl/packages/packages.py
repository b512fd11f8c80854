"""The packages that can be written beside the Verilog."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from systopack.errors import InvalidOptionError
from systopack.rtl.delivery import Delivery
from systopack.rtl.packages.c_driver import driver_files
from systopack.rtl.packages.fusesoc import core_file
from systopack.rtl.packages.ip_xact import component_file

Package = Literal["fusesoc", "ip-xact", "c"]
PACKAGES: Mapping[str, Callable[[Delivery], Mapping[str, str]]] = {
    "fusesoc": core_file,
    "ip-xact": component_file,
    "c": driver_files,
}


def check_packages(packages: Sequence[str]) -> None:
    """Refuse names of packages that do not exist.

    Raises:
        InvalidOptionError: one does not.
    """
    for name in packages:
        if name not in PACKAGES:
            raise InvalidOptionError(
                f"package is '{name}', but it must be one of {', '.join(PACKAGES)}."
            )


def package_files(delivery: Delivery, packages: Sequence[str]) -> dict[str, str]:
    """Files of some packages, by name."""
    return {
        name: text for package in packages for name, text in PACKAGES[package](delivery).items()
    }
