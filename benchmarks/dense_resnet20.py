"""The published dense ResNet-20 for CIFAR-10 in 8 bit, by calibration alone: the network that
comes with the package as `zoo:resnet20-cifar10-dense`, beside which the packed ones are set.

    python benchmarks/dense_resnet20.py --data ../shared/data
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from accuracy_resnet20 import WEIGHTS, dense_resnet20, eight_bit, figures, right_answers

from systopack.data.open import open_data
from systopack.network.file import save
from systopack.network.packaged import FOLDER
from systopack.records import Record, sha256_of_file

NAME = "resnet20-cifar10-dense"


def main() -> None:
    """Quantize, read the test images once, and write network and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=FOLDER)
    options = parser.parse_args()
    data = open_data(str(options.data / "cifar10"))
    dense = dense_resnet20(data, options.data / WEIGHTS)
    network = replace(eight_bit(dense, data, fraction=1.0, seed=0), name=NAME)
    file = options.out / f"{NAME}.spk"
    save(network, file)
    measured = figures(network, dense, data, reference=right_answers(dense, data))
    Record(
        kind="dense-resnet20",
        figures=measured,
        configuration={
            "data_sha256": data.sha256,
            "dense_weights_sha256": sha256_of_file(options.data / WEIGHTS),
        },
        seed=0,
        outputs={file.name: sha256_of_file(file)},
    ).write(file.with_suffix(".json"))
    print({name: value for name, value in measured.items() if name != "groups"})


if __name__ == "__main__":
    main()
