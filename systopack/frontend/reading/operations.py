"""Every operation that is read, from the rules; a saved program may call these and no others."""

from __future__ import annotations

from typing import Any

import torch

from systopack.frontend.graph import Ending
from systopack.frontend.reading import folding, lines, matrix, moving, opaque, pooling
from systopack.frontend.reading.advice import ADVISED
from systopack.frontend.reading.state import Rule
from systopack.frontend.reading.stored import COMPUTING

RULES: dict[str, Rule] = {
    **matrix.RULES,
    **folding.RULES,
    **pooling.RULES,
    **moving.RULES,
    **lines.RULES,
    **opaque.RULES,
}
ENDINGS: dict[str, Ending] = {
    "aten.softmax": "softmax",
    "aten._softmax": "softmax",
    "aten.log_softmax": "log_softmax",
    "aten._log_softmax": "log_softmax",
    "aten.sigmoid": "sigmoid",
}
MOVES = frozenset(moving.SAME) | {"aten.flatten", "aten.view", "aten.reshape", "aten.squeeze"}
OPERATIONS = frozenset({*RULES, *ENDINGS}) - opaque.RULES.keys()


def may_be_called(space: str, name: str, function: Any) -> bool:
    """Whether a saved program may call an overload of a torch operation.

    It must be read by a rule, be one that weights are computed with, or one that is refused by
    name with what would help, so that the layers around it can be packed. It writes into nothing
    but, where it works in place, its first argument, and it reads a tensor: none makes one out of
    nothing.

    Args:
        space: `aten` or `systopack`.
        name: of the operation, without its overload.
        function: the overload.
    """
    operation = f"{space}.{name}"
    if operation not in OPERATIONS | ADVISED | COMPUTING:
        return False
    arguments = function._schema.arguments
    written = [a.alias_info is not None and a.alias_info.is_write for a in arguments]
    in_place = name.endswith("_")
    if not arguments or any(written[1:]) or written[0] != in_place:
        return False
    kinds = (torch.TensorType.get(), torch.ListType.ofTensors())
    return any(arguments[0].type == kind for kind in kinds)
