"""The packages that can be written beside the Verilog."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from systopack.errors import InvalidOptionError
from systopack.rtl.delivery import Delivery
from systopack.rtl.packages.c_driver import driver_files
from systopack.rtl.packages.fusesoc import core_file
from systopack.rtl.packages.ip_xact import component_file
from systopack.rtl.packages.litex_soc import litex_files

Package = Literal["fusesoc", "ip-xact", "c", "litex"]
PACKAGES: Mapping[str, Callable[[Delivery], Mapping[str, str]]] = {
    "fusesoc": core_file,
    "ip-xact": component_file,
    "c": driver_files,
    "litex": litex_files,
}
_TOLD = {
    "fusesoc": "`accelerator.core`: for FuseSoC, with targets `lint` and `sim`.",
    "ip-xact": "`component.xml`: IP-XACT, IEEE 1685-2014.",
    "c": "`c`: a driver in C99, and the network's configuration as an array.",
    "litex": "`litex`: a module for LiteX, and `sim.py`, a whole system in simulation.",
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


def with_packages(delivery: Delivery, packages: Sequence[str]) -> dict[str, str]:
    """The files of a delivery and of some packages, by name; the README tells of them."""
    files = dict(delivery.files)
    chosen = [package for package in PACKAGES if package in packages]
    for package in chosen:
        files |= PACKAGES[package](delivery)
    if chosen:
        told = "".join(f"- {_TOLD[package]}\n" for package in chosen)
        files["README.md"] += f"\n## For other tools\n\n{told}"
    return files
