"""Run images through the RTL of a layer-pipelined accelerator; record every word and cycle."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidNetworkError
from systopack.folders.working import WorkingFolder
from systopack.hardware.pipelined.units import LayerUnit
from systopack.rtl.parameters import PIPELINED_SOURCES, VERILOG
from systopack.rtl.pipelined.program import PipelinedProgram
from systopack.rtl.pipelined.top import top_module
from systopack.verification.bench import Port, copy_port
from systopack.verification.memories import memory_rows
from systopack.verification.tracing import Trace, trace_code
from systopack.verification.verilator import also_failed, build, take_assertion

TOP = "pipelined_accelerator"


@dataclass(frozen=True, kw_only=True, eq=False)
class PipelinedRun:
    """What the accelerator did with a row of images.

    Cycle 0 is the first one of the word time that let the first image's first word in.

    Args:
        cycles: by unit, shape (images, positions), int64: when each word was offered.
        words: by unit, shape (images, rows, positions), int64.
        results: shape (images, rows, positions), int64: the words it sent.
        last_cycle: when the last result word was sent.
        counted: the accelerator's own cycle counter at the end.
        assertion: see `take_assertion`.
    """

    cycles: Mapping[str, NDArray[np.int64]]
    words: Mapping[str, NDArray[np.int64]]
    results: NDArray[np.int64]
    last_cycle: int
    counted: int
    assertion: str | None


class PipelinedModel:
    """A layer-pipelined accelerator in simulation, its weights loaded.

    Args:
        program: the compiled network.
        gated: whether the arrays' clocks stop while they are idle.
        verilog: folder of the Verilog files.
        trace: a file for all signals, None: no trace.

    Raises:
        InvalidFileError: a tool is missing.
    """

    def __init__(
        self,
        program: PipelinedProgram,
        *,
        gated: bool = False,
        verilog: Path = VERILOG,
        trace: Trace | None = None,
    ) -> None:
        self._program = program
        self._sizes = [_unit_bytes(program, index) for index in range(len(program.units))]
        with WorkingFolder("pipelined") as folder:
            top = folder / f"{TOP}.v"
            top.write_text(top_module(program))
            self.library = build(
                top=TOP,
                sources=[*(verilog / name for name in PIPELINED_SOURCES), top],
                parameters={"GATED": int(gated)},
                harness=_harness(program, self._sizes, trace),
                trace=None if trace is None else trace.format,
            )
        self.library.run.restype = ctypes.c_long
        self.library.cycle_log.restype = ctypes.POINTER(ctypes.c_int64)
        self.library.word_log.restype = ctypes.POINTER(ctypes.c_uint8)
        self.library.log_size.restype = ctypes.c_long
        rows = memory_rows(program.images, program.parameters["CONFIG_BITS"])
        self.library.fill(_pointer(rows), ctypes.c_long(len(rows)))

    def run(
        self, images: NDArray[np.int8], *, back_pressure: int = 0, cycle_limit: int = 1 << 32
    ) -> PipelinedRun:
        """Run images, one right after another.

        Args:
            images: shape (B, C, H, W), int8.
            back_pressure: 0: the host never waits; else the seed of random back-pressure on both
                streams.
            cycle_limit: cycles after which the run is given up.

        Raises:
            InvalidNetworkError: the images were not finished within the limit.
        """
        take_assertion(self.library)  # of runs before this one
        program = self._program
        network, count = program.network, len(images)
        pixels = np.ascontiguousarray(
            images.reshape(count, images.shape[1], -1).swapaxes(1, 2)
        ).view(np.uint8)
        results = np.zeros(count * program.result_words, np.int32)
        numbers = np.zeros(3, np.int64)
        ended = self.library.run(
            _pointer(pixels),
            ctypes.c_long(count * pixels.shape[1]),
            _pointer(results),
            ctypes.c_long(results.size),
            _pointer(numbers),
            ctypes.c_long(cycle_limit),
            ctypes.c_uint32(back_pressure),
        )
        if not ended:
            raise InvalidNetworkError(
                f"The layer-pipelined accelerator did not finish {count} images of network "
                f"'{network.name}' within {cycle_limit} cycles.{also_failed(self.library)}"
            )
        base = int(numbers[0]) - (program.array.word_cycles - 1)
        cycles, words = {}, {}
        for index, unit in enumerate(program.units):
            rows, height, width = network.shapes[unit.name]
            size = self.library.log_size(ctypes.c_int(index))
            times = _take(self.library.cycle_log(ctypes.c_int(index)), (size,), np.int64) - base
            data = _take(
                self.library.word_log(ctypes.c_int(index)), (size, self._sizes[index]), np.uint8
            )
            shape = (-1, height * width)
            if size % (height * width):
                shape = (1, size)
            cycles[unit.name] = times.reshape(shape)
            values = _values(data, rows)
            words[unit.name] = values.reshape(*shape, rows).swapaxes(1, 2)
        rows, height, width = network.shapes[network.output.name]
        sent = results.reshape(count, height * width, rows).swapaxes(1, 2).astype(np.int64)
        return PipelinedRun(
            cycles=cycles,
            words=words,
            results=sent,
            last_cycle=int(numbers[1]) - base,
            counted=int(numbers[2]),
            assertion=take_assertion(self.library),
        )


def _unit_bytes(program: PipelinedProgram, index: int) -> int:
    """Bytes of one word of a unit, all rows."""
    unit = program.units[index]
    rows = program.network.shapes[unit.name][0]
    is_result = index == len(program.units) - 1 and isinstance(unit, LayerUnit)
    return rows * (program.array.accumulator_bits // 8 if is_result else 1)


def _values(data: NDArray[np.uint8], rows: int) -> NDArray[np.int64]:
    """Two's complement numbers from little-endian bytes: shape (words, rows)."""
    size = data.shape[1] // rows
    parts = data.reshape(len(data), rows, size).astype(np.int64)
    values = (parts << (8 * np.arange(size))).sum(axis=2)
    wrapped: NDArray[np.int64] = values - ((values >> (8 * size - 1)) << (8 * size))
    return wrapped


