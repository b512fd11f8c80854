"""Make the tables of docs/packing.md from the records in benchmarks/records.

python tools/packing_tables.py          writes the tables into docs/packing.md
python tools/packing_tables.py --check  fails where docs/packing.md differs
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pages

from systopack.records import read_record

ROOT = Path(__file__).resolve().parents[1]
RECORDS = ROOT / "benchmarks" / "records"
PAGE = ROOT / "docs" / "packing.md"
Figures = dict[str, Any]


def table(header: str, rows: list[list[str]]) -> list[str]:
    """A Markdown table; the header's cells are parted by ` | `."""
    return pages.table(header.split(" | "), rows)


def pair(entry: Figures) -> str:
    """Groups and L2."""
    return f"{entry['groups']} / {entry['l2']:.3f}"


def layers(figures: Figures) -> list[str]:
    """Real layers: `authors` against `best`."""
    same = "best at the groups of authors"
    more = sum(row[same]["l2"] > row["authors"]["l2"] for row in figures.values())
    rows = [
        [
            name.removesuffix(".weight"),
            pair(row["authors"]),
            pair(row["best"]),
            f"{row[same]['l2']:.3f}",
        ]
        for name, row in figures.items()
    ]
    return [
        f"At the number of groups of `authors` (star), `best` keeps more squared norm on {more} of "
        f"the {len(figures)} layers.",
        "",
        *table(
            "layer | `authors` groups / L2 | `best` groups / L2 | "
            "`best` at the groups of `authors`: L2",
            rows,
        ),
    ]


def bands(figures: Figures) -> list[str]:
    """Per-tile grouping against whole-matrix grouping."""
    rows = []
    for size in (16, 32, 64):
        cut = [
            (row[f"bands of {size}"], row["best"]["l2"])
            for row in figures.values()
            if f"bands of {size}" in row and row["rows"] > size
        ]
        if not cut:
            rows.append([str(size), "0", "no layer has more rows", "", "", ""])
            continue
        own, whole = (sum(band[key] for band, _ in cut) for key in _CELLS)
        rows.append(
            [
                str(size),
                str(len(cut)),
                str(own),
                str(whole),
                f"{sum(band['l2'] for band, _ in cut) / len(cut):.4f}",
                f"{sum(l2 for _, l2 in cut) / len(cut):.4f}",
            ]
        )
    return table(
        "R | layers | packed cells, bands | packed cells, whole | mean L2, bands | mean L2, whole",
        rows,
    )


_CELLS = ("packed_cells", "whole_packed_cells")


def n_of_m(figures: Figures, configuration: Figures) -> list[str]:
    """The published permutation search and this one."""
    rows = [
        [f"published, `{name}`", f"{kept:.3f}", f"{efficacy:.1f}", f"{seconds:g} (V100)"]
        for name, (kept, efficacy, seconds) in configuration["published"].items()
    ]
    for name, row in figures.items():
        if isinstance(row, dict):
            policy, limit = name.rsplit(" ", 1)
            what = f"`{policy}`" + ("" if limit == "None" else f", limit {limit} s")
            rows.append(
                [
                    what,
                    f"{row['magnitude']:.3f}",
                    f"{row['efficacy_percent']:.1f}",
                    f"{row['seconds_s']:.2f} (CPU)",
                ]
            )
    return table("search | magnitude kept | efficacy % | seconds", rows)


def speed(figures: Figures) -> list[str]:
    """Seconds of whole calls, and proofs."""
    rows = [
        [
            f"{size}, `least-loss`, gamma 0.5",
            f"median {figures[f'{size} median_ms']:.1f} ms, "
            f"least {figures[f'{size} least_ms']:.1f} ms",
        ]
        for size in ("512x512", "512x4608")
    ]
    large = figures["4096x14336"]
    rows += [
        [
            "4096x14336 at 10 %",
            f"{large['seconds_s']:.1f} s, peak of the process {large['peak_over_matrix']:.2f} "
            "times the matrix",
        ],
        [
            "`authors` as a plain tensor program, 512x512",
            f"{figures['tensor 512x512 seconds_s']:.0f} s, "
            f"{figures['tensor over default 512x512']:.0f} times the default policy",
        ],
    ]
    rows += [
        [
            f"{name}, `best`",
            f"{row['groups']} groups, bound {row['bound_groups']}, {row['seconds_s']:.2f} s",
        ]
        for name, row in figures.items()
        if name.startswith("gamma 0 ")
    ]
    return table("what | measured", rows)


def decoder(figures: Figures) -> list[str]:
    """A decoder of 7 billion parameters, one layer in memory at a time."""
    total, by_shape = figures["total"], {}
    for layer in figures["layers"].values():
        by_shape.setdefault((layer["rows"], layer["columns"]), []).append(layer)
    rows = []
    for (height, width), found in sorted(by_shape.items()):
        groups = sorted({layer["groups"] for layer in found})
        seconds = sorted(layer["pack_s"] for layer in found)
        rows.append(
            [
                f"{height} x {width}",
                str(len(found)),
                "-".join(str(count) for count in dict.fromkeys((groups[0], groups[-1]))),
                str(found[0]["groups_lower_bound"]),
                f"{sum(layer['squared_norm_kept'] for layer in found) / len(found):.3f}",
                f"{seconds[len(seconds) // 2]:.2f}",
            ]
        )
    return [
        *table("layers of | number | groups | at least | squared norm kept | median seconds", rows),
        "",
        f"All {total['layers']} layers, {total['parameters']:,} parameters: "
        f"{total['pack_s']:.0f} s of packing, the slowest layer {total['pack_slowest_s']:.1f} s; "
        f"{total['packed_cells_ratio']:.3f} of the cells; peak memory of the process "
        f"{total['peak_over_largest_layer']:.2f} times the largest layer.",
    ]


def quality(figures: Figures) -> list[str]:
    """Groups and L2 of the policies on the eleven matrices."""
    rows = [
        [
            name,
            f"{row['bound_groups']} ({row['proof']})",
            *(pair(row[key]) for key in ("authors", "least-loss", "best 1 s", "best 10 s")),
        ]
        for name, row in figures.items()
    ]
    return table("matrix | bound | `authors` | `least-loss` | `best`, 1 s | `best`, 10 s", rows)


BLOCKS: dict[str, tuple[str, Callable[..., list[str]]]] = {
    "layers": ("packing_layers", layers),
    "bands": ("packing_layers", bands),
    "n-of-m": ("packing_n_of_m", n_of_m),
    "speed": ("packing_speed", speed),
    "decoder": ("packing_decoder", decoder),
    "quality": ("packing_quality", quality),
}


def blocks() -> dict[str, list[str]]:
    """Every table as the records have it."""
    machines = set()
    found = {}
    for name, (kind, make) in BLOCKS.items():
        record = read_record(RECORDS / f"{kind}.json")
        machines.add(f"{record['machine']['processor']}, {record['machine']['cores']} cores")
        inputs = [record["figures"]]
        if make is n_of_m:
            inputs.append(record["configuration"])
        found[name] = make(*inputs)
    found["machine"] = [f"Measured on: {'; '.join(sorted(machines))}."]
    return found


if __name__ == "__main__":
    pages.write_or_check(PAGE, pages.with_blocks(PAGE.read_text(), blocks()))
