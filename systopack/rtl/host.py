"""The host's side of an accelerator: its registers, and what to write into them.

The same calls drive the simulation and a board: a `Host` needs two functions, one that writes a
32-bit register and one that reads it. Images and results go through the two AXI4-Streams.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from systopack.errors import InvalidFileError
from systopack.rtl.identity import Program, build_digest, identity
from systopack.rtl.images import MemoryImage
from systopack.rtl.pipelined.program import PipelinedProgram
from systopack.rtl.registers import (
    ABORT,
    ADDRESS,
    BUILD,
    COMMIT,
    CONTROL,
    CYCLES,
    DATA,
    DROPPED,
    ENTERED,
    IDENTITY,
    MEMORY,
    STALLED,
    START,
    STATUS,
    WRONG_WEIGHTS,
)


def configuration_writes(images: Sequence[MemoryImage]) -> Iterator[tuple[int, int]]:
    """The (register, value) writes that fill all memories of the accelerator, in order."""
    for image in images:
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
        self._dropped = 0  # what DROPPED was when it was asked last

    def configure(self, program: Program) -> None:
        """Fill the memories, whatever a configuration before that was cut off has left.

        Raises:
            InvalidFileError: there is no accelerator of this kind behind the registers, or one that
                was built with other widths and depths; raised before anything is written.
        """
        kind = "layer-pipelined" if isinstance(program, PipelinedProgram) else "tiled"
        expected, found = identity(program), self._read(IDENTITY)
        if found != expected:
            raise InvalidFileError(
                f"The registers identify themselves as {found:#x}, not as a {kind} "
                f"accelerator ({expected:#x}); check the base address."
            )
        built, wanted = self._read(BUILD), build_digest(program)
        if built != wanted:
            raise InvalidFileError(
                f"The accelerator behind the registers was built for other widths and depths "
                f"(BUILD {built:#010x}) than network '{program.network.name}' on "
                f"{program.array.label} needs ({wanted:#010x}); write and build its own hardware "
                "with `systopack rtl`."
            )
        for register, value in configuration_writes(program.images):
            self._write(register, value)

    def start(self) -> None:
        """Start: one image runs, on a layer-pipelined accelerator all that follow.

        Send the images, the last word of each with TLAST, and take the results meanwhile. Where the
        program has `weight_beats`, send them once for every image, the last one with TLAST.
        """
        self._write(CONTROL, START)

    def abort(self) -> None:
        """Stop what is going on and forget the images under way; the memories keep their contents.

        A result packet that had begun ends with a word 0. The rest of an image that had begun is
        taken and thrown away.
        """
        self._write(CONTROL, ABORT)

    def wrong_length(self) -> bool:
        """Whether an image of the wrong length was dropped since this was asked last.

        It compares the count of DROPPED, so none is missed that comes meanwhile. A reset sets that
        count back; make a new host then.
        """
        before, self._dropped = self._dropped, self.dropped_images()
        return self._dropped != before

    def dropped_images(self) -> int:
        """Images of the wrong length since the last reset."""
        return self._read(DROPPED)

    def wrong_weights(self) -> bool:
        """Whether a stream of weights was too short or too long since this was asked last.

        After one that was too short the run waits for more, until it is aborted.
        """
        wrong = bool(self._read(STATUS) & WRONG_WEIGHTS)
        if wrong:
            self._write(STATUS, WRONG_WEIGHTS)
        return wrong

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
