"""Images per second of the integer reference, and its equality with the fake-quantized model.

    python benchmarks/reference_speed.py --images ../shared/data/mnist --model dense.safetensors

Without --model a LeNet-5-Shift is trained on the bundled digits for two epochs first: the speed
does not depend on the weights, the equality is checked for whatever weights there are.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from _bench import arguments, save, seconds_of
from _training import ready

from systopack.data.open import open_data
from systopack.data.split import training_part
from systopack.network.reference import classify
from systopack.quantization.fine_tune import QuantizeSettings
from systopack.quantization.quantize import quantize, reference_equals_model
from systopack.training.devices import DeviceOptions
from systopack.training.events import SilentObserver
from systopack.training.run import train
from systopack.training.settings import TrainSettings

_REPEATS = 5


def main() -> None:
    """Measure and write the record."""
    parser = arguments(__doc__)
    parser.add_argument("--images", default="sample", help="a data set")
    new = Path(tempfile.mkdtemp()) / "dense.safetensors"
    parser.add_argument("--model", type=Path, default=new)
    options = parser.parse_args()
    data, devices = open_data(options.images), DeviceOptions(accelerator="cpu")
    model = ready(
        options.model,
        train,
        "lenet5-shift",
        open_data("sample"),
        settings=TrainSettings(epochs=2),
        fraction=1.0,
        devices=devices,
    )
    result = quantize(
        model,
        training_part(data, fraction=1.0, held_out=0, seed=0),
        settings=QuantizeSettings(),
        augment=data.augment,
        name="lenet5-shift",
        devices=devices,
        observer=SilentObserver(),
    )
    images = data.test_images[:2000]
    classify(result.network, images)  # the first call prepares the weights
    times = seconds_of(lambda: classify(result.network, images), repeats=_REPEATS)
    differing = reference_equals_model(result, data.test_images[:1000])
    figures = {
        "images_per_s_median": round(len(images) / times[_REPEATS // 2]),
        "images_per_s_slowest": round(len(images) / times[-1]),
        "compared_images": 1000,
        "differing_words": sum(differing.values()),
        "differing_words_by_tensor": differing,
    }
    save("reference_speed", figures, configuration={"data": data.name}, seed=None)


if __name__ == "__main__":
    main()
