"""A core description for FuseSoC, version 2 of its format (CAPI=2)."""

from __future__ import annotations

import json

from systopack.rtl.delivery import Delivery
from systopack.rtl.names import comment, identifier
from systopack.version import VERSION

# `vvp -N` ends with status 1 where the bench says FAIL. Verilator unrolls loops over all columns.
_CORE = """\
CAPI=2:
# SPDX-License-Identifier: Apache-2.0
name: systopack:accelerators:{name}:{version}
description: {description}

filesets:
  rtl:
    file_type: verilogSource-2005
    files:
{sources}
  bench:
    files:
      - testbench.v: {{file_type: verilogSource-2005}}
{data}

targets:
  default:
    filesets: [rtl]
    toplevel: accelerator
  lint:
    description: Verilator, all warnings
    flow: lint
    flow_options:
      tool: verilator
      verilator_options: [-Wall, --unroll-count, "65536"]
    filesets: [rtl]
    toplevel: accelerator
  sim:
    description: the self-checking test bench in Icarus Verilog
    flow: sim
    flow_options:
      tool: icarus
      iverilog_options: [-g2005]
      vvp_options: [-N]
    filesets: [rtl, bench]
    toplevel: testbench
"""


def core_file(delivery: Delivery) -> dict[str, str]:
    """`accelerator.core`, with targets `lint` and `sim`."""
    network, array = delivery.network, delivery.program.array
    core = _CORE.format(
        name=identifier(network.name),
        version=VERSION,
        description=json.dumps(f"Network {comment(network.name)} on {array.label}"),
        sources="\n".join(f"      - {name}" for name in delivery.sources),
        data="\n".join(  # read from where the bench runs
            f"      - {name}: {{file_type: user, copyto: {name}}}"
            for name in delivery.files
            if name.endswith(".hex")
        ),
    )
    return {"accelerator.core": core}
