"""How long `import systopack` and `systopack --help` take, and whether torch is left alone.

python benchmarks/start_up.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from systopack.records import Record

RECORD = Path(__file__).parent / "records" / "start_up.json"
_REPEATS = 7
_PROGRAMS = {
    "python_alone_s": "pass",
    "import_systopack_s": "import systopack, sys; assert 'torch' not in sys.modules",
    "import_pack_s": "from systopack import pack; import sys; assert 'torch' not in sys.modules",
    "help_s": "import sys; sys.argv = ['systopack', '--help']\n"
    "from systopack.cli.main import main\n"
    "try: main()\n"
    "except SystemExit: pass\n"
    "assert 'torch' not in sys.modules",
}


def main() -> None:
    """Measure and write the record."""
    figures = {}
    for name, program in _PROGRAMS.items():
        times = []
        for _ in range(_REPEATS):
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)
            times.append(time.perf_counter() - started)
        figures[name] = round(statistics.median(times), 3)
    print(figures)
    Record(kind="start_up", figures=figures, configuration={"repeats": _REPEATS}).write(RECORD)


if __name__ == "__main__":
    main()
