"""`verify`: integer reference = RTL, word for word, and cycle model = RTL, cycle for cycle."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidOptionError
from systopack.hardware.array import Array
from systopack.hardware.tiled import TiledCycles, count_tiled, operation_starts
from systopack.network.network import PackedNetwork
from systopack.network.nodes import ConcatLayer, MatrixLayer
from systopack.network.reference import run
from systopack.rtl.parameters import VERILOG
from systopack.rtl.program import TILE, TiledProgram, compile_tiled
from systopack.verification.outcome import Difference, Verification
from systopack.verification.pipelined_check import verify_pipelined
from systopack.verification.rows_check import verify_rows
from systopack.verification.tiled import TiledRun, run_tiled

Organisation = Literal["tiled", "rows", "pipelined"]
Tensors = dict[str, NDArray[Any]]


def verify(
    network: PackedNetwork,
    images: NDArray[np.int8],
    *,
    array: Array,
    organisation: Organisation = "tiled",
    back_pressure: int = 0,
    verilog: Path = VERILOG,
    trace: Path | None = None,
) -> Verification:
    """Run images through the RTL of a whole accelerator and compare all that can be seen.

    Args:
        images: shape (B, C, H, W), int8, B at least 1.
        back_pressure: 0, or the seed of random back-pressure of the host; cycles are not compared
            then.
        verilog: folder of the Verilog files; another one than the package's to try changes.
        trace: a VCD file to write all signals of the run to; use it with few images.

    Raises:
        InvalidOptionError: the network does not fit the array, or there is no image.
        InvalidFileError: Verilator or the compiler is missing.
        InvalidNetworkError: the accelerator does not finish.
    """
    if organisation not in get_args(Organisation):
        raise InvalidOptionError(
            f"organisation is '{organisation}', but it must be one of "
            f"{', '.join(get_args(Organisation))}."
        )
    if len(images) == 0:
        raise InvalidOptionError("There is no image to verify with; give at least one.")
    if organisation == "pipelined":
        return verify_pipelined(
            network, images, array=array, back_pressure=back_pressure, verilog=verilog, trace=trace
        )
    if organisation == "rows":
        return verify_rows(
            network, images, array=array, back_pressure=back_pressure, verilog=verilog, trace=trace
        )
    program = compile_tiled(network, array=array)
    counted = count_tiled(network, array=array, plan=program.plan)
    starts = operation_starts(program.plan)
    limit = 10 * counted.cycles + 10_000
    found = run_tiled(
        program,
        images,
        back_pressure=back_pressure,
        cycle_limit=limit,
        verilog=verilog,
        trace=trace,
    )
    tensors = dict(run(network, images, keep=network.by_name))
    words = 0
    difference: Difference | None = None
    for image in range(len(images)):
        own = {name: tensor[image] for name, tensor in tensors.items()}
        count, difference = compare_words(program, found, own, image)
        words += count
        if difference is None and not back_pressure:
            difference = _compare_cycles(program, found, starts, image)
            difference = difference or _compare_counters(counted, found, image)
        if difference is not None:
            break
    return Verification(
        network=network.name,
        array=array,
        organisation=organisation,
        images=len(images),
        words=words,
        cycles=int(found.cycles[0]),
        entered_words=int(found.entered[0]),
        stall_words=int(found.stalled[0]),
        instructions=found.op_starts.size,
        difference=difference,
        assertion=found.assertion,
    )


def compare_words(
    program: TiledProgram, found: TiledRun, tensors: Tensors, image: int
) -> tuple[int, Difference | None]:
    """Compare one image's words; the number compared and the first difference.

    Compared are the bytes of all rows as they leave the output lanes, layer by layer, then every
    byte that is written to a bank, and the results.
    """
    network = program.network
    words = 0
    taken = 0
    log = found.writes[image]
    owner = np.array([operation.node for operation in program.operations])[log[:, 0]]
    for node in network.nodes:
        expected = tensors[node.name].reshape(network.shapes[node.name][0], -1).astype(np.int64)
        width = network.shapes[node.name][2]
        if isinstance(node, MatrixLayer):
            got, taken = _rows(program, node, found.words[image], taken)
            if node is network.output:
                got = found.results[image].reshape(expected.shape).astype(np.int64)
            words += expected.size
            if not np.array_equal(got, expected):
                return words, _first(node.name, image, expected, got, width)
        if node is network.output or isinstance(node, ConcatLayer):
            continue  # a concatenation's words are those of its sources
        memory = _banked(program, node.name, log[owner == node.name], expected)
        for bank_expected, bank_got in memory:
            words += bank_expected.size
            if not np.array_equal(bank_got, bank_expected):
                return words, _first(node.name, image, bank_expected, bank_got, width)
    return words, None


def _rows(
    program: TiledProgram, layer: MatrixLayer, words: NDArray[np.int8], taken: int
) -> tuple[NDArray[np.int64], int]:
    """A layer's output from the bytes that left the lanes: shape (N, positions)."""
    result = np.full((layer.matrix.rows, layer.positions), np.iinfo(np.int64).min)
    for step in program.plan.row_tiles(layer.name):
        tile = step.tile
        assert tile is not None
        part = words[taken : taken + layer.positions, : tile.rows]
        result[tile.row_start : tile.row_stop, : len(part)] = part.T
        taken += layer.positions
    return result, taken


def _banked(
    program: TiledProgram, name: str, log: NDArray[np.int64], expected: NDArray[np.int64]
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """For each bank that holds channels of a tensor: what it should hold, and what was written.

    Both of shape (N, positions); channels that the bank does not hold are left as expected.
    """
    addresses = program.placement.addresses[name]
    size = expected.shape[1]
    pairs = []
    for bank in np.flatnonzero((addresses >= 0).any(axis=1)):
        memory = np.full(1 << program.placement.address_bits, np.iinfo(np.int64).min)
        own = log[log[:, 1] == bank]
        memory[own[:, 2]] = own[:, 3]
        got = expected.copy()
        for channel in np.flatnonzero(addresses[bank] >= 0):
            start = int(addresses[bank, channel])
            got[channel] = memory[start : start + size]
        pairs.append((expected, got))
    return pairs


def _first(
    name: str, image: int, expected: NDArray[np.int64], got: NDArray[np.int64], width: int
) -> Difference:
    row, position = np.argwhere(expected != got)[0].tolist()
    y, x = divmod(position, width)
    return Difference(
        image=image,
        layer=name,
        where=f"row {row}, position ({y}, {x})",
        expected=int(expected[row, position]),
        got=int(got[row, position]),
    )


def _compare_cycles(
    program: TiledProgram, found: TiledRun, starts: NDArray[np.int64], image: int
) -> Difference | None:
    got = np.append(found.op_starts[image], found.cycles[image])
    if len(got) != len(starts) or not np.array_equal(got, starts):
        number = int(np.flatnonzero(got != starts)[0])
        operation = program.operations[number]
        where = f"start of instruction {number}"
        if operation.kind == TILE:
            where = f"start of row tile {operation.row_tile}, column tile {operation.column_tile}"
        return Difference(
            image=image,
            layer=operation.node or "end",
            where=where,
            expected=int(starts[number]),
            got=int(got[number]),
        )
    return None


def _compare_counters(counted: TiledCycles, found: TiledRun, image: int) -> Difference | None:
    for where, expected, got in (
        ("word times in which words entered", counted.entered_words, found.entered[image]),
        ("word times lost to weights or partial sums", counted.stall_words, found.stalled[image]),
    ):
        if got != expected:
            return Difference(
                image=image, layer="end", where=where, expected=expected, got=int(got)
            )
    return None
