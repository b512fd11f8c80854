"""`verify`: integer reference = RTL, word for word, and cycle model = RTL, cycle for cycle."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidOptionError
from systopack.hardware.array import Array
from systopack.hardware.tiled.weight_ring import WeightMemory, check_organisation
from systopack.network.network import PackedNetwork
from systopack.rtl.parameters import VERILOG
from systopack.verification.outcome import Verification
from systopack.verification.pipelined_check import verify_pipelined
from systopack.verification.tiled_check import verify_tiled
from systopack.verification.tracing import Trace

Organisation = Literal["tiled", "pipelined"]


def verify(
    network: PackedNetwork,
    images: NDArray[np.int8],
    *,
    array: Array,
    organisation: Organisation = "tiled",
    weights: WeightMemory | None = None,
    back_pressure: int = 0,
    verilog: Path = VERILOG,
    trace: Trace | None = None,
) -> Verification:
    """Run images through the RTL of a whole accelerator and compare all that can be seen.

    Args:
        images: shape (B, C, H, W), int8, B at least 1.
        weights: the memory that the weights of a tiled accelerator share; None: one for them all.
        back_pressure: 0, or the seed of random back-pressure of the host; cycles are not compared
            then.
        verilog: folder of the Verilog files; another one than the package's to try changes.
        trace: a file for all signals of the run; use it with few images, or a few cycles.

    Raises:
        InvalidOptionError: the network does not fit the array, or there is no image.
        InvalidFileError: Verilator or the compiler is missing.
        InvalidNetworkError: the accelerator does not finish.
    """
    if organisation not in get_args(Organisation):
        raise InvalidOptionError(
            f"organisation is '{organisation}', but it must be one of "
            f"{', '.join(get_args(Organisation))}."
        )
    if len(images) == 0:
        raise InvalidOptionError("There is no image to verify with; give at least one.")
    check_organisation(weights, organisation)
    check = verify_pipelined
    if organisation == "tiled":
        check = partial(verify_tiled, weights=weights)
    return check(
        network, images, array=array, back_pressure=back_pressure, verilog=verilog, trace=trace
    )
