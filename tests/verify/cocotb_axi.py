"""Runs inside cocotb: a foreign AXI master, source and sink against a delivered accelerator.

VECTORS names a JSON file: `organisation`, `writes` (register, value), `images` (beats as integers),
`beat_bytes`, `results` (32-bit words of each image), `cycles` of one image.
"""

import json
import logging
import os
import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiResp,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)

with open(os.environ["VECTORS"]) as file:
    VECTORS = json.load(file)
TILED = VECTORS["organisation"] == "tiled"
IMAGES, RESULTS, CYCLES = VECTORS["images"], VECTORS["results"], VECTORS["cycles"]
# The addresses as they are written down, not as the package has them.
CONTROL, MEMORY, ADDRESS, DATA, COMMIT, IDENTITY = 0x00, 0x08, 0x0C, 0x10, 0x14, 0x18
STATUS, DROPPED, BUILD = 0x24, 0x28, 0x2C


class Monitor:
    """The rules of a channel that the accelerator drives: what is offered stays, nothing is X."""

    def __init__(self, dut, name, valid, ready, payload):
        self.dut, self.name = dut, name
        self.valid, self.ready, self.payload = valid, ready, payload
        self.faults = []
        cocotb.start_soon(self.run())

    async def run(self):
        offered = None
        resets = 0  # clock edges in reset; the very first one comes with the clock itself
        while True:
            await RisingEdge(self.dut.clk)
            in_reset = str(self.dut.aresetn.value) == "0"
            valid, ready = str(self.valid.value), str(self.ready.value)
            data = [str(item.value) for item in self.payload]
            resets = resets + 1 if in_reset else 0
            if resets > 2 and valid != "0":
                self.faults.append("VALID in reset")
            if str(self.dut.aresetn.value) != "1":
                offered = None
                continue
            if valid not in "01" or (valid == "1" and any(set(item) - {"0", "1"} for item in data)):
                self.faults.append("X")
            if offered is not None and (valid != "1" or data != offered):
                self.faults.append("an offered word changed")
            offered = data if valid == "1" and ready != "1" else None


