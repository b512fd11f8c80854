"""Run a compiled network on the RTL of the tiled accelerator and record all that it does."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidNetworkError
from systopack.folders.working import WorkingFolder
from systopack.hardware.placement import Placement
from systopack.rtl.parameters import TILED_SOURCES, VERILOG
from systopack.rtl.program import TiledProgram
from systopack.verification.bench import Port, copy_port
from systopack.verification.host_code import fill_code, pointer, run_arguments, taken
from systopack.verification.memories import memory_rows
from systopack.verification.tracing import Probe, TraceCode, trace_code
from systopack.verification.verilator import also_failed, build, take_assertion


@dataclass(frozen=True, kw_only=True, eq=False)
class TiledRun:
    """What the accelerator did with each image.

    Args:
        cycles: shape (images,), int64: from the start of a run to its end.
        entered: shape (images,), int64: word times in which words entered the array.
        stalled: shape (images,), int64: word times lost to weights or partial sums.
        results: shape (images, results), int32: the words it sent.
        op_starts: shape (images, operations), int64: the cycle in which each instruction
            started, the end excluded.
        writes: for each image, shape (writes, 4), int64: instruction, bank, address, byte of
            every word written to a bank, in order.
        words: for each image, shape (words, rows), int8: all rows' bytes of every finished
            position, in order, the network's output layer included.
        assertion: see `take_assertion`.
    """

    cycles: NDArray[np.int64]
    entered: NDArray[np.int64]
    stalled: NDArray[np.int64]
    results: NDArray[np.int32]
    op_starts: NDArray[np.int64]
    writes: tuple[NDArray[np.int64], ...]
    words: tuple[NDArray[np.int8], ...]
    assertion: str | None


def run_tiled(
    program: TiledProgram,
    images: NDArray[np.int8],
    *,
    back_pressure: int = 0,
    cycle_limit: int = 1 << 32,
    verilog: Path = VERILOG,
    trace: Path | None = None,
    probe: Probe | None = None,
) -> TiledRun:
    """Build the accelerator (or find it built), fill its memories and run images through it.

    Args:
        images: shape (B, C, H, W), int8.
        back_pressure: 0: the host never waits; else the seed of random back-pressure on both
            streams.
        cycle_limit: cycles after which a run is given up.
        verilog: folder of the Verilog files.
        trace: a VCD file for all signals of the run; large and slow, None: no trace.
        probe: some signals of every cycle, from the start of the first image; not beside a trace.

    Raises:
        InvalidFileError: a tool is missing.
        InvalidNetworkError: a run did not end within the limit.
    """
    library = _build(program, verilog, trace, probe)
    if probe is not None:
        library.probe_to(str(probe.file).encode())
    take_assertion(library)  # of runs before this one
    count = len(images)
    layer = program.network.output
    results = np.zeros((count, int(np.prod(program.network.shapes[layer.name]))), np.int32)
    operations = len(program.operations) - 1
    op_starts = np.zeros((count, operations), np.uint32)
    counters = np.zeros((count, 3), np.uint32)
    config = memory_rows(program.images, program.parameters["CONFIG_BITS"])
    width = program.timing.lanes * program.timing.lane_rows
    pixels = np.ascontiguousarray(images.reshape(count, -1)).view(np.uint8)
    library.run.restype = ctypes.c_long
    library.write_log.restype = ctypes.POINTER(ctypes.c_uint32)
    library.word_log.restype = ctypes.POINTER(ctypes.c_uint8)
    writes, words = [], []
    for image in range(count):
        sizes = np.zeros(2, np.int64)
        ended = library.run(
            *run_arguments(config, pixels[image], results[image]),
            pointer(op_starts[image]),
            pointer(counters[image]),
            pointer(sizes),
            ctypes.c_long(cycle_limit),
            ctypes.c_uint32(back_pressure + image if back_pressure else 0),
            ctypes.c_int(int(image == 0)),
        )
        if not ended:
            raise InvalidNetworkError(
                f"The accelerator did not finish image {image} of network "
                f"'{program.network.name}' within {cycle_limit} cycles."
                f"{also_failed(library)}"
            )
        writes.append(taken(library.write_log(), (int(sizes[0]), 3), np.uint32))
        words.append(taken(library.word_log(), (int(sizes[1]), width), np.uint8).view(np.int8))
    return TiledRun(
        cycles=counters[:, 0].astype(np.int64),
        entered=counters[:, 1].astype(np.int64),
        stalled=counters[:, 2].astype(np.int64),
        results=results,
        op_starts=op_starts.astype(np.int64),
        writes=tuple(_split(log, program.placement) for log in writes),
        words=tuple(words),
        assertion=take_assertion(library),
    )


def _build(
    program: TiledProgram, verilog: Path, trace: Path | None, probe: Probe | None
) -> ctypes.CDLL:
    top = "tiled_accelerator"
    with WorkingFolder("probe") as folder:
        sources = [verilog / name for name in TILED_SOURCES]
        if probe is not None:
            probed = folder / f"{top}.v"
            probed.write_text(probe.with_wire((verilog / probed.name).read_text()))
            sources[-1] = probed
        return build(
            top=top,
            sources=sources,
            parameters=program.parameters,
            harness=_harness(program, trace_code(trace) if probe is None else probe.code(top)),
            trace=trace is not None,
        )


def _split(log: NDArray[np.uint32], placement: Placement) -> NDArray[np.int64]:
    wide = log.astype(np.int64)
    bank, part = np.divmod(wide[:, 1] >> 8, placement.timing.array.sub_banks)
    address = wide[:, 2] + (part << placement.place_bits)
    byte = wide[:, 1] & 255
    signed = byte - 256 * (byte > 127)
    return np.stack([wide[:, 0], bank, address, signed], axis=1)


def _harness(program: TiledProgram, code: TraceCode) -> str:
    """The C++ host: it fills memories, streams an image in and results out, and keeps a log."""
    parameters = program.parameters
    banks = program.banks * parameters["SUB_BANKS"]
    address = program.placement.place_bits
    rows = program.timing.lanes * program.timing.lane_rows
    config = Port(name="config_data", bits=parameters["CONFIG_BITS"])
    seen = [
        Port(name="written", bits=banks),
        Port(name="written_address", bits=banks * address),
        Port(name="written_byte", bits=banks * 8),
        Port(name="words", bits=rows * 8),
    ]
    declare = "\n".join(f"static uint32_t {port.name}[{port.words}];" for port in seen)
    copies = {
        port.name: f"{{ uint32_t* p = {port.name}; {copy_port(port, 'p', to_model=False)} }}"
        for port in seen
    }
    return _TEMPLATE % {
        "trace_header": code.header,
        "trace_settled": code.settled,
        "trace_flush": code.flush,
        "declare": declare,
        "fill": fill_code(config, code),
        "written": copies["written"],
        "written_address": copies["written_address"],
        "written_byte": copies["written_byte"],
        "words": copies["words"],
        "written_words": seen[0].words,
        "address_bits": address,
        "rows": rows,
    }


_TEMPLATE = """
#include "Vmodel.h"
#include "verilated.h"
%(trace_header)s
#include <vector>
double sc_time_stamp() { return 0; }
%(declare)s
static std::vector<uint32_t> writes;
static std::vector<uint8_t> words_seen;
static VerilatedContext* context = nullptr;
static Vmodel* top = nullptr;
extern "C" uint32_t* write_log() { return writes.data(); }
extern "C" uint8_t* word_log() { return words_seen.data(); }
%(fill)sextern "C" long run(const uint32_t* config, long config_count, const uint8_t* image,
                    long image_bytes, int32_t* results, long result_count, uint32_t* op_starts,
                    uint32_t* counters, int64_t* sizes, long limit, uint32_t pressure, int fresh) {
  if (fresh) fill(config, config_count);
  auto& model = *top;
  writes.clear(); words_seen.clear();
  long sent = 0, got = 0; bool started = false; uint32_t noise = pressure * 2654435761u + 1;
  // Banks are written up to two cycles into the next instruction, and read no earlier.
  uint32_t op = 0, op_before = 0;
  model.go = 1;
  for (long cycle = 0; cycle < limit; ++cycle) {
    noise ^= noise << 13; noise ^= noise >> 17; noise ^= noise << 5;
    if (!model.image_valid) model.image_valid = sent < image_bytes && (!pressure || (noise & 3));
    model.image_byte = sent < image_bytes ? image[sent] : 0;
    model.image_last = sent == image_bytes - 1;
    model.result_ready = !pressure || (noise & 4);
    model.eval(); %(trace_settled)s
    if (model.busy) { started = true; model.go = 0; }
    if (started && !model.busy) {
      counters[0] = model.cycles; counters[1] = model.entered; counters[2] = model.stalled;
      sizes[0] = writes.size() / 3;
      sizes[1] = words_seen.size() / %(rows)d;
      %(trace_flush)s
      return got == result_count && sent == image_bytes;
    }
    if (model.op_start) op_starts[model.op_number] = model.cycles;
    %(written)s
    bool any = false;
    for (int i = 0; i < %(written_words)d; ++i) any |= written[i] != 0;
    if (any) {
      %(written_address)s
      %(written_byte)s
      for (int i = 0; i < %(written_words)d; ++i)
        for (uint32_t left = written[i]; left; left &= left - 1) {
          long bank = 32 * i + __builtin_ctz(left);
          writes.push_back(op);
          writes.push_back(bank << 8 | (uint32_t)field(written_byte, 8 * bank, 8));
          writes.push_back(field(written_address, bank * %(address_bits)d, %(address_bits)d));
        }
    }
    op = op_before; op_before = model.op_number;
    if (model.words_captured) {
      %(words)s
      for (int i = 0; i < %(rows)d; ++i) words_seen.push_back(field(words, 8 * i, 8));
    }
    if (model.result_valid && model.result_ready && got < result_count)
      results[got++] = model.result_word;
    bool took = model.image_valid && model.image_ready;
    edge();
    if (took) { ++sent; model.image_valid = 0; }
  }
  return 0;
}
"""
