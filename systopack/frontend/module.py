"""`GraphModule`: a captured model as a torch module that trains, with the user's own names."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from systopack.errors import InvalidNetworkError
from systopack.frontend.execute import execute, scaled
from systopack.frontend.graph import LayerGraph, MatrixOp
from systopack.frontend.weights import raw_weights


class GraphModule(nn.Module):
    """The layers of a graph, computed from the tensors of a state dict.

    The state dict of the module has the names of the given one, also of tensors that no layer
    uses. Batch norm takes the batch's statistics while it trains. The user's own class is not
    needed and not run.

    Args:
        graph: the layers.
        state: every tensor they name; copied.
    """

    def __init__(self, graph: LayerGraph, state: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.graph = graph
        trained = set(graph.weighted_ops)
        for op in graph.matrix_ops:
            trained |= {name for name in (op.bias, op.norm and op.norm.weight) if name}
            trained |= {op.norm.bias} if op.norm and op.norm.bias else set()
        for name, tensor in state.items():
            register_tensor(self, name, tensor.detach().clone(), trains=name in trained)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (B, C, H, W) to logits (B, classes)."""
        state: dict[str, Tensor] = {**dict(self.named_parameters()), **dict(self.named_buffers())}

        def norm(op: MatrixOp, tensor: Tensor) -> Tensor:
            if op.norm is not None:
                tensor = _batch_norm(op, tensor, state, self.training)
            return tensor if op.scaling is None else scaled(tensor, op.scaling)

        tensors = execute(
            self.graph,
            images,
            weights_of=lambda op: raw_weights(op, state, like=images),
            norm=norm,
        )
        return tensors[self.graph.ops[-1].name].flatten(1)


def register_tensor(module: nn.Module, name: str, tensor: Tensor, *, trains: bool) -> None:
    """Give a module a parameter or buffer of a dotted name, with the modules on the way.

    Raises:
        InvalidNetworkError: torch allows no such name.
    """
    check_name(name)
    *path, leaf = name.split(".")
    parent = module
    try:
        for part in path:
            child = parent._modules.get(part)
            if child is None:
                child = nn.Module()
                parent.add_module(part, child)
            parent = child
        if trains:
            parent.register_parameter(leaf, nn.Parameter(tensor))
        else:
            parent.register_buffer(leaf, tensor)
    except KeyError as error:
        raise InvalidNetworkError(
            f"A weight is called '{name}', which torch allows no tensor to be called; rename it."
        ) from error


def check_name(name: str) -> None:
    """Refuse a name that holds something other than printable characters.

    Raises:
        InvalidNetworkError: it does.
    """
    if not name.isprintable():
        raise InvalidNetworkError(
            f"The name {ascii(name)[:80]} holds characters that cannot be printed; rename it."
        )


def _batch_norm(op: MatrixOp, tensor: Tensor, state: Mapping[str, Tensor], trains: bool) -> Tensor:
    norm = op.norm
    assert norm is not None
    result: Tensor = F.batch_norm(
        tensor,
        state[norm.mean],
        state[norm.variance],
        None if norm.weight is None else state[norm.weight],
        None if norm.bias is None else state[norm.bias],
        training=trains,
        momentum=norm.momentum,
        eps=norm.epsilon,
    )
    return result


def graph_logits(graph: LayerGraph, state: Mapping[str, Tensor], images: Tensor) -> Tensor:
    """Logits (B, classes) of normalised images (B, C, H, W), in evaluation mode."""
    with torch.inference_mode():
        module = GraphModule(graph, state).to(images.device).eval()
        logits: Tensor = module(images)
    return logits
