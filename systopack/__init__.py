"""Pack sparse networks into dense systolic arrays by column combining.

`pack` combines the columns of one filter matrix; `PackedNetwork` is a whole packed 8-bit
network. Heavy libraries are imported where they are used, so importing this package is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from systopack.version import VERSION as __version__

if TYPE_CHECKING:
    from systopack.hardware.array import Array
    from systopack.network.network import PackedNetwork
    from systopack.packing.matrix import PackedMatrix
    from systopack.packing.pack import dense, n_of_m, pack

__all__ = ["Array", "PackedMatrix", "PackedNetwork", "__version__", "dense", "n_of_m", "pack"]

_PLACES = {
    "Array": "systopack.hardware.array",
    "PackedMatrix": "systopack.packing.matrix",
    "PackedNetwork": "systopack.network.network",
    "dense": "systopack.packing.pack",
    "n_of_m": "systopack.packing.pack",
    "pack": "systopack.packing.pack",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'systopack' has no attribute '{name}'")
    return getattr(import_module(_PLACES[name]), name)
