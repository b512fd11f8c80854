"""LeNet-5-Shift on all of MNIST: dense, packed with all data, packed with a tenth of it.

    python benchmarks/mnist.py --data ../shared/data --seeds 0 1 2

Hyperparameters were chosen on held-out training images; the test images are read by the last step
alone.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from _bench import arguments, save
from _training import eight_bit, ready, right_answers, tested

from systopack.data.images import ImageData
from systopack.data.open import open_data
from systopack.training.devices import DeviceOptions
from systopack.training.run import combine, train
from systopack.training.settings import CombineSettings, TrainSettings

DENSE = TrainSettings(epochs=15, learning_rate=0.1)
PACKED = CombineSettings(
    rho=0.2, beta=0.4, fine_tune_epochs=8, learning_rate=0.05, distill_weight=0.5
)
TENTH = CombineSettings(
    rho=0.2,
    beta=0.4,
    epochs_per_iteration=4,
    fine_tune_epochs=30,
    learning_rate=0.02,
    weight_decay=1e-4,
    distill_weight=0.9,
)
RUNS = {"packed": (PACKED, 1.0), "packed_with_a_tenth": (TENTH, 0.1)}


def run_seed(data: ImageData, seed: int) -> dict[str, Any]:
    """Train, pack twice, quantize and classify the test images."""
    folder = Path(tempfile.mkdtemp(prefix="systopack-mnist-"))
    devices = DeviceOptions()
    started = time.monotonic()
    dense = ready(
        folder / "dense.safetensors",
        train,
        "lenet5-shift",
        data,
        settings=DENSE.model_copy(update={"seed": seed}),
        fraction=1.0,
        devices=devices,
    )
    made = {}
    minutes: dict[str, float] = {}
    for name, (settings, fraction) in RUNS.items():
        model = ready(
            folder / f"{name}.safetensors",
            combine,
            dense,
            data,
            settings=settings.model_copy(update={"seed": seed}),
            fraction=fraction,
            devices=devices,
        )
        network = eight_bit(model, data, name="lenet5-shift", fraction=fraction, seed=seed)
        made[name] = network, model
        minutes[name] = (time.monotonic() - started) / 60
    right = right_answers(dense, data)  # the test images are read from here on, once
    return {
        "seed": seed,
        **{name: tested(*both, data, dense=right) for name, both in made.items()},
        "train_combine_quantize_minutes": round(minutes["packed"], 2),
    }


def main() -> None:
    """Run every seed and write the record."""
    parser = arguments(__doc__, data=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    data = open_data(str(options.data / "mnist"))
    save(
        "mnist",
        {"runs": [run_seed(data, seed) for seed in options.seeds]},
        configuration={
            "data_sha256": data.sha256,
            "dense": DENSE.model_dump(),
            "packed": PACKED.model_dump(),
            "tenth": {"fraction": 0.1, **TENTH.model_dump()},
        },
        seed=None,
    )


if __name__ == "__main__":
    main()
