"""The README's numbers, and the table of results in docs/measuring.md."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pages
from pages import ROOT, Figures, mean

from systopack.records import STORE
from systopack.report.text import markdown_table
from systopack.reproduce import headline
from systopack.reproduce.accuracy import accuracies
from systopack.reproduce.sources import Sources

Lines = list[tuple[str, str]]
# What was measured, and the figures of its record that tell it.
PLAIN: Mapping[str, tuple[str, str]] = {
    "packing_decoder": (
        "`pack`, {total[layers]} layers of a decoder with {total[parameters]:,} parameters, one at "
        "a time",
        "{total[pack_s]:.0f} s, peak memory {total[peak_over_largest_layer]:.2f} times the largest "
        "layer",
    ),
    "hardware_simulation": (
        "Verilator, 32 x 32 bit-serial array, alpha 8",
        "{median_cycles_per_s:,} cycles/s, build {build_s:.0f} s",
    ),
    "reference_speed": (
        "integer reference, LeNet-5-Shift",
        "{images_per_s_median:,} images/s; {differing_words} words differ from the fake-quantized "
        "model on {compared_images:,} images",
    ),
    "kill_resume": (
        "kill -9 at random moments, then --resume",
        "{identical} of {kills} end with identical weights",
    ),
    "start_up": (
        "`import systopack`, `systopack --help`",
        "{import_systopack_s:.2f} s, {help_s:.2f} s",
    ),
}


def plain(name: str) -> Callable[[Figures], Lines]:
    """A line whose texts only take figures in."""
    what, measured = PLAIN[name]
    return lambda figures: [(what.format(**figures), measured.format(**figures))]


def demo(figures: Figures) -> Lines:
    """The demo's accuracy, cells and time."""
    dense, packed = figures["dense"], figures["packed"]
    return [
        (
            "`systopack demo`: 10,000 bundled digits, packed 8-bit against dense float",
            f"{packed['accuracy_8_bit_percent']:.2f} % against {dense['accuracy_percent']:.2f} %, "
            f"{packed['packed_cells'] / dense['packed_cells']:.3f} of the cells, "
            f"{figures['wall_clock_s']:.0f} s",
        )
    ]


def mnist(figures: Figures) -> Lines:
    """LeNet-5-Shift on all of MNIST."""
    runs = figures["runs"]
    rows = []
    for key, what in (("packed", "all data"), ("packed_with_a_tenth", "a tenth of the data")):
        percents = [accuracies(run[key]) for run in runs]
        dense, packed = (mean(of) for of in zip(*percents, strict=True))
        cells = mean(run[key]["packed_cells_ratio"] for run in runs)
        tiles = mean(run[key]["tiles_32x32"] for run in runs)
        rows.append(
            (
                f"MNIST, LeNet-5-Shift, packed 8-bit with {what}, {len(runs)} seed(s)",
                f"{packed:.2f} % (dense {dense:.2f} %), {cells:.3f} of the cells, "
                f"{tiles:.0f} tiles of 32 x 32",
            )
        )
    minutes = max(run["train_combine_quantize_minutes"] for run in runs)
    return [*rows, ("the same: train, combine and quantize", f"{minutes:.1f} minutes")]


def masked_step(figures: Figures) -> Lines:
    """Masks against none."""
    ratios = ", ".join(f"{of['ratio']:.2f} ({name})" for name, of in figures.items())
    return [("masked training step against the dense step", ratios)]


def packing_quality(figures: Figures) -> Lines:
    """Policy `best` against the rule of the paper's program."""
    runs = [(row["authors"], row["best 10 s"]) for row in figures.values()]
    fewer = mean(1 - best["groups"] / authors["groups"] for authors, best in runs)
    norm = mean(best["l2"] - authors["l2"] for authors, best in runs)
    return [
        (
            f"{len(figures)} sparse matrices, policy `best` (10 s) against the paper's program",
            f"on average {100 * fewer:.1f} % fewer groups, {norm:+.3f} of the norm",
        )
    ]


def packing_speed(figures: Figures) -> Lines:
    """The default policy and the paper's."""
    calls = {(of["policy"], of["rows"], of["columns"]): of for of in figures["calls"]}
    default, papers = (calls[name, 512, 4608] for name in ("least-loss", "dense-column-first"))
    return [
        (
            "`pack` at 10 % density, default policy: 512 x 4608, 4096 x 14336",
            f"{default['median_ms']:.0f} ms, {figures['large']['seconds_s']:.1f} s",
        ),
        (
            "the same, policy `dense-column-first`: 512 x 4608",
            f"{papers['median_ms']:.0f} ms",
        ),
    ]


