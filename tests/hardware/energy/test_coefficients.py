"""The record of measured coefficients, and interpolation between sizes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from systopack.errors import InvalidFileError, InvalidOptionError
from systopack.hardware.array import Array
from systopack.hardware.energy.coefficients import (
    Coefficients,
    CoefficientTable,
    MeasuredPoint,
    read_coefficients,
)

ONES = Coefficients(
    active_pj=4.0,
    zero_input_pj=2.0,
    zero_weight_pj=1.0,
    clock_pj=0.5,
    stopped_pj=0.125,
    load_pj=8.0,
    hop_pj=0.25,
    origin="by hand",
)


def point(size: int, factor: float = 1.0, **changes) -> MeasuredPoint:
    scaled = {name: factor * value for name, value in ONES.energies.items()}
    return MeasuredPoint(
        array=Array(rows=size, columns=size, **changes),
        gating="clock",
        clock_mhz=500.0,
        cell_area_um2=100.0 * factor,
        coefficients=Coefficients(**scaled, origin="by hand"),
    )


def table(*points: MeasuredPoint) -> CoefficientTable:
    return CoefficientTable(library="test", node_nm=45, voltage_v=1.1, points=points)


def test_a_record_read_back_is_the_same_table(tmp_path):
    written = table(point(8), point(32, 2.0))
    written.write(tmp_path / "c.json", configuration={"by": "hand"})
    assert read_coefficients(tmp_path / "c.json") == written


def test_a_measured_size_is_given_as_it_is():
    measured = point(8)
    assert table(measured, point(32, 2.0)).for_array(Array(rows=8, columns=8), gating="clock") == (
        measured
    )


def test_a_size_between_is_interpolated_over_the_logarithm_and_says_so():
    found = table(point(8), point(32, 3.0)).for_array(Array(rows=16, columns=16), gating="clock")
    assert found.coefficients.active_pj == pytest.approx(8.0)  # halfway of 4 and 12
    assert found.cell_area_um2 == pytest.approx(200.0)
    assert (
        "interpolated between bit-serial 8x8 alpha 8 and bit-serial 32x32 alpha 8"
        in found.coefficients.origin
    )


def test_outside_the_nearest_size_stands_in_and_says_so():
    found = table(point(8), point(16, 2.0)).for_array(Array(), gating="clock")
    assert found.coefficients.active_pj == 8.0
    assert "was not measured, the nearest size stands in" in found.coefficients.origin


def test_an_array_of_another_kind_is_refused():
    with pytest.raises(
        InvalidOptionError, match=r"no array like bit-serial 8x8 alpha 4, .*gating 'clock'"
    ):
        table(point(8)).for_array(Array(rows=8, columns=8, alpha=4), gating="clock")
    with pytest.raises(
        InvalidOptionError, match=r"weight buffers 1, with .* give --array tiny-8x8, or measure"
    ):
        table(point(8)).for_array(Array(rows=8, columns=8, weight_buffers=1), gating="clock")
    sizes = table(*(point(size) for size in (2, 3, 4, 5)))
    with pytest.raises(InvalidOptionError, match=r"--gating clock \(2 more were measured\), or"):
        sizes.for_array(Array(rows=8, columns=8, alpha=4), gating="clock")


def test_only_measured_sizes_and_those_between_are_covered():
    measured = table(point(8), point(16))
    for size, covered in ((8, True), (12, True), (16, True), (4, False), (32, False)):
        assert measured.covers(Array(rows=size, columns=size), gating="clock") == covered
    assert not measured.covers(Array(rows=8, columns=8, alpha=4), gating="clock")


def test_negative_energy_is_refused():
    with pytest.raises(InvalidOptionError, match="clock_pj is -1"):
        replace(ONES, clock_pj=-1)


def test_a_point_without_a_value_is_refused(tmp_path):
    path = tmp_path / "c.json"
    table(point(8)).write(path, configuration={})
    record = json.loads(path.read_text())
    del record["figures"]["points"][0]["hop_pj"]
    path.write_text(json.dumps(record))
    with pytest.raises(InvalidFileError, match="hop_pj"):
        read_coefficients(path)


def test_another_record_is_refused(tmp_path):
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"record_version": 1, "kind": "mnist", "figures": {}}))
    with pytest.raises(InvalidFileError, match="kind 'mnist'"):
        read_coefficients(path)
