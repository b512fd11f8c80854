"""The top module of the layer-pipelined accelerator: instances of blocks, and their wires."""

from __future__ import annotations

from collections.abc import Iterator

from systopack.hardware.pipelined.schedule import reach
from systopack.hardware.pipelined.units import LayerUnit, PoolUnit, Window
from systopack.network.network import PackedNetwork
from systopack.rtl.names import comment
from systopack.rtl.parameters import LICENSE_LINE, bits_for
from systopack.rtl.pipelined.host_block import host_block, host_ports, output_bits
from systopack.rtl.pipelined.instances import delay, instance, position, same, table
from systopack.rtl.pipelined.program import PipelinedProgram


def top_module(program: PipelinedProgram) -> str:
    """Verilog of `pipelined_accelerator` for one network."""
    return "\n".join(_Top(program).lines()) + "\n"


class _Top:
    """Writes the module unit by unit."""

    def __init__(self, program: PipelinedProgram) -> None:
        self.program = program
        self.network: PackedNetwork = program.network
        self.array = program.array
        self.word = program.array.word_cycles
        self.accumulator = program.array.accumulator_bits
        self.signals = {self.network.input.name: ("arrived", "image_word")}
        self.weight_bank = 0
        self.lane_bank = 0

    def lines(self) -> Iterator[str]:
        program = self.program
        yield LICENSE_LINE.rstrip()
        yield "/* verilator lint_off UNUSEDSIGNAL */  // channels that nothing reads"
        yield f"// Network {comment(self.network.name)} as a layer-pipelined accelerator, tiles:"
        yield f"// {self.array.label}. Written for this network; the blocks are not."
        yield "module pipelined_accelerator #(\n    parameter GATED = 0\n) ("
        yield f"{host_ports(program)});"
        yield from host_block(program)
        for number, unit in enumerate(program.units):
            yield ""
            if isinstance(unit, LayerUnit):
                yield from self._layer(f"u{number}", unit)
            else:
                yield from self._pool(f"u{number}", unit)
            self.signals[unit.name] = (f"u{number}_valid", f"u{number}_words")
        yield ""
        names = [f"u{number}" for number in reversed(range(len(program.units)))]
        yield f"    assign observed = {{{', '.join(f'{name}_valid' for name in names)}}};"
        yield f"    assign observed_words = {{{', '.join(f'{name}_words' for name in names)}}};"
        yield "endmodule"

    # Units.

    def _head(self, name: str, unit: LayerUnit | PoolUnit) -> Iterator[str]:
        """Wires and the block that takes positions."""
        _, in_height, in_width = self.network.shapes[unit.source]
        _, height, width = self.network.shapes[unit.name]
        stride = unit.windows[0].stride
        down, right = reach(unit.windows)
        parameters = {
            "IN_HEIGHT": in_height,
            "IN_WIDTH": in_width,
            "OUT_HEIGHT": height,
            "OUT_WIDTH": width,
            "STRIDE_Y": stride[0],
            "STRIDE_X": stride[1],
            "REACH_Y": down,
            "REACH_X": right,
            "INTERVAL": unit.interval,
        }
        most = in_height * in_width
        residual_arrived = "1'b0"
        residual = unit.residual if isinstance(unit, LayerUnit) else None
        if residual is not None:
            _, residual_height, residual_width = self.network.shapes[residual.source]
            parameters |= {
                "RESIDUAL": 1,
                "RESIDUAL_HEIGHT": residual_height,
                "RESIDUAL_WIDTH": residual_width,
                "RESIDUAL_STRIDE_Y": residual.stride[0],
                "RESIDUAL_STRIDE_X": residual.stride[1],
            }
            residual_arrived = self.signals[residual.source][0]
            most = max(most, residual_height * residual_width)
        most += max(self.program.depths[unit.name])
        parameters["PLACE_BITS"] = self._place_bits(unit)
        parameters["COUNT_BITS"] = bits_for(2 * most) + 1
        yield f"    // Layer {comment(unit.name)}"
        yield f"    wire {name}_issue, {name}_last_x, {name}_last;"
        yield f"    wire [{parameters['PLACE_BITS'] - 1}:0] {name}_y, {name}_x;"
        if unit is not self.program.units[-1]:
            yield f"    wire {name}_valid;"
            yield f"    wire [{output_bits(self.program, unit) - 1}:0] {name}_words;"
        yield from instance(
            "pipe_issue",
            f"{name}_take",
            parameters,
            {
                "reset": "still",
                **same("clk slot"),
                "arrived": self.signals[unit.source][0],
                "residual_arrived": residual_arrived,
                "issue": f"{name}_issue",
                "last_x": f"{name}_last_x",
                "last": f"{name}_last",
                "place_y": f"{name}_y",
                "place_x": f"{name}_x",
            },
        )

    def _place_bits(self, unit: LayerUnit | PoolUnit) -> int:
        _, height, width = self.network.shapes[unit.name]
        stride = unit.windows[0].stride
        return bits_for(max(height * stride[0], width * stride[1]) + 1)

    def _window(
        self,
        name: str,
        unit: LayerUnit | PoolUnit,
        window: Window,
        depth: int,
        issue: dict[str, str],
        *,
        fill: int = 0,
    ) -> Iterator[str]:
        _, in_height, in_width = self.network.shapes[window.source]
        _, height, width = self.network.shapes[unit.name]
        (down, right), across = window.stride, window.stride[1] * (width - 1)
        valid, words = self.signals[window.source]
        channels = self.network.shapes[window.source][0]
        data = words
        if window.channels != tuple(range(channels)):
            picked = ", ".join(f"{words}[{8 * c}+:8]" for c in reversed(window.channels))
            data = f"{{{picked}}}"
        reads = bits_for(window.reads)
        to_image = in_height * in_width - (height - 1) * down * in_width - across
        yield f"    wire [{8 * len(window.channels) - 1}:0] {name}_word;"
        yield f"    wire {name}_reading;"
        yield f"    wire [{reads - 1}:0] {name}_index;"
        places = [dy * in_width + dx for dy, dx in window.displacements]
        yield from instance(
            "pipe_window",
            name,
            {
                "CHANNELS": len(window.channels),
                "DEPTH": depth,
                "READS": window.reads,
                "STEP_X": right % depth,
                "STEP_Y": (down * in_width - across) % depth,
                "STEP_IMAGE": to_image % depth,
                "IN_HEIGHT": in_height,
                "IN_WIDTH": in_width,
                "PLACE_BITS": self._place_bits(unit),
                "FILL": fill,
                "OFFSETS": table([place % depth for place in places]),
                "DY": table([dy for dy, _ in window.displacements]),
                "DX": table([dx for _, dx in window.displacements]),
            },
            {
                "clk": "clk",
                "reset": "still",
                "write": valid,
                "data": data,
                **issue,
                "word": f"{name}_word",
                "reading": f"{name}_reading",
                "index": f"{name}_index",
            },
        )

    def _pool(self, name: str, unit: PoolUnit) -> Iterator[str]:
        maximum = unit.layer.kind == "max"
        window = unit.windows[0]
        yield from self._head(name, unit)
        yield from self._window(
            f"{name}_window",
            unit,
            window,
            self.program.depths[unit.name][0],
            position(name),
            fill=0x80 if maximum else 0,
        )
        yield from instance(
            "pipe_pool",
            f"{name}_pool",
            {
                "CHANNELS": len(window.channels),
                "READS": window.reads,
                "MAXIMUM": int(maximum),
                "MULTIPLIER": unit.layer.multiplier,
                "SHIFT": unit.layer.shift,
                "LANE_CHANNELS": unit.lane_channels,
            },
            {
                "clk": "clk",
                "reset": "still",
                "word": f"{name}_window_word",
                "reading": f"{name}_window_reading",
                "index": f"{name}_window_index",
                "pooled": f"{name}_words",
            },
        )
        yield from delay(f"{name}_to_end", unit.valid_cycles, f"{name}_issue", f"{name}_valid")

    def _layer(self, name: str, unit: LayerUnit) -> Iterator[str]:
        array = self.array
        wires = array.cell_kind.stream_wires
        feed, out = unit.feed_cycles, unit.out_cycles
        yield from self._head(name, unit)
        yield f"    wire {name}_transfer, {name}_capture, {name}_clock;"
        yield from delay(f"{name}_to_cells", feed, f"{name}_issue", f"{name}_transfer")
        yield from delay(f"{name}_to_lanes", out - feed, f"{name}_transfer", f"{name}_capture")
        yield from delay(
            f"{name}_to_end", unit.valid_cycles - out, f"{name}_capture", f"{name}_valid"
        )
        yield f"    wire [{len(unit.streams) * wires - 1}:0] {name}_stream;"
        first = 0
        for number, window in enumerate(unit.windows):
            part = f"{name}_window{number}"
            depth = self.program.depths[unit.name][number]
            yield from self._window(part, unit, window, depth, position(name))
            own = [stream for stream in unit.streams if stream.window == number]
            yield from instance(
                "pipe_streams",
                f"{name}_streams{number}",
                {
                    "STREAMS": len(own),
                    "CHANNELS": len(window.channels),
                    "READ_BITS": bits_for(window.reads),
                    "WORD_BITS": wires,
                    "CHANNEL": table([stream.place for stream in own]),
                    "TURN": table([stream.turn for stream in own]),
                },
                {
                    "clk": "clk",
                    "reset": "still",
                    "word": f"{part}_word",
                    "reading": f"{part}_reading",
                    "index": f"{part}_index",
                    "transfer": f"{name}_transfer",
                    "stream": f"{name}_stream[{first * wires}+:{len(own) * wires}]",
                },
            )
            first += len(own)
        yield f"    wire {name}_running;"
        yield from instance(
            "array_clock",
            f"{name}_gate",
            {"GATED": "GATED", "WORDS": out // self.word + 2},
            {
                "clk": "clk",
                "slot": "slot",
                "issue": f"{name}_issue",
                "run": "idle",
                "test_enable": "test_enable",
                "running": f"{name}_running",
                "gated": f"{name}_clock",
            },
        )
        yield from self._cells(name, unit)
        yield from self._lanes(name, unit)

    def _cells(self, name: str, unit: LayerUnit) -> Iterator[str]:
        array, accumulator = self.array, self.accumulator
        phases = bits_for(self.word)
        rows = unit.layer.matrix.rows
        feed = unit.feed_cycles
        yield f"    wire [{rows * accumulator - 1}:0] {name}_sums;"
        yield f"    wire {name}_start = phase == {phases}'d{(feed + 1) % self.word};"
        yield f"    wire {name}_complete = phase == {phases}'d{unit.out_cycles % self.word};"
        for number, band in enumerate(unit.bands):
            index_bits = bits_for(unit.alpha)
            column_bits = bits_for(band.columns)
            data_bits = band.rows * (array.weight_bits + index_bits)
            yield from instance(
                "pipe_array",
                f"{name}_cells{number}",
                {
                    "ROWS": band.rows,
                    "COLUMNS": band.columns,
                    "BLOCK_COLUMNS": band.block_columns,
                    "OFFSET": band.blocks * band.block_columns - band.columns,
                    "BLOCKS": band.blocks,
                    "TILE_ROWS": band.tile_rows,
                    "LEVELS": band.levels,
                    "ALPHA": unit.alpha,
                    "ACCUMULATOR_BITS": accumulator,
                    "CELL": array.cell_kind.number,
                    "INPUT_FANOUT": array.input_fanout,
                    "CELLS_PER_STAGE": array.cells_per_stage,
                    "WEIGHT_BUFFERS": 2 if array.weight_buffers == 2 else 0,
                    "CELL_WEIGHT_BITS": array.weight_bits,
                    "STREAMS": len(unit.streams),
                    "EXTRA": band.extra_cycles,
                    "FIRST": (feed + 1 + band.array_cycles) % self.word,
                    "SLOTS": table((band.slots + 1).ravel().tolist()),
                },
                {
                    "clk": f"{name}_clock",
                    "phase": "phase",
                    "word_start": f"{name}_start",
                    "take": "take",
                    "complete": f"{name}_complete",
                    "stream": f"{name}_stream",
                    "load": f"config_write && config_memory == 3'd2 && "
                    f"config_bank == {self._bank(self.weight_bank)} && "
                    f"config_address < 20'd{band.columns}",
                    "load_column": f"config_address[{column_bits - 1}:0]",
                    "load_data": f"config_data[{data_bits - 1}:0]",
                    "word": f"{name}_sums[{(band.row_start) * accumulator}"
                    f"+:{band.rows * accumulator}]",
                },
            )
            self.weight_bank += 1

    def _lanes(self, name: str, unit: LayerUnit) -> Iterator[str]:
        layer, accumulator = unit.layer, self.accumulator
        rows = layer.matrix.rows
        residual = ""
        if unit.residual is not None:
            yield from self._residual(name, unit, unit.residual)
            residual = f"{name}_residual_bytes"
        width = output_bits(self.program, unit) // rows
        for first in range(0, rows, unit.lane_rows):
            count = min(unit.lane_rows, rows - first)
            bits = bits_for(count)
            lane = first // unit.lane_rows
            yield from instance(
                "pipe_lane",
                f"{name}_lane{lane}",
                {
                    "ROWS": count,
                    "ACCUMULATOR_BITS": accumulator,
                    "OUTPUT_BITS": width,
                },
                {
                    "clk": "clk",
                    "reset": "still",
                    "write_parameter": "config_write && config_memory == 3'd6 && "
                    f"config_bank == {self._bank(self.lane_bank)} && config_address < 20'd{count}",
                    "table_address": f"config_address[{bits - 1}:0]",
                    "table_data": f"config_data[{12 + 3 * accumulator - 1}:0]",
                    "capture": f"{name}_capture",
                    "sums": f"{name}_sums[{first * accumulator}+:{count * accumulator}]",
                    "residual": f"{residual}[{8 * first}+:{8 * count}]"
                    if unit.residual is not None
                    else f"{8 * count}'d0",
                    "words": f"{name}_words[{first * width}+:{count * width}]",
                },
            )
            self.lane_bank += 1

    def _residual(self, name: str, unit: LayerUnit, window: Window) -> Iterator[str]:
        """The residual operand of every row, read when the sums are there."""
        layer = unit.layer
        assert layer.residual is not None
        rows = layer.matrix.rows
        part = f"{name}_residual"
        yield f"    wire {part}_issue, {part}_last_x, {part}_last;"
        cycles = unit.residual_cycles
        yield from delay(f"{part}_issue_line", cycles, f"{name}_issue", f"{part}_issue")
        yield from instance(
            "delay_line",
            f"{part}_delay",
            {"WIDTH": 2, "CYCLES": cycles},
            {
                "clk": "clk",
                "in": f"{{{name}_last_x, {name}_last}}",
                "out": f"{{{part}_last_x, {part}_last}}",
            },
        )
        nothing = f"{self._place_bits(unit)}'d0"
        yield from self._window(
            part,
            unit,
            window,
            self.program.depths[unit.name][-1],
            {**position(part), "place_y": nothing, "place_x": nothing},
        )
        width = 8 * len(window.channels)
        yield f"    wire [{width - 1}:0] {part}_held;"
        yield from instance(
            "hold_register",
            f"{part}_hold",
            {"WIDTH": width},
            {
                "clk": "clk",
                "store": f"{part}_reading",
                "in": f"{part}_word",
                "out": f"{part}_held",
            },
        )
        place = {channel: index for index, channel in enumerate(window.channels)}
        picked = ", ".join(
            f"{part}_held[{8 * place[c]}+:8]" if c >= 0 else "8'd0"
            for c in reversed(layer.residual.channels.tolist())
        )
        yield f"    wire [{8 * rows - 1}:0] {part}_bytes = {{{picked}}};"

    def _bank(self, number: int) -> str:
        return f"{self.program.parameters['BANK_BITS']}'d{number}"
