"""A mapped netlist as structural Verilog, for other tools."""

from __future__ import annotations

from collections.abc import Iterator

from systopack.synthesis.netlist import ONE, ZERO, Netlist

MODULE = "mapped"  # netlists are called design, which is a keyword of Verilog-2005


def verilog_lines(netlist: Netlist) -> Iterator[str]:
    """The netlist as structural Verilog, line by line.

    Instances are u0, u1 ... in the order of `netlist.instances`; a net has the name of the port it
    is at, or n and its number.
    """
    names = {ZERO: "1'b0", ONE: "1'b1"}
    assigned: list[tuple[str, int]] = []
    for port, nets in netlist.inputs.items():
        for bit, net in enumerate(nets.tolist()):
            names[net] = f"{port}[{bit}]" if len(nets) > 1 else port
    for port, nets in netlist.outputs.items():
        for bit, net in enumerate(nets.tolist()):
            target = f"{port}[{bit}]" if len(nets) > 1 else port
            if net in names:
                assigned.append((target, net))
            else:
                names[net] = target
    ports = [("input", netlist.inputs), ("output", netlist.outputs)]
    yield f"module {MODULE} ({', '.join((*netlist.inputs, *netlist.outputs))});\n"
    for direction, group in ports:
        for port, nets in group.items():
            width = f"[{len(nets) - 1}:0] " if len(nets) > 1 else ""
            yield f"  {direction} {width}{port};\n"
    number = 0
    for item in netlist.instances.values():
        pins = {pin: nets.tolist() for pin, nets in item.nets.items()}
        for place in range(len(item)):
            joined = ", ".join(
                f".{pin}({names.get(nets[place]) or f'n{nets[place]}'})"
                for pin, nets in pins.items()
            )
            yield f"  {item.cell.name} u{number} ({joined});\n"
            number += 1
    for target, net in assigned:
        yield f"  assign {target} = {names[net]};\n"
    yield "endmodule\n"
