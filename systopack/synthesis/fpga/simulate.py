"""Run images through a synthesized ECP5 netlist: the design as the device would hold it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidNetworkError, InvalidOptionError
from systopack.network.reference import run
from systopack.rtl.host import Host
from systopack.synthesis.fpga.design import TOP, FpgaDesign
from systopack.synthesis.fpga.ecp5 import Ecp5Netlist
from systopack.synthesis.fpga.lanes import Lanes, LaneSimulation

RUNS = 64


@dataclass(frozen=True, kw_only=True)
class NetlistRun:
    """What a netlist did with images.

    Args:
        images: run.
        results: words compared with the integer reference.
        different: of them, not equal.
        cycles: of one image, as the netlist's own register counts them.
    """

    images: int
    results: int
    different: int
    cycles: int


def simulate_netlist(
    design: FpgaDesign, netlist: Ecp5Netlist, images: NDArray[np.int8]
) -> NetlistRun:
    """Configure the netlist through AXI, stream images in side by side and compare the results.

    Args:
        design: with the program of a network.
        netlist: of this design.
        images: shape (B, C, H, W), int8, 1 to 64 of them.

    Raises:
        InvalidOptionError: the design has no program, or there are too many images or none.
        InvalidFileError: the netlist has cells without a simulation model.
        InvalidNetworkError: the results do not come.
    """
    if design.program is None:
        raise InvalidOptionError("The design has no network to run; give one of a network.")
    if not 1 <= len(images) <= RUNS:
        raise InvalidOptionError(f"There are {len(images)} images; give 1 to {RUNS}.")
    network = design.program.network
    board = _Board(LaneSimulation(netlist.netlist, top=TOP))
    host = Host(board.write, board.read)
    host.configure(design.program)
    host.start()
    expected = run(network, images)[network.output.name].reshape(len(images), -1)
    found = board.stream(images, expected.shape[1], limit=4 * (design.cycles or 1 << 20))
    while host.busy():  # the last result leaves before the run ends
        pass
    return NetlistRun(
        images=len(images),
        results=expected.size,
        different=int(np.count_nonzero(found != expected)),
        cycles=host.cycles(),
    )


class _Board:
    """The AXI ports of a simulated netlist."""

    def __init__(self, simulation: LaneSimulation) -> None:
        self._pins = simulation
        for port in ("s_axi_bready", "s_axi_rready"):
            simulation.set(port, 1)
        simulation.set("s_axi_wstrb", 15)
        simulation.settle()
        for _ in range(4):
            simulation.clock()
        simulation.set("aresetn", 1)
        simulation.settle()
        simulation.clock()

    def write(self, register: int, value: int) -> None:
        """Write a register."""
        pins = self._pins
        pins.set("s_axi_awaddr", register)
        pins.set("s_axi_wdata", value)
        self._valid(("s_axi_awvalid", "s_axi_wvalid"), 1)
        while not (pins.get("s_axi_awready") and pins.get("s_axi_wready")):
            pins.clock()
        pins.clock()
        self._valid(("s_axi_awvalid", "s_axi_wvalid"), 0)
        while not pins.get("s_axi_bvalid"):
            pins.clock()
        pins.clock()

    def read(self, register: int) -> int:
        """Read a register."""
        pins = self._pins
        pins.set("s_axi_araddr", register)
        self._valid(("s_axi_arvalid",), 1)
        while not pins.get("s_axi_arready"):
            pins.clock()
        pins.clock()
        self._valid(("s_axi_arvalid",), 0)
        while not pins.get("s_axi_rvalid"):
            pins.clock()
        value = pins.get("s_axi_rdata")
        pins.clock()
        return value

    def stream(self, images: NDArray[np.int8], results: int, *, limit: int) -> NDArray[np.int32]:
        """Send images of shape (B, C, H, W) side by side; their results, shape (B, results)."""
        pins = self._pins
        pixels = as_lanes(images.reshape(len(images), -1).view(np.uint8).astype(np.uint32), 8)
        found: list[NDArray[np.uint32]] = []
        sent = 0
        pins.set("m_axis_result_tready", 1)
        for _ in range(limit):
            waiting = sent < len(pixels)
            pins.set("s_axis_image_tvalid", int(waiting))
            pins.set("s_axis_image_tlast", int(sent == len(pixels) - 1))
            if waiting:
                pins.set_lanes("s_axis_image_tdata", pixels[sent])
            pins.settle()
            if pins.get("m_axis_result_tvalid"):
                found.append(of_lanes(pins.lanes("m_axis_result_tdata"), len(images)))
                if len(found) == results:
                    pins.clock()
                    return np.stack(found, axis=1).view(np.int32)
            sent += waiting and pins.get("s_axis_image_tready")
            pins.clock()
        raise InvalidNetworkError(f"The netlist sent no results within {limit} cycles.")

    def _valid(self, ports: tuple[str, ...], value: int) -> None:
        for port in ports:
            self._pins.set(port, value)
        self._pins.settle()


def as_lanes(values: NDArray[np.uint32], bits: int) -> NDArray[np.uint64]:
    """Values of shape (runs, n) as words of lanes, shape (n, bits).

    >>> as_lanes(np.array([[1], [3]], np.uint32), 2).tolist()
    [[3, 2]]
    """
    picked = (values[..., None] >> np.arange(bits, dtype=np.uint32)) & np.uint32(1)
    weights = np.uint64(1) << np.arange(len(values), dtype=np.uint64)
    lanes: NDArray[np.uint64] = (picked.astype(np.uint64) * weights[:, None, None]).sum(axis=0)
    return lanes.astype(np.uint64)


def of_lanes(lanes: Lanes, runs: int) -> NDArray[np.uint32]:
    """The value of each run from a port's words of lanes.

    >>> of_lanes(np.array([3, 2], np.uint64), 2).tolist()
    [1, 3]
    """
    picked = (lanes[None] >> np.arange(runs, dtype=np.uint64)[:, None]) & np.uint64(1)
    weights = np.uint32(1) << np.arange(len(lanes), dtype=np.uint32)
    values: NDArray[np.uint32] = (picked.astype(np.uint32) * weights).sum(axis=1)
    return values.astype(np.uint32)
