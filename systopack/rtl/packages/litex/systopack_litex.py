"""The accelerator as a module of LiteX: registers, DMA, interrupt.

`add_systopack` puts it into a SoC. Written by `systopack rtl --package litex`.

SPDX-License-Identifier: Apache-2.0
"""

from pathlib import Path

from litex.gen import LiteXModule
from litex.soc.cores.dma import WishboneDMAReader, WishboneDMAWriter
from litex.soc.integration.soc import SoCRegion
from litex.soc.interconnect import axi, stream, wishbone
from litex.soc.interconnect.csr import CSR, CSRStatus, CSRStorage
from litex.soc.interconnect.csr_eventmanager import EventManager, EventSourcePulse
from migen import ClockSignal, If, Instance, ResetSignal, Signal

RTL = Path(__file__).resolve().parents[1]  # where the Verilog is
IMAGE_BITS = 8  # of a beat of the image stream
IMAGE_BEATS = 1  # of an image
RESULT_WORDS = 1  # of an image
WEIGHT_BITS = 0  # of a beat of the stream of weights; 0: there is none


class MemoryToStream(LiteXModule):
    """Bytes from memory as one packet, by LiteX's WishboneDMAReader.

    Args:
        bits: of a beat, whole bytes; the byte at the lowest address is the lowest one.

    Registers: base (a multiple of 4), length (bytes, whole beats), start (a write begins, unless
    busy), busy. `done` is high for one cycle when the last beat has gone.
    """

    def __init__(self, bits):
        self.bus = wishbone.Interface(data_width=32, address_width=32)
        self.source = stream.Endpoint([("data", bits)])
        self.done = Signal()
        self._base = CSRStorage(32, description="Address of the first byte, a multiple of 4.")
        self._length = CSRStorage(32, description="Bytes, whole beats.")
        self._start = CSR()
        self._busy = CSRStatus(description="1 until the last beat has gone.")

        unit = 8 if bits % 32 else 32
        self.reader = reader = WishboneDMAReader(self.bus, endianness="big")  # bytes as they lie
        self.down = down = stream.Converter(32, unit)
        self.up = up = stream.Converter(unit, bits)
        address, words, units = Signal(30), Signal(31), Signal(32)
        busy, ended = self._busy.status, Signal()
        self.comb += [
            reader.sink.valid.eq(words != 0),
            reader.sink.address.eq(address),
            reader.source.connect(down.sink),
            up.sink.data.eq(down.source.data),
            up.sink.last.eq(units == 1),
            up.sink.valid.eq(down.source.valid & (units != 0)),
            down.source.ready.eq(up.sink.ready | (units == 0)),  # the rest of the last word goes
            up.source.connect(self.source, omit={"valid_token_count"}),
            ended.eq((words == 0) & (units == 0) & ~down.source.valid & ~up.source.valid),
            self.done.eq(busy & ended),
        ]
        self.sync += [
            If(reader.sink.valid & reader.sink.ready, address.eq(address + 1), words.eq(words - 1)),
            If(up.sink.valid & up.sink.ready, units.eq(units - 1)),
            If(self.done, busy.eq(0)),
            If(
                self._start.re & ~busy,
                busy.eq(1),
                address.eq(self._base.storage[2:]),
                words.eq((self._length.storage + 3)[2:]),
                units.eq(self._length.storage if unit == 8 else self._length.storage[2:]),
            ),
        ]


class StreamToMemory(LiteXModule):
    """A packet of 32-bit words into memory, by LiteX's WishboneDMAWriter.

    Registers: base (a multiple of 4), length (bytes that there is place for), start (a write makes
    it take a packet, unless busy), busy, count (words of the packet; those beyond the place are
    taken and thrown away). `done` is high for one cycle when the packet has ended.
    """

    def __init__(self):
        self.bus = wishbone.Interface(data_width=32, address_width=32)
        self.sink = sink = stream.Endpoint([("data", 32)])
        self.done = Signal()
        self._base = CSRStorage(32, description="Address of the first word, a multiple of 4.")
        self._length = CSRStorage(32, description="Bytes that there is place for.")
        self._start = CSR()
        self._busy = CSRStatus(description="1 until the packet has ended.")
        self._count = CSRStatus(32, description="Words of the packet that have come.")

        self.writer = writer = WishboneDMAWriter(self.bus, endianness="big")  # bytes as they lie
        address, place = Signal(30), Signal(30)
        busy, count = self._busy.status, self._count.status
        self.comb += [
            writer.sink.valid.eq(busy & sink.valid & (place != 0)),
            writer.sink.address.eq(address),
            writer.sink.data.eq(sink.data),
            sink.ready.eq(busy & (writer.sink.ready | (place == 0))),
            self.done.eq(sink.valid & sink.ready & sink.last),
        ]
        self.sync += [
            If(
                sink.valid & sink.ready,
                count.eq(count + 1),
                address.eq(address + 1),
                If(place != 0, place.eq(place - 1)),
            ),
            If(self.done, busy.eq(0)),
            If(
                self._start.re & ~busy,
                busy.eq(1),
                count.eq(0),
                address.eq(self._base.storage[2:]),
                place.eq(self._length.storage[2:]),
            ),
        ]


