"""What a run holds in memory: model, optimizer, masks and data; how an epoch is trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from systopack.data.augment import Augment
from systopack.data.batches import Batches, normalised
from systopack.data.split import TrainingPart
from systopack.frontend.graph import LayerGraph
from systopack.frontend.weights import filter_matrix, stored_weight
from systopack.nn.masks import Masks
from systopack.packing.matrix import PackedMatrix
from systopack.training.epoch import Trainer
from systopack.training.settings import OptimizerSettings

_EVALUATION_BATCH = 500


class Learner(ABC):
    """A model with its optimizer and data, and the two things it does: train an epoch, evaluate.

    Args:
        fabric: launched.
        module: the model; trained in place.
        graph: its layers.
        part: the images the run may read.
        augment: how training images are varied.
        mean, std: normalisation of the images.
        settings: optimizer, batches and distillation.
        teacher: dense model whose logits are imitated, or None.
    """

    masks: Masks | None

    def __init__(
        self,
        *,
        fabric: Any,
        module: nn.Module,
        graph: LayerGraph,
        part: TrainingPart,
        augment: Augment,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        settings: OptimizerSettings,
        teacher: nn.Module | None = None,
    ) -> None:
        self.fabric = fabric
        self.graph = graph
        self.part = part
        self.settings = settings
        self.augment = augment  # without mixtures: these are for training alone
        self.normalization: dict[str, Any] = {"mean": mean, "std": std, "device": fabric.device}
        # Moved before the masks are made, so that both live on the same device.
        self.module = module.to(fabric.device)
        self.module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = torch.optim.SGD(
            self.module.parameters(),
            lr=0.0,  # every step sets its own
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            nesterov=settings.momentum > 0,
        )
        self.masks = self._masks()
        if self.masks is not None:
            self.masks.attach(self.optimizer)
        wrapped, stepper = fabric.setup(self.module, self.optimizer)
        if teacher is not None:
            teacher = teacher.to(fabric.device).eval()
            teacher.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.trainer = Trainer(
            fabric=fabric,
            module=wrapped,
            optimizer=stepper,
            batches=Batches(
                images=part.train_images,
                labels=part.train_labels,
                batch_size=settings.batch_size,
                seed=settings.seed,
                augment=settings.augmented(augment),
                rank=fabric.global_rank,
                world_size=fabric.world_size,
                **self.normalization,
            ),
            settings=settings,
            teacher=teacher,
        )

    def try_rate(self, rate: float, *, steps: int, number: int) -> list[float]:
        """Losses of a few steps at one learning rate; everything is as before afterwards.

        Args:
            rate, steps, number: see `Trainer.try_rate`.
        """
        with self._put_back():
            return self.trainer.try_rate(rate, steps=steps, number=number)

    def untrained(self, *, steps: int, number: int) -> tuple[list[float], float]:
        """Losses without training, and that of a network that answers all images alike.

        Args:
            steps, number: see `Trainer.untrained`.
        """
        with self._put_back():
            return self.trainer.untrained(steps=steps, number=number)

    @contextmanager
    def _put_back(self) -> Iterator[None]:
        """Restore the model and the momentum afterwards."""
        before = {name: tensor.clone() for name, tensor in self.module.state_dict().items()}
        momentum = {
            parameter: {key: value.clone() for key, value in state.items() if value is not None}
            for parameter, state in self.optimizer.state.items()
        }
        yield
        self.module.load_state_dict(before)
        self.optimizer.state.clear()
        self.optimizer.state.update(momentum)

    def held_out_accuracy_percent(self) -> float | None:
        """Accuracy on the held-out images, None where there are none."""
        labels = self.part.held_out_labels
        if len(labels) == 0:
            return None
        return accuracy_percent(
            self.module, self.part.held_out_images, labels, **self.normalization
        )

    @abstractmethod
    def nonzeros(self) -> int:
        """Weights of filter matrices that may be nonzero."""

    def _masks(self) -> Masks | None:
        """Masks to apply after each step; None where the model has its own."""
        return None

    def state(self) -> dict[str, Tensor]:
        """The model's state dict on the CPU, contiguous."""
        return {
            name: tensor.detach().cpu().contiguous().clone()
            for name, tensor in self.module.state_dict().items()
        }


class Session(Learner):
    """A float model with masks: what training and joint optimization change."""

    masks: Masks

    def _masks(self) -> Masks:
        parameters = dict(self.module.named_parameters())
        return Masks({name: parameters[name] for name in self.graph.weighted_ops})

    def nonzeros(self) -> int:
        """Weights that no mask holds at zero."""
        return self.masks.nonzeros()

    def matrices(self) -> dict[str, NDArray[np.float32]]:
        """The filter matrix (N, M) of every layer, a copy."""
        state = dict(self.module.named_parameters())
        return {
            op.name: filter_matrix(op, state[weight].detach()).cpu().float().numpy().copy()
            for weight, op in self.graph.weighted_ops.items()
        }

    def prune_to(self, packed: Mapping[str, PackedMatrix]) -> None:
        """Keep only the weights that the packed matrices hold."""
        for weight, op in self.graph.weighted_ops.items():
            kept = torch.from_numpy(packed[op.name].to_dense() != 0)
            self.masks.set(weight, stored_weight(op, kept))


def accuracy_percent(
    module: nn.Module,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    *,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    device: torch.device | str = "cpu",
) -> float:
    """Share of the images whose largest logit is that of their label, in percent."""
    classes = predictions(module, images, mean=mean, std=std, device=device)
    return 100 * float((classes == labels).mean())


def predictions(
    module: nn.Module,
    images: NDArray[np.uint8],
    *,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    device: torch.device | str = "cpu",
) -> NDArray[np.int64]:
    """The class of each image by the model in evaluation mode: shape (images,)."""
    logits = outputs(module, images, mean=mean, std=std, device=device)
    return np.asarray(logits.argmax(dim=1).numpy())


def outputs(
    module: nn.Module,
    images: NDArray[np.uint8],
    *,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    device: torch.device | str = "cpu",
) -> Tensor:
    """What the model in evaluation mode gives for each image, on the CPU: (images, outputs)."""
    was_training = module.training
    module.eval()
    found = []
    with torch.inference_mode():
        for start in range(0, len(images), _EVALUATION_BATCH):
            part = images[start : start + _EVALUATION_BATCH]
            batch = normalised(part, mean=mean, std=std, device=device)
            found.append(module(batch).flatten(1).cpu())
    module.train(was_training)
    return torch.cat(found)
