"""The tables of docs/packing.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pages
from pages import Figures, mean, table, table_of


def layers(figures: Figures) -> list[str]:
    """Real layers: `authors` against `best`."""
    same = "best at the groups of authors"
    more = sum(row[same]["l2"] > row["authors"]["l2"] for row in figures.values())
    columns = {
        "layer": "{name}",
        "`authors` groups / L2": "{authors[groups]} / {authors[l2]:.3f}",
        "`best` groups / L2": "{best[groups]} / {best[l2]:.3f}",
        "`best` at the groups of `authors`: L2": f"{{{same}[l2]:.3f}}",
    }
    lines = [{"name": name.removesuffix(".weight"), **of} for name, of in figures.items()]
    return [
        f"At the number of groups of `authors` (star), `best` keeps more squared norm on {more} of "
        f"the {len(figures)} layers.",
        "",
        *table_of(columns, lines),
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
        told = ["no layer has more rows", "", "", ""]
        if cut:
            own, whole = (
                sum(band[key] for band, _ in cut) for key in ("packed_cells", "whole_packed_cells")
            )
            l2 = (mean(band["l2"] for band, _ in cut), mean(l2 for _, l2 in cut))
            told = [str(own), str(whole), *(f"{value:.4f}" for value in l2)]
        rows.append([str(size), str(len(cut)), *told])
    return table(
        "R | layers | packed cells, bands | packed cells, whole | mean L2, bands | mean L2, whole",
        rows,
    )


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
    lines = []
    for (height, width), found in sorted(by_shape.items()):
        groups = sorted({layer["groups"] for layer in found})
        lines.append(
            {
                "size": f"{height} x {width}",
                "number": len(found),
                "groups": "-".join(str(of) for of in dict.fromkeys((groups[0], groups[-1]))),
                "least": found[0]["groups_lower_bound"],
                "kept": mean(layer["squared_norm_kept"] for layer in found),
                "seconds": sorted(layer["pack_s"] for layer in found)[len(found) // 2],
            }
        )
    columns = {
        "layers of": "{size}",
        "number": "{number}",
        "groups": "{groups}",
        "at least": "{least}",
        "squared norm kept": "{kept:.3f}",
        "median seconds": "{seconds:.2f}",
    }
    return [
        *table_of(columns, lines),
        "",
        f"All {total['layers']} layers, {total['parameters']:,} parameters: "
        f"{total['pack_s']:.0f} s of packing, the slowest layer {total['pack_slowest_s']:.1f} s; "
        f"{total['packed_cells_ratio']:.3f} of the cells; peak memory of the process "
        f"{total['peak_over_largest_layer']:.2f} times the largest layer.",
    ]


def quality(figures: Figures) -> list[str]:
    """Groups and L2 of the policies on the eleven matrices."""
    runs = {
        "`authors`": "authors",
        "`least-loss`": "least-loss",
        "`best`, 1 s": "best 1 s",
        "`best`, 10 s": "best 10 s",
    }
    columns = {
        "matrix": "{name}",
        "bound": "{bound_groups} ({proof})",
        **{header: f"{{{run}[groups]}} / {{{run}[l2]:.3f}}" for header, run in runs.items()},
    }
    return table_of(columns, [{"name": name, **of} for name, of in figures.items()])


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
