"""Thousands of broken .spk files: refused in one sentence, or right; quick, and in little memory."""

import copy
import math
import os
import random
import resource
import time
import traceback

import numpy as np
import pytest

from systopack.errors import SystopackError
from systopack.hardware.array import Array
from systopack.hardware.cycles import count_cycles
from systopack.hardware.tiled.cycles import count_tiled
from systopack.network.file import load, to_bytes
from systopack.network.reference import accumulate_by_cells, column_words, run, wrap
from tests.network.spk_files import ZEROS, build, parse, sealed
from tests.networks import random_network

VALUES = [
    *(None, True, False, -1, 0, 1, 2, 3, 8, 31, 32, 127, 128, 255, 256, 65535, 2**31 - 1, 2**31),
    *(-(2**31), 2**32, 2**63, -(2**63), 2**64, 10**40, 10**400, 0.5, 1.5, -0.0, 1e-320, 1e308),
    *(math.nan, math.inf, -math.inf, "", "1", " 2 ", "input", "logits", "layer0", "a\nb", "\ud800"),
    *("\u202e", "\x1b[2J", "z" * 3000, [], {}, [1], [1, 1], [1.0, 1.0], [0, 0, 0, 0], [None]),
    *("relu", "clip", "none", "max", "average", "linear", "shift", "convolution", "matrix", "pool"),
]
DTYPES = ["int8", "uint8", "int16", "int32", "int64", "uint64", "float16", "float32", "float64"]
BIG = [10**3, 10**4, 10**6, 10**9, 2**31, 2**40]


def places(content, path=()):
    """The path of every value in plain data."""
    items = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


def parent(content, path):
    for key in path[:-1]:
        content = content[key]
    return content


def change_value(rng, header, tensors):
    path = rng.choice(list(places(header)))
    parent(header, path)[path[-1]] = copy.deepcopy(rng.choice(VALUES))


def change_number(rng, header, tensors):
    path = rng.choice(list(places(header)))
    value = parent(header, path)[path[-1]]
    if isinstance(value, int | float):
        parent(header, path)[path[-1]] = value + rng.choice([-2, -1, 1, 0.5, 1000, 10**9])


def drop_or_add_field(rng, header, tensors):
    path = rng.choice(list(places(header)))
    holder = parent(header, path)
    if rng.random() < 0.5:
        del holder[path[-1]]
    elif isinstance(holder, dict):
        holder[rng.choice(["dilation", "range", "residual", "sources", "x"])] = rng.choice(VALUES)


def change_graph(rng, header, tensors):
    nodes = header["nodes"]
    first, second = rng.choice(nodes), rng.choice(nodes)
    way = rng.randrange(6)
    if way == 0:
        rng.shuffle(nodes)
    elif way == 1:
        nodes.insert(rng.randrange(len(nodes)), copy.deepcopy(first))
    elif way == 2:
        first["source"] = second["name"]
    elif way == 3:
        first["name"] = second["name"]
    elif way == 4:
        first["residual"] = {"source": second["name"], "stride": [rng.choice([1, 2, 10**6]), 1]}
    else:
        nodes *= rng.choice([2, 100, 2000])


def change_sizes(rng, header, tensors):
    node, big = rng.choice(header["nodes"]), rng.choice(BIG)
    for key, count in (("shape", 3), ("output_size", 2), ("kernel", 2), ("stride", 2)):
        if key in node and rng.random() < 0.4:
            node[key] = [rng.choice([1, 2, big]) for _ in range(count)]
    if "padding" in node and rng.random() < 0.4:
        node["padding"] = [rng.choice([0, 1, 100, big]) for _ in range(4)]


