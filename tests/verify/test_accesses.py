"""What the memories of the tiled accelerator are asked for, as counted and as the Verilog does it."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from systopack.hardware.array import Array
from systopack.network.network import PackedNetwork
from systopack.rtl.accesses import merged, tiled_accesses
from systopack.rtl.memories import FEATURE_BANK, REGISTER_MEMORY, SINGLE_MEMORY, tiled_memories
from systopack.rtl.parameters import VERILOG
from systopack.rtl.program import TiledProgram, compile_tiled
from systopack.verification.bench import Port
from systopack.verification.tiled import run_tiled
from systopack.verification.tracing import Probe
from tests.networks import random_images, random_network


def counted_in_verilog(
    program: TiledProgram, images: np.ndarray, file, verilog
) -> dict[str, list[int]]:
    """Reads and writes of all memories from the first to the last cycle of an image."""
    ports: list[Port] = []
    for memory in tiled_memories(program):
        if memory.module == REGISTER_MEMORY:
            continue
        for number in range(memory.count):
            place = memory.place.replace("*", str(number))
            if memory.module == FEATURE_BANK:
                ports.append(Port(name=f"{place}.access", bits=1))
                ports.append(Port(name=f"{place}.enables", bits=memory.width // 8))
            else:
                ports += [Port(name=f"{place}.{pin}", bits=1) for pin in ("read", "write")]
    probe = Probe(ports=ports, file=file)
    run_tiled(program, images[:1], probe=probe, verilog=verilog)
    words = np.fromfile(file, dtype="<u4").reshape(-1, -(-probe.bits // 32))
    bits = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little")
    found: dict[str, list[int]] = {}
    place = 0
    for memory in tiled_memories(program):
        if memory.module == REGISTER_MEMORY:
            continue
        reads = writes = 0
        for _ in range(memory.count):
            first = bits[:, place].astype(bool)
            size = memory.width // 8 if memory.module == FEATURE_BANK else 1
            second = bits[:, place + 1 : place + 1 + size].any(axis=1)
            place += 1 + size
            if memory.module == FEATURE_BANK:
                first, second = first & ~second, first & second
            elif memory.module == SINGLE_MEMORY:
                assert not (first & second).any()
            reads, writes = reads + int(first.sum()), writes + int(second.sum())
        found[memory.name] = [reads, writes]
    return found


def differing(
    network: PackedNetwork, array: Array, images: np.ndarray, file, verilog=VERILOG
) -> list[str]:
    """Memories that the Verilog reads or writes another number of times than was counted."""
    program = compile_tiled(
        network, array=replace(array, accumulator_bits=network.accumulator_bits)
    )
    counts = merged(*tiled_accesses(program))
    wanted = {name: [access.reads, access.writes] for name, access in counts.items()}
    got = counted_in_verilog(program, images, file, verilog)
    names = sorted({*got, *wanted})
    return [name for name in names if got.get(name, [0, 0]) != wanted.get(name, [0, 0])]


ARRAYS = (
    Array(rows=4, columns=3, alpha=8),
    Array(rows=3, columns=4, alpha=8, cell="bit-parallel"),
    Array(rows=16, columns=4, alpha=8, cell="bit-serial-compact", input_fanout=8, weight_buffers=1),
)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_random_networks_read_and_write_what_is_counted(seed, tmp_path):
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    images = random_images(rng, network, 1)
    assert differing(network, ARRAYS[seed % len(ARRAYS)], images, tmp_path / "probe") == []


# Reads of no use, which change no word: (memory, file, text, text of the mutant).
MUTANTS = [
    ("jobs", "fetch_bank.v", " && !first && !empty", " && !first"),
    ("jobs", "fetch_bank.v", " && !first && !empty", " && !empty"),
    ("row starts", "sum_lane.v", ".read(turn && (first || finished))", ".read(1'b1)"),
    ("row places", "sum_lane.v", ".read(turning[END-3] && stores_places)", ".read(turning[END-3])"),
    ("partial sums", "sum_lane.v", ".read(turn && !first && !pass)", ".read(turn && !pass)"),
    ("weights", "tile_weights.v", ".read(step)", ".read(1'b1)"),
]


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant[1]}: {mutant[3]}")
def test_a_read_of_no_use_is_counted(tmp_path, mutant):
    memory, name, old, new = mutant
    verilog = tmp_path / "verilog"
    shutil.copytree(VERILOG, verilog)
    text = (verilog / name).read_text()
    assert text.count(old) == 1
    (verilog / name).write_text(text.replace(old, new))
    rng = np.random.default_rng(3)
    network = random_network(rng)
    images = random_images(rng, network, 1)
    assert memory in differing(network, ARRAYS[0], images, tmp_path / "probe", verilog)
