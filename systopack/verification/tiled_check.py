"""Compare the RTL of the tiled accelerator with its models, word for word, cycle for cycle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.hardware.array import Array
from systopack.hardware.tiled.cycles import OpCycles, op_cycles
from systopack.hardware.tiled.ops import TileOp, TilePlan
from systopack.hardware.tiled.places import TensorPlace, scratch_name
from systopack.hardware.tiled.plan import plan_tiles
from systopack.hardware.tiled.weight_ring import WeightMemory
from systopack.network.network import PackedNetwork
from systopack.network.nodes import MatrixLayer
from systopack.network.reference import run
from systopack.rtl.limits import check_tiled_network
from systopack.rtl.parameters import VERILOG
from systopack.rtl.program import TiledProgram, pack_plan
from systopack.verification.outcome import Difference, Verification
from systopack.verification.tiled import TiledRun, run_tiled
from systopack.verification.tracing import Trace

Tensors = Mapping[str, NDArray[Any]]
_NOTHING = np.iinfo(np.int64).min  # a byte that nobody wrote


def verify_tiled(
    network: PackedNetwork,
    images: NDArray[np.int8],
    *,
    array: Array,
    plan: TilePlan | None = None,
    weights: WeightMemory | None = None,
    back_pressure: int = 0,
    verilog: Path = VERILOG,
    trace: Trace | None = None,
) -> Verification:
    """Run images through the RTL and compare all that can be seen.

    Compared are every byte of every tensor that is stored, with the zeros around its planes, the
    results, the cycle in which every instruction starts, and the counters. A word that is written
    to another place is a difference too.

    Args:
        images: shape (B, C, H, W), int8, B at least 1.
        plan: of the network on this array; None: made anew.
        weights: the memory of the weights, where `plan` is None; see `plan_tiles`.
        back_pressure: 0, or the seed of random back-pressure of the host; cycles are not compared
            then.
        verilog: folder of the Verilog files.
        trace: a file for all signals of the run.

    Raises:
        InvalidOptionError: the network does not fit the array.
        InvalidFileError: Verilator or the compiler is missing.
        InvalidNetworkError: the accelerator does not finish.
    """
    check_tiled_network(network)
    program = pack_plan(plan or plan_tiles(network, array=array, weights=weights))
    cycles = list(op_cycles(program.plan))[-1].begin
    found = run_tiled(
        program,
        images,
        back_pressure=back_pressure,
        cycle_limit=10 * cycles + 10_000,
        verilog=verilog,
        trace=trace,
    )
    words, difference = compare_run(program, found, images, cycles=not back_pressure)
    return Verification(
        network=network.name,
        array=array,
        organisation="tiled",
        images=len(images),
        words=words,
        cycles=int(found.cycles[0]),
        entered_words=int(found.entered[0]),
        stall_words=int(found.stalled[0]),
        instructions=found.op_starts.size,
        difference=difference,
        assertion=found.assertion,
    )


def compare_run(
    program: TiledProgram, found: TiledRun, images: NDArray[np.int8], *, cycles: bool = True
) -> tuple[int, Difference | None]:
    """Compare all images; the number of bytes and results compared, the first difference.

    Args:
        images: that were run.
        cycles: whether cycles and counters are compared too.
    """
    tensors = run(program.network, images, keep=program.network.by_name)
    counted = list(op_cycles(program.plan))
    words = 0
    for image in range(len(images)):
        own = {name: tensor[image] for name, tensor in tensors.items()}
        count, difference = compare_words(program, found, own, image)
        words += count
        if difference is None and cycles:
            difference = _compare_cycles(program, counted, found, image)
        if difference is not None:
            return words, difference
    return words, None


def compare_words(
    program: TiledProgram, found: TiledRun, tensors: Tensors, image: int
) -> tuple[int, Difference | None]:
    """Compare one image's words; the number of bytes and results compared, the first difference.

    Args:
        tensors: the image's own, of all nodes.
        image: its index.
    """
    network, words = program.network, 0
    log = found.writes[image]
    stores = list(_stores(program))
    ends = [store.first for store in stores[1:]] + [program.instructions]
    for store, end in zip(stores, ends, strict=True):
        own = log[(log[:, 0] >= store.first) & (log[:, 0] < end)]
        expected = _memory(program, store.place, _stored(program, store, tensors))
        got = _replayed(program, own)
        words += int((expected != _NOTHING).sum())
        if not np.array_equal(expected, got):
            return words, _first_byte(program, store, image, expected, got)
    output = network.output.name
    expected = tensors[output].reshape(-1).astype(np.int64)
    got = found.results[image].astype(np.int64)
    words += expected.size
    wrong = np.flatnonzero(expected != got)
    if not len(wrong):
        return words, None
    index = int(wrong[0])
    _, height, width = network.shapes[output]
    return words, Difference(
        image=image,
        layer=output,
        where=_where(*divmod(index, height * width), width),
        expected=int(expected[index]),
        got=int(got[index]),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Store:
    """A tensor that is written from an instruction on, until another one is.

    Args:
        first: number of the instruction.
        op: it.
        name: of the tensor.
        place: where it lies.
    """

    first: int
    op: TileOp
    name: str
    place: TensorPlace


def _stores(program: TiledProgram) -> Iterator[_Store]:
    """In the order of the program; before each of them all words of those before are written."""
    numbered = enumerate(program.plan.ops)
    for _, group in groupby(numbered, key=lambda item: (item[1].node, item[1].kind)):
        first, op = next(group)
        if op.target is not None:
            name = op.node if op.pool is None else op.pool.name
            yield _Store(first=first, op=op, name=name, place=op.target)


def _stored(program: TiledProgram, store: _Store, tensors: Tensors) -> NDArray[Any]:
    """What should be written: shape (N, H, W)."""
    if store.name in tensors:
        return tensors[store.name]
    layer = program.network.by_name[store.op.node]
    assert isinstance(layer, MatrixLayer) and layer.residual is not None
    assert store.name == scratch_name(layer)  # the positions that a strided residual takes
    (down, right), (height, width) = layer.residual.stride, layer.output_size
    source = tensors[layer.residual.source][program.plan.places.scratch[layer.name]]
    return source[:, ::down, ::right][:, :height, :width]


def _memory(program: TiledProgram, place: TensorPlace, tensor: NDArray[Any]) -> NDArray[np.int64]:
    """All banks' bytes with a tensor in its place, whole words of each plane, nothing elsewhere."""
    memory = _empty(program)
    size = program.parameters["WORD_BYTES"]
    for channel, plane in enumerate(tensor):
        start = int(place.planes[channel]) * size
        first = start + int(place.phases[channel])
        bank = memory[int(place.banks[channel])]
        bank[start : -(-(first + plane.size) // size) * size] = 0
        bank[first : first + plane.size] = plane.ravel()
    return memory


def _replayed(program: TiledProgram, log: NDArray[np.int64]) -> NDArray[np.int64]:
    """All banks' bytes after the writes of a log, nothing where there was none."""
    memory = _empty(program)
    size = program.parameters["WORD_BYTES"]
    for byte in range(size):
        own = log[(log[:, 3] >> byte) & 1 == 1]
        memory[own[:, 1], own[:, 2] * size + byte] = own[:, 4 + byte]
    return memory


def _empty(program: TiledProgram) -> NDArray[np.int64]:
    """A byte for every address that a word may be written to."""
    parameters = program.parameters
    shape = parameters["BANKS"], parameters["WORD_BYTES"] << parameters["FEATURE_BITS"]
    return np.full(shape, _NOTHING, dtype=np.int64)


def _first_byte(
    program: TiledProgram,
    store: _Store,
    image: int,
    expected: NDArray[np.int64],
    got: NDArray[np.int64],
) -> Difference:
    """The first byte that differs, as a position of its row where it is one of the tensor."""
    bank, byte = np.argwhere(expected != got)[0].tolist()
    place, size = store.place, program.parameters["WORD_BYTES"]
    where = f"byte {byte} of bank {bank}"
    for channel in np.flatnonzero(place.banks == bank).tolist():
        position = byte - int(place.planes[channel]) * size - int(place.phases[channel])
        if 0 <= position < place.height * place.width:
            where = _where(channel, position, place.width)
    return Difference(
        image=image,
        layer=store.name,
        where=where,
        expected=int(expected[bank, byte]),
        got=int(got[bank, byte]),
    )


def _where(row: int, position: int, width: int) -> str:
    y, x = divmod(position, width)
    return f"row {row}, position ({y}, {x})"


def _compare_cycles(
    program: TiledProgram, counted: Sequence[OpCycles], found: TiledRun, image: int
) -> Difference | None:
    """The start of every instruction and of the end, then the counters."""
    word = program.array.word_cycles
    starts = [*found.op_starts[image].tolist(), int(found.cycles[image])]
    for number, (one, got) in enumerate(zip(counted, starts, strict=True)):
        if got != one.begin:
            layer = "end" if one.op is None else one.op.node
            where = f"start of instruction {number}"
            return Difference(image=image, layer=layer, where=where, expected=one.begin, got=got)
    tiles = [one for one in counted if one.op is not None and one.op.kind == "tiles"]
    entered, stalled = (
        sum(getattr(one, name) for one in tiles) for name in ("streamed", "stalled")
    )
    for where, expected, got in (
        ("word times in which words entered", entered // word, int(found.entered[image])),
        ("word times lost to weights", stalled // word, int(found.stalled[image])),
    ):
        if got != expected:
            return Difference(image=image, layer="end", where=where, expected=expected, got=got)
    return None
