"""The points of a run, asked of Optuna and kept in its storage: nothing is lost, nothing twice.

Every finished point lies in the storage with the digest of all that decided it. A run that was
killed goes on there; another run with other settings takes from it what it needs as well.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path
from random import Random
from threading import Thread
from typing import TYPE_CHECKING, Any

from systopack.errors import InvalidFileError, InvalidOptionError
from systopack.exploration.front import BETTER_HIGH
from systopack.exploration.point import Case, Evaluation, Point
from systopack.exploration.space import KINDS, Choice, Range, Space
from systopack.files import explain, sha256_of

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.storages import BaseStorage
    from optuna.study import Study
    from optuna.trial import Trial

JOURNAL = "explore.journal"
SAMPLERS = ("nsga2", "tpe", "random", "grid")
_RESULT, _KEY = "point", "key"
_TRIES = 20  # asks in a row that bring nothing new, before the first missing point is taken
_STUCK = 500  # the same where ranges leave no list of points to look through


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a run looks for points.

    Args:
        space: what varies.
        objectives: figures that the sampler aims at; a point without one of them counts as failed.
        sampler: one of `SAMPLERS`.
        points: different ones to compute, at least 1.
        seed: of the sampler.
        jobs: processes.
        identity: digest of network, data and models: all that decides a point but its choice.
    """

    space: Space
    objectives: tuple[str, ...]
    sampler: str
    points: int
    seed: int
    jobs: int
    identity: str

    @property
    def name(self) -> str:
        """Of the study: the same for the same plan, however many points and processes."""
        told = [self.space.plain, self.objectives, self.sampler, self.seed, self.identity]
        return f"systopack-{_digest(told)[:16]}"

    def key(self, choice: Choice) -> str:
        """Of a point: equal where everything that decides it is."""
        return _digest([self.identity, dict(sorted(choice.items()))])


