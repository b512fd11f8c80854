"""Networks that come with the package and that no other benchmark makes: `zoo:lenet5-mnist`, dense
and packed, and `zoo:resnet20-cifar10-dense`.

    python benchmarks/packaged.py lenet5 --data ../shared/data --out runs
    python benchmarks/packaged.py resnet20-dense --data ../shared/data --out runs

LeNet-5-Shift is trained on all of MNIST, packed, and quantized. Groups of its first linear layer
mix two channels at most, and groups are dealt to 32 array columns so that each reads few
channels; neither changes what is computed. The ResNet-20 is the published dense one,
quantized by calibration alone. The test images are classified once; the same command goes on where
it was stopped.
"""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from _bench import SIZE, arguments
from _training import (
    RESNET20_WEIGHTS,
    eight_bit,
    published_resnet20,
    ready,
    right_answers,
    tested,
    write_network,
)

from systopack.data.open import open_data
from systopack.hardware.array import Array
from systopack.hardware.cycles import count_cycles
from systopack.hardware.tiled.cycles import count_tiled
from systopack.network.group_order import order_groups, spread_groups
from systopack.network.network import PackedNetwork
from systopack.network.permute import permute_rows
from systopack.records import sha256_of_file
from systopack.training.devices import DeviceOptions
from systopack.training.run import combine, train
from systopack.training.settings import CombineSettings, TrainSettings

DENSE = TrainSettings(epochs=15, learning_rate=0.1)
PACKED = CombineSettings(
    alpha=8,
    gamma=0.5,
    rho=0.09,
    beta=0.4,
    fine_tune_epochs=8,
    learning_rate=0.05,
    distill_weight=0.5,
    channels_per_group=2,
)


def lenet5(options: Namespace) -> None:
    """Train, pack, quantize and write both networks with their records."""
    data, seed = open_data(str(options.data / "mnist")), options.seed
    settings = {
        "dense": DENSE.model_copy(update={"seed": seed}),
        "packed": PACKED.model_copy(update={"seed": seed}),
    }
    files = {name: options.out / f"{name}.safetensors" for name in settings}
    common = {"fraction": 1.0, "devices": DeviceOptions(accelerator="cpu")}
    dense = ready(files["dense"], train, "lenet5-shift", data, settings=settings["dense"], **common)
    packed = ready(files["packed"], combine, dense, data, settings=settings["packed"], **common)
    right = right_answers(dense, data)
    cycles: dict[str, dict[str, int]] = {}
    for name, model in (("lenet5-mnist-dense", dense), ("lenet5-mnist", packed)):
        network = permute_rows(eight_bit(model, data, name="lenet5-shift", seed=seed))
        network = order_groups(spread_groups(network, columns=SIZE), columns=SIZE)
        cycles[name] = own = _cycles(network, alpha=1 if model is dense else PACKED.alpha)
        base = cycles["lenet5-mnist-dense"]
        configuration = {of: value.model_dump() for of, value in settings.items()}
        write_network(
            network,
            options.out / name,
            {
                **tested(network, model, data, dense=right),
                "cycles_32x32": own,
                "cycles_ratio": {of: base[of] / count for of, count in own.items()},
                "history": list(model.history),
            },
            kind="lenet5-packaged",
            configuration={"data_sha256": data.sha256, **configuration},
            seed=seed,
        )


def _cycles(network: PackedNetwork, *, alpha: int) -> dict[str, int]:
    """Cycles of an image: layers on the array alone, and on the tiled accelerator."""
    array = Array(rows=SIZE, columns=SIZE, alpha=alpha)
    return {
        "array": count_cycles(network, array=array).cycles,
        "tiled_accelerator": count_tiled(network, array=array).cycles,
    }


def resnet20_dense(options: Namespace) -> None:
    """Quantize, read the test images once, and write network and record."""
    data = open_data(str(options.data / "cifar10"))
    dense = published_resnet20(data, options.data)
    name = "resnet20-cifar10-dense"
    network = order_groups(eight_bit(dense, data, name=name), columns=SIZE)
    configuration: dict[str, Any] = {
        "data_sha256": data.sha256,
        "dense_weights_sha256": sha256_of_file(options.data / RESNET20_WEIGHTS),
    }
    write_network(
        network,
        options.out / name,
        tested(network, dense, data, dense=right_answers(dense, data)),
        kind="dense-resnet20",
        configuration=configuration,
        seed=0,
    )


NETWORKS = {"lenet5": lenet5, "resnet20-dense": resnet20_dense}


def main() -> None:
    """Make the networks of one kind."""
    parser = arguments(__doc__, data=True, out=True)
    parser.add_argument("network", choices=NETWORKS)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    NETWORKS[options.network](options)


if __name__ == "__main__":
    main()
