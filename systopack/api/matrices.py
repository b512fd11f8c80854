"""`pack`: one filter matrix, or every weight of a file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from systopack.api.sources import shown
from systopack.errors import SystopackError
from systopack.options import Options, checked, option, refuse_idle
from systopack.training.settings import GroupSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from systopack.packing.matrix import PackedMatrix
    from systopack.packing.parallel import Outcome, Work
    from systopack.packing.weights import WeightFile


_SEARCH, _KEEP = "Search", "What is packed"
# The policies that an option of the search has an effect on.
_SEARCHING = {
    "seed": ("refine", "best"),
    "time_limit_s": ("polish", "refine", "best"),
}


class PackSettings(GroupSettings):
    """How every weight is packed."""

    policy: str = option(
        "least-loss",
        "dense-column-first, authors, least-loss, assignment, polish, refine or best.",
        group=_SEARCH,
    )
    objective: str = option(
        "groups",
        "groups: as few as can be; groups!: the same at any cost of squared norm; tiles:COLUMNS: "
        "fewest tiles of an array so wide, its last columns filled; norm:GROUPS: most squared "
        "norm in so many groups.",
        group=_SEARCH,
    )
    density: float | None = option(
        None,
        "First keep only this share of each matrix, by magnitude.",
        gt=0,
        le=1,
        shown_default="all",
        group=_KEEP,
    )
    only: tuple[str, ...] = option(
        (), "Names of weights, with * and ?; may be repeated.", group=_KEEP
    )
    bound: Literal["quick", "exact", "none"] = option(
        "quick",
        "Lower bound on the groups; exact also solves a set cover where that is within reach.",
        group=_SEARCH,
    )
    time_limit_s: float | None = option(
        None,
        "Seconds to search for each matrix.",
        shown_default="a fixed budget",
        group=_SEARCH,
    )
    seed: int = option(0, "Seed of the search.", group=_SEARCH)


class JobSettings(Options):
    """How the work on a file is shared out."""

    jobs: int = option(
        1,
        "Processes, each with one matrix in memory; the file that is written does not depend on "
        "it.",
        ge=1,
        le=1024,
        group="Run",
    )


class RunSettings(JobSettings):
    """The same, and where it begins."""

    resume: bool = False


@dataclass(frozen=True, kw_only=True)
class PackedWeights:
    """The packed weights of a file.

    Args:
        file: that was written.
        layers: figures of every weight by name; the matrices are in the file.
        left_out: tensors that are no filter matrix.
        scaled: weights of 8 bits, packed as they are stored, without the scales beside them.
        refused: weights that cannot be packed, and why, in a sentence each; not in the file.
    """

    file: Path
    layers: Mapping[str, Mapping[str, Any]]
    left_out: tuple[str, ...]
    scaled: tuple[str, ...]
    refused: Mapping[str, str]

    def __repr__(self) -> str:
        cells = sum(layer["packed_cells"] for layer in self.layers.values())
        return shown(self, file=str(self.file), weights=len(self.layers), packed_cells=cells)


@overload
def pack(source: Path | str, **options: Any) -> PackedWeights: ...


@overload
def pack(source: NDArray[Any] | Sequence[Sequence[float]], **options: Any) -> PackedMatrix: ...


def pack(source: Any, **options: Any) -> Any:
    """Combine the columns of a filter matrix, or of every weight of a file.

    Args:
        source: a matrix; or a .npy or .safetensors file, of which the weights are packed one at a
            time and written to another file.
        options: of a matrix those of `packing.pack.pack`, of a file those of `pack_file`.

    Raises:
        InvalidMatrixError, InvalidOptionError, InvalidFileError: see there.
    """
    if isinstance(source, Path | str):
        return pack_file(source, **options)
    from systopack.packing.pack import pack as pack_matrix

    return pack_matrix(source, **{"alpha": 8, "gamma": 0.5, **options})


def pack_file(
    file: Path | str,
    *,
    out: Path | str | None = None,
    array: tuple[int, int] = (32, 32),
    jobs: int = 1,
    resume: bool = False,
    on_weight: Callable[[str], None] | None = None,
    on_packed: Callable[[str, Mapping[str, Any]], None] | None = None,
    on_refused: Callable[[str], None] | None = None,
    **settings: Any,
) -> PackedWeights:
    """Pack every weight of a file of any size, one in memory at a time in each process.

    What is packed is kept in a folder beside `out` until all is. The file that is written is the
    same, byte by byte, whatever `jobs` is and wherever a run was stopped.

    Args:
        file: a .npy matrix, or a .safetensors file or index.
        out: file to write; None: FILE.packed.safetensors.
        array: rows and columns, to count tiles on.
        jobs: processes. With more than one the calling program must be importable without effect
            (`if __name__ == "__main__"`), as multiprocessing asks for.
        resume: go on from an interrupted run.
        on_weight: told the name of each weight before it is packed.
        on_packed: told its name, and what became of it.
        on_refused: told why a weight cannot be packed, while the others are.
        settings: see `PackSettings`.

    Raises:
        InvalidFileError, InvalidMatrixError, InvalidOptionError: no weight can be packed; nothing
            is written then.
    """
    from systopack.errors import InvalidMatrixError
    from systopack.packing.file import write_matrices
    from systopack.packing.tiling import check_array_size
    from systopack.packing.weights import SCALED

    check_array_size(*array)
    chosen = checked(PackSettings, **settings)
    run = checked(RunSettings, jobs=jobs, resume=resume)
    _refuse_idle(chosen, settings)
    weights = open_weights(file, only=chosen.only)
    place = packed_name(file) if out is None else Path(out)
    names = [weight.name for weight in weights.weights]
    layers: dict[int, Mapping[str, Any]] = {}
    refused: dict[str, str] = {}
    with _kept(weights, chosen, array, place, resume=run.resume) as work:
        for index, outcome in _outcomes(work, run.jobs, on_weight):
            if not isinstance(outcome, str):
                layers[index] = outcome
                if on_packed is not None:
                    on_packed(names[index], outcome)
                continue
            refused[names[index]] = outcome
            if len(refused) == len(names):
                raise InvalidMatrixError(outcome)
            if on_refused is not None:
                on_refused(outcome)
        write_matrices(place, (work.parts.named(index) for index in sorted(layers)))
    return PackedWeights(
        file=place,
        layers={names[index]: layers[index] for index in sorted(layers)},
        left_out=weights.left_out,
        scaled=tuple(weight.name for weight in weights.weights if weight.dtype in SCALED),
        refused={name: refused[name] for name in names if name in refused},
    )


@contextmanager
def _kept(
    weights: WeightFile,
    chosen: PackSettings,
    array: tuple[int, int],
    place: Path,
    *,
    resume: bool,
) -> Iterator[Work]:
    """The work on a file, with the folder in which packed matrices are kept until the end.

    The folder stays where the run was interrupted, and goes where it failed.
    """
    from systopack.files import checkpoint_path
    from systopack.packing.layers import LayerOptions
    from systopack.packing.objective import parse_objective
    from systopack.packing.parallel import LostProcessError, Work
    from systopack.packing.parts import Parts, fingerprint
    from systopack.packing.rule import PackingRule

    options = LayerOptions(
        rule=PackingRule(alpha=chosen.alpha, gamma=chosen.gamma),
        objective=parse_objective(chosen.objective),
        **chosen.model_dump(exclude={"alpha", "gamma", "objective", "only"}),
    )
    told = {**chosen.model_dump(), "array": array, "weights": fingerprint(weights)}
    parts = Parts(checkpoint_path(place), told)
    parts.begin(resume=resume)
    try:
        yield Work(file=weights, options=options, array=array, parts=parts)
    except LostProcessError:
        raise
    except SystopackError:
        parts.remove()
        raise
    parts.remove()


def _outcomes(
    work: Work, jobs: int, on_weight: Callable[[str], None] | None
) -> Iterator[tuple[int, Outcome]]:
    """What becomes of each weight: first of those that were packed before."""
    from systopack.packing.parallel import pack_in_processes, pack_one, threads_of_each

    def begin(index: int) -> None:
        if on_weight is not None:
            on_weight(work.file.weights[index].name)

    left = []
    for index in range(len(work.file.weights)):
        figures = work.parts.figures(index)
        if figures is None:
            left.append(index)
        else:
            yield index, figures
    if min(jobs, len(left)) > 1:
        work = replace(work, threads=threads_of_each(jobs))
        yield from pack_in_processes(work, left, jobs=jobs, on_begin=begin)
        return
    for index in left:
        begin(index)
        yield index, pack_one(work, index)


def _refuse_idle(chosen: PackSettings, given: Mapping[str, Any]) -> None:
    for name, policies in _SEARCHING.items():
        if chosen.policy not in policies:
            why = f"the policy '{chosen.policy}' does not search by it"
            refuse_idle(given, (name,), why)


def some(names: Collection[str]) -> str:
    """The first of many names, and how many more there are."""
    from systopack.packing.weights import some as listed

    return listed(list(names))


def packed_name(file: Path | str) -> Path:
    """Where the packed weights of a file go where nothing else is said."""
    return Path(file).with_suffix(".packed.safetensors")


def open_weights(file: Path | str, *, only: Sequence[str] = ()) -> WeightFile:
    """The weights of a file; see `packing.weights.open_weights`."""
    from systopack.packing.weights import open_weights as opened

    return opened(file, only=tuple(only))
