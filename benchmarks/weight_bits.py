"""LeNet-5-Shift on MNIST, packed once, quantized to weights of 8 to 2 bits and to powers of two.

    python benchmarks/weight_bits.py --data ../shared/data --out runs

Every width is calibrated, and fine-tuned for three epochs with its weights rounded. All test
images are read by the last step alone. `--out` keeps the trained networks and checkpoints.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mnist
from _bench import arguments, save
from _training import Printer, ready

from systopack.data.images import ImageData
from systopack.data.open import open_data
from systopack.data.split import training_part
from systopack.network.reference import classify
from systopack.quantization.quantize import quantize
from systopack.quantization.settings import QuantizeSettings
from systopack.training.devices import DeviceOptions
from systopack.training.model import TrainedModel
from systopack.training.run import combine, train

WEIGHTS: tuple[dict[str, Any], ...] = (
    *({"weight_bits": bits} for bits in range(8, 1, -1)),
    {"weights": "power-of-two"},
)
EPOCHS = (0, 3)


def packed_model(data: ImageData, folder: Path) -> TrainedModel:
    """The dense network and the packed one of `benchmarks/mnist.py`, seed 0."""
    shared: dict[str, Any] = {"fraction": 1.0, "devices": DeviceOptions()}
    dense = ready(
        folder / "dense.safetensors", train, "lenet5-shift", data, settings=mnist.DENSE, **shared
    )
    return ready(
        folder / "packed.safetensors", combine, dense, data, settings=mnist.PACKED, **shared
    )


def main() -> None:
    """Quantize to every width and write the record."""
    parser = arguments(__doc__, data=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    data = open_data(str(options.data / "mnist"))
    model = packed_model(data, options.out)
    part = training_part(data, held_out=5000)
    networks = {}
    for weights in WEIGHTS:
        for epochs in EPOCHS:
            settings = QuantizeSettings(**weights, epochs=epochs)
            networks[settings.rounding, epochs] = quantize(
                model,
                part,
                settings=settings,
                augment=data.augment,
                name="lenet5-shift",
                devices=DeviceOptions(),
                observer=Printer(),
            ).network
    runs = []
    for (weights, epochs), network in networks.items():  # the test images are read from here on
        right = int((classify(network, data.test_images) == data.test_labels).sum())
        share = right / len(data.test_labels)
        runs.append(
            {"weights": weights, "epochs": epochs, "correct": right, "percent": 100 * share}
        )
        print(runs[-1], flush=True)
    save(
        "weight_bits",
        {"test_images": len(data.test_labels), "runs": runs},
        configuration={
            "network": "lenet5-shift",
            "data_sha256": data.sha256,
            "dense": mnist.DENSE.model_dump(),
            "packed": mnist.PACKED.model_dump(),
        },
        seed=0,
    )


if __name__ == "__main__":
    main()
