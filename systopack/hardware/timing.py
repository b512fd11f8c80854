"""The fixed delays of the tiled accelerator, from the description of its array.

Control works in word times: an instruction and a position start with one. The numbers here are
the delays between a position's first cycle and what follows from it, and the waits that they
impose. The RTL is built with the waits as parameters; that they are long enough is what
verification shows, word for word.
"""

from __future__ import annotations

from dataclasses import dataclass

from systopack.hardware.array import Array


@dataclass(frozen=True, kw_only=True)
class TiledTiming:
    """Delays and waits of the tiled accelerator around an array.

    Args:
        array: the array.
    """

    array: Array

    @property
    def reads(self) -> int:
        """Streams that one bank serves: one read a cycle, all within a word time."""
        return min(self.array.alpha, self.array.word_cycles)

    @property
    def banks_per_column(self) -> int:
        """Banks that feed one column of the array."""
        return -(-self.array.alpha // self.reads)

    @property
    def banks(self) -> int:
        """Banks of all columns; bank = column * banks_per_column + channel index // reads."""
        return self.array.columns * self.banks_per_column

    @property
    def lane_rows(self) -> int:
        """Rows that share an output lane: one a cycle, all within a word time."""
        return min(self.array.rows, self.array.word_cycles)

    @property
    def lanes(self) -> int:
        """Output lanes, each with a residual bank where the network has residuals."""
        return -(-self.array.rows // self.lane_rows)

    @property
    def feed_cycles(self) -> int:
        """To the clock edge at which all words of a position go to the array's edge.

        Reading takes 4 cycles after the last of a bank's or lane's turns.
        """
        return max(self.reads, self.lane_rows) + 3

    @property
    def out_cycles(self) -> int:
        """To the cycle in which the position's sums are whole words behind the array."""
        serial = self.array.serial_cycles
        return self.feed_cycles + 1 + self.array.latency_cycles + serial

    @property
    def load_wait_cycles(self) -> int:
        """From a tile's first cycle to the first address of the next tile's weights."""
        return self.feed_cycles + self.array.swap_cycles - 1

    @property
    def load_words(self) -> int:
        """Word times between the starts of two tiles, so that weights arrive in time."""
        return self._words(self.array.swap_cycles + self.array.load_cycles)

    @property
    def return_words(self) -> int:
        """The same where the second tile adds to the sums of the first: 6 pipeline stages."""
        return self._words(self.out_cycles + 6)

    @property
    def drain_words(self) -> int:
        """Word times from a tile's last one until the next instruction may read its words."""
        return self._words(self.out_cycles + self.lane_rows + 7)

    def _words(self, cycles: int) -> int:
        return -(-cycles // self.array.word_cycles)
