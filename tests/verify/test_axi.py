"""The accelerator behind its AXI ports, driven by the host library."""

from dataclasses import replace

import numpy as np
import pytest

from systopack.errors import InvalidFileError
from systopack.hardware.array import Array
from systopack.hardware.tiled.cycles import count_tiled
from systopack.network.nodes import MatrixLayer
from systopack.network.reference import run
from systopack.rtl.host import Host, configuration_writes
from systopack.rtl.parameters import sources
from systopack.rtl.pipelined.program import PipelinedProgram, compile_pipelined
from systopack.rtl.program import TiledProgram, compile_tiled
from systopack.rtl.registers import (
    ADDRESS,
    BUILD,
    COMMIT,
    CONTROL,
    CYCLES,
    DATA,
    DROPPED,
    ENTERED,
    IDENTITY,
    MEMORY,
    PIPELINED_IDENTITY,
    STALLED,
    STATUS,
    TILED_IDENTITY,
)
from systopack.verification.array_bench import to_bits
from systopack.verification.bench import Bench, Port
from tests.networks import network_of_positions, random_images, random_network
from tests.verify.axi_host import OKAY, SLVERR, SimulatedBoard

COMPILED = {"tiled": compile_tiled, "pipelined": compile_pipelined}


def test_a_host_configures_runs_and_reads_the_cycle_counter():
    rng = np.random.default_rng(4)
    network = random_network(rng, layers=3)
    images = random_images(rng, network, 2)
    program = compile_tiled(network, array=Array(rows=3, columns=2))
    board = SimulatedBoard(program)
    board.host.configure(program)
    assert not board.host.busy()
    expected = run(network, images)[network.output.name].reshape(2, -1)
    for image, logits in zip(images, expected, strict=True):
        assert np.array_equal(board.run(image), logits)
        while board.host.busy():
            pass
        # The image is there from the start and the host is never late: the model's cycles.
        counted = count_tiled(network, array=program.array)
        assert board.host.cycles() == counted.cycles
        assert board.host.entered_words() == counted.entered_words
        assert board.host.stall_words() == counted.stall_words
    assert board._read(IDENTITY) == TILED_IDENTITY
    assert board.read(0x40) == (0, SLVERR)
    assert board.violations() == 0


def test_memories_of_more_than_256_words_are_collected():
    bits, chunks = 9000, 282
    ports = {"reset": 1, "s_axi_awaddr": 8, "s_axi_awvalid": 1, "s_axi_wdata": 32}
    ports |= {"s_axi_wstrb": 4, "s_axi_wvalid": 1, "s_axi_bready": 1}
    bench = Bench(
        top="axi_registers",
        sources=sources(("axi_registers.v", "stream_rules.v")),
        parameters={"CONFIG_BITS": bits, "IDENTITY": 1},
        inputs=tuple(Port(name=name, bits=wide) for name, wide in ports.items()),
        outputs=(Port(name="data", bits=bits),),
    )
    values = np.random.default_rng(0).integers(0, 1 << 32, chunks)
    cycles = 2 * chunks + 6  # a word every two cycles
    given = {name: np.zeros((cycles, wide), dtype=np.uint8) for name, wide in ports.items()}
    given["reset"][:2] = 1
    given["s_axi_bready"][:] = given["s_axi_wstrb"][:] = 1
    at = slice(3, 3 + 2 * chunks, 2)
    given["s_axi_awvalid"][at] = given["s_axi_wvalid"][at] = 1
    given["s_axi_awaddr"][at] = to_bits(np.array(0x10), 8)
    given["s_axi_wdata"][at] = to_bits(values, 32)
    assert np.array_equal(bench.run(given)["data"][-1], to_bits(values, 32).reshape(-1)[:bits])


def test_the_same_calls_drive_a_layer_pipelined_accelerator():
    rng = np.random.default_rng(4)
    network = random_network(rng, layers=2)
    images = random_images(rng, network, 2)
    program = compile_pipelined(network, array=Array(rows=3, columns=2))
    board = SimulatedBoard(program)
    board.host.configure(program)
    expected = run(network, images)[network.output.name].reshape(2, -1)
    for image, logits in zip(images, expected, strict=True):
        assert np.array_equal(board.run(image), logits)
        while board.host.busy():
            pass
        assert board.host.cycles() == program.cycles.latency_cycles
    assert board._read(IDENTITY) == PIPELINED_IDENTITY
    # Other weights, without a reset: the cells take them over.
    other = replace(network, nodes=tuple(_negated(node) for node in network.nodes))
    board.host.configure(compile_pipelined(other, array=program.array))
    expected = run(other, images)[network.output.name].reshape(2, -1)
    for image, logits in zip(images, expected, strict=True):
        assert np.array_equal(board.run(image), logits)


@pytest.fixture(scope="module", params=list(COMPILED))
def ready(request):
    """A configured board, four images and what each gives."""
    network = network_of_positions()
    program = COMPILED[request.param](network, array=Array(rows=2, columns=2))
    images = random_images(np.random.default_rng(6), network, 4)
    expected = run(network, images)[network.output.name].reshape(4, 4, 6)
    if request.param == "pipelined":
        expected = expected.swapaxes(1, 2)
    return program, SimulatedBoard(program, back_pressure=3), images, expected.reshape(4, 24)


