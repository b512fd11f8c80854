"""The tables of docs/hardware/memory.md and tiled.md, from the records of their counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pages
from pages import Figures

from systopack.report.text import markdown_table

_PLANS = {
    "array": "sums through the array",
    "lanes": "sums added in the lanes",
    "pooled": "and pooled there",
    "rows split": "and rows split",
    "split": "and columns split",
}
_SHARED = ("weights", "descriptors", "partial sums")
_BUILT, _WIDE = "row words of 32, 16 banks", "row words of 64, 32 banks"
_COMPARED = ("banks", "windows", "taps", "homes of 2 columns")


def um2(way: Figures) -> float:
    """Memories and logic."""
    return float(way["um2_memories"] + way["um2_logic"])


def pj(way: Figures) -> float:
    """Memories and logic."""
    return float(way["pj_memories"] + way["pj_logic"])


def each(figures: Figures) -> Iterator[tuple[str, Figures]]:
    """A name for each network and kind, and its figures by array."""
    for name, kinds in figures["networks"].items():
        for kind, entry in kinds.items():
            yield f"{name} {kind}", entry


def cited(record: Figures) -> list[str]:
    """The package's points and what the tool says of them."""
    rows = []
    for point in record["figures"]["cited"]:
        row = [f"{point['bytes']:,} x 8, {point['width_bits']} wide"]
        for key in ("cited", "one_port", "two_ports"):
            row += [f"{point[key]['um2']:,.0f}", f"{point[key]['read_pj']:.3f}"]
        rows.append(row)
    header = ["memory at 40 nm", "cited, um2", "pJ a read", "one port, um2", "pJ a read"]
    return markdown_table([*header, "two ports, um2", "pJ a read"], rows)


def widths(record: Figures) -> list[str]:
    """What a narrow access costs."""
    rows = []
    for capacity in (1024, 8192, 32768):
        points = [p for p in record["figures"]["points"] if p["bytes"] == capacity]
        for ports in (1, 2):
            found = {p["width_bits"]: p for p in points if p["ports"] == ports}
            row = [f"{capacity // 1024} KiB, {ports} port{'s' if ports > 1 else ''}"]
            row += [f"{found[w]['read_pj']:.2f}" for w in (8, 16, 32, 64)]
            row += [f"{found[w]['um2']:,.0f}" for w in (8, 64)]
            row.append(f"{8 * found[8]['read_pj'] / found[64]['read_pj']:.1f}")
            rows.append(row)
    header = ["at 45 nm, 1.0 V", "8 bit, pJ a read", "16", "32", "64", "8 bit, um2", "64"]
    return markdown_table([*header, "a byte over an eighth of 64 bit"], rows)


def schedules(figures: Figures) -> list[str]:
    """Cycles of an image."""
    rows = []
    for name, entry in each(figures):
        found = entry["bit-serial"]["schedules"]
        waits = (found["array"]["waiting_cycles"], found["lanes"]["waiting_cycles"])
        cycles = [found[plan]["cycles"] for plan in _PLANS]
        rows.append([name, *(f"{value:,}" for value in (*cycles, *waits))])
    return markdown_table(["network", *_PLANS.values(), "waits, array", "waits, lanes"], rows)


def ways(figures: Figures) -> list[str]:
    """Every way for the packed ResNet-20."""
    entry = figures["networks"]["ResNet-20"]["packed"]["bit-serial"]
    rows = []
    for name, way in entry["ways"].items():
        rows.append(
            [
                name,
                f"{way['bytes'] / 1024:.1f}",
                way["ports"],
                f"{way['um2_memories']:,.0f}",
                f"{way['um2_logic']:,.0f}",
                f"{pj(way) / 1e6:.2f}",
                f"{way['leakage_mw']:.0f}",
                f"{way['stall_cycles']:,}",
            ]
        )
    header = ["way", "KiB", "ports", "memories, um2", "logic, um2", "uJ an image", "leakage, mW"]
    return markdown_table([*header, "waits, cycles"], rows)


