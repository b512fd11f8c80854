"""What a verification found."""

from __future__ import annotations

from dataclasses import dataclass

from systopack.hardware.array import Array


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The first place where the hardware and its models part.

    Args:
        image: index of the image.
        layer: the node.
        where: "row 3, position (0, 5)", or "cycle".
        expected: what the reference or the cycle model says.
        got: what the RTL did.
    """

    image: int
    layer: str
    where: str
    expected: int
    got: int

    def __str__(self) -> str:
        return (
            f"image {self.image}, layer '{self.layer}', {self.where}: expected {self.expected}, "
            f"got {self.got}"
        )


@dataclass(frozen=True, kw_only=True)
class Verification:
    """The outcome of a verification.

    Args:
        network, array, organisation: what was verified.
        images: images run.
        words: words compared, over all images: every output word of every layer and every word
            written to a memory bank.
        cycles: of one image, by the RTL; all images take the same.
        entered_words, stall_words: of one image, by the RTL's counters: word times in which words
            entered the array, and those in which it only waited for weights or partial sums.
        instructions: instructions whose start was compared, over all images.
        difference: the first difference, None where there is none.
    """

    network: str
    array: Array
    organisation: str
    images: int
    words: int
    cycles: int
    entered_words: int
    stall_words: int
    instructions: int
    difference: Difference | None

    @property
    def passed(self) -> bool:
        """Whether every word and every cycle is equal."""
        return self.difference is None