class Bench:
    """The ports of the accelerator."""

    def __init__(self, dut):
        self.dut = dut
        self.random = random.Random(5)
        cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())
        reset = {"reset": dut.aresetn, "reset_active_level": False}
        self.master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.clk, **reset)
        self.source = AxiStreamSource(
            AxiStreamBus.from_prefix(dut, "s_axis_image"), dut.clk, byte_lanes=1, **reset
        )
        self.sink = AxiStreamSink(
            AxiStreamBus.from_prefix(dut, "m_axis_result"), dut.clk, byte_lanes=1, **reset
        )
        # Frames that a reset takes away are none of our business.
        for part in (self.master.write_if, self.master.read_if, self.source, self.sink):
            part.log.setLevel(logging.ERROR)
        self.monitors = [
            Monitor(
                dut,
                "results",
                dut.m_axis_result_tvalid,
                dut.m_axis_result_tready,
                [dut.m_axis_result_tdata, dut.m_axis_result_tlast],
            ),
            Monitor(dut, "B", dut.s_axi_bvalid, dut.s_axi_bready, [dut.s_axi_bresp]),
            Monitor(
                dut, "R", dut.s_axi_rvalid, dut.s_axi_rready, [dut.s_axi_rdata, dut.s_axi_rresp]
            ),
        ]

    async def reset(self, cycles=4):
        self.dut.aresetn.value = 0
        self.source.clear()
        await ClockCycles(self.dut.clk, cycles)
        self.dut.aresetn.value = 1
        await ClockCycles(self.dut.clk, 1)
        self.sink.clear()

    def pause(self, share):
        """Every channel waits at random."""
        writes, reads = self.master.write_if, self.master.read_if
        channels = (
            writes.aw_channel,
            writes.w_channel,
            writes.b_channel,
            reads.ar_channel,
            reads.r_channel,
        )
        for channel in (*channels, self.source, self.sink):
            channel.set_pause_generator(self._back_pressure(share))

    def _back_pressure(self, share):
        while True:
            yield self.random.random() < share

    async def write(self, register, value, size=4):
        answer = await self.master.write(register, value.to_bytes(size, "little"))
        return answer.resp

    async def read(self, register):
        answer = await self.master.read(register, 4)
        return int.from_bytes(answer.data, "little"), answer.resp

    async def configure(self):
        for register, value in VECTORS["writes"]:
            assert await self.write(register, value) == AxiResp.OKAY

    async def start(self):
        assert await self.write(CONTROL, 1) == AxiResp.OKAY

    async def idle(self):
        for _ in range(CYCLES):
            if not (await self.read(CONTROL))[0] & 1:
                return
        raise AssertionError("it stays busy")

    async def send(self, image, beats=None):
        """Queue an image; one of another length repeats its beats."""
        whole = IMAGES[image]
        count = len(whole) if beats is None else beats
        data = (whole * (count // len(whole) + 1))[:count]
        await self.source.send(AxiStreamFrame(tdata=data))

    async def expect(self, image):
        frame = await with_timeout(self.sink.recv(), (60 * CYCLES + 20_000) * 10, "ns")
        assert list(frame.tdata) == RESULTS[image], f"image {image}: {list(frame.tdata)}"

    async def image(self, image):
        await self.start()
        await self.send(image)
        await self.expect(image)

    async def end(self):
        """Nothing more comes, and no rule was broken."""
        await self.idle()
        await ClockCycles(self.dut.clk, 50)
        assert self.sink.empty()
        for monitor in self.monitors:
            assert not monitor.faults, (monitor.name, monitor.faults[:3])


async def ready(dut, *, back_pressure=0.0):
    bench = Bench(dut)
    await bench.reset()
    await bench.configure()
    bench.pause(back_pressure)
    return bench


@cocotb.test()
async def images_follow_each_other_under_random_back_pressure(dut):
    bench = await ready(dut, back_pressure=0.3)
    order = [bench.random.randrange(len(IMAGES)) for _ in range(5)]
    for image in order:
        await bench.send(image)
    if not TILED:
        await bench.start()
    for image in order:
        if TILED:
            await bench.start()  # the last result was taken, so this start is kept
        await bench.expect(image)
    await bench.end()


@cocotb.test()
async def registers_answer_as_they_must(dut):
    bench = await ready(dut, back_pressure=0.2)
    build, _ = await bench.read(BUILD)
    assert build == VECTORS["build"]
    for register in (0x04, IDENTITY, 0x1C, 0x20, DROPPED, BUILD, 0x30, 0x7C, 0xFC):
        assert await bench.write(register, 5) == AxiResp.SLVERR
    for register in (0x30, 0x7C, 0xFC):
        assert await bench.read(register) == (0, AxiResp.SLVERR)
    await bench.write(MEMORY, 0x12345678)
    assert await bench.write(MEMORY + 1, 0xAA, size=1) == AxiResp.OKAY
    assert await bench.write(MEMORY + 2, 0xCCBB, size=2) == AxiResp.OKAY
    assert await bench.read(MEMORY) == (0xCCBBAA78, AxiResp.OKAY)
    some = await bench.master.read(MEMORY + 2, 2)
    assert some.data == bytes([0xBB, 0xCC])
    await bench.image(1)
    await bench.end()


@cocotb.test()
async def a_configuration_may_be_cut_off_and_repeated(dut):
    bench = await ready(dut, back_pressure=0.1)
    for number in range(6):
        cut = bench.random.randrange(1, len(VECTORS["writes"]))
        for register, value in VECTORS["writes"][:cut]:
            assert await bench.write(register, value) == AxiResp.OKAY
        if number % 2:
            assert await bench.write(CONTROL, 2) == AxiResp.OKAY
            await bench.idle()
        await bench.configure()
        await bench.image(number % len(IMAGES))
        await bench.idle()
    await bench.end()


@cocotb.test()
async def a_start_while_busy_hurts_nobody(dut):
    bench = await ready(dut)
    await bench.start()
    half = max(1, len(IMAGES[0]) // 2)
    frame = AxiStreamFrame(tdata=IMAGES[0])
    bench.source.set_pause_generator(i >= half and i < half + 200 for i in range(1 << 20))
    await bench.source.send(frame)
    await ClockCycles(dut.clk, half + 40)
    kept = await bench.write(CONTROL, 1) == AxiResp.OKAY
    for register in (MEMORY, ADDRESS, DATA, COMMIT):
        assert await bench.write(register, 0xFFFFFFFF) == AxiResp.SLVERR
    await bench.expect(0)
    if TILED and not kept:
        await bench.start()
    await bench.send(2)
    await bench.expect(2)
    await bench.end()


@cocotb.test()
async def images_of_the_wrong_length_are_dropped(dut):
    bench = await ready(dut, back_pressure=0.1)
    whole = len(IMAGES[0])
    await bench.start()
    for beats in (1, whole - 1, whole + 1, 2 * whole):
        await bench.send(1, beats)
    await bench.send(3)
    await bench.expect(3)
    await bench.idle()
    assert (await bench.read(DROPPED))[0] == 4
    assert (await bench.read(STATUS))[0] == 2
    await bench.write(STATUS, 2)
    assert (await bench.read(STATUS))[0] == 0
    await bench.image(0)
    await bench.end()


@cocotb.test()
async def an_abort_at_any_time_leaves_no_trace(dut):
    bench = await ready(dut, back_pressure=0.2)
    for _ in range(6):
        await bench.start()
        await bench.send(0)
        await ClockCycles(dut.clk, bench.random.randrange(2 * CYCLES))
        assert await bench.write(CONTROL, 2) == AxiResp.OKAY
        await bench.idle()
        await ClockCycles(dut.clk, 3 * len(IMAGES[0]) + 50)  # the rest of the image goes
        bench.sink.clear()
        if not bench.source.idle():  # it had not begun
            await bench.start()
            await bench.expect(0)
            await bench.idle()
        await bench.image(1 + bench.random.randrange(3))
        await bench.idle()
    assert (await bench.read(DROPPED))[0] == 0
    await bench.end()


@cocotb.test()
async def a_reset_at_any_time_leaves_no_trace(dut):
    bench = await ready(dut, back_pressure=0.2)
    for _ in range(8):
        await bench.start()
        await bench.send(0)
        await ClockCycles(dut.clk, bench.random.randrange(2 * CYCLES))
        await bench.reset(bench.random.choice([1, 1, 2, 5]))
        await bench.image(1 + bench.random.randrange(3))
        await bench.idle()
    await bench.end()
