"""Make the README's table of results from the records in benchmarks/records.

python tools/results_table.py                  writes the table into README.md
python tools/results_table.py --check          fails where README.md differs
python tools/results_table.py --measure        measures every row anew first, but for the trainings
                                               of hours, then writes the table
python tools/results_table.py --measure demo   measures only the rows that are named
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pages

from systopack.records import read_record
from systopack.reproduce.kinds import WITH_PERIPHERY, one_kind
from systopack.reproduce.published import load_published

ROOT = Path(__file__).resolve().parents[1]
RECORDS = ROOT / "benchmarks" / "records"
Figures = dict[str, Any]


def mean(values: list[float]) -> float:
    """The arithmetic mean."""
    return sum(values) / len(values)


def demo(figures: Figures) -> list[tuple[str, str]]:
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


def mnist(figures: Figures) -> list[tuple[str, str]]:
    """LeNet-5-Shift on all of MNIST."""
    runs, images = figures["runs"], figures["test_images"]
    dense = 100 * mean([run["dense_correct"] for run in runs]) / images
    rows = []
    for key, what in (("packed", "all data"), ("packed_with_a_tenth", "a tenth of the data")):
        accuracy = 100 * mean([run[key]["correct_8_bit"] for run in runs]) / images
        cells = mean([run[key]["packed_cells_ratio"] for run in runs])
        tiles = mean([run[key]["tiles_32x32"] for run in runs])
        rows.append(
            (
                f"MNIST, LeNet-5-Shift, packed 8-bit with {what}, {len(runs)} seed(s)",
                f"{accuracy:.2f} % (dense {dense:.2f} %), {cells:.3f} of the cells, "
                f"{tiles:.0f} tiles of 32 x 32",
            )
        )
    minutes = max(run["train_combine_quantize_minutes"] for run in runs)
    rows.append(("the same: train, combine and quantize", f"{minutes:.1f} minutes"))
    return rows


def reference_speed(figures: Figures) -> list[tuple[str, str]]:
    """The integer reference."""
    return [
        (
            "integer reference, LeNet-5-Shift",
            f"{figures['images_per_s_median']:,} images/s; {figures['differing_words']} words "
            f"differ from the fake-quantized model on {figures['compared_images']:,} images",
        )
    ]


def masked_step(figures: Figures) -> list[tuple[str, str]]:
    """Masks against none."""
    ratios = ", ".join(f"{figures[name]['ratio']:.2f} ({name})" for name in figures)
    return [("masked training step against the dense step", ratios)]


def kill_resume(figures: Figures) -> list[tuple[str, str]]:
    """Resumes after kill -9."""
    return [
        (
            "kill -9 at random moments, then --resume",
            f"{figures['identical']} of {figures['kills']} end with identical weights",
        )
    ]


def start_up(figures: Figures) -> list[tuple[str, str]]:
    """Import and help."""
    return [
        (
            "`import systopack`, `systopack --help`",
            f"{figures['import_systopack_s']:.2f} s, {figures['help_s']:.2f} s",
        )
    ]


def packing_quality(figures: Figures) -> list[tuple[str, str]]:
    """Policy `best` against the rule of the paper's program."""
    fewer = [1 - row["best 10 s"]["groups"] / row["authors"]["groups"] for row in figures.values()]
    energy = [row["best 10 s"]["l2"] - row["authors"]["l2"] for row in figures.values()]
    return [
        (
            f"{len(figures)} sparse matrices, policy `best` (10 s) against the paper's program",
            f"on average {100 * mean(fewer):.1f} % fewer groups, {mean(energy):+.3f} of the norm",
        )
    ]


def packing_speed(figures: Figures) -> list[tuple[str, str]]:
    """The default policy."""
    return [
        (
            "`pack` at 10 % density, default policy: 512 x 4608, 4096 x 14336",
            f"{figures['512x4608 median_ms']:.0f} ms, {figures['4096x14336']['seconds_s']:.1f} s",
        )
    ]


def packing_decoder(figures: Figures) -> list[tuple[str, str]]:
    """A large language model's worth of layers."""
    total = figures["total"]
    return [
        (
            f"`pack`, {total['layers']} layers of a decoder with {total['parameters'] / 1e9:.1f} "
            "billion parameters, one at a time",
            f"{total['pack_s'] / 60:.1f} minutes, peak memory "
            f"{total['peak_over_largest_layer']:.2f} times the largest layer",
        )
    ]


