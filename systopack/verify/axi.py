"""Drive the accelerator through its AXI ports in simulation, as a host drives a board."""

from __future__ import annotations

import ctypes
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidNetworkError
from systopack.rtl.host import Host
from systopack.rtl.parameters import AXI_PIPELINED_SOURCES, AXI_TILED_SOURCES, sources
from systopack.rtl.pipelined.program import PipelinedProgram
from systopack.rtl.pipelined.top import top_module
from systopack.rtl.program import TiledProgram
from systopack.verify.bench import Port, copy_port
from systopack.verify.verilator import build


class SimulatedBoard:
    """An accelerator in simulation; `host` has the calls that a board answers too.

    Args:
        program: the compiled network, which decides how the accelerator is built.
    """

    def __init__(self, program: TiledProgram | PipelinedProgram) -> None:
        shapes = program.network.shapes
        self._results = int(np.prod(shapes[program.network.output.name]))
        self._pipelined = isinstance(program, PipelinedProgram)
        if isinstance(program, PipelinedProgram):
            with tempfile.TemporaryDirectory(prefix="systopack-") as folder:
                top = Path(folder) / "pipelined_accelerator.v"
                top.write_text(top_module(program))
                self._library = build(
                    top="axi_pipelined",
                    sources=[*sources(AXI_PIPELINED_SOURCES), top],
                    parameters=program.parameters,
                    harness=_harness(program.parameters["IMAGE_BITS"]),
                )
        else:
            self._library = build(
                top="axi_tiled",
                sources=sources(AXI_TILED_SOURCES),
                parameters={**program.parameters, "RESULTS": self._results},
                harness=_harness(8),
            )
        self._library.reset()
        self._library.read_register.restype = ctypes.c_uint32
        self.host = Host(self._write, self._read)

    def run(self, image: NDArray[np.int8], *, cycle_limit: int = 1 << 24) -> NDArray[np.int32]:
        """Run one image, shape (C, H, W), and give the result words, shape (results,).

        A layer-pipelined accelerator gives them position by position.

        Raises:
            InvalidNetworkError: the results did not come within the limit.
        """
        planes = image.reshape(image.shape[0], -1)
        beats = planes.T if self._pipelined else planes.reshape(-1, 1)
        pixels = np.ascontiguousarray(beats).view(np.uint8)
        results = np.zeros(self._results, np.int32)
        self.host.start()
        ended = self._library.stream(
            pixels.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_long(len(pixels)),
            results.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_long(results.size),
            ctypes.c_long(cycle_limit),
        )
        if not ended:
            raise InvalidNetworkError(f"The board sent no results within {cycle_limit} cycles.")
        return results

    def _write(self, register: int, value: int) -> None:
        self._library.write_register(ctypes.c_uint32(register), ctypes.c_uint32(value))

    def _read(self, register: int) -> int:
        return int(self._library.read_register(ctypes.c_uint32(register)))


def _harness(image_bits: int) -> str:
    image = Port(name="s_axis_image_tdata", bits=image_bits)
    return (
        _HARNESS.replace("BEAT_BYTES", str(image_bits // 8))
        .replace("IMAGE_WORDS", str(image.words))
        .replace("SEND_IMAGE", copy_port(image, "p", to_model=True))
    )


_HARNESS = """
#include <cstring>
#include "Vmodel.h"
#include "verilated.h"
double sc_time_stamp() { return 0; }
static VerilatedContext* context = nullptr;
static Vmodel* top = nullptr;
static void edge() { top->clk = 1; top->eval(); top->clk = 0; top->eval(); }
extern "C" void reset() {
  delete top; delete context;
  context = new VerilatedContext; top = new Vmodel(context);
  top->clk = 0; top->reset = 1; top->s_axi_awvalid = 0; top->s_axi_wvalid = 0;
  top->s_axi_bready = 1; top->s_axi_arvalid = 0; top->s_axi_rready = 0;
  top->s_axis_image_tvalid = 0; top->m_axis_result_tready = 0; top->eval();
  for (int i = 0; i < 4; ++i) edge();
  top->reset = 0;
}
extern "C" void write_register(uint32_t address, uint32_t value) {
  top->s_axi_awaddr = address; top->s_axi_wdata = value;
  top->s_axi_awvalid = 1; top->s_axi_wvalid = 1; top->eval();
  while (!(top->s_axi_awready && top->s_axi_wready)) edge();
  edge();
  top->s_axi_awvalid = 0; top->s_axi_wvalid = 0; top->eval();
  while (!top->s_axi_bvalid) edge();
  edge();
}
extern "C" uint32_t read_register(uint32_t address) {
  top->s_axi_araddr = address; top->s_axi_arvalid = 1; top->eval();
  while (!top->s_axi_arready) edge();
  edge();
  top->s_axi_arvalid = 0; top->s_axi_rready = 1; top->eval();
  while (!top->s_axi_rvalid) edge();
  uint32_t value = top->s_axi_rdata;
  edge(); top->s_axi_rready = 0;
  return value;
}
extern "C" long stream(const uint8_t* image, long beats, int32_t* results, long count, long limit) {
  static uint32_t words[IMAGE_WORDS];
  long sent = 0, got = 0; bool last_right = true;
  top->m_axis_result_tready = 1;
  for (long cycle = 0; cycle < limit && got < count; ++cycle) {
    top->s_axis_image_tvalid = sent < beats;
    if (sent < beats) memcpy(words, image + sent * BEAT_BYTES, BEAT_BYTES);
    { uint32_t* p = words; Vmodel& model = *top; SEND_IMAGE }
    top->eval();
    bool took = top->s_axis_image_tvalid && top->s_axis_image_tready;
    if (top->m_axis_result_tvalid) {
      results[got++] = top->m_axis_result_tdata;
      last_right = last_right && top->m_axis_result_tlast == (got == count);
    }
    edge();
    if (took) ++sent;
  }
  top->s_axis_image_tvalid = 0; top->m_axis_result_tready = 0;
  return got == count && sent == beats && last_right;
}
"""