@pytest.fixture
def board(ready):
    program, board, _, _ = ready
    board.reset()
    board.host.configure(program)
    return board


def beats_of(board, image):
    board.send(image)
    count = board.waiting_beats
    board.reset()
    return count


def test_an_image_of_the_wrong_length_is_dropped_and_the_next_one_is_right(ready, board):
    _, _, images, expected = ready
    whole = beats_of(board, images[0])
    wrong = [1, whole - 1, whole + 1, 2 * whole, 3 * whole + 2]
    board.host.start()
    for count in wrong:
        board.send(images[0], beats=count)
    board.send(images[1])
    assert np.array_equal(board.results(cycle_limit=100_000), expected[1])
    idle(board)
    assert board.host.dropped_images() == len(wrong)
    assert board.host.wrong_length() and not board.host.wrong_length()
    assert np.array_equal(board.run(images[2]), expected[2])
    assert len(board.received()[0]) == 0 and board.violations() == 0


def test_what_is_refused_changes_nothing(ready, board):
    _, _, images, expected = ready
    read_only = (CYCLES, IDENTITY, ENTERED, STALLED, DROPPED, BUILD)
    for register in (*read_only, 0x30, 0x80, 0xFC):
        assert board.write(register, 0xFFFFFFFF) == SLVERR
    for register in (0x30, 0x33, 0xFF):
        assert board.read(register) == (0, SLVERR)
    board.write(MEMORY, 0x12345678)
    assert board.write(MEMORY + 1, 0xAABBCCDD, strobe=2) == OKAY
    assert board.write(ADDRESS, 0xFFFFFFFF, strobe=0) == OKAY
    assert board.read(MEMORY + 3) == (0x1234CC78, OKAY)
    held = board.read(ADDRESS)
    board.host.start()
    board.send(images[0], beats=2, last=False)
    board.advance(200)
    for register in (MEMORY, ADDRESS, DATA, COMMIT):
        assert board.write(register, 0) == SLVERR
    assert board.read(MEMORY) == (0x1234CC78, OKAY) and board.read(ADDRESS) == held
    board.host.abort()
    board.send(images[0], beats=1)  # the rest of the image
    idle(board)
    assert np.array_equal(board.run(images[3]), expected[3])
    assert board.host.dropped_images() == 0


def test_a_word_may_come_byte_by_byte(ready, board):
    program, _, images, expected = ready
    zeros = (replace(image, words=np.zeros_like(image.words)) for image in program.images)
    for register, value in configuration_writes(tuple(zeros)):
        board.write(register, value)
    for register, value in configuration_writes(program.images):
        for byte in range(4):
            assert board.write(register + byte, value & 0xFF << 8 * byte, strobe=1 << byte) == OKAY
    assert np.array_equal(board.run(images[1]), expected[1])


