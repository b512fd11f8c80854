"""The tables of docs/packing.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pages
from pages import Figures, mean, table


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
                f"{mean(band['l2'] for band, _ in cut):.4f}",
                f"{mean(l2 for _, l2 in cut):.4f}",
            ]
        )
    return table(
        "R | layers | packed cells, bands | packed cells, whole | mean L2, bands | mean L2, whole",
        rows,
    )


_CELLS = ("packed_cells", "whole_packed_cells")


def n_of_m(record: Figures) -> list[str]:
    """The published permutation search and this one."""
    runs = [
        *((f"published, `{of['search']}`", "g", "V100", of) for of in _published(record)),
        *((_search(of), ".2f", "CPU", of) for of in record["figures"]["searches"]),
    ]
    rows = [
        [
            what,
            f"{of['magnitude']:.3f}",
            f"{of['efficacy_percent']:.1f}",
            f"{of['seconds_s']:{form}} ({machine})",
        ]
        for what, form, machine, of in runs
    ]
    return table("search | magnitude kept | efficacy % | seconds", rows)


def _published(record: Figures) -> list[Figures]:
    return list(record["configuration"]["published"])


def _search(of: Figures) -> str:
    limit = of["time_limit_s"]
    return f"`{of['policy']}`" + ("" if limit is None else f", limit {limit} s")


def speed(figures: Figures) -> list[str]:
    """Seconds of whole calls, and proofs."""
    large, tensor = figures["large"], figures["tensor_program"]
    rows = [
        [
            f"{of['rows']}x{of['columns']}, `{of['policy']}`, gamma 0.5",
            f"median {of['median_ms']:.1f} ms"
            + (f", least {of['least_ms']:.1f} ms" if "least_ms" in of else ""),
        ]
        for of in figures["calls"]
    ]
    rows += [
        [
            f"{large['rows']}x{large['columns']} at 10 %",
            f"{large['seconds_s']:.1f} s, peak of the process {large['peak_over_matrix']:.2f} "
            "times the matrix",
        ],
        [
            f"`authors` as a plain tensor program, {tensor['rows']}x{tensor['columns']}",
            f"{tensor['seconds_s']:.0f} s, {tensor['over_default']:.0f} times the default policy",
        ],
    ]
    rows += [
        [
            f"gamma 0 {of['rows']}x{of['columns']}, `best`",
            f"{of['groups']} groups, bound {of['bound_groups']}, {of['seconds_s']:.2f} s",
        ]
        for of in figures["exact"]
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
                f"{mean(layer['squared_norm_kept'] for layer in found):.3f}",
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


BLOCKS: Mapping[str, tuple[str, Callable[[Figures], list[str]]]] = {
    "layers": ("packing_layers", layers),
    "bands": ("packing_layers", bands),
    "speed": ("packing_speed", speed),
    "decoder": ("packing_decoder", decoder),
    "quality": ("packing_quality", quality),
}


def blocks() -> dict[str, list[str]]:
    """Every table as the records have it."""
    found = {name: make(pages.figures(of)) for name, (of, make) in BLOCKS.items()}
    found["n-of-m"] = n_of_m(pages.record("packing_n_of_m"))
    records = dict.fromkeys(of for of, _ in BLOCKS.values())
    found["machine"] = [pages.machines([*records, "packing_n_of_m"])]
    return found
