"""Compare the RTL of the layer-pipelined accelerator with its models, word and cycle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from systopack.hardware.array import Array
from systopack.hardware.pipelined.cycles import last_result_cycles
from systopack.hardware.pipelined.schedule import Schedule, schedule
from systopack.network.network import PackedNetwork
from systopack.network.reference import run
from systopack.rtl.parameters import VERILOG
from systopack.rtl.pipelined.program import PipelinedProgram, compile_pipelined
from systopack.verification.outcome import Difference, Verification
from systopack.verification.pipelined import PipelinedModel, PipelinedRun
from systopack.verification.tracing import Trace, finished


def verify_pipelined(
    network: PackedNetwork,
    images: NDArray[np.int8],
    *,
    array: Array,
    back_pressure: int = 0,
    verilog: Path = VERILOG,
    trace: Trace | None = None,
    gated: bool = False,
) -> Verification:
    """Run the first image alone, then all images without a gap, and compare all that can be seen.

    Compared are every word of every unit, the cycle in which it is offered, every result word, the
    cycle of the last one and the accelerator's own cycle counter.

    Args:
        images: shape (B, C, H, W), int8, B at least 1.
        array: tile size and cell.
        back_pressure: 0, or the seed of random back-pressure of the host; cycles are not compared
            then.
        verilog: folder of the Verilog files.
        trace: a file for all signals of the run.
        gated: whether the clocks of idle arrays stop.

    Raises:
        InvalidOptionError: the network does not fit.
        InvalidFileError: Verilator or the compiler is missing.
        InvalidNetworkError: the accelerator does not finish.
    """
    program = compile_pipelined(network, array=array)
    model = PipelinedModel(program, gated=gated, verilog=verilog, trace=trace)
    limit = 40 * (program.cycles.latency_cycles + len(images) * program.cycles.period_cycles)
    words, compared = 0, 0
    latency = program.cycles.latency_cycles
    difference: Difference | None = None
    assertion: str | None = None
    with finished(trace, model.library):
        for count in sorted({1, len(images)}):
            found = model.run(
                images[:count], back_pressure=back_pressure, cycle_limit=limit + 100_000
            )
            assertion = assertion or found.assertion
            number, difference = _compare_words(program, found, images[:count])
            words += number
            if difference is None and not back_pressure:
                plan = schedule(network, program.units, images=count)
                compared += sum(times.size for times in plan.taken.values())
                difference = _compare_cycles(program, found, plan)
            if count == 1:
                latency = found.counted
            if difference is not None:
                break
    return Verification(
        network=network.name,
        array=array,
        organisation="pipelined",
        images=len(images),
        words=words,
        cycles=latency,
        entered_words=0,
        stall_words=0,
        instructions=compared,
        difference=difference,
        assertion=assertion,
    )


def _compare_words(
    program: PipelinedProgram, found: PipelinedRun, images: NDArray[np.int8]
) -> tuple[int, Difference | None]:
    network = program.network
    tensors = run(network, images, keep=network.by_name)
    words = 0
    seen = [(unit.name, found.words[unit.name]) for unit in program.units]
    for name, got in [*seen, (network.output.name, found.results)]:
        expected = tensors[name].reshape(len(images), network.shapes[name][0], -1).astype(np.int64)
        words += expected.size
        if got.shape != expected.shape:
            return words, Difference(
                image=0,
                layer=name,
                where="number of words",
                expected=expected.size,
                got=got.size,
            )
        if not np.array_equal(got, expected):
            image, row, position = np.argwhere(got != expected)[0].tolist()
            y, x = divmod(position, network.shapes[name][2])
            return words, Difference(
                image=image,
                layer=name,
                where=f"row {row}, position ({y}, {x}), cycle "
                f"{int(found.cycles[name][image, position])}",
                expected=int(expected[image, row, position]),
                got=int(got[image, row, position]),
            )
    return words, None


def _compare_cycles(
    program: PipelinedProgram, found: PipelinedRun, plan: Schedule
) -> Difference | None:
    network, word = program.network, program.array.word_cycles
    for unit in program.units:
        expected = plan.taken[unit.name] * word + unit.valid_cycles
        got = found.cycles[unit.name]
        if not np.array_equal(expected, got):
            image, position = np.argwhere(expected != got)[0].tolist()
            y, x = divmod(position, network.shapes[unit.name][2])
            return Difference(
                image=image,
                layer=unit.name,
                where=f"cycle of position ({y}, {x})",
                expected=int(expected[image, position]),
                got=int(got[image, position]),
            )
    last = int(last_result_cycles(network, program.units, plan)[-1, -1])
    pairs = [("cycle of the last result", last, found.last_cycle)]
    if len(plan.entered) == 1:
        pairs.append(("cycle counter", program.cycles.latency_cycles, found.counted))
    for where, expected_cycle, got_cycle in pairs:
        if expected_cycle != got_cycle:
            return Difference(
                image=len(plan.entered) - 1,
                layer=network.output.name,
                where=where,
                expected=expected_cycle,
                got=got_cycle,
            )
    return None
