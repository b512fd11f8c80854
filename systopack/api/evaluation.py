"""`evaluate`: how many test images a network or a model has right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from systopack.api.sources import data_of, network_of, shown
from systopack.network.packaged import network_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from systopack.api.learning import Data, Model
    from systopack.api.sources import NetworkLike


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """The test images that a network has right.

    Args:
        right: whether it has, for each image.
        data, data_sha256: the images.
    """

    right: NDArray[np.bool_]
    data: str
    data_sha256: str

    @property
    def figures(self) -> dict[str, Any]:
        """For a record."""
        correct, images = int(self.right.sum()), len(self.right)
        return {
            "correct": correct,
            "images": images,
            "accuracy_percent": 100 * correct / images,
        }

    @property
    def accuracy_percent(self) -> float:
        """The share of the images that it has right."""
        return float(self.figures["accuracy_percent"])

    def against(self, other: Evaluation) -> Mapping[str, Any]:
        """The paired difference to another network on the same images."""
        only_first = int((self.right & ~other.right).sum())
        only_second = int((~self.right & other.right).sum())
        return {
            "only_first_correct": only_first,
            "only_second_correct": only_second,
            "difference_points": 100 * (only_first - only_second) / len(self.right),
        }

    def __repr__(self) -> str:
        return shown(self, **self.figures)


def evaluate(model: NetworkLike | Model, data: Data = "sample") -> Evaluation:
    """Classify the test images; packed networks run in the integer reference.

    Args:
        model: a packed network (object, .spk file, `zoo:NAME`) or a model (object, .safetensors).
        data: the images.

    Raises:
        InvalidFileError, InvalidOptionError: a file is missing, or the images do not fit.
    """
    opened = open_any(model)
    images = data_of(data)
    if hasattr(opened, "to_module"):
        from systopack.api.learning import check_images
        from systopack.training.session import predictions

        check_images(opened, images)
        normal = {"mean": opened.mean, "std": opened.std}
        classes = predictions(opened.to_module(), images.test_images, **normal)
    else:
        from systopack.network.reference import classify

        classes = classify(opened, images.test_images)
    return Evaluation(
        right=classes == images.test_labels, data=images.name, data_sha256=images.sha256
    )


def open_any(model: NetworkLike | Model) -> Any:
    """A packed network or a trained model, however it was given.

    Raises:
        InvalidFileError, InvalidOptionError: there is none.
    """
    if isinstance(model, Path | str):
        if network_file(Path(model)).suffix == ".spk":
            return network_of(model)
        from systopack.api.learning import load_model

        return load_model(model)
    return model if hasattr(model, "to_module") else network_of(model)
