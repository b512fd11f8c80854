"""The assertions on the way of images in: right and wrong lengths, and faults of each kind."""

import shutil
import subprocess

import pytest

from systopack.rtl.parameters import VERILOG

BENCH = """
module bench;
    reg clk = 0, reset = 1, valid = 0, last = 0, dropped = 0, slot_end = 0;
    always #1 clk = !clk;
    wire ready, arrived, judged, good, busy;
    wire [31:0] cycles;
    pipe_source #(
        .IMAGE_WORDS(3), .PERIOD(3), .CREDITS(2), .COUNT_BITS(3), .CREDIT_BITS(2)
    ) source (
        .clk(clk), .reset(reset), .running(1'b1), .hold(1'b0), .slot_end(slot_end),
        .image_valid(valid), .image_last(last), .image_ready(ready), .arrived(arrived),
        .judged(judged), .good(good), .finished(judged), .busy(busy), .cycles(cycles)
    );
    wire counted = judged && !good;
    always @(posedge clk) begin
        slot_end <= !slot_end;
        dropped <= counted && !reset;
    end
    image_rules rules (
        .clk(clk), .reset(reset), .taken(valid && ready), .last(last), .written(arrived),
        .dropped(dropped), .length(32'd3)
    );
    task image(input integer words);
        integer word;
        for (word = 1; word <= words; word = word + 1) begin
            {valid, last} <= {1'b1, word == words};
            @(posedge clk);
            while (!ready) @(posedge clk);
            valid <= 0;
            if (word % 2 == 0) @(posedge clk);
        end
    endtask
    initial begin
        repeat (3) @(posedge clk);
        reset <= 0;
        image(3); image(2); image(3); image(1); image(1); image(5); image(3); image(4); image(3);
        repeat (20) @(posedge clk);
        $display("END");
        $finish;
    end
endmodule
"""
MUTANTS = [
    ("wire counted = judged && !good;", "wire counted = 1'b0;", "wrong length was not counted"),
    ("wire counted = judged && !good;", "wire counted = judged;", "right length was counted"),
    (".written(arrived)", ".written(arrived && source.word != 1)", "taken was not written"),
    (
        ".written(arrived)",
        ".written(arrived || (source.word == 2 && !valid))",
        "written that was not taken",
    ),
]


def run(tmp_path, text):
    if shutil.which("iverilog") is None:
        pytest.skip("needs iverilog")
    (tmp_path / "bench.v").write_text(text)
    files = [VERILOG / "pipe_source.v", VERILOG / "image_rules.v", tmp_path / "bench.v"]
    command = ["iverilog", "-g2005", "-DSYSTOPACK_ASSERTIONS", "-o", str(tmp_path / "out")]
    subprocess.run([*command, *map(str, files)], check=True)
    found = subprocess.run([str(tmp_path / "out")], capture_output=True, text=True, check=True)
    return found.stdout


def test_images_of_all_lengths_break_no_rule(tmp_path):
    assert run(tmp_path, BENCH).strip() == "END"


@pytest.mark.parametrize(("old", "new", "rule"), MUTANTS, ids=lambda text: text)
def test_each_fault_is_named(tmp_path, old, new, rule):
    assert BENCH.count(old) == 1
    found = run(tmp_path, BENCH.replace(old, new))
    assert "ASSERTION" in found and rule in found and "END" not in found
