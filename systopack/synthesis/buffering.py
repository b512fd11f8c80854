"""Buffers for the nets that lead to many pins, as a layout tool adds them.

A part is mapped by itself, so nobody sizes gates for what hangs on its outputs in other parts. A
net with a load above `MOST_FF` gets a balanced tree of one buffer cell of the library, sinks in the
order of their names, so that what stands together hangs together. Clocks are left alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidFileError
from systopack.synthesis.library import Library, LibraryCell
from systopack.synthesis.netlist import ONE, Instances, Netlist, Nets, clock_nets

MOST_FF = 50.0  # more than this on a net that no buffer drives, and it gets buffers
_ROOT_FF, _LEAF_FF = 25.0, 75.0  # what is then left to it, and what a buffer drives
_SLOPE_NS = 0.05


@dataclass(frozen=True, kw_only=True)
class _Pin:
    """An input pin: cell, instance, pin, and its capacitance."""

    name: str
    cell: str
    place: int
    pin: str
    load_ff: float


def buffered(netlist: Netlist) -> Netlist:
    """The netlist with trees of buffers; a buffer is named after what it is driven by.

    Raises:
        InvalidFileError: the library has no buffer.
    """
    buffer = _buffer(netlist.library)
    load = netlist.loads_ff()
    heavy = (load > MOST_FF) & ~clock_nets(netlist)
    heavy[: ONE + 1] = False
    sinks = _sinks(netlist, heavy)
    drivers = _drivers(netlist, heavy)
    nets = {name: {p: n.copy() for p, n in i.nets.items()} for name, i in netlist.instances.items()}
    source, out = buffer.inputs[0], buffer.outputs[0]
    own_ff = buffer.pins[source].capacitance_ff
    names: list[str] = []
    inputs: list[int] = []
    count = netlist.net_count
    for net, pins in sorted(sinks.items()):
        # A level of pins becomes one of buffers, until the net can drive what is left.
        level = sorted(pins, key=lambda pin: (pin.name, pin.pin))
        prefix = drivers.get(net, level[0].name)
        while sum(pin.load_ff for pin in level) > _ROOT_FF and len(level) > 1:
            groups = _groups(level)
            if len(groups) == len(level):
                break
            above = []
            for group in groups:
                for pin in group:
                    if pin.cell:
                        nets[pin.cell][pin.pin][pin.place] = count
                    else:
                        inputs[pin.place] = count
                name = f"{prefix}$buffer{len(names)}"
                above.append(_Pin(name=name, cell="", place=len(names), pin="", load_ff=own_ff))
                names.append(name)
                inputs.append(net)
                count += 1
            level = above
    outputs = np.arange(netlist.net_count, count)
    return _with_buffers(netlist, nets, buffer, names, {source: np.array(inputs), out: outputs})


def _with_buffers(
    netlist: Netlist,
    nets: dict[str, dict[str, Nets]],
    buffer: LibraryCell,
    names: Sequence[str],
    own: dict[str, Nets],
) -> Netlist:
    instances = {name: replace(item, nets=nets[name]) for name, item in netlist.instances.items()}
    before = instances.get(buffer.name)
    if names and before is not None:
        joined = {pin: np.concatenate([before.nets[pin], own[pin]]) for pin in own}
        names = (*before.names, *names)
    else:
        joined = own
    if names:
        instances[buffer.name] = Instances(cell=buffer, names=tuple(names), nets=joined)
    return replace(
        netlist,
        net_count=netlist.net_count + len(own[buffer.outputs[0]]),
        instances=dict(sorted(instances.items())),
    )


def _groups(level: Sequence[_Pin]) -> list[list[_Pin]]:
    """Neighbours, as many groups as buffers are needed, all about equally loaded."""
    total = sum(pin.load_ff for pin in level)
    wanted = int(np.ceil(total / _LEAF_FF))
    groups: list[list[_Pin]] = [[] for _ in range(wanted)]
    passed = 0.0
    for pin in level:
        groups[min(wanted - 1, int(passed / total * wanted))].append(pin)
        passed += pin.load_ff
    return [group for group in groups if group]


def _sinks(netlist: Netlist, heavy: NDArray[np.bool_]) -> dict[int, list[_Pin]]:
    found: defaultdict[int, list[_Pin]] = defaultdict(list)
    for item in netlist.instances.values():
        for pin in item.cell.inputs:
            own = item.nets[pin]
            for place in np.flatnonzero(heavy[own]).tolist():
                found[int(own[place])].append(
                    _Pin(
                        name=item.names[place],
                        cell=item.cell.name,
                        place=place,
                        pin=pin,
                        load_ff=item.cell.pins[pin].capacitance_ff,
                    )
                )
    return found


def _drivers(netlist: Netlist, heavy: NDArray[np.bool_]) -> dict[int, str]:
    return {
        int(item.nets[pin][place]): item.names[place]
        for item in netlist.instances.values()
        for pin in item.cell.outputs
        for place in np.flatnonzero(heavy[item.nets[pin]]).tolist()
    }


def _buffer(library: Library) -> LibraryCell:
    """The one with the least delay times area for what a buffer drives here."""
    found = [
        (_delay_ns(cell) * cell.area_um2, cell.name)
        for cell in library.cells.values()
        if cell.kind == "gate"
        and len(cell.inputs) == len(cell.outputs) == 1
        and cell.pins[cell.outputs[0]].function == 0b10
        and cell.name not in library.excluded
    ]
    if not found:
        raise InvalidFileError(
            f"Library '{library.name}' has no buffer for nets that lead to many pins; take another."
        )
    return library.cells[min(found)[1]]


def _delay_ns(cell: LibraryCell) -> float:
    arc = cell.pins[cell.outputs[0]].arcs[0]
    slope, load = np.array([_SLOPE_NS]), np.array([_LEAF_FF])
    return max(float(arc.rise_ns.at(slope, load)[0]), float(arc.fall_ns.at(slope, load)[0]))
