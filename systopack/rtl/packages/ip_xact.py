"""A component description in IP-XACT (IEEE 1685-2014): interfaces, register map, ports, files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from xml.etree import ElementTree

from systopack.rtl.delivery import Delivery
from systopack.rtl.identity import build_digest, identity
from systopack.rtl.names import comment, identifier
from systopack.rtl.registers import ADDRESS_BITS, REGISTERS, Bits, Register
from systopack.version import VERSION

_SPACE = "http://www.accellera.org/XMLSchema/IPXACT/1685-2014"
_PORT = re.compile(r"^    (input|output) +wire +(?:\[(\d+):0\] +)?(\w+)", re.MULTILINE)
_ACCESS = {
    "read": "read-only",
    "write": "write-only",
    "read, write": "read-write",
    "clear": "read-write",
}
_LITE, _STREAM = ("amba.com:AMBA4:AXI4-Lite:r0p0_0", "amba.com:AMBA4:AXI4Stream:r0p0_1")
_CLOCK, _RESET = ("xilinx.com:signal:clock:1.0", "xilinx.com:signal:reset:1.0")
_BOTH = {"ACLK": "clk", "ARESETn": "aresetn"}  # logical ports of AMBA's definitions
_BUSES = ("s_axi", "s_axis_image", "m_axis_result")
_WEIGHTS = "s_axis_weights"  # where not all are held
Element = ElementTree.Element


def component_file(delivery: Delivery) -> dict[str, str]:
    """`component.xml`."""
    ElementTree.register_namespace("ipxact", _SPACE)
    network, array = delivery.network, delivery.program.array
    ports = _PORT.findall(delivery.files["accelerator.v"])
    root = _tag(
        "component",
        *_version(identifier(network.name)),
        _tag("busInterfaces", *_interfaces([name for _, _, name in ports])),
        _tag("memoryMaps", _memory_map(delivery)),
        _tag(
            "model",
            _tag(
                "views",
                _tag(
                    "view",
                    _tag("name", text="rtl"),
                    _tag("componentInstantiationRef", text="verilog"),
                ),
            ),
            _tag("instantiations", _instantiation()),
            _tag("ports", *(_port(*port) for port in ports)),
        ),
        _tag("fileSets", *_file_sets(delivery)),
        _tag("description", text=f"Network {comment(network.name)} on {array.label}"),
        _tag("parameters", _parameter("GATED", "0", id="gated", low=0, high=1)),
    )
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return {"component.xml": f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'}


def _tag(tag: str, *inside: Element, text: str | None = None, **attributes: str) -> Element:
    element = Element(f"{{{_SPACE}}}{tag}", attributes)
    element.text = text
    element.extend(inside)
    return element


def _version(name: str) -> Iterator[Element]:
    values = {"vendor": "systopack", "library": "accelerators", "name": name, "version": VERSION}
    return (_tag(key, text=value) for key, value in values.items())


def _parameter(
    name: str, value: str, *, id: str, low: int | None = None, high: int | None = None
) -> Element:
    attributes = {"parameterId": id}
    if low is not None and high is not None:
        attributes |= {"type": "int", "resolve": "user"}
        attributes |= {"minimum": str(low), "maximum": str(high)}
    return _tag("parameter", _tag("name", text=name), _tag("value", text=value), **attributes)


def _interfaces(ports: list[str]) -> Iterator[Element]:
    lite, image, result = _BUSES
    slave = _tag("slave", _tag("memoryMapRef", memoryMapRef="registers"))
    yield _interface(lite, _LITE, slave, _logical(lite, ports), bits=8)
    yield _interface(image, _STREAM, _tag("slave"), _logical(image, ports))
    yield _interface(result, _STREAM, _tag("master"), _logical(result, ports))
    more = [_WEIGHTS] if any(port.startswith(_WEIGHTS) for port in ports) else []
    for weights in more:
        yield _interface(weights, _STREAM, _tag("slave"), _logical(weights, ports))
    associated = [
        _parameter("ASSOCIATED_BUSIF", ":".join([*_BUSES, *more]), id="clk_buses"),
        _parameter("ASSOCIATED_RESET", "aresetn", id="clk_reset"),
    ]
    yield _interface("clk", _CLOCK, _tag("slave"), {"CLK": "clk"}, parameters=associated)
    polarity = [_parameter("POLARITY", "ACTIVE_LOW", id="aresetn_polarity")]
    yield _interface("aresetn", _RESET, _tag("slave"), {"RST": "aresetn"}, parameters=polarity)


def _logical(bus: str, ports: list[str]) -> dict[str, str]:
    """The ports of a bus by their names in AMBA's definitions."""
    own = {p.removeprefix(f"{bus}_").upper(): p for p in ports if p.startswith(f"{bus}_")}
    return {**_BOTH, **own}


