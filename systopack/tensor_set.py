"""Tensors by name, of which each is put in once, and none is left over when they are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from systopack.errors import InvalidNetworkError
from systopack.fields import MalformedError, shown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class TensorSet:
    """Tensors by name: what is taken out of them is kept in mind."""

    def __init__(self, tensors: Mapping[str, NDArray[Any]] | None = None) -> None:
        self.tensors: dict[str, NDArray[Any]] = dict(tensors or {})
        self._taken: set[str] = set()

    def put(self, name: str, tensor: NDArray[Any]) -> None:
        """Add one.

        Raises:
            InvalidNetworkError: two layers would store a tensor of the same name.
        """
        if name in self.tensors:
            raise InvalidNetworkError(
                f"Two layers would be stored under the name '{name}'; rename one of them."
            )
        self.tensors[name] = tensor

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self.tensors:
            raise MalformedError(f"tensor {shown(name)} is missing")
        self._taken.add(name)
        return self.tensors[name]

    def take(self, name: str, dtype: type[np.generic], rank: int) -> NDArray[Any]:
        """The tensor of that name, of exactly this type and number of dimensions.

        Raises:
            MalformedError: there is none, or it is another.
        """
        tensor = self[name]
        if tensor.dtype != dtype or tensor.ndim != rank:
            raise MalformedError(
                f"tensor {shown(name)} is {tensor.dtype} with {tensor.ndim} dimensions, not "
                f"{dtype.__name__.rstrip('_')} with {rank}"
            )
        return tensor

    def end(self) -> None:
        """Refuse tensors that nobody has taken."""
        left = self.tensors.keys() - self._taken
        if left:
            raise MalformedError(f"tensor {shown(min(left))} belongs to no layer")
