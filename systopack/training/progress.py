"""How a run goes on: epoch by epoch, each with its result and its checkpoint."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Generic, TypeVar

from systopack.training.checkpoint import RunState, load_checkpoint, save_checkpoint
from systopack.training.epoch import LearningRate
from systopack.training.events import EpochResult, Observer, Phase
from systopack.training.learning_rate import RATES, baseline, check_progress, find_rate
from systopack.training.model import TrainedModel
from systopack.training.session import Learner

_LARGE_LOSS = 3.0  # points of accuracy above which a loss is called by its name

Trained = TypeVar("Trained", bound=Learner)


class Run(Generic[Trained]):
    """A model in training, how far it is, and the checkpoint after every epoch.

    Args:
        session: what is trained.
        state: where it starts.
        phases: that such a run has; None: only the one in which it starts.
        configuration: what must be the same to go on from a checkpoint.
        checkpoint: file written after every epoch; None: none.
        observer: told of batches and epochs.
        dense_accuracy_percent: of the dense model on the held-out images, to stand beside every
            epoch's; None: there is none to compare with.
    """

    def __init__(
        self,
        *,
        session: Trained,
        state: RunState,
        configuration: dict[str, Any],
        checkpoint: Path | None,
        observer: Observer,
        phases: tuple[Phase, ...] | None = None,
        dense_accuracy_percent: float | None = None,
    ) -> None:
        self._phases = phases or (state.phase,)
        self.dense_accuracy_percent = dense_accuracy_percent
        self.session = session
        self.state = state
        self.configuration = configuration
        self._checkpoint = checkpoint
        self._observer = observer
        self._pending: EpochResult | None = None

    def start(self, resume: bool) -> None:
        """Go back to the checkpoint when asked to and there is one."""
        if resume and self._checkpoint is not None and self._checkpoint.exists():
            self.state = load_checkpoint(
                self._checkpoint, self.session, self.configuration, phases=self._phases
            )

    def rate(self, largest: float = RATES[0]) -> float:
        """The learning rate of the run; measured before its first epoch where none was given.

        Args:
            largest: no larger one is tried.
        """
        state = self.state
        if state.baseline is None:  # the network was just pruned, or the run begins
            whole = state.learning_rate is None
            state.baseline = baseline(self.session, number=state.epoch, whole=whole)
        if state.learning_rate is None:
            state.learning_rate = find_rate(
                self.session, state.baseline, number=state.epoch, largest=largest
            )
            self.note(
                f"Learning rate {state.learning_rate:g}, by a range test from {largest:g} down; "
                "--learning-rate takes another."
            )
        return state.learning_rate

    def epochs(self, phase: Phase, count: int, learning_rate: LearningRate) -> None:
        """Train the epochs of a phase that are not done yet."""
        if self.state.phase != phase:
            self.state.phase, self.state.epoch_in_phase = phase, 0
        while self.state.epoch_in_phase < count:
            self.epoch(learning_rate)
            self.save()

    def epoch(self, learning_rate: LearningRate) -> None:
        """Train one epoch of the present phase and note its result.

        Raises:
            TrainingError: it diverges; the checkpoint before it stays.
        """
        state, session = self.state, self.session
        loss, accuracy = session.trainer.train_epoch(
            state.epoch,
            phase=state.phase,
            learning_rate=learning_rate,
            offset=state.epoch_in_phase,
            observer=self._observer,
        )
        state.epoch += 1
        state.epoch_in_phase += 1
        if state.baseline is not None:
            check_progress(
                loss,
                state.baseline,
                rate=state.learning_rate or 0.0,
                epoch=state.epoch,
                since_pruning=state.epoch_in_phase,
            )
        nonzeros = session.nonzeros()
        cells = state.packed_cells or session.graph.dense_cells
        self._pending = EpochResult(
            phase=state.phase,
            iteration=state.iteration if state.phase == "joint" else 0,
            epoch=state.epoch,
            loss=loss,
            train_accuracy_percent=accuracy,
            held_out_accuracy_percent=session.held_out_accuracy_percent(),
            dense_accuracy_percent=self.dense_accuracy_percent,
            nonzeros=nonzeros,
            packed_cells=cells,
            packing_efficiency=nonzeros / cells,
            learning_rate=learning_rate(state.epoch_in_phase),
        )
        state.history.append(asdict(self._pending))

    def save(self) -> None:
        """Write the checkpoint, then tell the observer of the epoch it holds."""
        if self.session.fabric.global_rank == 0:
            if self._checkpoint is not None:
                save_checkpoint(self._checkpoint, self.session, self.state, self.configuration)
            if self._pending is not None:
                self._observer.on_epoch(self._pending)
        self._pending = None
        self.session.fabric.barrier()

    def note(self, sentence: str) -> None:
        """Tell the observer, on the main process."""
        if self.session.fabric.global_rank == 0:
            self._observer.on_note(sentence)

    def compare_with_dense(self) -> None:
        """Say what accuracy is left beside that of the dense model."""
        packed, dense = self.session.held_out_accuracy_percent(), self.dense_accuracy_percent
        if packed is None or dense is None:
            self.note("No images are held out, so the accuracy is not known; see --held-out.")
            return
        sentence = f"On held-out images: dense {dense:.2f} %, packed {packed:.2f} %."
        if dense - packed > _LARGE_LOSS:
            sentence += (
                f" WARNING: {dense - packed:.1f} points are lost; train longer with "
                "--fine-tune-epochs, or allow more cells, streamed words or weights."
            )
        self.note(sentence)

    def finish(self, model: TrainedModel, out: Path | None) -> None:
        """Save the result, then drop the checkpoint."""
        if self.session.fabric.global_rank == 0:
            if out is not None:
                model.save(out)
            if self._checkpoint is not None:
                self._checkpoint.unlink(missing_ok=True)
