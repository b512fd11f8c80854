"""The fixed sizes and delays of the tiled accelerator, from the description of its array.

Control works in word times: an instruction and a step start with one. The RTL is built with the
waits as parameters; that they are long enough is what verification shows, word for word.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from systopack.hardware.array import Array

_LANE_STAGE = 2  # cycles from whole words behind the array to the lane that adds a residual
_LANE_CYCLES = (11, 13, 20)  # from a row's turn to its word: no pooling, maximum, averages too


@dataclass(frozen=True, kw_only=True)
class TiledTiming:
    """Sizes, delays and waits of the tiled accelerator around an array.

    Args:
        array: the array.
    """

    array: Array

    @property
    def word_bytes(self) -> int:
        """Bytes of a word of the feature memory."""
        return 8 if self.array.word_cycles == 1 else 4

    @cached_property
    def banks(self) -> int:
        """Banks of the feature memory, a power of two: at most four rows write into each.

        Where a word enters in every cycle there are 16 to 32, one for each row: row r writes into
        bank r, so that results would leave more of them than rows empty. Images with more channels
        than banks take some cycles more to fetch.
        """
        rows = self.array.rows
        least = min(32, rows) if self.array.word_cycles == 1 else 0
        return max(16, 1 << (max(least, -(-rows // 4)) - 1).bit_length())

    @property
    def bank_bits(self) -> int:
        """Bits of a bank's number."""
        return (self.banks - 1).bit_length()

    @property
    def write_slots(self) -> int:
        """Slots at a period's end in which rows write, a word into each bank at once.

        Two at least: in them a bank goes back to the first of its jobs.
        """
        return max(2, -(-self.array.rows // self.banks))

    @cached_property
    def lane_rows(self) -> int:
        """Rows that share an output lane."""
        return min(self.array.rows, self.array.word_cycles)

    @cached_property
    def lanes(self) -> int:
        """Output lanes."""
        return -(-self.array.rows // self.lane_rows)

    @property
    def fetch_cycles(self) -> int:
        """From a slot to the first cycle in which its word may be read."""
        return 3

    @property
    def out_cycles(self) -> int:
        """From a step's first slot to the cycle in which its sums are whole behind the array."""
        return self.fetch_cycles + 1 + self.array.latency_cycles + self.array.serial_cycles

    @property
    def clock_cycles(self) -> int:
        """For how long a step keeps the array's clock running, where it stops at all."""
        words = (self.out_cycles + 1) // self.array.word_cycles + 2
        return words * self.array.word_cycles

    @property
    def residual_cycles(self) -> int:
        """How much later a lane reads its operand of a step than the streams read their words."""
        return self.out_cycles - self.fetch_cycles + _LANE_STAGE

    @property
    def load_words(self) -> int:
        """Word times between the first steps of two visits, so that weights arrive in time."""
        return -(-(self.array.swap_cycles + self.array.load_cycles) // self.array.word_cycles)

    def drain_words(self, pools: int) -> int:
        """Word times from a visit's last period until its words can be read.

        Args:
            pools: 0 where nothing is pooled, 1 maximum only, 2 averages too.
        """
        lane = _LANE_CYCLES[pools] + self.lane_rows
        return (self.out_cycles + lane + self.write_slots + 4) // self.array.word_cycles + 1

    @property
    def weight_bits(self) -> int:
        """Bits of a word of weights: of all rows, as many columns as load in a cycle."""
        array = self.array
        cell = array.weight_bits + max(1, (array.alpha - 1).bit_length())
        return array.load_columns * array.rows * cell

    @property
    def stream_word(self) -> int:
        """Descriptors of streams in a word of their memory: a fourth of the columns."""
        return -(-self.array.columns // 4) * self.array.alpha

    @property
    def stream_words(self) -> int:
        """Words of a column tile's descriptors."""
        return -(-self.array.columns * self.array.alpha // self.stream_word)

    @property
    def residual_words(self) -> int:
        """Words of the descriptors of all rows' operands."""
        return -(-self.lanes * self.lane_rows // self.stream_word)
