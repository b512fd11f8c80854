"""What the accelerators' counters and tables hold, checked layer by layer before a word is packed.

The tiled accelerator's instructions hold 16-bit counts and 12-bit places; the layer-pipelined one
holds 16-bit tables. Each message names the layer, the value and the limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from systopack.errors import InvalidOptionError
from systopack.hardware.pipelined.units import LayerUnit, PoolUnit
from systopack.network.network import PackedNetwork
from systopack.network.nodes import ConcatLayer, MatrixLayer, Node, PoolLayer

ADDRESS_LIMIT = 1 << 20  # words of a memory that the configuration port reaches
COUNT_LIMIT = (1 << 16) - 1
TABLE_LIMIT = 1 << 16  # entries that an instruction can begin at
_PLACE_LIMIT = (1 << 12) - 1
_SIDE_LIMIT = (1 << 11) - 1
_STRIDE_LIMIT = (1 << 8) - 1
_PIPELINED_DISPLACEMENT_LIMIT = (1 << 15) - 1

Limit = tuple[str, int, int]


def check_tiled_network(network: PackedNetwork) -> None:
    """Refuse, by name, what the instructions of the tiled accelerator cannot hold.

    Raises:
        InvalidOptionError: naming the layer, the value and the limit.
    """
    if not isinstance(network.output, MatrixLayer):
        raise InvalidOptionError(
            f"Layer '{network.output.name}' ends the network with a pooling, but the accelerator "
            "sends the output of a convolution or linear layer; add one after it."
        )
    for node in network.nodes:
        if isinstance(node, ConcatLayer) and (node.channels < 0).any():
            raise InvalidOptionError(
                f"Layer '{node.name}' puts channels of zeros between others, which the tiled "
                "accelerator has no memory for; leave them out of the model."
            )
        for what, value, limit in _tiled_limits(network, node):
            if value > limit:
                raise InvalidOptionError(
                    f"Layer '{node.name}' has {what} of {value}, but the accelerator's "
                    f"instructions hold at most {limit}; use a smaller layer."
                )


def _tiled_limits(network: PackedNetwork, node: Node) -> Iterator[Limit]:
    channels, height, width = network.shapes[node.name]
    yield "output positions", height * width, COUNT_LIMIT
    yield "rows or columns", max(height, width), _SIDE_LIMIT
    if node is network.nodes[0]:
        yield "channels", channels, COUNT_LIMIT
    if isinstance(node, MatrixLayer | PoolLayer):
        yield "a stride", max(node.stride), _STRIDE_LIMIT
        kernel = node.kernel if isinstance(node, PoolLayer) else (1, 1)
        yield "a window side", max(kernel), _PLACE_LIMIT
        yield "words in a window", kernel[0] * kernel[1], COUNT_LIMIT
        for count, stride, side in zip((height, width), node.stride, kernel, strict=True):
            yield "a last place", (count - 1) * stride + side - 1, _PLACE_LIMIT
    if isinstance(node, MatrixLayer) and node.residual is not None:
        yield "a residual stride", max(node.residual.stride), _STRIDE_LIMIT


def check_tables(network: PackedNetwork, depths: Mapping[str, tuple[int, int]]) -> None:
    """Refuse memories with more words than are addressed.

    Args:
        depths: by what they hold, words and those that are addressed.

    Raises:
        InvalidOptionError: naming the memory, its words and the limit.
    """
    for what, (words, limit) in depths.items():
        if words > limit:
            raise InvalidOptionError(
                f"Network '{network.name}' needs {words} {what}, but the accelerator addresses "
                f"{limit}; choose a larger array."
            )


def check_units(network: PackedNetwork, units: tuple[LayerUnit | PoolUnit, ...]) -> None:
    """Refuse, by name, what the tables of the layer-pipelined accelerator's units cannot hold.

    Raises:
        InvalidOptionError: naming the layer, the value and the limit.
    """
    if not units:
        raise InvalidOptionError(
            f"Network '{network.name}' has no layer, so there is nothing to build; give a network "
            "with at least one."
        )
    for unit in units:
        _, height, width = network.shapes[unit.name]
        places = [abs(v) for w in unit.windows for place in w.displacements for v in place]
        limits: list[Limit] = [
            ("output positions", height * width, COUNT_LIMIT),
            ("a displacement", max(places), _PIPELINED_DISPLACEMENT_LIMIT),
            ("word times for one position", unit.interval, COUNT_LIMIT),
            ("words in a window", unit.reads, COUNT_LIMIT),
        ]
        if isinstance(unit, LayerUnit):
            limits.append(("used columns", len(unit.streams), COUNT_LIMIT - 1))
            limits.append(("columns of cells", max(b.columns for b in unit.bands), COUNT_LIMIT))
        for what, value, limit in limits:
            if value > limit:
                raise InvalidOptionError(
                    f"Layer '{unit.name}' has {what} of {value}, but a unit of the "
                    f"layer-pipelined accelerator holds at most {limit}; use a smaller layer."
                )


def check_depths(depths: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse line buffers with more words than are addressed.

    Raises:
        InvalidOptionError: naming the layer, the words and the limit.
    """
    for name, own in depths.items():
        if max(own) > COUNT_LIMIT:
            raise InvalidOptionError(
                f"Layer '{name}' needs a line buffer of {max(own)} words, but the accelerator "
                f"addresses {COUNT_LIMIT}; use smaller images."
            )