def test_data_beyond_a_word_is_refused(ready, board):
    program, _, _, _ = ready
    chunks = -(-program.parameters["CONFIG_BITS"] // 32)
    memory_of(board, program.images[-1].memory)
    assert [board.write(DATA, 1) for _ in range(chunks + 1)] == [OKAY] * chunks + [SLVERR]
    assert board.write(COMMIT, 0) == OKAY and board.write(DATA, 1) == OKAY


def test_a_drop_while_the_host_asks_is_not_forgotten():
    drops = 0

    def read(register):
        nonlocal drops
        found = {STATUS: 2 * (drops > 0), DROPPED: drops}[register]
        drops += 1  # one more right after it was read
        return found

    def write(register, value):
        nonlocal drops
        drops += 1

    host = Host(write, read)
    assert [host.wrong_length() for _ in range(4)] == [False, True, True, True]


def memory_of(board, memory, *, bank=0, address=0):
    assert board.write(MEMORY, memory | bank << 8) == OKAY
    assert board.write(ADDRESS, address) == OKAY


@pytest.mark.parametrize("aborted", [False, True])
def test_a_configuration_that_was_cut_off_leaves_nothing_behind(ready, board, aborted):
    program, _, images, expected = ready
    writes = list(configuration_writes(program.images))
    other = [(register, value ^ 0x5A5A5A5A * (register == DATA)) for register, value in writes]
    data = [place for place, (register, _) in enumerate(writes) if register == DATA]
    cuts = [1, 2, *range(3, 7), data[len(data) // 2] + 1, data[-1] + 1]
    for number, cut in enumerate(cuts):
        for register, value in other[:cut]:
            assert board.write(register, value) == OKAY
        if aborted:
            board.host.abort()
            idle(board)
        board.host.configure(program)
        assert np.array_equal(board.run(images[number % 4]), expected[number % 4]), cut
        idle(board)


@pytest.mark.parametrize("forgetting", ["memory", "address", "abort"])
def test_a_word_that_was_begun_is_forgotten(ready, board, forgetting):
    program, _, _, _ = ready
    memory = program.images[-1].memory
    chunks = -(-program.parameters["CONFIG_BITS"] // 32)
    memory_of(board, memory)
    for _ in range(3):
        assert board.write(DATA, 0xFFFFFFFF) == OKAY
        if forgetting == "memory":
            assert board.write(MEMORY, memory) == OKAY
        elif forgetting == "address":
            assert board.write(ADDRESS, 0) == OKAY
        else:
            board.host.abort()
            idle(board)
        # As many as a word has, and no more.
        assert [board.write(DATA, 1) for _ in range(chunks + 1)] == [OKAY] * chunks + [SLVERR]
        board.write(MEMORY, memory)
    board.write(DATA, 1)
    assert board.write(MEMORY, 0, strobe=0) == OKAY  # writes nothing, so it forgets nothing
    assert [board.write(DATA, 1) for _ in range(chunks)] == [OKAY] * (chunks - 1) + [SLVERR]


def test_words_that_do_not_exist_are_refused_and_hit_no_other(ready, board):
    program, _, images, expected = ready
    wrong = []
    shared = {0: (0, 1), 1: (0, 1)}  # memories as deep as each other
    if isinstance(program, TiledProgram):
        shared |= {5: (5, 6), 6: (5, 6)}
    for memory in range(256):
        own = [image for image in program.images if image.memory == memory]
        if not own:
            wrong.append((memory, 0, 0))
            continue
        banks = own[0].words.shape[0]
        together = shared.get(memory, (memory,))
        depth = max(im.words.shape[1] for im in program.images if im.memory in together)
        above = 1 << (depth - 1).bit_length()  # tables are built in powers of two
        wrong += [(memory, 0, word) for word in (above, 1 << 12, 1 << 16, 1 << 20, 1 << 31)]
        wrong += [(memory, bank, 0) for bank in (banks, 256, 1 << 20, (1 << 24) - 1)]
    for memory, bank, address in wrong:
        memory_of(board, memory, bank=bank, address=address)
        assert board.write(DATA, 0x5A5A5A5A) == OKAY
        assert board.write(COMMIT, 0) == SLVERR, (memory, bank, address)
        assert board.read(ADDRESS) == (address, OKAY)
    assert np.array_equal(board.run(images[1]), expected[1])
    idle(board)
    for image in program.images:  # the last ones are there
        banks, depth, _ = image.words.shape
        memory_of(board, image.memory, bank=banks - 1, address=depth - 1)
        board.write(DATA, 0)
        assert board.write(COMMIT, 0) == OKAY


def test_an_abort_ends_the_packet_that_had_begun(ready, board):
    _, _, images, expected = ready
    for cycles in range(0, 4000, 37):
        board.host.start()
        board.send(images[0])
        board.advance(cycles)
        board.host.abort()
        idle(board)
        words, lasts = board.received()
        if 0 < len(words) < 24:
            assert np.array_equal(words[:-1], expected[0][: len(words) - 1])
            assert words[-1] == 0 and lasts.tolist() == [0] * (len(words) - 1) + [1]
            break
        board.reset()
    else:
        raise AssertionError("no abort met a packet")
    assert np.array_equal(board.run(images[1]), expected[1])


def test_a_start_during_a_run_is_kept_or_refused(ready, board):
    program, _, images, expected = ready
    board.host.start()
    board.send(images[0], beats=1, last=False)
    board.advance(100)
    pipelined = isinstance(program, PipelinedProgram)
    assert board.write(CONTROL, 1) == (OKAY if pipelined else SLVERR)
    rest = images[0].reshape(images[0].shape[0], -1)
    if pipelined:
        board.send(rest[:, 1:].reshape(len(rest), -1, 1))
    else:
        board.send(rest.reshape(1, 1, -1)[:, :, 1:])
    assert np.array_equal(board.results(cycle_limit=100_000), expected[0])
    # The last result has been taken: the next start is kept, whether the run has ended or not.
    assert board.write(CONTROL, 1) == OKAY
    board.send(images[2])
    assert np.array_equal(board.results(cycle_limit=100_000), expected[2])


def test_a_host_refuses_hardware_of_other_widths_and_depths(ready, board):
    program, _, _, _ = ready
    compiled = compile_pipelined if isinstance(program, PipelinedProgram) else compile_tiled
    other = compiled(random_network(np.random.default_rng(4), layers=2), array=program.array)
    with pytest.raises(InvalidFileError, match="built for other widths and depths"):
        board.host.configure(other)
    renamed = replace(program.network, name="other weights, same widths")
    same = replace(renamed, nodes=tuple(_negated(node) for node in renamed.nodes))
    board.host.configure(compiled(same, array=program.array))


def idle(board):
    for _ in range(5000):
        if not board.host.busy():
            return
    raise AssertionError("the accelerator stays busy")


def _negated(node):
    if not isinstance(node, MatrixLayer):
        return node
    bands = tuple(
        replace(band, values=-np.maximum(band.values, -127)) for band in node.matrix.bands
    )
    return replace(node, matrix=replace(node.matrix, bands=bands))
