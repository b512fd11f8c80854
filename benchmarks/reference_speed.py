"""Images per second of the integer reference, and its equality with the fake-quantized model.

    python benchmarks/reference_speed.py --data ../shared/data/mnist --model dense.safetensors

Without --model a LeNet-5-Shift is trained on the bundled digits for two epochs first: the speed
does not depend on the weights, the equality is checked for whatever weights there are.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from systopack.data.open import open_data
from systopack.data.split import training_part
from systopack.network.reference import classify
from systopack.quantization.fine_tune import QuantizeSettings
from systopack.quantization.quantize import quantize, reference_equals_model
from systopack.records import Record
from systopack.training.devices import DeviceOptions
from systopack.training.events import SilentObserver
from systopack.training.model import TrainedModel, load_model
from systopack.training.run import train
from systopack.training.settings import TrainSettings

RECORD = Path(__file__).parent / "records" / "reference_speed.json"
_REPEATS = 5


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="sample")
    parser.add_argument("--model", type=Path)
    options = parser.parse_args()
    data = open_data(options.data)
    model = _trained() if options.model is None else load_model(options.model)
    result = quantize(
        model,
        training_part(data, fraction=1.0, held_out=0, seed=0),
        settings=QuantizeSettings(),
        augment=data.augment,
        name="lenet5-shift",
        devices=DeviceOptions(accelerator="cpu"),
        observer=SilentObserver(),
    )
    images = data.test_images[:2000]
    classify(result.network, images)  # the first call prepares the weights
    times = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        classify(result.network, images)
        times.append(time.perf_counter() - started)
    differing = reference_equals_model(result, data.test_images[:1000])
    figures = {
        "images_per_s_median": round(len(images) / sorted(times)[_REPEATS // 2]),
        "images_per_s_slowest": round(len(images) / max(times)),
        "compared_images": 1000,
        "differing_words": sum(differing.values()),
        "differing_words_by_tensor": differing,
    }
    print(figures)
    Record(kind="reference_speed", figures=figures, configuration={"data": data.name}).write(RECORD)


def _trained() -> TrainedModel:
    return train(
        "lenet5-shift",
        open_data("sample"),
        settings=TrainSettings(epochs=2),
        fraction=1.0,
        out=Path(tempfile.mkdtemp()) / "dense.safetensors",
        resume=False,
        devices=DeviceOptions(accelerator="cpu"),
        observer=SilentObserver(),
    )


if __name__ == "__main__":
    main()
