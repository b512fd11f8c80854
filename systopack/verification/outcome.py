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
        assertion: the first assertion of the design that failed, by instance and rule, None where
            all held.
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
    assertion: str | None

    @property
    def passed(self) -> bool:
        """Whether every word and every cycle is equal, and no assertion failed."""
        return self.difference is None and self.assertion is None

    @property
    def reason(self) -> str | None:
        """Why it did not pass, in whole sentences; None where it did."""
        sentences = []
        if self.assertion is not None:
            sentences.append(f"An assertion of the RTL failed: {self.assertion}.")
        if self.difference is not None:
            sentences.append(f"The RTL differs from its models: {self.difference}.")
        return " ".join(sentences) or None
