"""From the tree of a parsed Liberty file to a `Library`."""

from __future__ import annotations

import re
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from systopack.errors import InvalidFileError
from systopack.synthesis.boolean import truth_table
from systopack.synthesis.facts import facts_of
from systopack.synthesis.library import (
    Arc,
    CellKind,
    InternalPower,
    Library,
    LibraryCell,
    LookupTable,
    Pin,
    WireLoad,
)

_TIME = {"1ns": 1.0, "100ps": 0.1, "10ps": 0.01, "1ps": 0.001}
_LEAKAGE = {"1mW": 1e6, "100uW": 1e5, "10uW": 1e4, "1uW": 1e3, "1nW": 1.0, "1pW": 1e-3}
_FARAD = {"ff": 1.0, "pf": 1000.0}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*(\[[0-9]+\])?")
_NAMED = ("pin", "bus", "bundle")
_NONE = LookupTable(transition_ns=np.zeros(1), load=np.zeros(1), values=np.zeros((1, 1)))


class _Group:
    """One group of the file: its kind, its names, its attributes and its groups."""

    def __init__(self, tree: Any) -> None:
        self.kind: str = tree[0]
        self.names = [_bare(name) for name in tree[2]]
        self.attributes: dict[str, str] = {}
        self.lists: dict[str, list[str]] = {}
        self.pairs: list[tuple[str, list[str]]] = []  # of lists that come more than once
        self.groups: list[_Group] = []
        for child in tree[3]:
            name, value, arguments, children = child
            if children:
                self.groups.append(_Group(child))
            elif value:
                self.attributes[name] = _bare(value)
            else:
                self.lists[name] = [_bare(text) for text in arguments]
                self.pairs.append((name, self.lists[name]))

    def all(self, kind: str) -> list[_Group]:
        return [group for group in self.groups if group.kind == kind]

    def number(self, name: str, default: float | None = None) -> float:
        if name not in self.attributes and default is not None:
            return default
        return _finite(self.attributes[name])


class _Units:
    def __init__(self, library: _Group) -> None:
        amount, unit = library.lists["capacitive_load_unit"]
        self.time = _TIME[library.attributes["time_unit"]]
        self.load = _finite(amount) * _FARAD[unit.lower()]
        if self.load <= 0:
            raise ValueError(f"loads are in units of {amount} {unit}")
        self.leakage = _LEAKAGE[library.attributes.get("leakage_power_unit", "1nW")]
        if library.attributes.get("voltage_unit", "1V") != "1V":
            raise ValueError("voltages are not in V")


def library_of(tree: Any, path: Path) -> Library:
    """Build a `Library`; groups that are not understood are passed over.

    Raises:
        InvalidFileError: an expression is wrong, or no cell can be used.
        KeyError, ValueError, IndexError: something necessary is missing.
    """
    root = _Group(tree)
    _check_names(root.all("cell"), path)
    units = _Units(root)
    templates = {
        group.names[0]: group
        for kind in ("lu_table_template", "power_lut_template")
        for group in root.all(kind)
    }
    voltage = root.attributes.get("nom_voltage")
    conditions = root.all("operating_conditions")
    if conditions:
        voltage = conditions[0].attributes.get("voltage", voltage)
    if voltage is None:
        raise ValueError("no voltage")
    if _finite(voltage) <= 0:
        raise ValueError(f"the voltage is {voltage}")
    cells: dict[str, LibraryCell] = {}
    for group in root.all("cell"):
        cell = _Cell(group, units, templates).made()
        if cell.name in cells:
            raise ValueError(f"cell '{cell.name}' is there twice")
        cells[cell.name] = cell
    kinds = {cell.kind for cell in cells.values()}
    if not {"gate", "flip-flop"} <= kinds:
        raise InvalidFileError(
            f"'{path}' has no {'gates' if 'gate' not in kinds else 'plain flip-flops'}; take the "
            "Liberty file of a standard cell library."
        )
    return Library(
        name=root.names[0],
        path=path,
        voltage_v=_finite(voltage),
        cells=cells,
        excluded=frozenset(
            group.names[0]
            for group in root.all("cell")
            if group.attributes.get("dont_use", "false").lower() == "true"
        ),
        wire_load=_wire_load(root, units),
        facts=facts_of(root.names[0]),
    )


def _check_names(groups: list[_Group], path: Path) -> None:
    """Names of cells and pins go into commands of yosys and into Verilog, as they are."""
    for group in groups:
        for name in group.names:
            if _NAME.fullmatch(name) is None:
                raise InvalidFileError(
                    f"'{path}' names a {group.kind} {name!a}, but names are made of letters, "
                    "digits, '_' and '$', with a bit's number in brackets; take another file."
                )
        _check_names([inner for inner in group.groups if inner.kind in _NAMED], path)


