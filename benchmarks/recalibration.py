"""What it is worth to measure the batch norms' statistics again, before and after retraining.

    python benchmarks/recalibration.py --data ../shared/data --epochs 6

The ResNet-20 packed to 0.256 of its cells with a tenth of the data, of which 1,000 images are held
out; the statistics are measured again on the other 4,000 images, as they are. All accuracies are of
the held-out images; the test images are not read.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from _bench import arguments, save
from _training import Printer, published_resnet20
from accuracy_resnet20 import BUDGETS
from torch import Tensor, nn

from systopack.data.batches import normalised
from systopack.data.images import ImageData
from systopack.data.open import open_data
from systopack.data.split import TrainingPart, training_part
from systopack.training.devices import DeviceOptions
from systopack.training.model import TrainedModel
from systopack.training.run import combine
from systopack.training.settings import CombineSettings

FRACTION, HELD_OUT = 0.1, 1000


def recalibrated(model: TrainedModel, part: TrainingPart) -> TrainedModel:
    """The model with mean and variance of every batch norm averaged over the training images."""
    module = model.to_module().train()
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None  # the plain average of all batches
    with torch.inference_mode():
        images = normalised(part.train_images, mean=model.mean, std=model.std)
        for batch in images.split(250):
            module(batch)
    state: dict[str, Tensor] = {
        name: tensor.clone() for name, tensor in module.state_dict().items()
    }
    return replace(model, state=state)


def held_out(model: TrainedModel, part: TrainingPart) -> dict[str, float]:
    """Accuracy and cross-entropy on the held-out images."""
    module = model.to_module().eval()
    images = normalised(part.held_out_images, mean=model.mean, std=model.std)
    labels = torch.from_numpy(part.held_out_labels)
    with torch.inference_mode():
        logits = module(images)
    return {
        "percent": round(100 * float((logits.argmax(dim=1) == labels).float().mean()), 2),
        "cross_entropy": round(float(F.cross_entropy(logits, labels)), 4),
    }


def packed(data: ImageData, dense: TrainedModel, epochs: int, folder: Path) -> TrainedModel:
    """Packed once, then retrained for so many epochs."""
    return combine(
        dense,
        data,
        settings=CombineSettings(
            **{**BUDGETS, "fine_tune_epochs": epochs, "held_out": HELD_OUT, "seed": 0}
        ),
        fraction=FRACTION,
        out=folder / f"packed{epochs}.safetensors",
        resume=False,
        devices=DeviceOptions(precision="bf16-mixed"),
        observer=Printer(),
    )


def main() -> None:
    """Measure and write the record."""
    parser = arguments(__doc__, data=True)
    parser.add_argument("--epochs", type=int, default=6)
    options = parser.parse_args()
    data = open_data(str(options.data / "cifar10"))
    dense = published_resnet20(data, options.data)
    part = training_part(data, fraction=FRACTION, held_out=HELD_OUT, seed=0)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, epochs in (("not retrained", 0), ("retrained", options.epochs)):
            model = packed(data, dense, epochs, Path(folder))
            figures[name] = {
                "epochs": epochs,
                "as_trained": held_out(model, part),
                "recalibrated": held_out(recalibrated(model, part), part),
            }
    configuration = {"fraction": FRACTION, "held_out": HELD_OUT, **BUDGETS}
    save("recalibration", figures, configuration=configuration)


if __name__ == "__main__":
    main()
