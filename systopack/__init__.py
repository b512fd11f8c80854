"""Pack sparse networks into dense systolic arrays by column combining.

The verbs read like the command line:

    model = systopack.load_model(module, "sample", mean=0.13, std=0.31)
    packed = systopack.combine(model, "sample", rho=0.15)
    network = systopack.quantize(packed, "sample", out="packed.spk")
    print(systopack.simulate(network, "compact-32x32").cycles)

Heavy libraries are imported where they are used, so importing this package is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from systopack.version import VERSION as __version__

if TYPE_CHECKING:
    from systopack.api.compressing import compress
    from systopack.api.evaluation import evaluate
    from systopack.api.exploration import explore
    from systopack.api.hardware import arrays, energy, simulate, verify, write_rtl
    from systopack.api.learning import combine, load_model, quantize, train
    from systopack.api.matrices import pack
    from systopack.api.packaged import zoo
    from systopack.api.sources import load
    from systopack.api.synthesis import characterize, synthesize
    from systopack.hardware.array import Array
    from systopack.hardware.named_arrays import array_from
    from systopack.network.network import PackedNetwork
    from systopack.packing.matrix import PackedMatrix
    from systopack.packing.pack import dense, n_of_m

_PLACES = {
    "Array": "hardware.array",
    "PackedMatrix": "packing.matrix",
    "PackedNetwork": "network.network",
    "array_from": "hardware.named_arrays",
    "arrays": "api.hardware",
    "characterize": "api.synthesis",
    "combine": "api.learning",
    "compress": "api.compressing",
    "dense": "packing.pack",
    "energy": "api.hardware",
    "evaluate": "api.evaluation",
    "explore": "api.exploration",
    "load": "api.sources",
    "load_model": "api.learning",
    "n_of_m": "packing.pack",
    "pack": "api.matrices",
    "quantize": "api.learning",
    "simulate": "api.hardware",
    "synthesize": "api.synthesis",
    "train": "api.learning",
    "verify": "api.hardware",
    "write_rtl": "api.hardware",
    "zoo": "api.packaged",
}

__all__ = [
    "Array",
    "PackedMatrix",
    "PackedNetwork",
    "__version__",
    "array_from",
    "arrays",
    "characterize",
    "combine",
    "compress",
    "dense",
    "energy",
    "evaluate",
    "explore",
    "load",
    "load_model",
    "n_of_m",
    "pack",
    "quantize",
    "simulate",
    "synthesize",
    "train",
    "verify",
    "write_rtl",
    "zoo",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'systopack' has no attribute '{name}'")
    return getattr(import_module(f"systopack.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
