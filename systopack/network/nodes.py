"""The nodes of a packed network: what each holds and what it computes.

Every node produces one tensor that carries its name. Integers stand for real numbers by
`value = integer * 2 ** exponent`. All arrays are frozen when a node is made. The fields stand in
the order in which a `.spk` file has them, and their types say how they are read and written there
(`systopack.codec`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from systopack.codec import Place, Special, Stored
from systopack.packing.file import matrix_from_tensors, matrix_to_tensors
from systopack.packing.matrix import PackedMatrix

_BAND_LIMIT = 1 << 16


def _read_matrix(bands: object, place: Place) -> PackedMatrix:
    """From its tensors and the number of its bands."""
    if not isinstance(bands, int) or isinstance(bands, bool) or not 1 <= bands <= _BAND_LIMIT:
        place.refuse(bands, f"a whole number from 1 to {_BAND_LIMIT}")
    columns = place.tensors.take(f"{place.owner}columns", np.int32, 2)
    name = place.owner.removesuffix("/")
    return matrix_from_tensors(name, place.tensors, columns=len(columns), bands=bands)


def _write_matrix(matrix: PackedMatrix, place: Place) -> int:
    """Its tensors are put beside the others of its layer."""
    for name, tensor in matrix_to_tensors(place.owner.removesuffix("/"), matrix).items():
        place.tensors.put(name, tensor)
    return len(matrix.bands)


Activation = Literal["none", "relu", "clip"]
MatrixKind = Literal["convolution", "shift", "linear"]
PoolKind = Literal["max", "average"]
Range = tuple[int, int]  # lowest and highest
Shape = tuple[int, int, int]
Integers = Annotated[NDArray[np.int32], Stored(1)]
IntegerTable = Annotated[NDArray[np.int32], Stored(2)]
Shifts = Annotated[NDArray[np.uint8], Stored(1)]
Matrix = Annotated[PackedMatrix, Special("bands", _read_matrix, _write_matrix)]


@dataclass(frozen=True, kw_only=True, eq=False)
class InputNode:
    """The images: pixels 0..255 become int8 by a table of 256 entries per channel.

    Args:
        name: name of the tensor.
        shape: (channels, height, width).
        mean, std: per channel, of pixels divided by 255.
        exponent: scale of the int8 image, `2 ** exponent`.
    """

    TYPE: ClassVar = "input"

    name: str
    exponent: int
    shape: Shape
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def table(self) -> NDArray[np.int8]:
        """The int8 for every channel and pixel value: shape (C, 256)."""
        pixels = np.arange(256, dtype=np.float64)[None, :] / 255
        mean = np.array(self.mean, dtype=np.float64)[:, None]
        std = np.array(self.std, dtype=np.float64)[:, None]
        scaled = np.rint((pixels - mean) / std * 2.0**-self.exponent)
        return np.clip(scaled, -128, 127).astype(np.int8)


@dataclass(frozen=True, kw_only=True, eq=False)
class Residual:
    """A tensor that is added to the accumulator: `acc += operand << shift`.

    Output channel n, position (y, x) takes channel `channels[n]` of `source` at
    (y * stride[0], x * stride[1]); channel -1 is zero. So identity shortcuts, strided ones,
    zero-padded channels and permuted rows are one operand.

    Args:
        source: the tensor.
        channels: shape (N,), int32, -1..C-1.
        stride: (vertical, horizontal), at least 1.
        shift: shape (N,), uint8, 0..31: from the operand's scale to the accumulator's.
    """

    source: str
    stride: tuple[int, int]
    channels: Integers
    shift: Shifts

    def __post_init__(self) -> None:
        freeze_arrays(self)


@dataclass(frozen=True, kw_only=True, eq=False)
class MatrixLayer:
    """A packed filter matrix applied at every output position (docs/method.md, section 3).

    Output position (y, x) of row n:
    `acc = bias[n] + sum over columns m of weight[n, m] * input[channel, y * stride + dy,
    x * stride + dx]`, where (channel, dy, dx) is column m; outside the image the input is 0.
    Then residual, activation and requantization.

    Args:
        name, source: its tensor and the one it reads.
        kind: what it was in the model: "convolution", "shift" (shift + pointwise) or "linear".
        matrix: (N, M), int8.
        columns: shape (M, 3), int32: channel, dy, dx of every column of the filter matrix.
        bias: shape (N,), int32, on the accumulator scale.
        stride: (vertical, horizontal).
        padding: (top, bottom, left, right) rows and columns of zeros around the input.
        output_size: (height, width) of the output.
        residual: added to the accumulator, or None.
        activation: "none", "relu" or "clip" (to `clip`), on the accumulator scale.
        clip: shape (N, 2), int32, lowest and highest accumulator; only with "clip".
        shift: shape (N,), uint8, 0..31: requantization; None: raw int32 logits.
        exponent: scale of the output.
    """

    TYPE: ClassVar = "matrix"

    name: str
    exponent: int
    source: str
    kind: MatrixKind
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]
    output_size: tuple[int, int]
    columns: IntegerTable
    bias: Integers
    clip: IntegerTable | None
    shift: Shifts | None
    residual: Residual | None
    activation: Activation
    matrix: Matrix

    def __post_init__(self) -> None:
        freeze_arrays(self)

    @property
    def positions(self) -> int:
        """Output positions of one image: words that stream through each tile."""
        return self.output_size[0] * self.output_size[1]


@dataclass(frozen=True, kw_only=True, eq=False)
class PoolLayer:
    """Max or average pooling, per channel; global pooling has a window as large as the input.

    Average: `saturate(round(sum * multiplier / 2 ** shift))`, nearest, ties to even, the sum
    taken over the whole window, padding counted as zeros. Max: padding never wins; multiplier
    is 1 and shift 0.

    Args:
        name, source: its tensor and the one it reads.
        kind: "max" or "average".
        kernel, stride: (vertical, horizontal).
        padding: (top, bottom, left, right).
        output_size: (height, width).
        multiplier: 1..32767.
        shift: 0..31.
        exponent: scale of the output.
    """

    TYPE: ClassVar = "pool"

    name: str
    exponent: int
    source: str
    kind: PoolKind
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]
    output_size: tuple[int, int]
    kernel: tuple[int, int]
    multiplier: int
    shift: int


@dataclass(frozen=True, kw_only=True, eq=False)
class ConcatLayer:
    """Channels of earlier tensors put together: concatenated, chosen, shuffled or zero.

    Channel c is channel `channels[c]` of tensor `sources[operands[c]]`; channel -1 is zero. It
    computes nothing, so all its sources have its own scale and size.

    Args:
        name, sources: its tensor and those it reads.
        operands: shape (C,), int32: index into `sources`.
        channels: shape (C,), int32, -1..: channel of that source.
        output_size: (height, width) of it and of all its sources.
        exponent: scale of it and of all its sources.
    """

    TYPE: ClassVar = "concat"

    name: str
    exponent: int
    sources: tuple[str, ...]
    output_size: tuple[int, int]
    operands: Integers
    channels: Integers

    def __post_init__(self) -> None:
        freeze_arrays(self)


Node = InputNode | MatrixLayer | PoolLayer | ConcatLayer


def sources_of(node: Node) -> tuple[str, ...]:
    """The tensors that a node reads, in the order of its fields."""
    if isinstance(node, InputNode):
        return ()
    if isinstance(node, ConcatLayer):
        return node.sources
    if isinstance(node, MatrixLayer) and node.residual is not None:
        return node.source, node.residual.source
    return (node.source,)


def freeze_arrays(node: object) -> None:
    """Give a dataclass its own contiguous, read-only arrays, so that it stays as it was checked."""
    for item in fields(node):  # type: ignore[arg-type]
        value = getattr(node, item.name)
        if isinstance(value, np.ndarray):
            own = np.array(value, order="C")
            own.setflags(write=False)
            object.__setattr__(node, item.name, own)
