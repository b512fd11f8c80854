"""The tiled accelerator as netlists: its parts, mapped one by one, and what stands between them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from systopack.rtl.program import TiledProgram
from systopack.synthesis.accelerator import (
    MEMORY_MODULES,
    PART_MODULES,
    PARTS_FILE,
    WHOLE_FILE,
    run_mapping,
)
from systopack.synthesis.asic import TOP, MappingOptions
from systopack.synthesis.library import Library
from systopack.synthesis.netlist import Netlist, parse_netlist
from systopack.synthesis.parts import base_name, part_of
from systopack.synthesis.yosys import YosysRun

CLOCK = "clk"


@dataclass(frozen=True, kw_only=True, eq=False)
class GatePart:
    """A module of the accelerator and its instances, or the top module without them.

    Args:
        name: of the part that it belongs to, see `parts.PARTS`.
        module: its Verilog module.
        netlist: pins of memories and of other modules inside it are ports, named `instance.pin`.
        instances: paths from the top module; the top module itself is "".
        joined: (path, port) -> the (path, port) that stands for all that hang on the same nets.
    """

    name: str
    module: str
    netlist: Netlist
    instances: tuple[str, ...]
    joined: Mapping[tuple[str, str], tuple[str, str]]

    def signal(self, path: str, port: str) -> str:
        """The Verilog path of an instance's port."""
        path, port = self.joined.get((path, port), (path, port))
        return f"{path}.{port}" if path else port


@dataclass(frozen=True, kw_only=True, eq=False)
class GateDesign:
    """The whole accelerator.

    Args:
        parts: every module whose instances are simulated side by side, the top module last.
        whole: all of it in one netlist, memories left out; their pins are ports.
    """

    parts: tuple[GatePart, ...]
    whole: Netlist


def map_parts(
    program: TiledProgram,
    *,
    library: Library,
    options: MappingOptions | None = None,
    on_line: Callable[[str], None] | None = None,
) -> GateDesign:
    """Map the accelerator of a compiled network, part by part; memories are black boxes.

    Raises:
        InvalidFileError: yosys is missing or refuses the design or the library.
    """
    run = run_mapping(program, library=library, options=options, on_line=on_line)
    whole = json.loads(run.text(WHOLE_FILE))["modules"][TOP]
    return GateDesign(parts=_parts(run, library), whole=_netlist(TOP, whole, library))


def with_library(netlist: Netlist, library: Library) -> Netlist:
    """The same netlist of the cells of another corner, which have the same names and pins."""
    return replace(
        netlist,
        library=library,
        instances={
            name: replace(item, cell=library.cells[name])
            for name, item in netlist.instances.items()
        },
    )


def _parts(run: YosysRun, library: Library) -> tuple[GatePart, ...]:
    modules = json.loads(run.text(PARTS_FILE))["modules"]
    instances: defaultdict[str, list[str]] = defaultdict(list)
    joined: dict[tuple[str, str], tuple[str, str]] = {}
    first: dict[tuple[int | str, ...], tuple[str, str]] = {}
    for path, instance in modules[TOP]["cells"].items():
        if base_name(instance["type"]) in PART_MODULES:
            instances[instance["type"]].append(path)
            for pin, bits in instance["connections"].items():
                if bits:  # else it is open
                    joined[path, pin] = first.setdefault(tuple(bits), (path, pin))
    instances[TOP] = [""]
    return tuple(
        GatePart(
            name=part_of(kind),
            module="tiled_accelerator" if kind == TOP else base_name(kind),
            netlist=_netlist(kind, modules[kind], library),
            instances=tuple(paths),
            joined=joined,
        )
        for kind, paths in instances.items()
    )


def _netlist(kind: str, module: dict[str, Any], library: Library) -> Netlist:
    """The netlist of a module; instances that are no cells of the library become ports."""
    cells = {}
    given: set[tuple[int | str, ...]] = set()  # what all instances are given alike is one port
    for name, instance in module["cells"].items():
        if instance["type"] in library.cells:
            cells[name] = instance
        elif base_name(instance["type"]) in (*PART_MODULES, *MEMORY_MODULES):
            for pin, bits in instance["connections"].items():
                inward = instance["port_directions"][pin] == "input"
                if pin == CLOCK or not bits or (inward and tuple(bits) in given):
                    continue
                if inward:
                    given.add(tuple(bits))
                direction = "output" if inward else "input"
                module["ports"][f"{name}.{pin}"] = {"direction": direction, "bits": bits}
    text = json.dumps({"modules": {kind: {**module, "cells": cells}}})
    return parse_netlist(text, top=kind, library=library)
