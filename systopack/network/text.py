"""A packed network as text."""

from __future__ import annotations

from systopack.network.network import PackedNetwork
from systopack.network.nodes import ConcatLayer, InputNode, MatrixLayer, Node


def describe(network: PackedNetwork) -> str:
    """One line a node in aligned columns, then the totals and the history."""
    header = ("tensor", "reads", "operation", "shape", "matrix", "groups", "nonzeros", "efficiency")
    rows = [header, *(_row(network, node) for node in network.nodes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    share = network.packed_cells / max(network.dense_cells, 1)
    totals = (
        f"{network.name}: {network.nonzeros:,} nonzeros in {network.packed_cells:,} packed cells "
        f"({share:.3f} of {network.dense_cells:,} dense cells), packing efficiency "
        f"{network.packing_efficiency:.3f}, {network.accumulator_bits}-bit accumulators"
    )
    history = [f"{topic}: {text}" for topic, text in network.history.items()]
    return "\n".join([*lines, totals, *history])


def _row(network: PackedNetwork, node: Node) -> tuple[str, ...]:
    shape = "x".join(str(size) for size in network.shapes[node.name])
    if isinstance(node, InputNode):
        return (node.name, "", "input", shape, "", "", "", "")
    if isinstance(node, ConcatLayer):
        return (node.name, ", ".join(node.sources), "concatenation", shape, "", "", "", "")
    if not isinstance(node, MatrixLayer):
        window = "x".join(str(size) for size in node.kernel)
        return (node.name, node.source, f"{node.kind} pooling {window}", shape, "", "", "", "")
    operation: str = node.kind
    if max(node.stride) > 1:
        operation += f" /{node.stride[0]}"
    if node.residual is not None:
        operation += f" + {node.residual.source}"
    if node.activation != "none":
        operation += f", {node.activation}"
    matrix = node.matrix
    groups = "+".join(str(len(band.groups)) for band in matrix.bands)
    return (
        node.name,
        node.source,
        operation,
        shape,
        f"{matrix.rows}x{matrix.columns}",
        groups,
        f"{matrix.nonzeros:,}",
        f"{matrix.packing_efficiency:.3f}",
    )
