"""A search under way: sensitivity of the layers, probes, full runs of combine, what came out."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.data.images import ImageData
from systopack.data.split import TrainingPart, select_fraction
from systopack.errors import InvalidFileError, InvalidOptionError, TrainingError
from systopack.files import checkpoint_path
from systopack.training.combining import dense_size
from systopack.training.compress.allotment import Allotment, packing_of
from systopack.training.compress.journal import (
    FullRun,
    Journal,
    Judged,
    Planned,
    load_journal,
    save_journal,
)
from systopack.training.compress.sensitivity import (
    LayerSensitivity,
    measure_layers,
    table_rows,
)
from systopack.training.compress.settings import CompressSettings
from systopack.training.compress.sizes import Point, next_probe, next_size
from systopack.training.compress.watch import Watch
from systopack.training.events import SearchObserver
from systopack.training.model import TrainedModel, load_model, state_sha256
from systopack.training.run import combine_part
from systopack.training.session import Session, predictions

_DIVERGED = 100.0  # points that a probe counts that cannot be trained
_FOR_PROBES = 1 / 3  # of a time limit, at most
_FOR_FIRST_RUN = 0.6  # of the time left, where another run may follow
_SLACK = 0.95  # of the time left, for the last run
_SEEN_POINTS = 0.5  # by so little the training images must be better known than those held out


@dataclass(frozen=True, kw_only=True, eq=False)
class Compressed:
    """What a search has found.

    Args:
        model: the smallest network that meets the goal; where none does the one that loses least.
        met: whether it meets the goal.
        max_loss: points that it may lose; None: the goal was a size.
        chosen: its run.
        dense_cells, dense_words: of the dense network.
        journal: all that was measured.
    """

    model: TrainedModel
    met: bool
    max_loss: float | None
    chosen: FullRun
    dense_cells: int
    dense_words: int
    journal: Journal

    @property
    def cells_share(self) -> float:
        """Packed cells over dense cells."""
        return self.chosen.cells / self.dense_cells

    @property
    def words_ratio(self) -> float:
        """Times fewer streamed words than dense."""
        return self.dense_words / self.chosen.streamed_words

    def __repr__(self) -> str:
        return f"Compressed({self.outcome!r})"

    @property
    def outcome(self) -> str:
        """What came out, in a sentence."""
        judged = self.chosen.judged
        dense, packed = (
            100 * right / judged.images for right in (judged.dense_right, judged.packed_right)
        )
        asked = "" if self.max_loss is None else f"; at most {self.max_loss:g} asked"
        return (
            f"{'Met' if self.met else 'Not met'}: {self.cells_share:.3f} of the cells, "
            f"{self.words_ratio:.2f} times fewer streamed words; on {judged.images:,} held-out "
            f"images dense {dense:.2f} %, packed {packed:.2f} %: {judged.loss_points:.2f} points "
            f"lost (standard error {judged.error_points:.2f}){asked}."
        )

    @property
    def figures(self) -> dict[str, Any]:
        """For a record."""
        judged, journal = self.chosen.judged, self.journal
        return {
            "met": self.met,
            "cells_share": self.cells_share,
            "words_ratio": self.words_ratio,
            "loss_points": judged.loss_points,
            "loss_standard_error_points": judged.error_points,
            **asdict(judged),
            "work_s": journal.spent_s,
            "layers": {one.name: asdict(one) for one in journal.table or ()},
            "probes": [asdict(probe) for probe in journal.probes],
            "runs": [
                {**asdict(run), "loss_points": run.judged.loss_points} for run in journal.runs
            ],
        }


class Search:
    """A search under way.

    Args:
        dense: the model; it fits the images.
        data: the images.
        part: those that the search may read; those held out in it judge.
        settings: of the search.
        configuration: what must be the same to go on with it.
        fabric: launched.
        out: the model file; journal, checkpoint and networks of full runs lie beside it.
        observer: follows the search.
    """

    def __init__(
        self,
        *,
        dense: TrainedModel,
        data: ImageData,
        part: TrainingPart,
        settings: CompressSettings,
        configuration: dict[str, Any],
        fabric: Any,
        out: Path,
        observer: SearchObserver,
    ) -> None:
        self.dense, self.part, self.settings, self.fabric = dense, part, settings, fabric
        self.out, self.configuration = out, configuration
        self._augment = data.augment
        self._began = time.monotonic()
        self._spent_s = 0.0
        self.journal = Journal()
        self.watch = Watch(observer, step_s=0.0)
        self._session = Session(
            fabric=fabric,
            module=dense.to_module(),
            graph=dense.graph or dense.capture(),
            part=part,
            augment=data.augment,
            mean=dense.mean,
            std=dense.std,
            settings=settings,
        )
        self._graph = self._session.graph
        self._matrices = self._session.matrices()
        self._packing = packing_of(settings, self._matrices)
        self.dense_cells, self.dense_words = dense_size(self._graph, tile=self._packing.tile)
        self._dense_right = self._right(dense)

    def resume(self) -> None:
        """Go on from the journal."""
        self.journal = load_journal(checkpoint_path(self.out), self.configuration)
        self._spent_s = self.journal.spent_s
        self.watch.know(self.journal.step_s)

    def run(self) -> Compressed:
        """Find the network; the model file is written, and nothing else is left.

        Raises:
            InvalidOptionError: no network has that size.
            TrainingError: the time limit allows no epoch, or a full run diverges.
        """
        self._say_what_is_held_out()
        self._allotment = Allotment(
            self._graph,
            self._matrices,
            self._measured(),
            packing=self._packing,
            in_words=self.settings.in_words,
        )
        if self.settings.max_loss is not None:
            self._probe_sizes(self.settings.max_loss)
        while True:
            planned = self.journal.planned or self._plan()
            if planned is None:
                break
            self._full_run(planned)
        return self._finish()

    def _say_what_is_held_out(self) -> None:
        """Say what judges, and whether the dense model seems to have been trained on it."""
        held, seen = self.part.held_out_labels, self.part.train_labels[: len(self._dense_right)]
        right = predictions(
            self._session.module,
            self.part.train_images[: len(held)],
            **self._session.normalization,
        )
        of_held, of_seen = 100 * self._dense_right.mean(), 100 * float((right == seen).mean())
        sentence = (
            f"Judged on {len(held):,} held-out training images: dense {of_held:.2f} % "
            f"({of_seen:.2f} % of as many that are trained on)."
        )
        if of_held >= of_seen - _SEEN_POINTS:
            sentence += (
                " It does not know those better, so it may have been trained on the held-out ones "
                "too; then the loss on other images is smaller than the one told here."
            )
        self.watch.say(sentence)

    def _measured(self) -> tuple[LayerSensitivity, ...]:
        """The table of the layers alone."""
        table = self.journal.table
        if table is None:
            limit = self.settings.sensitivity_images
            table = self.journal.table = measure_layers(
                self._session.module,
                self._graph,
                self.part.held_out_images[:limit],
                self.part.held_out_labels[:limit],
                packing=self._packing,
                normalization=self._session.normalization,
            )
            self._save()
        self.watch.table(*table_rows(table))
        if not any(one.groups for one in table) and not self._packing.fixed:
            raise InvalidOptionError(
                f"No layer of the model has columns to combine with --alpha {self._packing.alpha}; "
                "raise it."
            )
        return table

    def _probe_sizes(self, allowed: float) -> None:
        """Short trainings at a few sizes, as far as there is time for them."""
        probes, limit = self.journal.probes, self.settings.time_limit_min
        while len(probes) < self.settings.probes:
            if probes and limit is not None:
                used = self.spent_s() * (len(probes) + 1) / len(probes)
                if used > 60 * limit * _FOR_PROBES:
                    self.watch.say("The time limit leaves no time for more probes.")
                    return
            self._probe(next_probe(probes, least=self._allotment.least_size(), allowed=allowed))

    def _probe(self, size: float) -> None:
        """One short training at a size."""
        settings, part, journal = self.settings, self.part, self.journal
        few = select_fraction(part.train_labels, settings.probe_epochs, settings.seed)
        batch_size = min(settings.batch_size, len(few))
        steps = len(few) // batch_size
        more = max(0, settings.probes - len(journal.probes) - 1)
        later_s = self.watch.step_s * (more * steps + self._run_steps(settings.fine_tune_epochs))
        self.watch.begin(steps=steps, later_s=later_s, probing=True)
        allotted = self._allotment.at(size)
        chosen = settings.combining(layers=allotted.layers, epochs=1)
        rate = chosen.learning_rate or journal.learning_rate
        chosen = chosen.model_copy(update={"learning_rate": rate, "batch_size": batch_size})
        shorter = replace(
            part, train_images=part.train_images[few], train_labels=part.train_labels[few]
        )
        try:
            model = self._combined(shorter, chosen, out=None, resume=False)
            journal.learning_rate = float(model.provenance["learning_rate"])
            loss = self._judged(model).loss_points
        except TrainingError:
            loss = _DIVERGED
        journal.probes.append(Point(size=size, loss_points=loss))
        self._save()
        told = "diverges" if loss == _DIVERGED else f"{loss:.2f} points lost"
        self.watch.say(f"Probe {len(journal.probes)}: {allotted.text}: {told} after {steps} steps.")

    def _plan(self) -> Planned | None:
        """The next full run; None where the search is over."""
        settings, journal = self.settings, self.journal
        if settings.max_loss is None:
            if journal.runs:
                return None
            size = settings.cells or 1 / (settings.words_ratio or 1)
            if settings.time_limit_min is not None and not journal.probes:
                self._probe(size)  # to know how long a step takes
        else:
            found = next_size(
                journal.probes,
                [run.point for run in journal.runs],
                least=self._allotment.least_size(),
                allowed=settings.max_loss,
            )
            if found is None or len(journal.runs) >= settings.full_runs:
                return None
            size = found
        epochs = self._affordable_epochs()
        if epochs is None:
            return None
        allotted = self._allotment.at(size)
        planned = Planned(size=size, layers=allotted.layers, epochs=epochs)
        journal.planned = planned
        self._save()
        self.watch.say(f"Full run {len(journal.runs) + 1}: {allotted.text}, {epochs} epochs.")
        return planned

    def _affordable_epochs(self) -> int | None:
        """Epochs of the next full run; None where a further one is not worth its time.

        Raises:
            TrainingError: there is no time for a single epoch of the first.
        """
        settings, runs = self.settings, self.journal.runs
        if settings.time_limit_min is None:
            return settings.fine_tune_epochs
        left = 60 * settings.time_limit_min - self.spent_s()
        last = settings.max_loss is None or len(runs) + 1 >= settings.full_runs
        epoch_s = self._run_steps(1) * self.watch.step_s + self.journal.judge_s
        possible = math.floor(left * (_SLACK if last else _FOR_FIRST_RUN) / max(epoch_s, 1e-9))
        if runs and possible < max(1, runs[0].planned.epochs // 2):
            self.watch.say("The time limit leaves no time for another full run.")
            return None
        if possible < 1:
            raise TrainingError(
                f"Of --time-limit-min {max(0.0, left) / 60:.1f} minutes are left for full runs, "
                f"but an epoch takes {epoch_s / 60:.1f}; go on with --resume and a larger "
                "--time-limit-min, or start anew with a smaller --fraction."
            )
        return min(possible, settings.fine_tune_epochs)

    def _full_run(self, planned: Planned) -> None:
        """Run combine to the planned sizes, or go on with it, and judge the network."""
        journal = self.journal
        place = self._place(len(journal.runs))
        chosen = self.settings.combining(layers=planned.layers, epochs=planned.epochs)
        self.watch.begin(steps=self._run_steps(planned.epochs), later_s=0.0, probing=False)
        resume = checkpoint_path(place).exists()
        model = None if resume else self._finished(place, chosen.model_dump())
        if model is None:
            model = self._combined(self.part, chosen, out=place, resume=resume)
        allotted = self._allotment.at(planned.size)
        journal.runs.append(
            FullRun(
                planned=planned,
                cells=allotted.cells,
                streamed_words=allotted.streamed_words,
                judged=self._judged(model),
            )
        )
        journal.planned = None
        self._save()

    def _finished(self, place: Path, wanted: Mapping[str, Any]) -> TrainedModel | None:
        """The network of a full run that ended just before the search was stopped."""
        if not place.exists():
            return None
        try:
            model = load_model(place)
        except InvalidFileError:
            return None
        ours = {**wanted, "layers": list(wanted["layers"])}
        theirs = {name: model.provenance.get(name) for name in ours}
        same = {**theirs, "layers": list(theirs["layers"] or ())} == ours
        dense = model.provenance.get("dense_sha256") == state_sha256(self.dense.state)
        return model if same and dense else None

    def _combined(
        self, part: TrainingPart, chosen: Any, *, out: Path | None, resume: bool
    ) -> TrainedModel:
        return combine_part(
            self.dense,
            part,
            augment=self._augment,
            settings=chosen,
            configuration={
                name: self.configuration[name]
                for name in ("model", "data", "data_sha256", "fraction")
            },
            fabric=self.fabric,
            out=out,
            resume=resume,
            observer=self.watch,
        )

    def _finish(self) -> Compressed:
        """Keep the best network, and clear away the rest."""
        runs, allowed = self.journal.runs, self.settings.max_loss
        good = [run for run in runs if allowed is None or run.judged.loss_points <= allowed]
        chosen = (
            min(good, key=lambda run: run.planned.size)
            if good
            else min(runs, key=lambda run: run.judged.loss_points)
        )
        model = load_model(self._place(runs.index(chosen)))
        search = {"search": {**self.configuration, "met": bool(good), **asdict(chosen.judged)}}
        model = replace(model, provenance={**model.provenance, **search})
        model.save(self.out)
        for number in range(len(runs)):
            self._place(number).unlink(missing_ok=True)
        checkpoint_path(self.out).unlink(missing_ok=True)
        return Compressed(
            model=model,
            met=bool(good),
            max_loss=allowed,
            chosen=chosen,
            dense_cells=self.dense_cells,
            dense_words=self.dense_words,
            journal=self.journal,
        )

    def spent_s(self) -> float:
        """Seconds of work, of all starts together."""
        return self._spent_s + time.monotonic() - self._began

    def _save(self) -> None:
        self.journal.spent_s, self.journal.step_s = self.spent_s(), self.watch.step_s
        save_journal(checkpoint_path(self.out), self.journal, self.configuration)

    def _place(self, number: int) -> Path:
        return self.out.with_name(f"{self.out.name}.run-{number + 1}")

    def _run_steps(self, epochs: int) -> int:
        return epochs * len(self._session.trainer.batches)

    def _right(self, model: TrainedModel) -> NDArray[np.bool_]:
        """Which held-out images a model has right."""
        module = model if model.source is not None else replace(model, source=self.dense.source)
        classes = predictions(
            module.to_module().to(self.fabric.device),
            self.part.held_out_images,
            **self._session.normalization,
        )
        right: NDArray[np.bool_] = classes == self.part.held_out_labels
        return right

    def _judged(self, model: TrainedModel) -> Judged:
        """A network against the dense one."""
        began = time.monotonic()
        packed, dense = self._right(model), self._dense_right
        self.journal.judge_s = time.monotonic() - began
        return Judged(
            images=len(dense),
            dense_right=int(dense.sum()),
            packed_right=int(packed.sum()),
            lost=int((dense & ~packed).sum()),
            gained=int((packed & ~dense).sum()),
        )
