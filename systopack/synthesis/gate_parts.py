"""The tiled accelerator as one netlist, and which of its cells belong to which part."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.rtl.program import TiledProgram
from systopack.synthesis.accelerator import (
    MEMORY_MODULES,
    PART_MODULES,
    PARTS_FILE,
    WHOLE_FILE,
    run_mapping,
)
from systopack.synthesis.asic import TOP, MappingOptions
from systopack.synthesis.buffering import buffered
from systopack.synthesis.library import Library
from systopack.synthesis.netlist import Netlist, parse_netlist
from systopack.synthesis.parts import CONTROL, base_name, part_of

CLOCK = "clk"


@dataclass(frozen=True, kw_only=True, eq=False)
class GateDesign:
    """The whole accelerator without its memories.

    Args:
        netlist: pins of memories are ports, named `instance.pin`.
        parts: names of the parts (`parts.PARTS`) that have cells.
        members: cell -> for each instance, the number of its part.
        registers: flip-flop -> the bit of the Verilog's register that it keeps.
    """

    netlist: Netlist
    parts: tuple[str, ...]
    members: Mapping[str, NDArray[np.int64]]
    registers: Mapping[str, str]


def map_gates(
    program: TiledProgram,
    *,
    library: Library,
    options: MappingOptions | None = None,
    on_line: Callable[[str], None] | None = None,
) -> GateDesign:
    """Map the accelerator of a compiled network, part by part, and put the parts together.

    Raises:
        InvalidFileError: yosys is missing or refuses the design or the library.
    """
    run = run_mapping(program, library=library, options=options, on_line=on_line)
    top = json.loads(run.text(PARTS_FILE))["modules"][TOP]
    paths = {
        path: part_of(instance["type"])
        for path, instance in top["cells"].items()
        if base_name(instance["type"]) in PART_MODULES
    }
    whole = json.loads(run.text(WHOLE_FILE))["modules"][TOP]
    registers = registers_of(whole, library)
    netlist = buffered(netlist_of(whole, library))
    numbers: dict[str, int] = {}
    members = {
        name: np.array(
            [numbers.setdefault(_part(one, paths), len(numbers)) for one in item.names],
            dtype=np.int64,
        )
        for name, item in netlist.instances.items()
    }
    return GateDesign(netlist=netlist, parts=tuple(numbers), members=members, registers=registers)


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


def registers_of(module: dict[str, Any], library: Library) -> dict[str, str]:
    """The names of what flip-flops keep; of several the one from deepest in the hierarchy."""
    names: dict[int | str, str] = {}
    for name, net in module["netnames"].items():
        for number, bit in enumerate(net["bits"]):
            known = names.get(bit, "")
            if "$" not in name and (not known or name.count(".") > known.count(".")):
                names[bit] = f"{name}[{number}]" if len(net["bits"]) > 1 else name
    return {
        name: names[bit]
        for name, instance in module["cells"].items()
        if instance["type"] in library.cells and library.cells[instance["type"]].kind == "flip-flop"
        for pin in library.cells[instance["type"]].outputs
        for bit in instance["connections"].get(pin, ())
        if bit in names
    }


def _part(name: str, paths: Mapping[str, str]) -> str:
    r"""The part of a cell, by the path that is in front of its name."""
    name = name.removeprefix("$flatten").removeprefix("\\")
    end = name.find(".")
    while end >= 0:
        if name[:end] in paths:
            return paths[name[:end]]
        end = name.find(".", end + 1)
    return CONTROL


def netlist_of(module: dict[str, Any], library: Library, *, boxes: Collection[str] = ()) -> Netlist:
    """The netlist of a module; memories and black boxes become ports.

    Args:
        module: of yosys' JSON; ports are added to it.
        boxes: modules that were left out of the mapping.
    """
    cells = {}
    given: set[tuple[int | str, ...]] = set()  # what all memories are given alike is one port
    for name, instance in module["cells"].items():
        if base_name(instance["type"]) not in {*MEMORY_MODULES, *boxes}:
            cells[name] = instance
            continue
        for pin, bits in instance["connections"].items():
            inward = instance["port_directions"][pin] == "input"
            if pin == CLOCK or not bits or (inward and tuple(bits) in given):
                continue
            if inward:
                given.add(tuple(bits))
            direction = "output" if inward else "input"
            module["ports"][f"{name}.{pin}"] = {"direction": direction, "bits": bits}
    text = json.dumps({"modules": {TOP: {**module, "cells": cells}}})
    return parse_netlist(text, top=TOP, library=library)
