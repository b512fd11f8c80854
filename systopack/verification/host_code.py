"""What simulated hosts of the tiled accelerators share: filling memories, arguments of a run."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.verification.bench import Port, copy_port
from systopack.verification.tracing import TraceCode


def fill_code(config: Port, code: TraceCode) -> str:
    """C++ that clocks the model, takes fields out of words and fills the memories.

    Args:
        config: the configuration's data port.
        code: of the trace.
    """
    return _FILL % {
        "trace_start": code.start,
        "trace_dump": code.dump,
        "trace_cycle": code.cycle,
        "config": copy_port(config, "p", to_model=True),
        "config_words": config.words,
    }


def run_arguments(
    config: NDArray[np.uint32], image: NDArray[np.uint8], results: NDArray[np.int32]
) -> list[Any]:
    """The first arguments of a run: words of the memories, bytes of the image, room for results."""
    return [
        pointer(config),
        ctypes.c_long(len(config)),
        pointer(image),
        ctypes.c_long(len(image)),
        pointer(results),
        ctypes.c_long(len(results)),
    ]


def taken(log: Any, shape: tuple[int, int], dtype: type) -> NDArray[Any]:
    """A copy of what a log of the host holds."""
    if shape[0] == 0:
        return np.zeros(shape, dtype=dtype)
    found: NDArray[Any] = np.ctypeslib.as_array(log, shape=shape).copy()
    return found


def pointer(array: NDArray[Any]) -> ctypes.c_void_p:
    """Where an array's numbers lie."""
    return array.ctypes.data_as(ctypes.c_void_p)


_FILL = """
static void edge() { top->clk = 1; top->eval(); %(trace_dump)s top->clk = 0; %(trace_cycle)s }
static uint64_t field(const uint32_t* words, long low, int bits) {
  uint64_t value = (uint64_t)words[low / 32] >> (low %% 32);
  if (low %% 32 + bits > 32) value |= (uint64_t)words[low / 32 + 1] << (32 - low %% 32);
  return value & ((1ull << bits) - 1);
}
static void fill(const uint32_t* config, long count) {
  delete top; delete context;
  context = new VerilatedContext; top = new Vmodel(context); %(trace_start)s
  auto& model = *top;
  model.clk = 0; model.reset = 1; model.go = 0; model.config_write = 0;
  model.image_valid = 0; model.image_last = 0; model.result_ready = 0;
  model.weights_valid = 0; model.weights_last = 0; model.eval();
  for (int i = 0; i < 4; ++i) { top->eval(); edge(); }
  model.reset = 0; model.config_write = 1;
  for (long i = 0; i < count; ++i) {
    const uint32_t* p = config + i * (3 + %(config_words)d);
    model.config_memory = p[0]; model.config_bank = p[1]; model.config_address = p[2]; p += 3;
    %(config)s
    top->eval(); edge();
  }
  model.config_write = 0;
}
"""
