"""Draw the pictures of docs/packing.md: a 4 x 6 matrix, the costs of policies, real layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from _bench import ROOT, arguments

from systopack.packing.pack import pack
from systopack.records import STORE, read_record

mpl.use("Agg")
from matplotlib import pyplot as plt

POLICIES = ("dense-column-first", "authors", "least-loss", "assignment", "refine", "best")
COLOURS = dict(zip((*POLICIES, "polish"), ("C0", "C1", "C2", "C3", "C4", "C5", "C6"), strict=True))
EXAMPLE = np.array(
    [[0.0, 0, 0, 0, 1, 0], [0, 0, 9, 6, 6, 1], [0, 1, 3, 0, 4, 7], [6, 0, 9, 0, 9, 5]]
)
ALPHA, GAMMA = 3, 0.75


def draw_policies(path: Path) -> None:
    """The example matrix under every policy: a colour a group, pruned weights struck out."""
    figure, panels = plt.subplots(2, 3, figsize=(9, 5.0), layout="constrained")
    for axes, policy in zip(panels.flat, POLICIES, strict=True):
        packed = pack(EXAMPLE, alpha=ALPHA, gamma=GAMMA, policy=policy)
        dense = packed.to_dense()
        group_of = {c: g for g, group in enumerate(packed.groups) for c in group}
        for row, column in np.ndindex(EXAMPLE.shape):
            shade = f"C{group_of[column]}" if column in group_of else "white"
            axes.add_patch(plt.Rectangle((column, row), 1, 1, fc=shade, ec="white", alpha=0.35))
            value = EXAMPLE[row, column]
            if value:
                pruned = dense[row, column] == 0
                axes.text(column + 0.5, row + 0.5, f"{value:g}", ha="center", va="center",
                          color="0.6" if pruned else "black")  # fmt: skip
                if pruned:
                    axes.plot([column + 0.3, column + 0.7], [row + 0.7, row + 0.3], "r-", lw=1.5)
        kept = float((dense**2).sum() / (EXAMPLE**2).sum())
        axes.set_title(
            f"{policy}\n{len(packed.groups)} groups, {100 * kept:.0f} % of squared norm kept"
        )
        rows, columns = EXAMPLE.shape
        axes.set(xlim=(0, columns), ylim=(rows, 0), xticks=[], yticks=[], aspect="equal")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_choice(figures: dict[str, Any], path: Path) -> None:
    """What each policy reaches against the processor time it takes, a panel a gamma."""
    figure, panels = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for axes, (title, entry) in zip(panels, figures.items(), strict=True):
        lossless = title == "gamma 0"
        for place, (policy, point) in enumerate(entry.items()):
            reached = point["groups"] if lossless else 100 * point["l2"] ** 2
            axes.semilogx(1e3 * point["processor_s"], reached, "o", c=COLOURS[policy], label=policy)
            if not lossless:
                axes.annotate(f"{point['groups']} groups", (1e3 * point["processor_s"], reached),
                              xytext=(4, 5 if place % 2 else -11), textcoords="offset points",
                              fontsize=8)  # fmt: skip
        axes.set_title(f"{title}: fewer is better" if lossless else f"{title}: more is better")
        axes.set_xlabel("processor time (ms)")
        axes.set_ylabel("column groups" if lossless else "squared norm kept (%)")
        axes.margins(0.16)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    figure.savefig(path, dpi=100)
    plt.close(figure)


def draw_front(figures: dict[str, Any], path: Path) -> None:
    """Groups against squared norm kept of every policy, a panel a layer."""
    columns = 4
    rows = -(-len(figures) // columns)
    figure, panels = plt.subplots(rows, columns, figsize=(12, 2.4 * rows), layout="constrained")
    for axes in panels.flat[len(figures) :]:
        axes.axis("off")
    for axes, (name, entry) in zip(panels.flat, figures.items(), strict=False):
        for policy in POLICIES:
            point = entry[policy]
            axes.plot(point["groups"], 100 * point["l2"] ** 2, "o", c=COLOURS[policy], label=policy)
        point = entry["best at the groups of authors"]
        axes.plot(point["groups"], 100 * point["l2"] ** 2, "*", c=COLOURS["best"], ms=10,
                  label="best, at the groups of authors")  # fmt: skip
        axes.set_title(name.removesuffix(".weight"), fontsize=9)
        axes.set_xlabel("column groups")
        axes.set_ylabel("squared norm kept (%)")
    handles, labels = panels.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def main() -> None:
    """Draw the pictures into the folder of the docs."""
    parser = arguments(__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    draw_policies(out / "packing_policies.png")
    choice = read_record(STORE / "packing_choice.json")
    draw_choice(choice["figures"], out / "packing_choice.png")
    record = read_record(STORE / "packing_layers.json")
    draw_front(record["figures"], out / "packing_front.png")


if __name__ == "__main__":
    main()
