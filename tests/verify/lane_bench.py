"""A lane of the tiled accelerator in Verilator: its parameters, ports and files."""

from __future__ import annotations

from dataclasses import dataclass

from systopack.rtl.parameters import VERILOG
from systopack.verification.bench import Bench, Port

FILES = (
    *("sum_lane.v", "lane_sums.v", "lane_pool.v", "lane_words.v", "token_line.v"),
    *("requantize_stages.v", "single_memory.v", "memory.v", "register_memory.v", "delay_line.v"),
)
BYTE_STAGE = {0: 10, 1: 12, 2: 19}


@dataclass(frozen=True, kw_only=True)
class Lane:
    """The parameters of a lane."""

    rows: int = 8
    accumulator_bits: int = 32
    residuals: int = 1
    residual_stage: int = 1
    pools: int = 2
    clips: int = 1
    word_bytes: int = 4
    position_bits: int = 6
    parameter_bits: int = 8
    pool_bits: int = 3
    feature_bits: int = 11

    @property
    def row_bits(self) -> int:
        return max(1, (self.rows - 1).bit_length())

    @property
    def row_bits_of_table(self) -> int:
        words = 3 if self.clips else 1
        return 13 + self.feature_bits + self.phase_bits + words * self.accumulator_bits

    @property
    def phase_bits(self) -> int:
        return self.word_bytes.bit_length() - 1

    @property
    def index_bits(self) -> int:
        return self.feature_bits + self.phase_bits

    @property
    def stage(self) -> int:
        return BYTE_STAGE[self.pools]

    def inputs(self) -> dict[str, int]:
        """Port and bits."""
        acc, rows = self.accumulator_bits, self.rows
        return {
            "reset": 1, "write_parameter": 1, "table_address": self.parameter_bits,
            "table_data": self.row_bits_of_table, "sums": rows * acc,
            "turn": 1, "turn_row": self.row_bits, "parameter_address": self.parameter_bits,
            "residual": 8, "first": 1, "last": 1, "keep": 1, "requantized": 1, "bypass": 1,
            "position": self.position_bits, "pool": 2, "pool_first": 1, "pool_last": 1,
            "pool_index": self.pool_bits, "masked": 1, "multiplier": 15, "pool_shift": 5,
            "index": self.index_bits, "ends": 1, "flush": 1, "step_bytes": 2, "store": 1,
            "taken": rows, "send_read": 1, "send_position": self.position_bits,
            "send_row": self.row_bits,
        }  # fmt: skip

    def outputs(self) -> dict[str, int]:
        """Port and bits."""
        return {
            "pending": self.rows,
            "pending_address": self.rows * self.feature_bits,
            "pending_data": self.rows * 8 * self.word_bytes,
            "pending_enables": self.rows * self.word_bytes,
            "kept": self.accumulator_bits,
            "made_valid": 1,
            "made_row": self.row_bits,
            "made_byte": 8,
        }

    def bench(self, verilog=VERILOG) -> Bench:
        """The lane in Verilator."""
        return Bench(
            top="sum_lane",
            sources=[verilog / name for name in FILES],
            parameters={
                "LANE_ROWS": self.rows,
                "ACCUMULATOR_BITS": self.accumulator_bits,
                "RESIDUALS": self.residuals,
                "RESIDUAL_STAGE": self.residual_stage,
                "POOLS": self.pools,
                "CLIPS": self.clips,
                "SUM_POSITION_BITS": self.position_bits,
                "PARAMETER_BITS": self.parameter_bits,
                "POOL_BITS": self.pool_bits,
                "FEATURE_BITS": self.feature_bits,
                "WORD_BYTES": self.word_bytes,
                "PHASE_BITS": self.phase_bits,
                "INDEX_BITS": self.index_bits,
            },
            inputs=[Port(name=name, bits=bits) for name, bits in self.inputs().items()],
            outputs=[Port(name=name, bits=bits) for name, bits in self.outputs().items()],
        )