class Systopack(LiteXModule):
    """The accelerator, its streams served from memory.

    Args:
        platform: gets the Verilog.
        gated: stop the clock of an idle array; silicon alone wants it.

    `registers` is its AXI4-Lite port; `masters` are the buses of its DMA by name; `ev` has the
    events image and results, and weights where there is a stream of them.
    """

    def __init__(self, platform, gated=False):
        self.registers = axi.AXILiteInterface(data_width=32, address_width=32)
        self.image = MemoryToStream(IMAGE_BITS)
        self.results = StreamToMemory()
        self.masters = {"image": self.image.bus, "results": self.results.bus}
        self.ev = EventManager()
        self.ev.image = EventSourcePulse(description="The image has gone.")
        self.ev.results = EventSourcePulse(description="All results of an image lie in memory.")
        self.comb += [
            self.ev.image.trigger.eq(self.image.done),
            self.ev.results.trigger.eq(self.results.done),
        ]
        ports = {**_lite(self.registers), **_into("image", self.image.source)}
        if WEIGHT_BITS:
            self.weights = MemoryToStream(WEIGHT_BITS)
            self.masters["weights"] = self.weights.bus
            self.ev.weights = EventSourcePulse(description="The weights of an image have gone.")
            self.comb += self.ev.weights.trigger.eq(self.weights.done)
            ports |= _into("weights", self.weights.source)
        self.ev.finalize()
        self.specials += Instance(
            "accelerator",
            p_GATED=int(gated),
            i_clk=ClockSignal("sys"),
            i_aresetn=~ResetSignal("sys"),
            i_test_enable=0,
            o_m_axis_result_tdata=self.results.sink.data,
            o_m_axis_result_tvalid=self.results.sink.valid,
            i_m_axis_result_tready=self.results.sink.ready,
            o_m_axis_result_tlast=self.results.sink.last,
            **ports,
        )
        for name in (RTL / "sources.f").read_text().split():
            platform.add_source(str(RTL / name))


def _lite(bus):
    return {
        "i_s_axi_awaddr": bus.aw.addr[:8],
        "i_s_axi_awprot": 0,
        "i_s_axi_awvalid": bus.aw.valid,
        "o_s_axi_awready": bus.aw.ready,
        "i_s_axi_wdata": bus.w.data,
        "i_s_axi_wstrb": bus.w.strb,
        "i_s_axi_wvalid": bus.w.valid,
        "o_s_axi_wready": bus.w.ready,
        "o_s_axi_bresp": bus.b.resp,
        "o_s_axi_bvalid": bus.b.valid,
        "i_s_axi_bready": bus.b.ready,
        "i_s_axi_araddr": bus.ar.addr[:8],
        "i_s_axi_arprot": 0,
        "i_s_axi_arvalid": bus.ar.valid,
        "o_s_axi_arready": bus.ar.ready,
        "o_s_axi_rdata": bus.r.data,
        "o_s_axi_rresp": bus.r.resp,
        "o_s_axi_rvalid": bus.r.valid,
        "i_s_axi_rready": bus.r.ready,
    }


def _into(name, source):
    port = f"s_axis_{name}_t"
    return {
        f"i_{port}data": source.data,
        f"i_{port}valid": source.valid,
        f"i_{port}last": source.last,
        f"o_{port}ready": source.ready,
    }


def add_systopack(soc, name="accelerator", gated=False):
    """Put the accelerator into a SoC: registers on its bus, DMA as masters, its interrupt.

    Args:
        soc: a LiteX SoC, whatever its bus is.
        name: of the module, its region of registers and its interrupt.
        gated: see `Systopack`.

    Returns:
        The module.
    """
    module = Systopack(soc.platform, gated=gated)
    soc.add_module(name, module)
    soc.bus.add_slave(f"{name}_registers", module.registers, SoCRegion(size=0x100, cached=False))
    for which, bus in module.masters.items():
        soc.bus.add_master(f"{name}_{which}", master=bus)
    if soc.irq.enabled:
        soc.irq.add(name, use_loc_if_exists=True)
    return module
