"""Drive the accelerator through its AXI ports in simulation, as a host drives a board."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidNetworkError
from systopack.folders.working import WorkingFolder
from systopack.rtl.host import Host
from systopack.rtl.identity import Program, axi_parameters
from systopack.rtl.parameters import (
    AXI_PIPELINED_SOURCES,
    AXI_TILED_SOURCES,
    VERILOG,
)
from systopack.rtl.pipelined.program import PipelinedProgram
from systopack.rtl.pipelined.top import top_module
from systopack.rtl.program import TiledProgram
from systopack.verification.verilator import build, take_assertion
from tests.verify.board import harness

OKAY, SLVERR = 0, 2
_ANSWER_CYCLES = 10_000  # a register answers within a few: back-pressure makes it longer


class SimulatedBoard:
    """An accelerator in simulation; `host` has the calls that a board answers too.

    All ports move at the same time: what is queued goes out while others wait. A board with
    `back_pressure` waits at random with every VALID and READY of its own.

    Args:
        program: the compiled network, which decides how the accelerator is built.
        back_pressure: 0: none, else the seed of random back-pressure.
        verilog: folder of the Verilog files.
        netlist: Verilog of the synthesized top module with all its cells, in place of those files.
    """

    def __init__(
        self,
        program: Program,
        *,
        back_pressure: int = 0,
        verilog: Path = VERILOG,
        netlist: str | None = None,
    ) -> None:
        shapes = program.network.shapes
        self._results = int(np.prod(shapes[program.network.output.name]))
        self._pipelined = isinstance(program, PipelinedProgram)
        top, names = "axi_tiled", AXI_TILED_SOURCES
        if self._pipelined:
            top, names = "axi_pipelined", AXI_PIPELINED_SOURCES
        files = [verilog / name for name in names]
        image_bits, weight_bits = 8, 0
        self._beats = None
        if isinstance(program, TiledProgram):
            weight_bits = program.parameters.get("BEAT_BITS", 32)
            self._beats = program.weight_beats
        with WorkingFolder("axi") as folder:
            if isinstance(program, PipelinedProgram):
                image_bits = program.parameters["IMAGE_BITS"]
                files.append(folder / "pipelined_accelerator.v")
                files[-1].write_text(top_module(program))
            if netlist is not None:
                files = [folder / "netlist.v"]
                files[0].write_text(netlist)
            self._library = build(
                top=top,
                sources=files,
                parameters={} if netlist is not None else axi_parameters(program),
                harness=harness(image_bits, weight_bits),
            )
        self._library.word_count.restype = ctypes.c_long
        self._library.beat_count.restype = ctypes.c_long
        self._library.violations.restype = ctypes.c_long
        self._library.read_data.restype = ctypes.c_uint32
        take_assertion(self._library)  # of boards before this one
        self._library.begin(ctypes.c_uint32(back_pressure))
        self.reset()
        self.host = Host(self._write, self._read)

    def reset(self, *, cycles: int = 4) -> None:
        """Hold `aresetn` low for some cycles; what was queued, sent or received is forgotten."""
        self._library.reset(ctypes.c_long(cycles))

    def write(self, register: int, value: int, *, strobe: int = 15) -> int:
        """Write a register and wait for the answer.

        Args:
            strobe: bit b: byte b is written.

        Returns:
            OKAY or SLVERR.
        """
        self._library.queue_write(
            ctypes.c_uint32(register), ctypes.c_uint32(value), ctypes.c_uint32(strobe)
        )
        self._wait(self._library.writing)
        return int(self._library.write_answer())

    def read(self, register: int) -> tuple[int, int]:
        """Read a register: its value, and OKAY or SLVERR."""
        self._library.queue_read(ctypes.c_uint32(register))
        self._wait(self._library.reading)
        return int(self._library.read_data()), int(self._library.read_answer())

    def send(self, image: NDArray[np.int8], *, beats: int | None = None, last: bool = True) -> None:
        """Queue an image, shape (C, H, W), for the image stream.

        Args:
            beats: so many of its beats; more than it has repeat it. None: all.
            last: whether the last beat has TLAST.
        """
        planes = image.reshape(image.shape[0], -1)
        pixels = planes.T if self._pipelined else planes.reshape(-1, 1)
        pixels = np.resize(pixels, (len(pixels) if beats is None else beats, pixels.shape[1]))
        data = np.ascontiguousarray(pixels).view(np.uint8)
        self._library.queue_image(
            data.ctypes.data_as(ctypes.c_void_p), ctypes.c_long(len(data)), ctypes.c_int(last)
        )

    def send_weights(self, *, beats: int | None = None, last: bool = True) -> None:
        """Queue the stream of weights of an image.

        Args:
            beats: so many of its beats; more than it has repeat it. None: all.
            last: whether the last beat has TLAST.
        """
        assert self._beats is not None
        own = self._beats
        count = len(own) if beats is None else beats
        data = np.ascontiguousarray(np.resize(own, (count, own.shape[1])))
        self._library.queue_weights(
            data.ctypes.data_as(ctypes.c_void_p), ctypes.c_long(count), ctypes.c_int(last)
        )

    @property
    def waiting_weights(self) -> int:
        """Beats of the stream of weights that have not been taken."""
        self._library.weight_count.restype = ctypes.c_long
        return int(self._library.weight_count())

    @property
    def waiting_beats(self) -> int:
        """Beats of the image stream that have not been taken."""
        return int(self._library.beat_count())

    def advance(self, cycles: int) -> None:
        """Let the clock run."""
        self._library.advance(ctypes.c_long(cycles))

    def received(self) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """The result words taken since the last reset or call, and which of them had TLAST."""
        count = self._library.word_count()
        words, lasts = np.zeros(count, np.int32), np.zeros(count, np.uint8)
        self._library.take_words(
            words.ctypes.data_as(ctypes.c_void_p), lasts.ctypes.data_as(ctypes.c_void_p)
        )
        return words, lasts

    def run(self, image: NDArray[np.int8], *, cycle_limit: int = 1 << 24) -> NDArray[np.int32]:
        """Start, run one image, shape (C, H, W), and give the result words, shape (results,).

        A layer-pipelined accelerator gives them position by position.

        Raises:
            InvalidNetworkError: the results did not come within the limit, or TLAST is wrong.
        """
        self.host.start()
        self.send(image)
        if self._beats is not None:
            self.send_weights()
        return self.results(cycle_limit=cycle_limit)

    def results(self, *, cycle_limit: int = 1 << 24) -> NDArray[np.int32]:
        """Wait for the results of the next image, shape (results,).

        Raises:
            InvalidNetworkError: they did not come within the limit, or TLAST is wrong.
        """
        words = np.zeros(self._results, np.int32)
        if not self._library.take_image(
            words.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_long(words.size),
            ctypes.c_long(cycle_limit),
        ):
            raise InvalidNetworkError(
                f"The board sent no whole image of results within {cycle_limit} cycles."
            )
        return words

    def violations(self) -> int:
        """Times that an AXI rule was broken: an offered word that changed or went away, a VALID in
        reset, or an output that follows an input in the same cycle; and the times that an assertion
        of the design itself failed."""
        self._library.assertions_failed.restype = ctypes.c_long
        return int(self._library.violations()) + int(self._library.assertions_failed())

    def _wait(self, pending: ctypes._CFuncPtr) -> None:  # type: ignore[name-defined]
        for _ in range(_ANSWER_CYCLES):
            if not pending():
                return
            self.advance(1)
        raise InvalidNetworkError("The registers of the board do not answer.")

    def _write(self, register: int, value: int) -> None:
        if self.write(register, value) != OKAY:
            raise InvalidNetworkError(
                f"The board refused {value:#x} for register {register:#x}; wait until it is idle."
            )

    def _read(self, register: int) -> int:
        return self.read(register)[0]