def _take(pointer: Any, shape: tuple[int, ...], dtype: type) -> NDArray[Any]:
    if shape[0] == 0:
        return np.zeros(shape, dtype=dtype)
    found: NDArray[Any] = np.ctypeslib.as_array(pointer, shape=shape).copy()
    return found


def _pointer(array: NDArray[np.generic]) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)


def _harness(program: PipelinedProgram, sizes: list[int], trace: Trace | None) -> str:
    """The C++ host: it loads weights, streams images in and results out, and keeps a log."""
    config = Port(name="config_data", bits=program.parameters["CONFIG_BITS"])
    image = Port(name="image_word", bits=program.parameters["IMAGE_BITS"])
    observed = Port(name="observed", bits=len(sizes))
    words = Port(name="observed_words", bits=8 * sum(sizes))
    channels = program.network.input.shape[0]
    code = trace_code(trace)
    shapes = program.network.shapes
    return _TEMPLATE % {
        "trace_header": code.header,
        "trace_start": code.start,
        "trace_dump": code.dump,
        "trace_cycle": code.cycle,
        "trace_run": code.run,
        "trace_flush": code.flush,
        "units": len(sizes),
        "sizes": ", ".join(map(str, sizes)),
        "positions": ", ".join(str(np.prod(shapes[u.name][1:])) for u in program.units),
        "image_positions": int(np.prod(shapes[program.network.input.name][1:])),
        "config": copy_port(config, "p", to_model=True),
        "config_words": config.words,
        "channels": channels,
        "image_words": image.words,
        "image": f"{{ uint32_t* q = buffer; {copy_port(image, 'q', to_model=True)} }}",
        "observed_words": observed.words,
        "observed": f"{{ uint32_t* q = seen; {copy_port(observed, 'q', to_model=False)} }}",
        "words_words": words.words,
        "words": f"{{ uint32_t* q = words; {copy_port(words, 'q', to_model=False)} }}",
    }