def change_tensor(rng, header, tensors):
    name = rng.choice(sorted(tensors))
    array = tensors[name]
    way = rng.randrange(7)
    with np.errstate(all="ignore"):
        if way == 0:
            del tensors[name]
        elif way == 1:
            tensors[name + "x"] = array
        elif way == 2:
            tensors[name] = array.astype(rng.choice(DTYPES))
        elif way == 3:
            tensors[name] = rng.choice([array.reshape(-1), array[None], array[:0], array[::-1]])
        elif way == 4:
            tensors[name] = np.zeros((rng.choice(BIG), 0) if rng.random() < 0.5 else 0, array.dtype)
        elif array.size:
            wide = array.astype(np.float64) if way == 5 else array.astype(np.int64)
            value = rng.choice([-(2**31), -128, -1, 0, 1, 5, 32, 127, 255, 2**31 - 1])
            wide.reshape(-1)[rng.randrange(wide.size)] = value
            if way == 5 and rng.random() < 0.5:
                wide.reshape(-1)[rng.randrange(wide.size)] = rng.choice([0.5, np.nan, np.inf])
                tensors[name] = wide
            else:
                tensors[name] = wide.astype(array.dtype)


CHANGES = [
    *(change_value, change_number, drop_or_add_field, change_graph, change_sizes),
    *(change_tensor, change_tensor, change_tensor),
]


def broken(rng, content):
    """Another content: bytes changed, with a right digest or without, or fields and tensors."""
    way = rng.random()
    if way < 0.05:
        return content[: rng.randrange(len(content))]
    if way < 0.25:
        digest = parse(content)[0]["sha256"].encode()
        damaged = bytearray(content.replace(digest, ZEROS.encode(), 1))
        for _ in range(rng.choice([1, 1, 2, 16])):
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        return sealed(bytes(damaged)) if way > 0.1 else bytes(damaged)
    header, tensors = parse(content)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        try:
            rng.choice(CHANGES)(rng, header, tensors)
        except (KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError):
            continue  # an earlier change took away what this one wanted to change
    tensors = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    try:
        return build(header, tensors)
    except Exception:  # what safetensors itself cannot write
        return content[:-1]


def check_right(content, network):
    """A network that was accepted means what its file says and follows every model."""
    header, tensors = parse(content)
    again, arrays = parse(to_bytes(network)[0])
    del header["sha256"], again["sha256"]
    assert repr(again) == repr(header)
    assert arrays.keys() == tensors.keys()
    for name, array in arrays.items():
        assert array.dtype == tensors[name].dtype
        assert np.array_equal(array, tensors[name])
    images = np.random.default_rng(0).integers(-128, 128, (1, *network.input.shape))
    words = run(network, images.astype(np.int8), keep=network.by_name)
    for layer in network.layers:
        source = words[layer.source]
        cells = accumulate_by_cells(network, layer, np.ascontiguousarray(source.swapaxes(0, 1)))
        product = layer.matrix.to_dense().astype(np.int64) @ column_words(layer, source)[0]
        product = wrap(product + layer.bias[:, None], network.accumulator_bits)
        assert np.array_equal(product, cells.reshape(product.shape))
    array = Array(rows=8, columns=8, alpha=16, accumulator_bits=network.accumulator_bits)
    count_cycles(network, array=array)
    try:
        count_tiled(network, array=array)
    except SystopackError as error:
        assert "\n" not in str(error)


def fuzz(folder, *, seed, count):
    """Make so many files; the number that were accepted."""
    rng = random.Random(seed)
    networks = [
        to_bytes(
            random_network(
                np.random.default_rng([seed, number]), layers=number % 4 + 1, concatenations=True
            )
        )[0]
        for number in range(8)
    ]
    path = folder / "broken.spk"
    accepted = 0
    for number in range(count):
        content = broken(rng, rng.choice(networks))
        path.write_bytes(content)
        began = time.process_time()
        try:
            network = load(path)
        except SystopackError as error:
            assert "\n" not in str(error), number
            assert len(str(error)) < 2000, number
        else:
            accepted += 1
            check_right(content, network)
        assert time.process_time() - began < 10, number
    return accepted


def test_some_broken_files(tmp_path):
    assert fuzz(tmp_path, seed=1, count=150) >= 1


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="measures memory in a process of its own")
def test_many_broken_files_in_little_memory(tmp_path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    child = os.fork()
    if child == 0:
        code = 1
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (300, 300))
            accepted = fuzz(tmp_path, seed=2, count=3000)
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            code = 0 if accepted >= 50 and grown < 1 << 20 else 2  # kilobytes
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
