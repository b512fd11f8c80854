"""The longest path by OpenSTA, where the machine has it: a second opinion on `delays`.

OpenSTA reads the same Liberty file and the netlist as Verilog, with the same boundary: wires
without delay (a library's default model of wire loads is left out), ports and an ideal clock at
time 0, and the transitions that `delays` starts with.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from systopack.errors import InvalidFileError
from systopack.files import gunzip, read_file
from systopack.folders.working import WorkingFolder
from systopack.synthesis.delays import CLOCK_TRANSITION_NS, INPUT_TRANSITION_NS
from systopack.synthesis.liberty import UNPACKED_LIMIT
from systopack.synthesis.netlist import Netlist
from systopack.synthesis.structural import MODULE, verilog_lines

_TIMEOUT_S = 1800.0
_WIRE_LOAD = re.compile(rb"default_wire_load\w*\s*:[^;]*;")
_SLACK = re.compile(r"^\s*(-?[\d.]+)\s+slack \((?:MET|VIOLATED)\)", re.MULTILINE)


def find_opensta() -> Path | None:
    """The program `sta`, or None."""
    found = shutil.which("sta")
    return None if found is None else Path(found)


def opensta_critical_ns(netlist: Netlist, *, period_ns: float = 1.5) -> float:
    """The shortest clock period of a netlist by OpenSTA.

    Args:
        netlist: flat, mapped; its clock is the port `clk`.
        period_ns: of the clock that the slack is counted from; the result does not depend on it.

    Raises:
        InvalidFileError: OpenSTA is missing, or does not take the netlist or the library.
    """
    program = find_opensta()
    if program is None:
        raise InvalidFileError(
            "There is no OpenSTA ('sta') to time the netlist with; install it, on Debian with "
            "'apt-get install opensta'."
        )
    with WorkingFolder("sta") as folder:
        (folder / "library.lib").write_bytes(_unpacked(netlist.library.path))
        (folder / "design.v").write_text("".join(verilog_lines(netlist)))
        (folder / "run.tcl").write_text(_script(netlist, period_ns))
        try:
            run = subprocess.run(
                [str(program), "-no_init", "-no_splash", "-exit", "run.tcl"],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
                timeout=_TIMEOUT_S,
            )
        except subprocess.TimeoutExpired as error:
            raise InvalidFileError(
                f"OpenSTA did not end within {_TIMEOUT_S:g} s on '{netlist.top}'; give it a "
                "smaller design."
            ) from error
    slack = _SLACK.search(run.stdout)
    if slack is None:
        lines = (run.stdout + run.stderr).strip().splitlines()
        said = next((line for line in lines if "rror" in line), lines[-1] if lines else "nothing")
        raise InvalidFileError(f"OpenSTA gave no slack for '{netlist.top}'; it said: {said}")
    return period_ns - float(slack.group(1))


def _script(netlist: Netlist, period_ns: float) -> str:
    others = " ".join(port for port in netlist.inputs if port != "clk")
    return f"""read_liberty library.lib
read_verilog design.v
link_design {MODULE}
set_cmd_units -time ns
create_clock -name clock -period {period_ns} [get_ports clk]
set_clock_transition {CLOCK_TRANSITION_NS} [get_clocks clock]
set inputs {{}}
foreach name {{{others}}} {{
  foreach port [get_ports -quiet $name] {{ lappend inputs $port }}
  foreach port [get_ports -quiet "$name\\[*\\]"] {{ lappend inputs $port }}
}}
set_input_delay 0 -clock clock $inputs
set_input_transition {INPUT_TRANSITION_NS} $inputs
set_output_delay 0 -clock clock [all_outputs]
report_checks -path_delay max -digits 4
"""


def _unpacked(path: Path) -> bytes:
    text = gunzip(path, read_file(path, what="a Liberty file"), limit=UNPACKED_LIMIT)
    return _WIRE_LOAD.sub(b"", text)