def networks(figures: Figures, cells: str) -> list[str]:
    """The ways for all networks: KiB, mm2, uJ, waits."""
    rows = []
    for name, entry in each(figures):
        row = [name]
        for way in (*_COMPARED, _WIDE if cells == "bit-parallel" else _BUILT):
            one = entry[cells]["ways"][way]
            waits = f", {one['stall_cycles']:,}" if one["stall_cycles"] else ""
            row.append(
                f"{one['bytes'] / 1024:.0f}, {um2(one) / 1e6:.2f}, {pj(one) / 1e6:.2f}{waits}"
            )
        rows.append(row)
    return markdown_table(["KiB, mm2, uJ, waits", *_COMPARED, "row words"], rows)


def features(figures: Figures) -> list[str]:
    """Peak of live tensors."""
    rows = []
    for name, entry in each(figures):
        found = entry["bit-serial"]["features_bytes"]
        rows.append([name, *(f"{value / 1024:.1f}" for value in found.values())])
    return markdown_table(
        ["KiB", "one copy", "residuals in place", "and poolings in the lanes"], rows
    )


def shared(figures: Figures) -> list[str]:
    """Weights, descriptors and partial sums as wide as their ports."""
    rows = []
    for name, entry in each(figures):
        row = [name]
        for part in _SHARED:
            one = entry["bit-serial"]["shared"][part]
            row.append(
                f"{one['bytes'] / 1024:.0f}, {one['width']} in {one['macros']}, "
                f"{one['um2_memories'] / 1e6:.2f}, {one['pj_memories'] / 1e6:.2f}"
            )
        rows.append(row)
    return markdown_table(["KiB, bits in macros, mm2, uJ", *_SHARED], rows)


def lengths(figures: Figures) -> list[str]:
    """The length of a block of positions."""
    rows = []
    for kind, found in figures["blocks"].items():
        for one in found:
            rows.append(
                [
                    kind,
                    f"{one['positions']:,}",
                    f"{one['bytes'] / 1024:.0f}",
                    f"{one['um2']:,.0f}",
                    f"{one['partial_sums_pj'] / 1e6:.2f}",
                    f"{one['loading_pj'] / 1e6:.2f}",
                ]
            )
    header = ["ResNet-20", "positions", "KiB", "um2", "partial sums, uJ", "loading weights, uJ"]
    return markdown_table(header, rows)


def homes(figures: Figures) -> list[str]:
    """Share of the norm kept."""
    rows = [
        [f"{one['layer']}, {one['groups']} groups"]
        + [f"{one[key]:.3f}" for key in ("free", "homes of 2", "homes of 4")]
        for one in figures["homes"]
    ]
    return markdown_table(["share of the norm kept", "free", "homes of 2", "homes of 4"], rows)


def sensitivity(figures: Figures) -> list[str]:
    """mm2 and uJ of the ways where an assumption is half or twice as large."""
    names = (*_COMPARED, "row words of 64, 8 banks", _BUILT)
    rows = []
    for one in figures["sensitivity"]:
        row = [f"{one['assumption']} x {one['factor']:g}"]
        row += [f"{um2(one['ways'][n]) / 1e6:.2f}, {pj(one['ways'][n]) / 1e6:.2f}" for n in names]
        rows.append(row)
    return markdown_table(["mm2, uJ", *names], rows)


def blocks() -> Mapping[str, Sequence[str]]:
    """All tables of the page of the study."""
    table = pages.record("memory_table")
    figures = pages.figures("memory_study")
    return {
        "cited": cited(table),
        "widths": widths(table),
        "schedules": schedules(figures),
        "ways": ways(figures),
        "networks": networks(figures, "bit-serial"),
        "networks-parallel": networks(figures, "bit-parallel"),
        "features": features(figures),
        "shared": shared(figures),
        "blocks": lengths(figures),
        "homes": homes(figures),
        "sensitivity": sensitivity(figures),
    }


def tiled_blocks() -> Mapping[str, Sequence[str]]:
    """The table of what the accelerator takes."""
    rows = [
        [
            f"{name} {kind}",
            f"{entry['cycles']:,}",
            *(
                f"{entry[key] / 1024:.1f}"
                for key in ("feature_bytes", "weight_bytes", "stream_bytes", "job_bytes")
            ),
        ]
        for name, kinds in pages.figures("tiled_counts")["networks"].items()
        for kind, entry in kinds.items()
    ]
    header = ["network", "cycles", "features, KiB", "weights", "streams", "jobs"]
    return {"counts": markdown_table(header, rows)}