def _interface(
    name: str,
    bus: str,
    mode: Element,
    ports: dict[str, str],
    *,
    bits: int | None = None,
    parameters: Iterable[Element] = (),
) -> Element:
    vendor, library, kind, version = bus.split(":")
    reference = {"vendor": vendor, "library": library, "version": version}
    maps = (
        _tag(
            "portMap",
            _tag("logicalPort", _tag("name", text=logical)),
            _tag("physicalPort", _tag("name", text=physical)),
        )
        for logical, physical in ports.items()
    )
    abstraction = _tag(
        "abstractionType",
        _tag("abstractionRef", name=f"{kind}_rtl", **reference),
        _tag("portMaps", *maps),
    )
    inside = [
        _tag("name", text=name),
        _tag("busType", name=kind, **reference),
        _tag("abstractionTypes", abstraction),
        mode,
    ]
    if bits is not None:
        inside.append(_tag("bitsInLau", text=str(bits)))
    given = list(parameters)
    if given:
        inside.append(_tag("parameters", *given))
    return _tag("busInterface", *inside)


def _memory_map(delivery: Delivery) -> Element:
    constants = {"IDENTITY": identity(delivery.program), "BUILD": build_digest(delivery.program)}
    block = _tag(
        "addressBlock",
        _tag("name", text="registers"),
        _tag("baseAddress", text="0"),
        _tag("range", text=str(1 << ADDRESS_BITS)),
        _tag("width", text="32"),
        _tag("usage", text="register"),
        *(_register(register, constants.get(register.name)) for register in REGISTERS),
    )
    bits = _tag("addressUnitBits", text="8")
    return _tag("memoryMap", _tag("name", text="registers"), block, bits)


def _register(register: Register, constant: int | None) -> Element:
    whole = Bits(name="VALUE", low=0, width=32, access=register.access, meaning=register.meaning)
    changes = register.access != "write" and constant is None
    return _tag(
        "register",
        _tag("name", text=register.name),
        _tag("description", text=f"{register.told_access}: {register.meaning}"),
        _tag("addressOffset", text=f"'h{register.address:x}"),
        _tag("size", text="32"),
        _tag("volatile", text="true" if changes else "false"),
        _tag("access", text=_ACCESS[register.access]),
        *(_field(bits, constant) for bits in register.bits or (whole,)),
    )


def _field(bits: Bits, constant: int | None) -> Element:
    inside = [
        _tag("name", text=bits.name),
        _tag("description", text=bits.meaning),
        _tag("bitOffset", text=str(bits.low)),
    ]
    if constant is not None:
        reset = _tag("reset", _tag("value", text=f"'h{constant:x}"))
        inside.append(_tag("resets", reset))
    inside += [
        _tag("bitWidth", text=str(bits.width)),
        _tag("access", text=_ACCESS[bits.access]),
    ]
    if bits.access == "clear":
        inside.append(_tag("modifiedWriteValue", text="oneToClear"))
    return _tag("field", *inside)


def _instantiation() -> Element:
    gated = _tag(
        "moduleParameter",
        _tag("name", text="GATED"),
        _tag("value", text="gated"),
        parameterId="module_gated",
    )
    return _tag(
        "componentInstantiation",
        _tag("name", text="verilog"),
        _tag("language", text="Verilog"),
        _tag("moduleName", text="accelerator"),
        _tag("moduleParameters", gated),
        _tag("fileSetRef", _tag("localName", text="rtl")),
    )


def _port(direction: str, left: str, name: str) -> Element:
    inside = [_tag("direction", text="in" if direction == "input" else "out")]
    if left:
        vector = _tag("vector", _tag("left", text=left), _tag("right", text="0"))
        inside.append(_tag("vectors", vector))
    return _tag("port", _tag("name", text=name), _tag("wire", *inside))


def _file_sets(delivery: Delivery) -> Iterator[Element]:
    bench = ["testbench.v", *(name for name in delivery.files if name.endswith(".hex"))]
    for kind, names in (("rtl", delivery.sources), ("bench", bench)):
        files = (_tag("file", _tag("name", text=name), _file_type(name)) for name in names)
        yield _tag("fileSet", _tag("name", text=kind), *files)


def _file_type(name: str) -> Element:
    if name.endswith(".v"):
        return _tag("fileType", text="verilogSource")
    return _tag("fileType", text="user", user="hex")
