"""How long `import systopack` and `systopack --help` take, and whether torch is left alone.

python benchmarks/start_up.py
"""

from __future__ import annotations

import subprocess
import sys

from _bench import median_s, save

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
    figures = {
        name: round(median_s(lambda text=text: run(text), repeats=_REPEATS), 3)
        for name, text in _PROGRAMS.items()
    }
    save("start_up", figures, configuration={"repeats": _REPEATS}, seed=None)


def run(program: str) -> None:
    """A process without output."""
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