def packing_dense_column_first(figures: Figures) -> list[tuple[str, str]]:
    """The paper's policy."""
    return [
        (
            "the same, policy `dense-column-first`: 512 x 4608",
            f"{figures['median_ms']:.0f} ms (slowest of 15: {figures['slowest_ms']:.0f} ms)",
        )
    ]


def hardware_verify(figures: Figures) -> list[tuple[str, str]]:
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


def hardware_simulation(figures: Figures) -> list[tuple[str, str]]:
    """Speed of the simulated array."""
    return [
        (
            "Verilator, 32 x 32 bit-serial array, alpha 8",
            f"{figures['median_cycles_per_s']:,} cycles/s, build {figures['build_s']:.0f} s",
        )
    ]


def resnet20(what: str) -> Callable[[Figures], list[tuple[str, str]]]:
    """The published ResNet-20, packed within budgets."""

    def rows(figures: Figures) -> list[tuple[str, str]]:
        images = figures["test_images"]
        dense = 100 * figures["dense_float_correct"] / images
        return [
            (
                f"CIFAR-10, ResNet-20, packed 8-bit with {what}",
                f"{figures['packed_8_bit_percent']:.2f} % (dense {dense:.2f} %), "
                f"{figures['packed_cells_ratio']:.3f} of the cells, "
                f"{figures['streamed_words_ratio']:.2f} times fewer streamed words on 32 x 32",
            )
        ]

    return rows


def reproduction(figures: Figures) -> list[tuple[str, str]]:
    """Packed against dense on the tiled accelerator, with one kind of array for all networks."""
    subjects = figures["throughput, energy and tiles"]
    options = one_kind(subjects, load_published().networks)
    if options is None:
        return []
    rows = []
    for subject, ratios in subjects.items():
        periphery = ratios.get(f"{WITH_PERIPHERY}, {options}")
        if periphery is None:
            continue  # not measured as a whole
        rows.append(
            (
                f"{subject}: packed against dense, each on its own 32 x 32 accelerator at 45 nm "
                f"gate level, array and memories ({options})",
                f"{ratios[f'energy per sample, {options}']:.3f} of the energy at "
                f"{ratios[f'throughput, {options}']:.2f} times the throughput; {periphery:.3f} "
                "with the periphery",
            )
        )
    return rows


ROWS: dict[str, Callable[[Figures], list[tuple[str, str]]]] = {
    "demo": demo,
    "mnist": mnist,
    "accuracy/ours-full-seed0": resnet20("all data"),
    "accuracy/ours-full-fast-seed0": resnet20("all data, for throughput"),
    "accuracy/ours-10-seed0": resnet20("a tenth of the data"),
    "reproduce": reproduction,
    "packing_quality": packing_quality,
    "packing_speed": packing_speed,
    "packing_decoder": packing_decoder,
    "packing_dense_column_first": packing_dense_column_first,
    "hardware_verify": hardware_verify,
    "hardware_simulation": hardware_simulation,
    "reference_speed": reference_speed,
    "masked_step": masked_step,
    "kill_resume": kill_resume,
    "start_up": start_up,
}


def lines() -> list[str]:
    """The table, one row per claim whose record exists, and the machines."""
    measured = []
    machines = set()
    for name, rows in ROWS.items():
        path = RECORDS / f"{name}.json"
        if path.exists():
            record = read_record(path)
            measured += rows(record["figures"])
            machines.add(f"{record['machine']['processor']}, {record['machine']['cores']} cores")
    where = f"Measured on: {'; '.join(sorted(machines))}. How: docs/measuring.md."
    return [*pages.table(["what", "measured"], measured), "", where]


# Trainings of hours, and the decoder and reproduction that take hours, are named to be measured.
HOURS = ("mnist", "packing_decoder", "reproduce")


def measure(names: Sequence[str]) -> None:
    """Run the benchmarks that make the records of these rows, one after another.

    Args:
        names: of `ROWS`; none: all that take minutes.
    """
    alone = [name for name in ROWS if "/" not in name and script(name).exists()]
    unknown = sorted(set(names) - set(alone))
    if unknown:
        sys.exit(f"No benchmark measures '{unknown[0]}' alone; there are {', '.join(alone)}.")
    for name in names or [name for name in alone if name not in HOURS]:
        print(f"measuring {name}", flush=True)
        subprocess.run([sys.executable, str(script(name))], cwd=ROOT, check=True)


def script(name: str) -> Path:
    """The benchmark that writes a record."""
    return ROOT / "benchmarks" / f"{name}.py"


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments[:1] == ["--measure"]:
        measure(arguments[1:])
    readme = ROOT / "README.md"
    pages.write_or_check(readme, pages.with_blocks(readme.read_text(), {"results": lines()}))
