"""The ECP5 devices that nextpnr knows, with their resources as it counts them."""

from __future__ import annotations

from dataclasses import dataclass

from systopack.errors import InvalidOptionError


@dataclass(frozen=True, kw_only=True)
class Ecp5Device:
    """An FPGA.

    Args:
        name: the maker's name without package and speed.
        option: how nextpnr is asked for it.
        luts: four-input lookup tables, each with a flip-flop.
        block_rams: DP16KD memories of 18,432 bits.
        multipliers: 18 x 18 bits.
    """

    name: str
    option: str
    luts: int
    block_rams: int
    multipliers: int


# What nextpnr reports as available; the test of each device asks it again.
_SIZES = (("25", 24_288, 56, 28), ("45", 43_848, 108, 72), ("85", 83_640, 208, 156))
DEVICES = {
    f"{family}-{size}F": Ecp5Device(
        name=f"{family}-{size}F",
        option=f"--{prefix}{size}k",
        luts=luts,
        block_rams=block_rams,
        multipliers=multipliers,
    )
    for family, prefix in (("LFE5U", ""), ("LFE5UM", "um-"), ("LFE5UM5G", "um5g-"))
    for size, luts, block_rams, multipliers in _SIZES
}
DEFAULT_DEVICE = "LFE5UM-85F"


def device_named(name: str) -> Ecp5Device:
    """The device of a name.

    Raises:
        InvalidOptionError: there is none.
    """
    if name not in DEVICES:
        raise InvalidOptionError(
            f"The device is '{name}', but it must be one of {', '.join(DEVICES)}."
        )
    return DEVICES[name]
