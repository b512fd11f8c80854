"""Drive a Verilog module with recorded inputs: one call for a whole run, not one per cycle."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from systopack.verification.verilator import build

Words = NDArray[np.uint32]


@dataclass(frozen=True, kw_only=True)
class Port:
    """A port of a module.

    Args:
        name: its name in Verilog.
        bits: its width.
    """

    name: str
    bits: int

    @property
    def words(self) -> int:
        """32-bit words that hold it."""
        return -(-self.bits // 32)


class Bench:
    """A clocked module (`clk`), built once; each run starts a fresh copy of it.

    Args:
        top, sources, parameters: see `verilator.build`.
        inputs, outputs: its ports without the clock.
    """

    def __init__(
        self,
        *,
        top: str,
        sources: Sequence[Path],
        parameters: Mapping[str, int],
        inputs: Sequence[Port],
        outputs: Sequence[Port],
    ) -> None:
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        harness = _harness(self.inputs, self.outputs)
        self._library = build(top=top, sources=sources, parameters=parameters, harness=harness)

    def run(self, inputs: Mapping[str, NDArray[np.uint8]]) -> dict[str, NDArray[np.uint8]]:
        """Clock the module through recorded inputs.

        Args:
            inputs: by port, bits of shape (cycles, bits), 0 or 1, least significant first.

        Returns:
            By port, the outputs in each cycle, after the inputs have settled and before the
            clock edge: shape (cycles, bits).
        """
        return self.unpack(self.run_packed(self.pack(inputs)))

    def pack(self, inputs: Mapping[str, NDArray[np.uint8]]) -> Words:
        """Inputs as 32-bit words, port after port: shape (cycles, words)."""
        packed = [_pack(inputs[port.name], port) for port in self.inputs]
        return np.ascontiguousarray(np.concatenate(packed, axis=1))

    def run_packed(self, sent: Words) -> Words:
        """Run packed inputs; the packed outputs, shape (cycles, words)."""
        width = sum(port.words for port in self.outputs)
        got = np.zeros((len(sent), width), dtype=np.uint32)
        self._library.run(
            sent.ctypes.data_as(ctypes.c_void_p),
            got.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_long(len(sent)),
        )
        return got

    def unpack(self, got: Words) -> dict[str, NDArray[np.uint8]]:
        """Packed outputs as bits by port."""
        found = {}
        start = 0
        for port in self.outputs:
            found[port.name] = _unpack(got[:, start : start + port.words], port)
            start += port.words
        return found


def _pack(bits: NDArray[np.uint8], port: Port) -> Words:
    padded = np.zeros((len(bits), port.words * 32), dtype=np.uint8)
    padded[:, : port.bits] = bits
    return np.packbits(padded, axis=1, bitorder="little").view("<u4")


def _unpack(words: Words, port: Port) -> NDArray[np.uint8]:
    data = np.ascontiguousarray(words, dtype="<u4").view(np.uint8)
    return np.unpackbits(data, axis=1, bitorder="little")[:, : port.bits]


def _harness(inputs: Sequence[Port], outputs: Sequence[Port]) -> str:
    """C++ that copies words to and from the ports, a clock cycle at a time."""
    lines = [
        '#include "Vmodel.h"',
        '#include "verilated.h"',
        "double sc_time_stamp() { return 0; }",
        'extern "C" void run(const uint32_t* in, uint32_t* out, long cycles) {',
        "  VerilatedContext context; Vmodel model(&context);",
        "  for (long cycle = 0; cycle < cycles; ++cycle) {",
        *(copy_port(port, "in", to_model=True) for port in inputs),
        "    model.clk = 0; model.eval();",
        *(copy_port(port, "out", to_model=False) for port in outputs),
        "    model.clk = 1; model.eval();",
        "  }",
        "  model.final();",
        "}",
    ]
    return "\n".join(lines) + "\n"


def copy_port(port: Port, buffer: str, *, to_model: bool) -> str:
    """C++ that copies a port to or from 32-bit words and moves the pointer on."""
    name = f"model.{port.name}"
    if port.bits <= 32:
        step = f"{name} = {buffer}[0];" if to_model else f"{buffer}[0] = {name};"
    elif port.bits <= 64:
        step = (
            f"{name} = {buffer}[0] | (uint64_t){buffer}[1] << 32;"
            if to_model
            else f"{buffer}[0] = (uint32_t){name}; {buffer}[1] = (uint32_t)({name} >> 32);"
        )
    else:
        left, right = (f"{name}[i]", f"{buffer}[i]") if to_model else (f"{buffer}[i]", f"{name}[i]")
        step = f"for (int i = 0; i < {port.words}; ++i) {left} = {right};"
    return f"    {step} {buffer} += {port.words};"
