"""kill -9 at random moments of `systopack combine`; every resume must end with equal weights.

python benchmarks/kill_resume.py --kills 20
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _bench import arguments, save

from systopack.files import checkpoint_path
from systopack.records import sha256_of_file

_COMBINE = (
    *("--fraction", "0.05", "--batch-size", "64", "--rho", "0.3", "--beta", "0.5"),
    *("--epochs-per-iteration", "3", "--fine-tune-epochs", "8", "--accelerator", "cpu"),
)


def command(*arguments: str) -> list[str]:
    """A systopack command line in this Python."""
    return [sys.executable, "-m", "systopack", *arguments]


def combine(folder: Path, out: Path, *, resume: bool) -> subprocess.Popen[bytes]:
    """Start a combine run."""
    arguments = ["combine", str(folder / "dense.safetensors"), "--out", str(out), *_COMBINE]
    if resume:
        arguments.append("--resume")
    return subprocess.Popen(
        command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def main() -> None:
    """Kill, resume, compare, and write the record."""
    parser = arguments(__doc__)
    parser.add_argument("--kills", type=int, default=20)
    kills = parser.parse_args().kills
    folder = Path(tempfile.mkdtemp(prefix="systopack-kill-"))
    dense = str(folder / "dense.safetensors")
    subprocess.run(
        command("train", "lenet5-shift", "--epochs", "2", "--fraction", "0.05", "--out", dense),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    whole = folder / "whole.safetensors"
    started = time.monotonic()
    if combine(folder, whole, resume=False).wait():
        raise SystemExit("the run that nobody kills failed")
    duration_s = time.monotonic() - started
    expected = sha256_of_file(whole)
    moments = random.Random(0)
    identical, killed = 0, 0
    while killed < kills:
        out = folder / f"killed{killed}.safetensors"
        process = combine(folder, out, resume=False)
        moment_s = moments.uniform(0.05, 0.95) * duration_s
        try:
            process.wait(timeout=moment_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        else:
            continue  # it was quicker than the unbroken run; draw another moment
        killed += 1
        if combine(folder, out, resume=checkpoint_path(out).exists()).wait():
            raise SystemExit(f"the resume after {moment_s:.1f} s failed")
        identical += sha256_of_file(out) == expected
        print(f"{killed}: killed after {moment_s:.1f} s, {identical} identical", flush=True)
    figures = {"kills": kills, "identical": identical, "unbroken_run_s": round(duration_s, 1)}
    save("kill_resume", figures, configuration={"options": _COMBINE})
    if identical != kills:
        raise SystemExit(f"{kills - identical} resumed runs ended with other weights")


if __name__ == "__main__":
    main()
