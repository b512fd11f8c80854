"""`synthesize` and `characterize`: designs through the tools of a target, and their energy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from systopack.api.hardware import ArrayLike, array_for
from systopack.api.sources import images_of, network_of, shown
from systopack.hardware.array import Array
from systopack.hardware.named_arrays import DEFAULT_ARRAY, array_from
from systopack.network.packaged import network_file
from systopack.options import checked
from systopack.records import Record, sha256_of_file
from systopack.synthesis.asic_target import MappingClock
from systopack.synthesis.facts import DEFAULT_LIBRARY
from systopack.synthesis.target import Synthesized, Target, Work
from systopack.synthesis.targets import TARGETS, target_named
from systopack.synthesis.targets import synthesize as run_target

if TYPE_CHECKING:
    from systopack.api.learning import Data
    from systopack.api.sources import NetworkLike
    from systopack.hardware.energy.coefficients import CoefficientTable, Gating

__all__ = [
    "DEFAULT_LIBRARY",
    "TARGETS",
    "Characterization",
    "MappingClock",
    "Synthesis",
    "Target",
    "characterize",
    "synthesize",
]
Progress = Callable[[str], None]
RECORD = "synthesize.json"
_IMAGES = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class Synthesis:
    """A design for a target.

    Args:
        target: its name.
        array: what was built.
        found: figures, a table of them, and files.
        record: of all that.
    """

    target: str
    array: Array
    found: Synthesized
    record: Record

    @property
    def figures(self) -> Mapping[str, Any]:
        """All that was found."""
        return self.record.figures

    def __repr__(self) -> str:
        return shown(self, target=self.target, array=self.array.label, told=self.found.told)


def synthesize(
    network: NetworkLike | None,
    target: str,
    array: ArrayLike | None = None,
    *,
    changes: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    data: Data = "sample",
    out: Path | str | None = None,
    force: bool = False,
    on_line: Progress | None = None,
) -> Synthesis:
    """Build an array, or the accelerator of a network, with the tools of a target.

    Args:
        network: an object, a .spk file or `zoo:NAME`; None: the array alone.
        target: `asic`, `ecp5`, `xilinx`, or one that was registered.
        array, changes: see `array_for`.
        options: of the target, by name.
        data: images, where some run.
        out: folder for the files and a record; None: nothing is written.
        force: replace files of the same names, whoever wrote them.
        on_line: called with lines that the tools print.

    Raises:
        InvalidOptionError: there is no such target or option, or the design does not fit.
        InvalidFileError: a tool is missing or fails, or the folder cannot be written.
    """
    from systopack.folders.output import write_folder

    loaded = None if network is None else network_of(network)
    if loaded is not None:
        design = array_for(loaded, array, changes)
    else:
        design = array if isinstance(array, Array) else array_from(array or DEFAULT_ARRAY, changes)
    chosen = target_named(target)
    work = Work(
        array=design,
        network=loaded,
        images=None if loaded is None else lambda count: images_of(loaded, data, count),
        on_line=on_line,
    )
    found = run_target(target, work, checked(chosen.options, **(options or {})))
    inputs = {path.name: sha256_of_file(path) for path in found.reads}
    if isinstance(network, Path | str):
        inputs[str(network)] = sha256_of_file(network_file(Path(network)))
    record = Record(
        kind=f"synthesize-{target}",
        figures=found.figures,
        configuration={"target": target, "array": asdict(design), **found.configuration},
        inputs=inputs,
    )
    if out is not None:
        write_folder(out, {**found.files, RECORD: record.to_json()}, force=force)
    return Synthesis(target=target, array=design, found=found, record=record)


@dataclass(frozen=True, kw_only=True, eq=False)
class Characterization:
    """Energy coefficients of arrays on one library.

    Args:
        table: for `energy`.
        errors: array -> kept-back layer -> predicted over measured energy, less 1.
        sums_checked: that the netlists gave, all equal to the integer reference.
    """

    table: CoefficientTable
    errors: Mapping[str, Mapping[str, float]]
    sums_checked: int

    def __repr__(self) -> str:
        arrays = ", ".join(self.errors)
        return shown(self, library=self.table.library, arrays=arrays, sums=self.sums_checked)


def characterize(
    library: str,
    array: ArrayLike | None = None,
    *,
    changes: Sequence[str] = (),
    sizes: Sequence[str] = (),
    network: NetworkLike = "zoo:lenet5-mnist",
    data: Data = "sample",
    gating: Gating = "clock",
    clock_ns: float = 1.5,
    on_progress: Progress | None = None,
) -> Characterization:
    """Measure the energy coefficients of an array on a library, at gate level.

    Args:
        library: one that comes with the package, a Liberty file, or a TOML file of facts.
        array, changes: see `array_for`.
        sizes: ROWSxCOLUMNS of further arrays of the same cells; `energy` interpolates between.
        network, data: whose tiles run, with which words.
        gating: of the clock of registers with an enable.
        clock_ns: what gates are sized for.
        on_progress: called with the array and the layer that runs.

    Raises:
        InvalidOptionError: there is no such array, or too few layers to tell events apart.
        InvalidFileError: a tool or the library is missing, or a netlist computes wrong sums.
    """
    from systopack.synthesis.characterize import characterize as measure
    from systopack.synthesis.characterize import table_of
    from systopack.synthesis.liberty import open_library

    cells = open_library(library)
    table_of(cells, ())  # the node is known, before anything runs
    loaded = network_of(network)
    first = array_for(loaded, array, changes)
    designs = {first.label: first}
    for size in sizes:
        other = array_from(size)
        values = {**asdict(first), "rows": other.rows, "columns": other.columns}
        values["input_fanout"] = min(first.input_fanout, other.rows)
        design = Array(**values)
        designs[design.label] = design
    images = images_of(loaded, data, _IMAGES)
    say = on_progress or (lambda _: None)
    found = {}
    for label, design in designs.items():
        found[label] = measure(
            design,
            library=cells,
            network=loaded,
            images=images,
            gating=gating,
            clock_ns=clock_ns,
            on_layer=lambda layer, label=label: say(f"{label}: {layer}"),  # type: ignore[misc]
        )
    return Characterization(
        table=table_of(cells, [one.point for one in found.values()]),
        errors={f"{label}, gating {gating}": one.errors for label, one in found.items()},
        sums_checked=sum(one.sums_checked for one in found.values()),
    )
