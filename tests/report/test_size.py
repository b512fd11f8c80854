"""Pages of the package's networks: how large they are, and what they open with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from systopack.api.hardware import array_for, energy
from systopack.api.pages import report
from systopack.api.sources import network_of
from systopack.hardware.cycles import count_cycles
from systopack.hardware.pipelined.cycles import count_pipelined
from systopack.hardware.tiled.cycles import count_tiled
from systopack.network.uncombine import uncombined
from systopack.report.comparison import compare
from systopack.report.page import render
from systopack.report.text import number
from tests.report.contents import animated
from tests.report.pages import Page

ARRAY = "compact-32x32"


def test_a_small_network_has_a_small_page():
    assert len(render(animated())) < 100_000


@pytest.mark.slow
def test_lenet_5_opens_with_its_figures_in_600_kb(tmp_path):
    pytest.importorskip("pyarrow", reason="the animation reads the bundled digits; install [data]")
    file = tmp_path / "page.html"
    network, dense = "zoo:lenet5-mnist", "zoo:lenet5-mnist-dense"
    report(network, file, ARRAY, dense=dense, data="sample")
    assert file.stat().st_size <= 600_000
    text = Page(file.read_text(encoding="utf-8")).text
    assert "accuracy, 8-bit (%) 99.41 99.14 99.14" in text  # of the records of the package
    sparse = uncombined(network_of(network))
    energies = [
        energy(one, ARRAY, changes=changes).total_pj / 1e6
        for one, changes in ((dense, ["alpha=1"]), (sparse, ["alpha=1"]), (network, []))
    ]
    assert f"energy of an image (µJ) {' '.join(number(one) for one in energies)}" in text
    assert f"Energy, time and area: {ARRAY} at 667 MHz" in text


@pytest.mark.slow
def test_resnet_20_with_three_packings_takes_2_mb():
    names = {"dense": "-dense", "fast": "-fast", "tenth": "-tenth", "packed": ""}
    networks = {d: network_of(f"zoo:resnet20-cifar10{name}") for d, name in names.items()}
    arrays = {d: array_for(network, ARRAY) for d, network in networks.items()}
    arrays["dense"] = replace(arrays["dense"], alpha=1)
    counts = [
        {d: count(network, array=arrays[d]) for d, network in networks.items()}
        for count in (count_cycles, count_tiled, count_pipelined)
    ]
    content = compare(
        title="ResNet-20",
        networks=networks,
        cycles=counts[0],
        history=(),
        records=(),
        accelerators=counts[1],
        pipelined=counts[2],
    )
    assert len(render(content).encode()) <= 2_000_000
