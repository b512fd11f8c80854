"""The C driver, compiled strictly, drives the simulated accelerator through its registers."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from systopack.hardware.array import Array
from systopack.network.reference import run
from systopack.rtl.pipelined.program import compile_pipelined
from systopack.rtl.program import compile_tiled
from systopack.rtl.write import write_rtl
from tests.networks import network_of_positions, random_images
from tests.verify.axi_host import SimulatedBoard

PAGE = Path(__file__).parents[2] / "docs" / "hardware" / "integrate.md"
HOST = Path(__file__).with_name("driver_host.c")
STRICT = ("gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-O1")
COMPILED = {"tiled": compile_tiled, "pipelined": compile_pipelined}


def c_array(name, kind, values):
    rows = ",\n".join("{" + ", ".join(str(int(value)) for value in row) + "}" for row in values)
    return f"static const {kind} {name}[{len(values)}][{values.shape[1]}] = {{\n{rows}}};\n"


def vectors(network, organisation):
    """Images beat by beat and what the integer reference gives for them, as C."""
    images = random_images(np.random.default_rng(6), network, 3)
    expected = run(network, images)[network.output.name].astype(np.int32)
    beats, words = images.reshape(*images.shape[:2], -1), expected.reshape(*expected.shape[:2], -1)
    channels = 1
    if organisation == "pipelined":
        channels, beats, words = images.shape[1], beats.swapaxes(1, 2), words.swapaxes(1, 2)
    image_bytes = np.ascontiguousarray(beats).reshape(3, -1).view(np.uint8)
    result_words = np.ascontiguousarray(words).reshape(3, -1).view(np.uint32)
    sizes = {
        "IMAGES": 3,
        "BEATS": image_bytes.shape[1] // channels,
        "BEAT_BYTES": channels,
        "RESULTS": result_words.shape[1],
    }
    return (
        "".join(f"#define {name} {size}\n" for name, size in sizes.items())
        + c_array("images", "uint8_t", image_bytes)
        + c_array("results", "uint32_t", result_words)
    )


@pytest.fixture(scope="module", params=list(COMPILED))
def built(request, tmp_path_factory):
    """The program `host`, in the folder of the driver."""
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc")
    folder = tmp_path_factory.mktemp(request.param)
    network, array = network_of_positions(), Array(rows=2, columns=2)
    write_rtl(network, array=array, out=folder, organisation=request.param, packages=("c",))
    place = folder / "c"
    (place / "vectors.h").write_text(vectors(network, request.param))
    library = SimulatedBoard(COMPILED[request.param](network, array=array))._library._name
    command = [*STRICT, "-I.", "-o", "host", "systopack.c", "systopack_network.c", str(HOST)]
    subprocess.run([*command, library, f"-Wl,-rpath,{Path(library).parent}"], cwd=place, check=True)
    return place


@pytest.mark.parametrize("seed", ["0", "3"])
def test_the_driver_runs_images_on_the_simulated_accelerator(built, seed):
    ended = subprocess.run(
        ["./host", seed], cwd=built, capture_output=True, text=True, check=False, timeout=300
    )
    assert (ended.returncode, ended.stdout) == (0, "PASS\n"), ended


def test_two_networks_can_stand_in_one_program(built, tmp_path):
    (tmp_path / "main.c").write_text(
        '#include "systopack.h"\nextern const struct systopack_network one, two;\n'
        "int main(void) { return one.count == two.count && systopack_message(SYSTOPACK_OK) ? 0 : 1; }\n"
    )
    for name in ("one", "two"):
        command = [*STRICT, f"-DSYSTOPACK_NETWORK={name}", "-c", "-o", str(tmp_path / f"{name}.o")]
        subprocess.run([*command, "systopack_network.c"], cwd=built, check=True)
    command = [*STRICT, "-I.", "-o", str(tmp_path / "both"), str(tmp_path / "main.c")]
    objects = [str(tmp_path / "one.o"), str(tmp_path / "two.o")]
    subprocess.run([*command, "systopack.c", *objects], cwd=built, check=True)
    assert subprocess.run([tmp_path / "both"], check=False).returncode == 0


def test_the_example_of_the_page_compiles(built, tmp_path):
    example = PAGE.read_text().split("```c\n")[1].split("```")[0]
    (tmp_path / "example.c").write_text(example)
    command = [*STRICT, f"-I{built}", "-c", "-o", str(tmp_path / "example.o"), "example.c"]
    subprocess.run(command, cwd=tmp_path, check=True)