def hardware_verify(figures: Figures) -> Lines:
    """RTL against reference and cycle model."""
    rows = []
    for name, network in (("lenet5", "LeNet-5-Shift"), ("resnet20", "ResNet-20")):
        tiled, pipelined = figures[f"{name}-tiled"], figures[f"{name}-pipelined"]
        words = tiled["words_compared"] + pipelined["words_compared"]
        different = tiled["words_different"] + pipelined["words_different"]
        rows.append(
            (
                f"packed {network} in Verilog, tiled on 32 x 32 and layer-pipelined, "
                f"{tiled['images']} images",
                f"{different} of {words:,} words differ from the reference; "
                f"{tiled['cycles_per_image']:,} and {pipelined['cycles_per_image']:,} cycles for "
                "an image, as the cycle models say",
            )
        )
    return rows


def resnet20(what: str) -> Callable[[Figures], Lines]:
    """The published ResNet-20, packed within budgets."""

    def lines(figures: Figures) -> Lines:
        dense, packed = accuracies(figures)
        return [
            (
                f"CIFAR-10, ResNet-20, packed 8-bit with {what}",
                f"{packed:.2f} % (dense {dense:.2f} %), "
                f"{figures['packed_cells_ratio']:.3f} of the cells, "
                f"{figures['streamed_words_ratio']:.2f} times fewer streamed words on 32 x 32",
            )
        ]

    return lines


def numbers() -> list[str]:
    """The packed ResNet-20 on the design point, beside what it is compared with: five lines."""
    rows = headline.measure(Sources(records=STORE, pixels={}))
    table = headline.table(rows, "resnet20")
    cases = ("packed", headline.BASELINES["sparse_uncombined"], headline.BASELINES["dense"])
    places = [table.header.index(case) for case in cases]
    lines = {line[0]: [line[place] for place in places] for line in table.lines}
    verified = pages.figures("hardware_verify")["resnet20-compact"]
    proof = (
        f"{verified['words_different']} of {verified['words_compared']:,} words differ; "
        f"{verified['cycles_per_image']:,} cycles, {verified['model_cycles_per_image']:,} modelled"
    )
    shown = [
        (what, *lines[what])
        for what in ("accuracy, %", "energy of a frame, uJ", "frames a second", "area, mm2")
    ]
    return markdown_table(
        ("ResNet-20, CIFAR-10, 8 bit", *cases),
        [*shown, ("Verilog against reference and cycle model, 2 images", proof, "", "")],
    )


ROWS: Mapping[str, Callable[[Figures], Lines]] = {
    "demo": demo,
    "mnist": mnist,
    "accuracy/ours-full-seed0": resnet20("all data"),
    "accuracy/ours-full-fast-seed0": resnet20("all data, for throughput"),
    "accuracy/ours-10-seed0": resnet20("a tenth of the data"),
    "packing_quality": packing_quality,
    "packing_speed": packing_speed,
    "packing_decoder": plain("packing_decoder"),
    "hardware_verify": hardware_verify,
    "hardware_simulation": plain("hardware_simulation"),
    "reference_speed": plain("reference_speed"),
    "masked_step": masked_step,
    "kill_resume": plain("kill_resume"),
    "start_up": plain("start_up"),
}


def numbers_blocks() -> dict[str, list[str]]:
    """The README's."""
    return {"numbers": numbers()}


def blocks() -> dict[str, list[str]]:
    """A line for every claim, and the machines."""
    lines = [line for name, of in ROWS.items() for line in of(pages.figures(name))]
    return {"results": [*pages.table("what | measured", lines), "", pages.machines(ROWS)]}


# Trainings of hours, and the decoder that takes many minutes, are named to be measured.
HOURS = ("mnist", "packing_decoder")


def measure(names: Sequence[str]) -> None:
    """Run the benchmarks that make the records of these rows, one after another.

    Args:
        names: of `ROWS`; none: all that take minutes.
    """
    alone = [name for name in ROWS if script(name).exists()]
    unknown = sorted(set(names) - set(alone))
    if unknown:
        sys.exit(f"No benchmark measures '{unknown[0]}' alone; there are {', '.join(alone)}.")
    for name in names or [name for name in alone if name not in HOURS]:
        print(f"measuring {name}", flush=True)
        subprocess.run([sys.executable, str(script(name))], cwd=ROOT, check=True)


def script(name: str) -> Path:
    """The benchmark that writes a record."""
    return ROOT / "benchmarks" / f"{name}.py"