_TEMPLATE = """
#include "Vmodel.h"
#include "verilated.h"
%(trace_header)s
#include <cstring>
#include <vector>
double sc_time_stamp() { return 0; }
static const int UNITS = %(units)d;
static const int SIZES[] = {%(sizes)s};
static const size_t POSITIONS[] = {%(positions)s};  // words of an image
static std::vector<int64_t> cycles_of[UNITS];
static std::vector<uint8_t> words_of[UNITS];
static uint32_t buffer[%(image_words)d], seen[%(observed_words)d], words[%(words_words)d];
static VerilatedContext* context = nullptr;
static Vmodel* top = nullptr;
extern "C" int64_t* cycle_log(int unit) { return cycles_of[unit].data(); }
extern "C" uint8_t* word_log(int unit) { return words_of[unit].data(); }
extern "C" long log_size(int unit) { return (long)cycles_of[unit].size(); }
static void edge() {
  top->clk = 1; top->eval(); %(trace_dump)s top->clk = 0; top->eval(); %(trace_dump)s
  %(trace_cycle)s
}
extern "C" void fill(const uint32_t* config, long count) {
  delete top; delete context;
  context = new VerilatedContext; top = new Vmodel(context); %(trace_start)s
  auto& model = *top;
  model.clk = 0; model.reset = 1; model.go = 0; model.config_write = 0;
  model.image_valid = 0; model.image_last = 0; model.result_ready = 0; model.eval();
  for (int i = 0; i < 4; ++i) edge();
  model.reset = 0; model.config_write = 1;
  for (long i = 0; i < count; ++i) {
    const uint32_t* p = config + i * (3 + %(config_words)d);
    model.config_memory = p[0]; model.config_bank = p[1]; model.config_address = p[2]; p += 3;
    %(config)s
    edge();
  }
  model.config_write = 0; model.go = 1;
  model.eval();
  while (!model.started) edge();
  edge();
  model.go = 0;
}
extern "C" long run(const uint8_t* image, long image_count, int32_t* results, long result_count,
                    int64_t* numbers, long limit, uint32_t back_pressure) {
  auto& model = *top; %(trace_run)s
  for (int u = 0; u < UNITS; ++u) { cycles_of[u].clear(); words_of[u].clear(); }
  long sent = 0, got = 0; uint32_t noise = back_pressure * 2654435761u + 1;
  long burst = 0;
  model.image_valid = 0;
  // Words that no result needs may still come after the last one.
  auto all_seen = [&]() {
    for (int u = 0; u < UNITS; ++u)
      if (cycles_of[u].size() * %(image_positions)d < POSITIONS[u] * image_count) return false;
    return true;
  };
  for (long cycle = 0; cycle < limit && !(got == result_count && all_seen()); ++cycle) {
    noise ^= noise << 13; noise ^= noise >> 17; noise ^= noise << 5;
    if (back_pressure && burst == 0) burst = (noise >> 8) %% 400;
    bool quiet = back_pressure && --burst > 0 && (noise >> 4 & burst >> 6 & 1);
    if (!model.image_valid) model.image_valid = sent < image_count && !quiet;
    if (sent < image_count) {
      memcpy(buffer, image + sent * %(channels)d, %(channels)d);
      %(image)s
      model.image_last = sent %% %(image_positions)d == %(image_positions)d - 1;
    }
    model.result_ready = got < result_count && (!back_pressure || (noise & 4));
    model.eval();
    bool took = model.image_valid && model.image_ready;
    if (took && sent == 0) numbers[0] = cycle;
    %(observed)s
    bool any = false;
    for (int i = 0; i < %(observed_words)d; ++i) any |= seen[i] != 0;
    if (any) {
      %(words)s
      const uint8_t* bytes = (const uint8_t*)words;
      for (int u = 0; u < UNITS; bytes += SIZES[u++])
        if (seen[u / 32] >> (u %% 32) & 1) {
          cycles_of[u].push_back(cycle);
          words_of[u].insert(words_of[u].end(), bytes, bytes + SIZES[u]);
        }
    }
    if (model.result_valid && model.result_ready) {
      results[got++] = model.result_word;
      numbers[1] = cycle;
      numbers[2] = model.cycles + 1;
    }
    edge();
    if (took) { ++sent; model.image_valid = 0; }
  }
  model.image_valid = 0; model.result_ready = 0; model.eval();
  %(trace_flush)s
  return got == result_count && sent == image_count;
}
"""
