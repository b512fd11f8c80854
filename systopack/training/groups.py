"""The column groups of a model's layers, and whether they can be those of its weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from systopack.packing.matrix import Groups

BandGroups = tuple[int, Groups]  # rows of a row band and its column groups
LayerGroups = Mapping[str, tuple[BandGroups, ...]]


def groups_misfit(groups: LayerGroups, sizes: Mapping[str, tuple[int, int]]) -> str | None:
    """Why column groups cannot be those of a network; None where they can.

    Args:
        groups: layer name -> its row bands and their column groups.
        sizes: layer name -> rows and columns of its filter matrix, of the layers with weights.
    """
    for name, bands in groups.items():
        if name not in sizes:
            return f"it groups columns of '{name}', which is no layer of the model"
        rows, columns = sizes[name]
        if sum(band for band, _ in bands) != rows or any(band < 1 for band, _ in bands):
            return f"the row bands of layer '{name}' are not its {rows} rows"
        for _, listed in bands:
            flat = [column for group in listed for column in group]
            if len(set(flat)) < len(flat) or any(not 0 <= c < columns for c in flat):
                return f"a column of layer '{name}' is grouped twice or does not exist"
    return None


def weights_misfit(groups: LayerGroups, matrices: Mapping[str, Tensor]) -> str | None:
    """Why filter matrices (N, M) do not keep to their groups, which fit; None where they do.

    A row has at most one weight in a group, and none in columns of no group.
    """
    for name, matrix in matrices.items():
        if name not in groups:
            return f"it groups no columns of layer '{name}'"
        first = 0
        for rows, listed in groups[name]:
            band = matrix[first : first + rows] != 0
            number = torch.full((matrix.shape[1],), len(listed))
            for index, group in enumerate(listed):
                number[list(group)] = index
            counts = torch.zeros(rows, len(listed) + 1, dtype=torch.int32)
            counts.index_add_(1, number, band.int())
            counts[:, -1] *= 2  # not even one
            if bool((counts > 1).any()):
                row = first + int((counts > 1).any(dim=1).nonzero()[0])
                return f"row {row} of layer '{name}' has weights where its column groups let none"
            first += rows
    return None


def layers_of_module(module: nn.Module) -> dict[str, Tensor]:
    """Layer name -> filter matrix (N, M), of a module of ungrouped convolutions and linears."""
    return {
        name: layer.weight.detach().flatten(1)
        for name, layer in module.named_modules()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    }
