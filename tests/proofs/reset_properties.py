"""What one cycle of reset must do to a whole accelerator, proven from any state it can be in.

The proof is of the accelerator of one network with all its connections, not of blocks.
"""

from __future__ import annotations

from pathlib import Path

from systopack.rtl.parameters import PIPELINED_SOURCES, TILED_SOURCES, VERILOG
from systopack.rtl.pipelined.program import PipelinedProgram
from systopack.rtl.pipelined.top import top_module
from systopack.rtl.program import TiledProgram
from tests.proofs.formal import Property

_LANE_CYCLES = 20  # from a row's turn to its word
_SLACK_CYCLES = 4  # from a valid that would come out last to what it would do


def reset_property(
    program: TiledProgram | PipelinedProgram, *, folder: Path, verilog: Path = VERILOG
) -> Property:
    """After one cycle of reset nothing of what went on before is left, whatever it was.

    Tiled, as long as no run is started: no slot and no turn of a row comes, no memory or weight is
    written, no result offered and no byte taken. Layer-pipelined, as long as no image comes, whatever starts
    there are: no unit gives a word and no result is offered.

    Args:
        program: a small one; the proof unrolls its longest delay.
        folder: where the proof's module is written.
        verilog: folder of the Verilog files.
    """
    if isinstance(program, PipelinedProgram):
        return _pipelined(program, folder, verilog)
    return _tiled(program, folder, verilog)


def _tiled(program: TiledProgram, folder: Path, verilog: Path) -> Property:
    sizes, timing = program.parameters, program.plan.timing
    parameters = ", ".join(f".{name}({value})" for name, value in sizes.items())
    names = ["made_valid", "partial_sums.write"]
    lanes = [f"core.g_lane[{lane}].lane.{name}" for lane in range(timing.lanes) for name in names]
    inner = {"lanes": ",".join(f"\\{name}" for name in lanes)}
    inner |= {"load": "\\core.load_weights", "take": "\\core.take", "turn": "\\core.turn"}
    inner |= {"wants": "\\core.wants", "slot_valid": "\\core.slot_valid"}
    text = f"""
module reset_proof (input wire clk, input wire image_valid, input wire image_last,
                    input wire [7:0] image_byte, input wire result_ready, output wire holds);
    reg reset = 1;
    wire busy, started, image_ready, image_dropped, result_valid, op_start;
    wire [{timing.banks - 1}:0] written;
    wire [{len(lanes) - 1}:0] lanes;
    wire [{timing.lanes + program.array.columns - 1}:0] wants;
    wire load, take, turn, slot_valid;
    tiled_accelerator #({parameters}) core (
        .clk(clk), .reset(reset), .go(1'b0), .busy(busy), .started(started), .config_write(1'b0),
        .config_memory(3'd0), .config_bank(8'd0), .config_address(20'd0),
        .config_data({sizes["CONFIG_BITS"]}'d0), .image_valid(image_valid), .image_last(image_last),
        .image_ready(image_ready), .image_byte(image_byte), .image_dropped(image_dropped),
        .result_valid(result_valid), .result_ready(result_ready), .op_start(op_start),
        .written(written));
    wire noise = !reset && (busy || started || image_ready || image_dropped || result_valid
        || op_start || (|written) || (|lanes) || (|wants) || load || take || turn || slot_valid);
    reg heard = 0;
    always @(posedge clk) {{reset, heard}} <= {{1'b0, heard || noise}};
    assign holds = !heard && !noise;
endmodule
"""
    waits = timing.fetch_cycles + program.array.swap_cycles + program.array.load_cycles
    longest = max(timing.out_cycles + _LANE_CYCLES + timing.lane_rows, waits)
    return Property(
        name=f"one cycle of reset, {program.network.name} on {program.array.label}, tiled",
        top="reset_proof",
        files=(*(verilog / name for name in TILED_SOURCES), _written(folder, text)),
        parameters=(),
        cycles=longest + _SLACK_CYCLES,
        any_memory=True,
        wires=tuple(inner.items()),
    )


def _pipelined(program: PipelinedProgram, folder: Path, verilog: Path) -> Property:
    sizes = program.parameters
    top = folder / "pipelined_accelerator.v"
    top.write_text(top_module(program))
    text = f"""
module reset_proof (input wire clk, input wire go, input wire result_ready, output wire holds);
    reg reset = 1;
    wire result_valid, image_dropped;
    wire [{len(program.units) - 1}:0] observed;
    pipelined_accelerator #(.GATED(0)) core (
        .clk(clk), .reset(reset), .go(go), .config_write(1'b0), .config_memory(3'd0),
        .config_bank(0), .config_address(20'd0), .config_data({sizes["CONFIG_BITS"]}'d0),
        .image_valid(1'b0), .image_last(1'b0), .image_word({sizes["IMAGE_BITS"]}'d0),
        .image_dropped(image_dropped), .result_valid(result_valid), .result_ready(result_ready),
        .observed(observed));
    wire noise = !reset && (result_valid || image_dropped || (|observed));
    reg heard = 0;
    always @(posedge clk) {{reset, heard}} <= {{1'b0, heard || noise}};
    assign holds = !heard && !noise;
endmodule
"""
    longest = max(unit.valid_cycles for unit in program.units)
    return Property(
        name=f"one cycle of reset, {program.network.name} on {program.array.label}, pipelined",
        top="reset_proof",
        files=(*(verilog / name for name in PIPELINED_SOURCES), top, _written(folder, text)),
        parameters=(),
        cycles=longest + _SLACK_CYCLES,
        any_memory=True,
    )


def _written(folder: Path, text: str) -> Path:
    path = folder / "reset_proof.v"
    path.write_text(text)
    return path
