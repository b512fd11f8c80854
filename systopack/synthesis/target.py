"""What a synthesis target is: an option model, and a function from a piece of work to findings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from systopack.errors import InvalidOptionError
from systopack.hardware.array import Array
from systopack.options import Options

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from systopack.network.network import PackedNetwork

    Images = Callable[[int], NDArray[np.int8]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Work:
    """What a target is asked to build.

    Args:
        array: the array, with the network's accumulators.
        network: packed; None: the array alone.
        images: so many of the network's test images, shape (B, C, H, W), int8; None: there are
            none.
        on_line: called with lines that the tools print, for a display of progress.
    """

    array: Array
    network: PackedNetwork | None = None
    images: Images | None = None
    on_line: Callable[[str], None] | None = None

    def needed_network(self, why: str) -> PackedNetwork:
        """The network.

        Raises:
            InvalidOptionError: there is none.
        """
        if self.network is None:
            raise InvalidOptionError(f"{why} needs a network; give its .spk or zoo:NAME.")
        return self.network

    def quantized_images(self, count: int) -> NDArray[np.int8]:
        """So many images.

        Raises:
            InvalidOptionError: there are none.
        """
        if self.images is None:
            raise InvalidOptionError("There are no images to run; name a data set with --data.")
        return self.images(count)


@dataclass(frozen=True, kw_only=True, eq=False)
class Synthesized:
    """What a target has found and made.

    Args:
        figures: for a record.
        header, rows: the same as a table for people.
        told: the most important of it in a sentence.
        configuration: for the record, beyond the array.
        files: made, by name.
        reads: files that it has read.
        warnings: sentences.
    """

    figures: Mapping[str, Any]
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    told: str
    configuration: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, bytes | str] = field(default_factory=dict)
    reads: tuple[Path, ...] = ()
    warnings: tuple[str, ...] = ()


class Target(Protocol):
    """What a design is synthesized for: standard cells, an FPGA.

    `systopack synthesize NAME` is made of it; docs/hardware/add-a-target.md shows how to add one.
    """

    @property
    def name(self) -> str:
        """As users write it."""

    @property
    def summary(self) -> str:
        """One sentence for the help."""

    @property
    def example(self) -> str:
        """A command line for the help."""

    @property
    def options(self) -> type[Options]:
        """The options that it reads, and no others."""

    @property
    def runs_images(self) -> Callable[[Any], bool] | None:
        """Whether test images run on what is built, by the options; None: never."""

    def check(self, work: Work, options: Any) -> None:
        """Refuse what cannot be built, before a tool runs.

        Raises:
            InvalidOptionError: in one sentence.
        """

    def synthesize(self, work: Work, options: Any) -> Synthesized:
        """Build and measure.

        Args:
            work: what.
            options: of the type that `options` names.

        Raises:
            InvalidFileError: a tool is missing or fails.
            InvalidOptionError: the design does not fit.
        """
