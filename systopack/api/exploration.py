"""`explore`: packings and arrays of one network, and the Pareto fronts of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from systopack.api.hardware import array_for
from systopack.api.sources import check_count, data_of, network_of, shown
from systopack.errors import InvalidOptionError
from systopack.files import sha256_of, write_atomically
from systopack.options import Options, checked, option
from systopack.records import COEFFICIENTS, PERIPHERY, sha256_of_file
from systopack.requirements import needs

if TYPE_CHECKING:
    from systopack.api.hardware import ArrayLike
    from systopack.api.learning import Data, Model
    from systopack.api.sources import NetworkLike
    from systopack.exploration.front import Front
    from systopack.exploration.point import Case, Point
    from systopack.exploration.space import Space
    from systopack.network.network import PackedNetwork

TABLE, PAGE = "points.csv", "explore.html"
_MANY_ARRAYS = 4096  # that are asked one after another whether they were measured


class ExploreSettings(Options):
    """How points are looked for."""

    sampler: Literal["nsga2", "tpe", "random", "grid"] = option(
        "nsga2",
        "nsga2, tpe: look where fronts are. random. grid: all points of lists, in their order.",
        group="Search",
    )
    points: int = option(60, "Different points to compute.", ge=1, le=10_000, group="Search")
    seed: int = option(0, "Seed of the sampler.", ge=0, lt=2**31, group="Search")
    jobs: int = option(1, "Processes that compute points.", ge=1, le=256, group="Search")


@dataclass(frozen=True, kw_only=True, eq=False)
class Exploration:
    """The points of an exploration and their fronts.

    Args:
        network: its name.
        points: in the order in which they were asked for.
        fronts: "cycles", which all points have, and "measured": of energy, latency, throughput
            and area, among the points whose arrays were measured.
        quality: the figure of a point that says what packing cost; None: nothing was packed.
        objectives: figures that the sampler aimed at.
        space: what varied, as plain data.
        computed: points that this run computed; the others were there.
    """

    network: str
    points: tuple[Point, ...]
    fronts: Mapping[str, Front]
    quality: str | None
    objectives: tuple[str, ...]
    space: Mapping[str, Any]
    computed: int

    @property
    def figures(self) -> dict[str, Any]:
        """For a record."""
        return {
            "points": [asdict(point) for point in self.points],
            "fronts": {name: asdict(front) for name, front in self.fronts.items()},
            "objectives": list(self.objectives),
            "computed": self.computed,
        }

    def best(self, front: str = "cycles") -> tuple[Point, ...]:
        """The points of a front: "cycles" or "measured"."""
        return tuple(self.points[place] for place in self.fronts[front].members)

    def csv(self) -> str:
        """All points as a table; `-` where something was not measured."""
        from systopack.exploration.point import FIGURES
        from systopack.exploration.space import KINDS

        names = [name for name in KINDS if any(name in point.choice for point in self.points)]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        marks = [f"front_{name}" for name in self.fronts]
        writer.writerow(["point", *names, *FIGURES, *marks, "coefficients", "problem"])
        for place, point in enumerate(self.points):
            figures = [point.figures.get(name) for name in FIGURES]
            writer.writerow(
                [
                    place,
                    *(point.choice[name] for name in names),
                    *("-" if value is None else value for value in figures),
                    *(int(place in front.members) for front in self.fronts.values()),
                    point.coefficients or "-",
                    point.problem,
                ]
            )
        return text.getvalue()

    def __repr__(self) -> str:
        sizes = {name: len(front.members) for name, front in self.fronts.items()}
        return shown(self, network=self.network, points=len(self.points), fronts=sizes)


def explore(
    network: NetworkLike | Model,
    space: Mapping[str, Any] | Path | str,
    *,
    out: Path | str | None = None,
    array: ArrayLike | None = None,
    changes: Sequence[str] = (),
    data: Data | None = None,
    images: int = 1000,
    storage: str | None = None,
    on_point: Callable[[int, int], None] = lambda _done, _total: None,
    **settings: Any,
) -> Exploration:
    """Compute points of a design space, and find the Pareto fronts of them.

    Args:
        network: a packed network, or a model of systopack (.safetensors), which is quantized
            first; packed anew where the space says how.
        space: TOML file, or a list of values (or `{"low": ..., "high": ...}`) by name.
        out: folder for the journal that a later run goes on from, the table `points.csv` and the
            page `explore.html`; None: nothing is written.
        array, changes: as in `simulate`, where the space names no array.
        data: test images that give accuracy and real activations; None: neither.
        images: how many.
        storage: URL of a database that several runs share, instead of the journal.
        on_point: told how many points there are, and of how many.
        settings: see `ExploreSettings`.

    Raises:
        InvalidFileError, InvalidNetworkError: a file cannot be read or written.
        InvalidOptionError: the space, a setting, or an array of the space is not allowed.
        MissingPackageError: optuna, or for a page jinja2, is not installed.
    """
    from systopack.exploration.space import space_from

    chosen = checked(ExploreSettings, **settings)
    read = space_from(space)
    if chosen.sampler == "grid":
        read.grid(chosen.points)
    needs("optuna", *(() if out is None else ("jinja2",)))
    if images < 1:
        raise InvalidOptionError(f"images is {images}, but at least 1 is run; give more.")
    loaded = _network(network, data)
    case = _case(loaded, array, changes, data, images)
    quality = None
    if read.packs:
        quality = "norm_kept" if data is None else "accuracy_percent"
    result = _run(
        case,
        read,
        chosen,
        quality=quality,
        out=None if out is None else Path(out),
        storage=storage,
        on_point=on_point,
    )
    if out is not None:
        from systopack.exploration.page import render_exploration

        write_atomically(Path(out) / TABLE, result.csv())
        page = render_exploration(loaded.name, result.points, result.fronts, quality)
        write_atomically(Path(out) / PAGE, page)
    return result


def _network(network: NetworkLike | Model, data: Data | None) -> PackedNetwork:
    """The network itself; a model is quantized with its own images."""
    is_file = isinstance(network, Path | str) and Path(network).suffix == ".safetensors"
    if is_file or hasattr(network, "to_module"):
        from systopack.api.learning import quantize

        return quantize(network, "sample" if data is None else data).network  # type: ignore[arg-type]
    return network_of(network)  # type: ignore[arg-type]


def _case(
    network: PackedNetwork,
    array: ArrayLike | None,
    changes: Sequence[str],
    data: Data | None,
    images: int,
) -> Case:
    from systopack.exploration.point import Case
    from systopack.hardware.energy.coefficients import read_coefficients

    case = Case(
        network=network,
        array=array_for(network, array, changes),
        table=read_coefficients(COEFFICIENTS),
    )
    if data is None:
        return case
    opened = data_of(data)
    check_count(opened, images)
    return replace(case, images=opened.test_images[:images], labels=opened.test_labels[:images])


def _run(
    case: Case,
    space: Space,
    chosen: ExploreSettings,
    *,
    quality: str | None,
    out: Path | None,
    storage: str | None,
    on_point: Callable[[int, int], None],
) -> Exploration:
    from systopack.exploration.front import fronts_of
    from systopack.exploration.study import Plan, explored, open_storage

    objectives: tuple[str, ...] = () if quality is None else (quality,)
    objectives += ("period_cycles",)
    if _all_measured(space, case):
        objectives += ("energy_uj", "area_mm2")
    plan = Plan(
        space=space,
        objectives=objectives,
        identity=_identity(case, space),
        **chosen.model_dump(),
    )
    with open_storage(out, storage) as opened:
        points, computed = explored(plan, case, opened, alone=storage is None, on_point=on_point)
    return Exploration(
        network=case.network.name,
        points=tuple(points),
        fronts=fronts_of(points, quality),
        quality=quality,
        objectives=objectives,
        space=space.plain,
        computed=computed,
    )


def _all_measured(space: Space, case: Case) -> bool:
    """Whether every array of the space has coefficients, so that energy can be aimed at."""
    from itertools import product
    from math import prod

    from systopack.exploration.point import array_of
    from systopack.exploration.space import HARDWARE, Range

    if "weight_memory" in space.dimensions:
        return False
    own = {name: v for name, v in space.dimensions.items() if name in HARDWARE}
    own.pop("organisation", None)
    own.pop("clock_mhz", None)
    if any(isinstance(values, Range) for values in own.values()):
        return False
    if prod(len(values) for values in own.values() if not isinstance(values, Range)) > _MANY_ARRAYS:
        return False
    measured = True
    for values in product(*(tuple(v) for v in own.values() if not isinstance(v, Range))):
        try:
            array = array_of(dict(zip(own, values, strict=True)), case.array)
        except InvalidOptionError:
            if own.keys() == {"array"}:
                raise
            continue  # a point that cannot be built says so itself
        measured = measured and case.table.covers(array, gating="clock")
    return measured


def _identity(case: Case, space: Space) -> str:
    """Digest of all that decides a point but its choice."""
    from systopack.network.file import to_bytes
    from systopack.version import VERSION

    parts = [to_bytes(case.network)[0], repr(case.array).encode(), VERSION.encode()]
    named = space.dimensions.get("array", ())
    files = [Path(str(name)) for name in named if str(name).endswith(".toml")]  # type: ignore[union-attr]
    parts += [sha256_of_file(path).encode() for path in (COEFFICIENTS, PERIPHERY, *files)]
    if case.images is not None and case.labels is not None:
        parts += [case.images.tobytes(), case.labels.tobytes(), str(case.images.shape).encode()]
    return sha256_of(parts)
