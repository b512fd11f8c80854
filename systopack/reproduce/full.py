"""`systopack reproduce --full`: measure the records anew, with the checkout's own benchmarks.

Each benchmark is a program of its own that resumes where it was stopped; a training run whose
record already lies in the folder of runs is not made again.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from systopack.errors import InvalidFileError
from systopack.reproduce.experiments import SWEEPS
from systopack.synthesis.liberty import BUNDLED

_CHECKOUT = Path(__file__).resolve().parents[2]
_SWEEPS = ("alpha", "gamma", "fraction", "scratch")


@dataclass(frozen=True, kw_only=True)
class Job:
    """One benchmark.

    Args:
        script: file in the checkout's `benchmarks`.
        arguments: of its command line.
        record: file it writes, in `runs`; "" where it writes into the checkout's records itself.
    """

    script: str
    arguments: tuple[str, ...]
    record: str = ""


def accuracy_jobs(runs: Path) -> tuple[Job, ...]:
    """Every training run whose record a reproduction reads; short ones with three seeds."""
    long = ["ours-full", "ours-full-fast", "ours-10-small"]
    short = [
        "ours-10",
        "plain-10",
        "ours-10-mixed-small",
        *dict.fromkeys(name for sweep in _SWEEPS for name in SWEEPS[sweep]),
    ]
    return tuple(
        Job(
            script="accuracy_resnet20.py",
            arguments=(name, "--seed", str(seed), "--out", str(runs)),
            record=f"{name}-seed{seed}.json",
        )
        for name, seeds in [*((name, 1) for name in long), *((name, 3) for name in short)]
        for seed in range(seeds)
    )


def silicon_jobs(liberty: Path | None) -> tuple[Job, ...]:
    """Synthesis, gate level and simulated Verilog: cells, arrays, whole accelerators, the FPGA.

    Args:
        liberty: standard cells; None: the library that comes with the package.
    """
    library = str((liberty or BUNDLED).resolve())
    suffix = "_sky130" if liberty is None else f"_{liberty.name.split('.')[0].removesuffix('_typ')}"
    of_library = (
        ("asic_cells", "--out"),
        ("energy_coefficients", "--name"),
    )
    return (
        *(
            Job(
                script=f"{name}.py",
                arguments=("--library", library, option, f"{name}{suffix}.json"),
            )
            for name, option in of_library
        ),
        Job(script="gate_level.py", arguments=("--library", library)),
        Job(script="headline.py", arguments=()),
        Job(script="hardware_verify.py", arguments=()),
        Job(script="fpga_networks.py", arguments=("lenet5",)),
    )


def measure_records(
    records: Path, runs: Path, *, liberty: Path | None = None, say: Callable[[str], None]
) -> None:
    """Run every benchmark and put its record into the folder of records.

    Args:
        records: folder that a reproduction reads.
        runs: folder for models and checkpoints; what is finished there is not run again.
        liberty: standard cells of the gate-level benchmarks; None: the bundled ones.
        say: told about each benchmark.

    Raises:
        InvalidFileError: there is no checkout, or a benchmark fails.
    """
    folder = _CHECKOUT / "benchmarks"
    if not folder.is_dir():
        raise InvalidFileError(
            "--full runs the benchmarks of a checkout, but this systopack was installed without "
            "one; clone the repository and run it there, or leave --full out."
        )
    runs.mkdir(parents=True, exist_ok=True)
    jobs = (
        Job(script="mnist.py", arguments=()),
        *accuracy_jobs(runs.resolve()),
        *silicon_jobs(liberty),
    )
    for number, job in enumerate(jobs, start=1):
        made = runs / job.record
        if job.record and made.exists():
            say(f"{number}/{len(jobs)}  {job.record}: already there")
        else:
            say(f"{number}/{len(jobs)}  {job.script} {' '.join(job.arguments)}")
            _run(folder / job.script, job.arguments)
        if job.record:
            target = records / "accuracy" / job.record
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(made, target)


def _run(script: Path, arguments: tuple[str, ...]) -> None:
    done = subprocess.run([sys.executable, script, *arguments], cwd=_CHECKOUT, check=False)
    if done.returncode:
        raise InvalidFileError(
            f"The benchmark '{script.name} {' '.join(arguments)}' ended with an error, shown "
            "above; mend it and run the same command again, it goes on where it stopped."
        )
