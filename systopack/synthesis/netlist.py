"""A mapped netlist: instances of library cells and the nets between them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidFileError
from systopack.synthesis.library import Library, LibraryCell

ZERO, ONE = 0, 1
Nets = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Instances:
    """All instances of one library cell.

    Args:
        cell: the cell.
        names: of the instances.
        nets: pin name -> net of each instance; an open pin has a net of its own.
    """

    cell: LibraryCell
    names: tuple[str, ...]
    nets: Mapping[str, Nets]

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, kw_only=True, eq=False)
class Netlist:
    """A flat netlist of a module.

    Args:
        top: the module.
        library: where its cells are from.
        net_count: nets are 0..net_count-1; net 0 is constant 0, net 1 constant 1.
        inputs, outputs: port name -> its nets, least significant bit first.
        instances: by cell name.
    """

    top: str
    library: Library
    net_count: int
    inputs: Mapping[str, Nets]
    outputs: Mapping[str, Nets]
    instances: Mapping[str, Instances]

    @property
    def area_um2(self) -> float:
        """Area of all cells."""
        return sum(item.cell.area_um2 * len(item) for item in self.instances.values())

    @property
    def cells(self) -> int:
        """Number of instances."""
        return sum(len(item) for item in self.instances.values())

    def count(self, kind: str) -> int:
        """Instances of cells of one kind."""
        return sum(len(item) for item in self.instances.values() if item.cell.kind == kind)

    def loads_ff(self) -> NDArray[np.float64]:
        """Capacitance of each net: its input pins."""
        load = np.zeros(self.net_count)
        for item in self.instances.values():
            for name in item.cell.inputs:
                pin = item.cell.pins[name].capacitance_ff
                np.add.at(load, item.nets[name], pin)
        return load


def parse_netlist(text: str, *, top: str, library: Library) -> Netlist:
    """Read what yosys' `write_json` wrote of a flattened, mapped module.

    Raises:
        InvalidFileError: it holds a cell that the library lacks, or one of unknown behaviour.
    """
    module = json.loads(text)["modules"][top]
    numbers: dict[int | str, int] = {"0": ZERO, "1": ONE, "x": ZERO, "z": ZERO}

    def net(bit: int | str) -> int:
        return numbers.setdefault(bit, len(numbers) - 2)

    ports: dict[str, dict[str, Nets]] = {"input": {}, "output": {}}
    for name, port in module["ports"].items():
        if port["direction"] not in ports:
            raise InvalidFileError(f"Port '{name}' of '{top}' is an inout; use inputs and outputs.")
        ports[port["direction"]][name] = np.array([net(bit) for bit in port["bits"]])
    found: dict[str, tuple[list[str], dict[str, list[int]]]] = {}
    for name, instance in module["cells"].items():
        cell = library.cells.get(instance["type"])
        if cell is None or cell.kind == "other":
            raise InvalidFileError(
                f"'{top}' holds '{instance['type']}', which library '{library.name}' "
                f"{'lacks' if cell is None else 'has without a behaviour understood here'}; "
                "take another library."
            )
        names, nets = found.setdefault(cell.name, ([], {pin: [] for pin in cell.states}))
        names.append(name)
        connections = instance["connections"]
        for pin in cell.states:
            bits = connections.get(pin) or [f"open {name} {pin}"]
            nets[pin].append(net(bits[0]))
    return Netlist(
        top=top,
        library=library,
        net_count=len(numbers) - 2,
        inputs=ports["input"],
        outputs=ports["output"],
        instances={
            cell: Instances(
                cell=library.cells[cell],
                names=tuple(names),
                nets={pin: np.array(values, dtype=np.int64) for pin, values in nets.items()},
            )
            for cell, (names, nets) in sorted(found.items())
        },
    )


def clock_nets(netlist: Netlist) -> NDArray[np.bool_]:
    """Which nets are clocks: those at flip-flops' and clock gates' clock pins."""
    found = np.zeros(netlist.net_count, dtype=bool)
    for item in netlist.instances.values():
        if item.cell.clock:
            found[item.nets[item.cell.clock]] = True
    return found


def levels(netlist: Netlist) -> dict[str, NDArray[np.int64]]:
    """The level of each instance: 0 for those fed by ports, constants and flip-flops alone.

    Raises:
        InvalidFileError: there is a loop of gates.
    """
    depth = np.zeros(netlist.net_count, dtype=np.int64)
    free = [item for item in netlist.instances.values() if item.cell.kind != "flip-flop"]
    result = {name: np.zeros(len(item), dtype=np.int64) for name, item in netlist.instances.items()}
    for _ in range(netlist.net_count + 1):
        changed = False
        for item in free:
            if not item.cell.inputs:
                continue
            level = np.max([depth[item.nets[pin]] for pin in item.cell.inputs], axis=0)
            result[item.cell.name] = level
            for pin in item.cell.outputs:
                nets = item.nets[pin]
                if np.any(depth[nets] != level + 1):
                    depth[nets] = level + 1
                    changed = True
        if not changed:
            return result
        if depth.max() > netlist.cells + 1:
            break
    raise InvalidFileError(f"'{netlist.top}' has a loop of gates; break it with a register.")
