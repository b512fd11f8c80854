"""Networks of known shapes with random sparse weights: whether a way grows, not what it keeps."""

from __future__ import annotations

import math

import numpy as np

from systopack.network.network import PackedNetwork
from systopack.network.nodes import InputNode, MatrixLayer, PoolLayer, Residual
from systopack.packing.pack import dense, pack

DENSITY = 0.15  # of the weights that are not zero, at random places
_SHIFT, _EXPONENT = 8, -4


class Shapes:
    """Builds a chain of layers; every scale is the same."""

    def __init__(self, shape: tuple[int, int, int], *, alpha: int, seed: int = 0) -> None:
        means = (0.5,) * shape[0]
        self.nodes: list[InputNode | MatrixLayer | PoolLayer] = [
            InputNode(name="input", shape=shape, mean=means, std=means, exponent=_EXPONENT)
        ]
        self._shapes = {"input": shape}
        self._alpha = alpha
        self._rng = np.random.default_rng(seed)

    @property
    def last(self) -> str:
        """Name of the newest tensor."""
        return self.nodes[-1].name

    def layer(
        self,
        rows: int,
        *,
        kernel: int = 3,
        stride: int = 1,
        depthwise: bool = False,
        residual: str | None = None,
        output: bool = False,
    ) -> str:
        """A k x k convolution with "same" padding; 1 x 1 positions make it a linear layer."""
        channels, height, width = self._shapes[self.last]
        margin = kernel // 2
        grid = np.mgrid[:channels, :kernel, :kernel].reshape(3, -1).T - [0, margin, margin]
        sparse = self._rng.random((rows, len(grid))) < DENSITY
        if depthwise:
            sparse = np.arange(rows)[:, None] == grid[:, 0]
        signs = self._rng.choice([-7, -5, -3, 3, 5, 7], sparse.shape)
        weights = np.where(sparse, signs, 0).astype(np.int8)
        size = (math.ceil(height / stride), math.ceil(width / stride))
        after = [
            max(0, (n - 1) * stride + margin - h + 1)
            for n, h in zip(size, (height, width), strict=True)
        ]
        name = f"layer{len(self.nodes)}"
        source = self.last
        adds = None
        if residual is not None:
            held = self._shapes[residual][0]
            kept = np.where(np.arange(rows) < held, np.arange(rows), -1).astype(np.int32)
            steps = (max(1, self._shapes[residual][1] // size[0]),) * 2
            adds = Residual(
                source=residual,
                channels=kept,
                stride=steps,
                shift=np.full(rows, _SHIFT, dtype=np.uint8),
            )
        if self._alpha == 1 and not depthwise:
            matrix = dense(weights)
        else:  # of a depthwise layer a band lists only the columns of its own channels
            gamma = 0.5 if self._alpha > 1 else 0
            matrix = pack(weights, alpha=self._alpha, gamma=gamma, band_rows=32)
        self.nodes.append(
            MatrixLayer(
                name=name,
                source=source,
                kind="linear" if size == (1, 1) and kernel == 1 else "convolution",
                matrix=matrix,
                columns=grid.astype(np.int32),
                bias=np.zeros(rows, dtype=np.int32),
                stride=(stride, stride),
                padding=(margin, after[0], margin, after[1]),
                output_size=size,
                residual=adds,
                activation="none" if output else "relu",
                clip=None,
                shift=None if output else np.full(rows, _SHIFT, dtype=np.uint8),
                exponent=_EXPONENT - _SHIFT if output else _EXPONENT,
            )
        )
        self._shapes[name] = (rows, *size)
        return name

    def average(self) -> None:
        """Global average pooling."""
        channels, height, width = self._shapes[self.last]
        source = self.last
        self.nodes.append(
            PoolLayer(
                name="average",
                source=source,
                kind="average",
                kernel=(height, width),
                stride=(height, width),
                padding=(0, 0, 0, 0),
                output_size=(1, 1),
                multiplier=round(2**15 / (height * width)),
                shift=15,
                exponent=_EXPONENT,
            )
        )
        self._shapes["average"] = (channels, 1, 1)

    def network(self, name: str) -> PackedNetwork:
        """What was built."""
        return PackedNetwork(name=name, nodes=tuple(self.nodes))


def resnet56(alpha: int) -> PackedNetwork:
    """ResNet-56 for 32 x 32 images."""
    made = Shapes((3, 32, 32), alpha=alpha)
    made.layer(16)
    for stage, rows in enumerate((16, 32, 64)):
        for block in range(9):
            before = made.last
            made.layer(rows, stride=2 if stage and not block else 1)
            made.layer(rows, residual=before)
    made.average()
    made.layer(10, kernel=1, output=True)
    return made.network("resnet56-shapes")


def mobilenet(alpha: int) -> PackedNetwork:
    """MobileNetV1, a quarter of the width, for 96 x 96 images (MLPerf Tiny's visual wake words)."""
    made = Shapes((3, 96, 96), alpha=alpha)
    made.layer(8, stride=2)
    for rows, stride in (
        *((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2)),
        *((128, 1),) * 5,
        *((256, 2), (256, 1)),
    ):
        made.layer(made._shapes[made.last][0], stride=stride, depthwise=True)
        made.layer(rows, kernel=1)
    made.average()
    made.layer(2, kernel=1, output=True)
    return made.network("mobilenet-shapes")


NETWORKS = {"ResNet-56 shapes": resnet56, "MobileNetV1 0.25 shapes": mobilenet}
