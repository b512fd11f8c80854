"""Which block of a design uses how much, from yosys' statistics of its modules."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

Cells = Counter[str]
# Blocks of the accelerator; what lies in none of them counts to the last block around it.
BLOCKS = {
    "systolic_array": "array",
    "stream_bank": "activation banks",
    "output_lane": "output lanes",
    "sum_serializer": "sums in and out",
    "sum_deserializer": "sums in and out",
    "controller": "control",
    "output_sequencer": "control",
    "weight_loader": "control",
    "axi_registers": "registers",
    "memory": "weights and program",
}
REST = "between blocks"


def cells_of_blocks(statistics: Mapping[str, Any], top: str) -> dict[str, Cells]:
    """Cells of each block: name -> cell type -> count.

    Args:
        statistics: of `stat -json` on a design with its hierarchy.
        top: the top module.
    """
    modules = statistics["modules"]
    found: dict[str, Cells] = {}

    def visit(module: str, times: int, block: str) -> None:
        for kind, count in modules[module]["num_cells_by_type"].items():
            inner = _module_of(kind, modules)
            if inner is None:
                if not kind.startswith("$"):
                    found.setdefault(block, Counter())[kind] += times * count
            else:
                own = BLOCKS.get(plain_name(kind), REST) if block == REST else block
                visit(inner, times * count, own)

    visit(_module_of(top, modules) or top, 1, REST)
    return found


def plain_name(module: str) -> str:
    r"""A module's name in Verilog.

    >>> plain_name("$paramod$1a2b\\memory"), plain_name("$paramod\\memory\\WIDTH=s32'1000")
    ('memory', 'memory')
    >>> plain_name("\\controller")
    'controller'
    """
    return re.sub(r"^\$paramod(\$[0-9a-f]+)?", "", module).lstrip("\\").partition("\\")[0]


def _module_of(kind: str, modules: Mapping[str, Any]) -> str | None:
    for name in (kind, f"\\{kind}"):
        if name in modules:
            return name
    return next((name for name in modules if plain_name(name) == kind), None)
