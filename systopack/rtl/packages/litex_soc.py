"""A module for LiteX, and a whole system around it: VexRiscv, firmware, simulation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from systopack.rtl.delivery import Delivery
from systopack.rtl.packages.c_driver import driver_files

_FILES = Path(__file__).parent / "litex"
_NAMES = (
    "systopack_litex.py",
    "sim.py",
    "firmware/main.c",
    "firmware/data.S",
    "firmware/linker.ld",
)


def litex_files(delivery: Delivery) -> dict[str, str]:
    """The module with its sizes set, `sim.py` and the firmware, in `litex`; the driver in `c`."""
    files = {f"litex/{name}": (_FILES / name).read_text() for name in _NAMES}
    network = delivery.network
    beat_bytes = delivery.image_bits // 8
    module = files["litex/systopack_litex.py"]
    for name, before, value in (
        ("IMAGE_BITS", 8, delivery.image_bits),
        ("IMAGE_BEATS", 1, int(np.prod(network.input.shape)) // beat_bytes),
        ("RESULT_WORDS", 1, int(np.prod(network.shapes[network.output.name]))),
        ("WEIGHT_BITS", 0, delivery.weight_bits),
    ):
        module = module.replace(f"\n{name} = {before} ", f"\n{name} = {value} ")
    files["litex/systopack_litex.py"] = module
    return {**files, **driver_files(delivery)}