@contextmanager
def open_storage(folder: Path | None, url: str | None) -> Iterator[BaseStorage]:
    """The storage of a run.

    Args:
        folder: where the journal lies; None: in memory.
        url: of a database that several runs share; it wins over the folder.

    Raises:
        InvalidOptionError: there is no such database.
        InvalidFileError: the journal cannot be opened, or another run has it.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if url is not None:
        try:
            storage: BaseStorage = optuna.storages.RDBStorage(url)
        except ModuleNotFoundError:
            raise
        except Exception as error:  # of whatever driver
            reason = " ".join(str(error).split())[:200]
            raise InvalidOptionError(
                f"The storage cannot be opened ({reason}); give the URL of a database, for "
                "instance postgresql://user@host/name."
            ) from error
        yield storage
        return
    if folder is None:
        yield optuna.storages.InMemoryStorage()
        return
    path = folder / JOURNAL
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            _take(file.fileno(), path)
            _mend(path)
            backend = optuna.storages.journal.JournalFileBackend(str(path))
            yield _journal(backend, path)
    except OSError as error:
        raise InvalidFileError(explain(path, error)) from error


def explored(
    plan: Plan,
    case: Case,
    storage: BaseStorage,
    *,
    alone: bool,
    on_point: Callable[[int, int], None],
) -> tuple[list[Point], int]:
    """Compute the points of a plan, those that the storage has left out.

    Args:
        plan: which.
        case: what they share.
        storage: from `open_storage`.
        alone: no other run uses the storage now, so points under way are those of a killed one.
        on_point: told how many are there, and of how many.

    Returns:
        The points in the order in which they were asked for, and how many this run computed.

    Raises:
        InvalidOptionError: a grid has more points than allowed.
    """
    import optuna

    directions = ["maximize" if BETTER_HIGH[name] else "minimize" for name in plan.objectives]
    listed = list(plan.space.grid(plan.points)) if plan.sampler == "grid" else None
    if listed is not None and not alone:  # so that two runs meet late
        Random(os.getpid()).shuffle(listed)
    study = optuna.create_study(
        storage=storage,
        study_name=plan.name,
        directions=directions,
        load_if_exists=True,
    )
    study.sampler = _sampler(plan, len(study.get_trials(deepcopy=False)))
    if alone:
        for trial in study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING]):
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    run = _Run(plan, study, alone=alone)
    with _workers(case, plan.jobs) as submit:
        run.fill(submit, None if listed is None else iter(listed), on_point)
    return list(run.points.values()), run.computed


class _Run:
    """Asks for points, has them computed, and tells what they are."""

    def __init__(self, plan: Plan, study: Study, *, alone: bool) -> None:
        self._plan, self._study, self._alone = plan, study, alone
        self._known: dict[str, Point] = {}
        self.points: dict[str, Point] = {}
        self.computed = 0
        self._open: dict[Future[Point], Trial] = {}
        self._take_up()

    def _take_up(self) -> None:
        """Learn what the storage has."""
        self._known |= _known(self._study._storage)
        for trial in self._study.get_trials(deepcopy=False):
            key = trial.user_attrs.get(_KEY)
            if key in self._known and _RESULT in trial.user_attrs:
                self.points.setdefault(str(key), self._known[str(key)])

    def fill(
        self,
        submit: Callable[[Choice], Future[Point]],
        wanted: Iterator[Choice] | None,
        on_point: Callable[[int, int], None],
    ) -> None:
        """Go on until there are as many as planned, or no others."""
        space = self._plan.space
        total = min(self._plan.points, space.size or self._plan.points)
        stuck = 0
        if wanted is None and space.is_listed:
            missing: Iterator[Choice] | None = space.grid(space.size or 0)
        else:
            missing = None
        on_point(len(self.points), total)
        while True:
            if not self._alone:
                self._take_up()
            under_way = {trial.user_attrs[_KEY] for trial in self._open.values()}
            room = len(self.points) + len(under_way) < total and stuck < _STUCK
            if room and len(self._open) < self._plan.jobs:
                asked = self._ask(missing if missing and stuck > _TRIES else wanted)
                if asked is None:
                    stuck = _STUCK
                    continue
                trial, choice = asked
                key = trial.user_attrs[_KEY]
                new = key not in self.points and key not in under_way
                stuck = 0 if new else stuck + 1
                if key in self._known:
                    self._tell(trial, self._known[key])
                    on_point(len(self.points), total)
                elif new:
                    self.computed += 1
                    self._open[submit(choice)] = trial
                else:  # under way: nothing to learn from it
                    self._study.tell(trial, state=_failed())
                continue
            if not self._open:
                return
            done, _ = wait(self._open, return_when=FIRST_COMPLETED)
            for future in done:
                self._tell(self._open.pop(future), future.result())
                on_point(len(self.points), total)

    def _ask(self, wanted: Iterator[Choice] | None) -> tuple[Trial, Choice] | None:
        if wanted is not None:
            choice = next((c for c in wanted if self._plan.key(c) not in self.points), None)
            if choice is None:
                return None
            self._study.enqueue_trial(dict(choice))
        trial = self._study.ask()
        choice = _choice(trial, self._plan.space)
        trial.set_user_attr(_KEY, self._plan.key(choice))
        return trial, choice

    def _tell(self, trial: Trial, point: Point) -> None:
        key = str(trial.user_attrs[_KEY])
        trial.set_user_attr(_RESULT, json.dumps(asdict(point)))
        self._known[key] = point
        self.points.setdefault(key, point)
        values = [point.figures.get(name) for name in self._plan.objectives]
        told = [float(value) for value in values if value is not None]
        if len(told) < len(values):
            self._study.tell(trial, state=_failed())
        else:
            self._study.tell(trial, told)


def _choice(trial: Trial, space: Space) -> Choice:
    """Ask the sampler for a value of each dimension."""
    found: dict[str, Any] = {}
    for name, values in space.dimensions.items():
        if not isinstance(values, Range):
            found[name] = trial.suggest_categorical(name, list(values))
        elif KINDS[name].kind is int:
            found[name] = trial.suggest_int(name, int(values.low), int(values.high))
        else:
            found[name] = trial.suggest_float(name, float(values.low), float(values.high))
    return found


def _sampler(plan: Plan, trials: int) -> BaseSampler:
    """The sampler; one that goes on after some trials draws other numbers than at first."""
    from optuna import samplers

    seed = (plan.seed + trials) % 2**31

    if plan.sampler == "nsga2":
        return samplers.NSGAIISampler(seed=seed, population_size=min(50, plan.points))
    if plan.sampler == "tpe":
        return samplers.TPESampler(seed=seed)
    return samplers.RandomSampler(seed=seed)


def _failed() -> Any:
    from optuna.trial import TrialState

    return TrialState.FAIL


def _known(storage: BaseStorage) -> dict[str, Point]:
    """The finished points of all studies, by their keys."""
    found = {}
    for study in storage.get_all_studies():
        for trial in storage.get_all_trials(study._study_id, deepcopy=False):
            key, text = trial.user_attrs.get(_KEY), trial.user_attrs.get(_RESULT)
            if isinstance(key, str) and isinstance(text, str):
                found[key] = Point(**json.loads(text))
    return found


def _take(descriptor: int, path: Path) -> None:
    """Hold the journal for this run alone."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise InvalidFileError(
            f"Another run works in '{path.parent}'; wait for it, or choose another folder with "
            "--out."
        ) from error


def _mend(path: Path) -> None:
    """Take away what a killed run has left: half a line at the end, and Optuna's own lock."""
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)
    Path(f"{path}.lock").unlink(missing_ok=True)


def _journal(backend: Any, path: Path) -> BaseStorage:
    import optuna

    try:
        storage = optuna.storages.JournalStorage(backend)
        storage.get_all_studies()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidFileError(
            f"'{path}' is no journal of an exploration; choose another folder with --out."
        ) from error
    return storage


def _digest(content: object) -> str:
    return sha256_of([json.dumps(content, sort_keys=True).encode()])


_EVALUATION: list[Evaluation] = []  # of a worker


@contextmanager
def _workers(case: Case, jobs: int) -> Iterator[Callable[[Choice], Future[Point]]]:
    """What computes a point: this process, or others."""
    if jobs == 1:
        evaluation = Evaluation(case)

        def here(choice: Choice) -> Future[Point]:
            future: Future[Point] = Future()
            future.set_result(evaluation.point(choice))
            return future

        yield here
        return
    pool = ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=_begin, initargs=(case,)
    )
    try:
        yield lambda choice: pool.submit(_compute, dict(choice))
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(case: Case) -> None:
    """A worker: one thread, deaf to Ctrl-C, and gone when its run is."""
    import signal

    import numba

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    numba.set_num_threads(1)
    Thread(target=_leave_with_parent, daemon=True).start()
    _EVALUATION.append(Evaluation(case))


def _leave_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _compute(choice: Mapping[str, Any]) -> Point:
    return _EVALUATION[0].point(choice)
