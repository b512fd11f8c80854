"""The host's side of the tiled accelerator: its registers, and what to write into them.

The same calls drive the simulation and a board: a `Host` needs two functions, one that writes a
32-bit register and one that reads it. Images and results go through the two AXI4-Streams.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from systopack.errors import InvalidFileError
from systopack.rtl.program import TiledProgram

CONTROL, CYCLES, MEMORY, ADDRESS, DATA, COMMIT, IDENTITY, ENTERED, STALLED = range(0, 36, 4)
IDENTITY_VALUE = 0x53590001


def configuration_writes(program: TiledProgram) -> Iterator[tuple[int, int]]:
    """The (register, value) writes that fill all memories of the accelerator, in order."""
    for image in program.images:
        banks, depth, _ = image.words.shape
        for bank in range(banks):
            yield MEMORY, image.memory | bank << 8
            yield ADDRESS, 0
            for address in range(depth):
                for chunk in image.words[bank, address].tolist():
                    yield DATA, chunk
                yield COMMIT, 0


class Host:
    """Runs a compiled network on an accelerator, simulated or real.

    Args:
        write: write a 32-bit value to a register, by its byte address.
        read: read a register.
    """

    def __init__(self, write: Callable[[int, int], None], read: Callable[[int], int]) -> None:
        self._write = write
        self._read = read

    def configure(self, program: TiledProgram) -> None:
        """Fill the memories.

        Raises:
            InvalidFileError: there is no tiled accelerator behind the registers.
        """
        identity = self._read(IDENTITY)
        if identity != IDENTITY_VALUE:
            raise InvalidFileError(
                f"The registers identify themselves as {identity:#x}, not as a tiled "
                f"accelerator ({IDENTITY_VALUE:#x}); check the base address."
            )
        for register, value in configuration_writes(program):
            self._write(register, value)

    def start(self) -> None:
        """Start a run; send the image and take the results meanwhile."""
        self._write(CONTROL, 1)

    def busy(self) -> bool:
        """Whether a run is going on."""
        return bool(self._read(CONTROL) & 1)

    def cycles(self) -> int:
        """Clock cycles of the last run."""
        return self._read(CYCLES)

    def entered_words(self) -> int:
        """Word times of the last run in which words entered the array."""
        return self._read(ENTERED)

    def stall_words(self) -> int:
        """Word times in which the array only waited for weights or returning partial sums."""
        return self._read(STALLED)
