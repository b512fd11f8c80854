"""Where a run computes: one CPU, one GPU, many of them, many machines (lightning-fabric)."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any, Literal

from systopack.errors import InvalidOptionError
from systopack.options import Options, option

_DEVICES = "Devices"
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt, in bytes; numbers from <malloc.h>


class DeviceOptions(Options):
    """What to run on."""

    accelerator: Literal["auto", "cpu", "cuda", "mps"] = option(
        "auto", "Where to compute; auto: a GPU where there is one.", group=_DEVICES
    )
    devices: int = option(
        1,
        "Processes on this machine, one per GPU (or CPU processes, for tests).",
        ge=1,
        group=_DEVICES,
    )
    nodes: int = option(
        1,
        "Machines; start the same command on each, as lightning-fabric describes.",
        ge=1,
        group=_DEVICES,
    )
    precision: Literal["auto", "32-true", "bf16-mixed"] = option(
        "auto", "Of the numbers; auto: bf16 on GPUs that have it, else 32 bit.", group=_DEVICES
    )


def is_main_process() -> bool:
    """False in the processes that a multi-device run starts beside the one the user started."""
    return os.environ.get("LOCAL_RANK", "0") == "0" and os.environ.get("NODE_RANK", "0") == "0"


def launch(options: DeviceOptions) -> Any:
    """Make the Fabric of a run and start its processes.

    Raises:
        InvalidOptionError: the machine does not have the devices.
    """
    import torch
    from lightning_fabric import Fabric

    accelerator: str = options.accelerator
    if accelerator == "auto":
        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    precision: str = options.precision
    if precision == "auto":
        on_gpu = accelerator == "cuda" and torch.cuda.is_bf16_supported()
        precision = "bf16-mixed" if on_gpu else "32-true"
    try:
        fabric = Fabric(
            accelerator=accelerator,
            devices=options.devices,
            num_nodes=options.nodes,
            precision=precision,
        )
    except Exception as error:
        raise InvalidOptionError(
            f"The run cannot use {options.devices} x {options.accelerator}: "
            f"{str(error).splitlines()[0]}"
        ) from error
    fabric.launch()
    if fabric.device.type == "cpu":
        _keep_freed_memory()
    # The same weights after a resumed run as after an unbroken one.
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return fabric


def _keep_freed_memory() -> None:
    """Let glibc keep freed memory instead of giving every large tensor back to the system.

    By default a tensor of some MB is mapped anew at each use, page by page; on the ResNet-20 that
    took a third of a step on a CPU. Other C libraries have no `mallopt`, and stay as they are.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, 1 << 30)
        mallopt(_TRIM_THRESHOLD, (1 << 31) - 1)
