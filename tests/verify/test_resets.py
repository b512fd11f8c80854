"""Resets, aborts and starts at any time, under random back-pressure: the next image is always right."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from systopack.errors import InvalidNetworkError
from systopack.hardware.array import Array
from systopack.hardware.tiled.cycles import count_tiled
from systopack.network.reference import run
from systopack.rtl.parameters import VERILOG
from systopack.rtl.pipelined.program import compile_pipelined
from systopack.rtl.program import compile_tiled
from systopack.rtl.registers import CONTROL, START
from tests.networks import network_of_positions, random_images
from tests.verify.axi_host import OKAY, SimulatedBoard

EVENTS = ("reset", "abort", "start", "nothing")
ARRAYS = {
    "mx": Array(rows=2, columns=2),
    "bit-parallel": Array(rows=3, columns=2, cell="bit-parallel"),
    "compact": Array(
        rows=4, columns=3, input_fanout=2, cell="bit-serial-compact", weight_buffers=1
    ),
}


class Trials:
    """A board, some images, and what the integer reference says of them."""

    def __init__(self, organisation, array, seed, verilog=VERILOG):
        self.rng = np.random.default_rng(seed)
        network = network_of_positions()
        self.images = random_images(np.random.default_rng(6), network, 5)
        expected = run(network, self.images)[network.output.name]
        expected = expected.reshape(5, expected.shape[1], -1)
        self.tiled = organisation == "tiled"
        self.word = array.word_cycles
        self.expected = (expected if self.tiled else expected.swapaxes(1, 2)).reshape(5, -1)
        if self.tiled:
            program = compile_tiled(network, array=array)
            if array.weight_buffers == 1:  # its clock stops while it is idle
                program = replace(program, parameters=program.parameters | {"GATED": 1})
            self.cycles = count_tiled(network, array=array).cycles
        else:
            program = compile_pipelined(network, array=array)
            self.cycles = program.cycles.latency_cycles
        self.board = SimulatedBoard(program, back_pressure=seed, verilog=verilog)
        self.board.host.configure(program)

    def right(self, image):
        limit = 60 * self.cycles + 20_000
        return np.array_equal(self.board.results(cycle_limit=limit), self.expected[image])

    def idle(self):
        """Wait for the end of what is going on."""
        for _ in range(self.cycles + 2000):
            if not self.board.host.busy():
                return
        raise AssertionError("the accelerator stays busy")

    def trial(self):
        """Begin an image, disturb it, run another one; whether all words were right."""
        board, rng = self.board, self.rng
        first, second = rng.choice(len(self.images), 2, replace=False)
        if rng.integers(4):
            board.host.start()
        board.send(self.images[first])
        whole = board.waiting_beats
        board.advance(int(rng.integers(0, 1 + int(1.3 * self.cycles))))
        event = rng.choice(EVENTS)
        if event == "reset":
            board.reset(cycles=int(rng.choice([1, 1, 2, 5])))
            board.advance(int(rng.integers(0, 3)))
            return self.whole_run(second)
        if event == "abort":
            board.host.abort()
            self.idle()
            lasts = board.received()[1]
            if len(lasts) and not (lasts[-1] and lasts.sum() == 1):
                return False  # a result packet is ended once
            # An image that had not begun comes next.
            untouched = board.waiting_beats == whole
            return (not untouched or self.whole_run(first, waits=True)) and self.whole_run(second)
        return self.undisturbed(first, whole, start=event == "start") and self.whole_run(second)

    def undisturbed(self, image, whole, *, start):
        """Go on, where `start` with a start at this time, which comes late or too early."""
        board = self.board
        kept = start and board.write(CONTROL, START) == OKAY
        if not board.host.busy() and board.waiting_beats == whole:
            board.host.start()  # nothing had been started
        if not self.right(image):
            return False
        if self.tiled and kept:  # it began this run, or waits for one more image
            board.advance(4 * self.word)
            if board.host.busy():
                board.send(self.images[image])
                return self.right(image)
        self.idle()
        return True

    def whole_run(self, image, *, waits=False):
        """Start and run an image; nothing else comes, and no image was dropped."""
        self.idle()
        self.board.host.start()
        if not waits:
            self.board.send(self.images[image])
        if not self.right(image):
            return False
        self.idle()
        self.board.advance(20)
        return len(self.board.received()[0]) == 0 and self.board.host.dropped_images() == 0


@pytest.mark.parametrize("organisation", ["tiled", "pipelined"])
def test_an_image_after_a_reset_an_abort_or_a_start_is_right(organisation):
    trials = Trials(organisation, ARRAYS["mx"], seed=11)
    assert all(trials.trial() for _ in range(12))
    assert trials.board.violations() == 0


CASES = [("tiled", name) for name in ARRAYS] + [
    ("pipelined", name) for name in ("mx", "bit-parallel")
]


@pytest.mark.slow
@pytest.mark.parametrize(("organisation", "name"), CASES)
def test_two_hundred_resets_and_starts_of_each_organisation(organisation, name):
    trials = Trials(organisation, ARRAYS[name], seed=len(name))
    assert sum(not trials.trial() for _ in range(200)) == 0
    assert trials.board.violations() == 0


# (organisation, file, text, text of the mutant)
MUTANTS = [
    ("tiled", "valid_line.v", "line <= reset ? {CYCLES{1'b0}} : ", "line <= "),
    ("tiled", "axi_streams.v", "closes <= cut ? open_now", "closes <= cut ? 1'b0"),
    ("tiled", "axi_streams.v", "discards <= cut ? midway_now", "discards <= cut ? 1'b0"),
    ("pipelined", "pipe_source.v", "wire open = !first || (!hold && ", "wire open = !hold && (!first || "),
    ("pipelined", "pipe_host.v", ".clk(clk), .reset(still), .arrived", ".clk(clk), .reset(1'b0), .arrived"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant[1]}: {mutant[3]}")
def test_a_fault_of_resets_and_starts_is_seen(tmp_path, mutant):
    organisation, name, old, new = mutant
    folder = tmp_path / "verilog"
    shutil.copytree(VERILOG, folder)
    text = (folder / name).read_text()
    assert text.count(old) == 1
    (folder / name).write_text(text.replace(old, new))
    trials = Trials(organisation, ARRAYS["mx"], seed=11, verilog=folder)
    try:
        wrong = not all(trials.trial() for _ in range(40))
    except (AssertionError, InvalidNetworkError):
        wrong = True  # it hangs
    assert wrong or trials.board.violations()