def _wire_load(root: _Group, units: _Units) -> WireLoad | None:
    """The default model of wires."""
    name = root.attributes.get("default_wire_load")
    group = next((g for g in root.all("wire_load") if g.names[0] == name), None)
    if name is None or group is None:
        return None
    points = sorted(
        (_finite(values[0]), _finite(values[1]))
        for kind, values in group.pairs
        if kind == "fanout_length"
    )
    per_length = group.number("capacitance") * units.load
    return WireLoad(
        name=name,
        fanout=np.array([fanout for fanout, _ in points]),
        capacitance_ff=per_length * np.array([length for _, length in points]),
        slope_ff=per_length * group.number("slope", 0.0),
    )


class _Cell:
    def __init__(self, group: _Group, units: _Units, templates: dict[str, _Group]) -> None:
        self.group = group
        self.units = units
        self.templates = templates
        pins = [pin for pin in group.all("pin") if pin.attributes.get("direction") != "internal"]
        self.inputs = tuple(
            name for pin in pins if pin.attributes["direction"] == "input" for name in pin.names
        )
        self.outputs = tuple(
            name for pin in pins if pin.attributes["direction"] == "output" for name in pin.names
        )
        self.states = self.inputs + self.outputs

    def made(self) -> LibraryCell:
        group = self.group
        pins = {name: self.pin(pin, name) for pin in group.all("pin") for name in pin.names}
        pins = {name: pin for name, pin in pins.items() if name in self.states}
        kind, roles = self.kind(pins)
        return LibraryCell(
            name=group.names[0],
            kind=kind,
            area_um2=_positive(group, "area"),
            pins=pins,
            inputs=self.inputs,
            outputs=self.outputs,
            data=roles.get("data", ""),
            clock=roles.get("clock", ""),
            state=roles.get("state", ""),
            inverted=roles.get("inverted", ""),
            next_state=int(roles.get("next_state", "0")),
            leakage_nw=group.number("cell_leakage_power", 0.0) * self.units.leakage,
            leakage_when=tuple(
                (table, leakage.number("value") * self.units.leakage)
                for leakage in group.all("leakage_power")
                if (table := self.when(leakage)) is not None
            ),
        )

    def kind(self, pins: dict[str, Pin]) -> tuple[CellKind, dict[str, str]]:
        group = self.group
        by_name = {name: pin for pin in group.all("pin") for name in pin.names}
        gating = group.attributes.get("clock_gating_integrated_cell", "")
        if gating in ("latch_posedge", "latch_posedge_precontrol"):
            return self.clock_gate(by_name, gating)
        flip_flops = group.all("ff")
        if flip_flops:
            return self.flip_flop(flip_flops[0], by_name)
        stateful = group.all("latch") or group.all("statetable") or gating
        gate = self.inputs and self.outputs and not stateful
        if gate and all(pins[name].function is not None for name in self.outputs):
            return "gate", {}
        constant = not self.inputs and self.outputs
        return ("gate" if constant else "other"), {}

    def clock_gate(self, pins: dict[str, _Group], gating: str) -> tuple[CellKind, dict[str, str]]:
        roles = {}
        for name, pin in pins.items():
            for attribute, role in (
                ("clock_gate_clock_pin", "clock"),
                ("clock_gate_enable_pin", "data"),
                ("clock_gate_out_pin", "state"),
            ):
                if pin.attributes.get(attribute, "").lower() == "true":
                    roles[role] = name
        plain = gating == "latch_posedge" and len(roles) == 3 and len(self.inputs) == 2
        return ("clock-gate", roles) if plain else ("other", {})

    def flip_flop(self, group: _Group, pins: dict[str, _Group]) -> tuple[CellKind, dict[str, str]]:
        attributes = group.attributes
        clock = attributes.get("clocked_on", "").strip("() ")
        if clock not in self.inputs or "clear" in attributes or "preset" in attributes:
            return "other", {}
        roles = {"clock": clock}
        for name in self.outputs:
            function = pins[name].attributes.get("function", "").strip("() ")
            if function == group.names[0]:
                roles["state"] = name
            elif len(group.names) > 1 and function == group.names[1]:
                roles["inverted"] = name
        next_state = attributes.get("next_state", "")
        data = next_state.strip("() ")
        if "state" not in roles or data not in self.inputs or len(self.inputs) != 2:
            return "other", {}
        roles["data"] = data
        roles["next_state"] = str(truth_table(next_state, self.inputs))
        return "flip-flop", roles

    def pin(self, group: _Group, name: str) -> Pin:
        output = group.attributes.get("direction") == "output"
        function = group.attributes.get("function")
        table = None
        if output and function is not None and not self.stateful(function):
            table = truth_table(function, self.inputs)
        return Pin(
            name=name,
            output=output,
            capacitance_ff=0.0 if output else group.number("capacitance", 0.0) * self.units.load,
            function=table,
            power=tuple(
                power for item in group.all("internal_power") if (power := self.power(item))
            ),
            arcs=tuple(arc for item in group.all("timing") if (arc := self.arc(item))),
            setup=next(
                (found for item in group.all("timing") if (found := self.setup(item))), None
            ),
        )

    def stateful(self, function: str) -> bool:
        words = set(re.findall(r"[A-Za-z_]\w*", function))
        return not words <= set(self.inputs)

    def when(self, group: _Group) -> int | None:
        text = group.attributes.get("when")
        return None if text is None else truth_table(text, self.states)

    def power(self, group: _Group) -> InternalPower | None:
        scale = self.units.load  # an energy is a load times V**2
        tables = {}
        for kind in ("rise_power", "fall_power", "power"):
            for item in group.all(kind):
                tables[kind] = self.table(item, scale)
        both = tables.get("power", _NONE)
        if not tables:
            return None
        return InternalPower(
            related=(group.attributes.get("related_pin", "").split() or [""])[0],
            when=self.when(group),
            rise_fj=tables.get("rise_power", both),
            fall_fj=tables.get("fall_power", both),
        )

    def arc(self, group: _Group) -> Arc | None:
        kind = group.attributes.get("timing_type", "combinational")
        if kind not in ("combinational", "rising_edge"):
            return None
        names = ("cell_rise", "cell_fall", "rise_transition", "fall_transition")
        tables = [
            self.table(items[0], self.units.time) if (items := group.all(name)) else None
            for name in names
        ]
        if any(table is None for table in tables):
            return None
        rise, fall, rise_transition, fall_transition = (table or _NONE for table in tables)
        sense = group.attributes.get("timing_sense", "non_unate")
        return Arc(
            related=group.attributes["related_pin"],
            inverting={"positive_unate": False, "negative_unate": True}.get(sense),
            edge=kind == "rising_edge",
            rise_ns=rise,
            fall_ns=fall,
            rise_transition_ns=rise_transition,
            fall_transition_ns=fall_transition,
        )

    def setup(self, group: _Group) -> tuple[LookupTable, LookupTable] | None:
        if group.attributes.get("timing_type") != "setup_rising":
            return None
        rise, fall = (
            self.table(items[0], self.units.time) if (items := group.all(name)) else _NONE
            for name in ("rise_constraint", "fall_constraint")
        )
        return rise, fall

    def table(self, group: _Group, scale: float) -> LookupTable:
        rows = [_numbers(text) for text in group.lists["values"]]
        template = self.templates.get(group.names[0]) if group.names else None
        axes = []
        for number in (1, 2):
            index = group.lists.get(f"index_{number}")
            if index is None and template is not None:
                index = template.lists.get(f"index_{number}")
            kind = "" if template is None else template.attributes.get(f"variable_{number}", "")
            if index is not None:
                axes.append((kind, np.array(_numbers(index[0]))))
        values = np.array(rows, dtype=float)
        if len(axes) == 2:
            values = values.reshape(len(axes[0][1]), len(axes[1][1]))
            if "capacitance" in axes[0][0] or axes[0][0] == "related_pin_transition":
                axes.reverse()
                values = values.T
        elif len(axes) == 1:
            values = values.reshape(-1, 1)
            axes.append(("", np.zeros(1)))
            if "capacitance" in axes[0][0]:
                axes.reverse()
                values = values.T
        else:
            values = values.reshape(1, 1)
            axes = [("", np.zeros(1)), ("", np.zeros(1))]
        second = self.units.load if "capacitance" in axes[1][0] else self.units.time
        if any(not len(axis) or (np.diff(axis) <= 0).any() for _, axis in axes):
            raise ValueError("the places of a table do not rise")
        return LookupTable(
            transition_ns=axes[0][1] * self.units.time,
            load=axes[1][1] * second,
            values=values * scale,
        )


def _numbers(text: str) -> list[float]:
    return [_finite(word) for word in text.replace(",", " ").split()]


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text} is no finite number")
    return number


def _positive(group: _Group, name: str) -> float:
    number = group.number(name, 0.0)
    if number < 0:
        raise ValueError(f"{name} of '{group.names[0]}' is {number}")
    return number


def _bare(text: str) -> str:
    return text.strip().strip('"').strip()
