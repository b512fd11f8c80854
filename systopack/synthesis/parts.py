"""The parts of an accelerator, the same for every target, and what stands in each of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from typing import Any

# What lies in none of these modules is control.
PARTS: Mapping[str, str] = {
    "systolic_array": "array",
    "word_streams": "streams",
    "feature_memory": "feature memory",
    "array_sums": "lanes",
    "lane_operands": "lanes",
    "sum_lane": "lanes",
    "memory": "weights and tables",
    "axi_registers": "registers",
    "pipe_window": "line buffers",
    "pipe_streams": "streams",
    "pipe_array": "sums",
    "pipe_lane": "lanes",
    "pipe_pool": "lanes",
}
CONTROL = "control"
Content = Counter[Hashable]  # cells by type; memories by their shapes
Modules = Mapping[str, Mapping[str, Any]]


def part_of(kind: str) -> str:
    """The part that an instance of a module belongs to."""
    return PARTS.get(base_name(kind), CONTROL)


def base_name(kind: str) -> str:
    r"""The module that a cell type stands for, without the parameters in yosys' name for it.

    >>> base_name("$paramod$1a2b\\memory"), base_name("$paramod\\memory\\WIDTH=s32'1000")
    ('memory', 'memory')
    >>> base_name("\\visit_control")
    'visit_control'
    """
    return re.sub(r"^\$paramod(\$[0-9a-f]+)?", "", kind).removeprefix("\\").partition("\\")[0]


def contents_of_parts(
    modules: Modules, top: str, *, leaf: Callable[[Mapping[str, Any]], Content | None]
) -> dict[str, Content]:
    """What each part of a design holds; the outermost part around an instance counts.

    Args:
        modules: of yosys' JSON, hierarchy kept.
        top: the top module, without parameters.
        leaf: what an instance counts as; None: as what stands in its module.
    """
    known: dict[str, Content] = {}
    found: dict[str, Content] = {}

    def content(kind: str) -> Content:
        if kind not in known:
            known[kind] = Counter()
            for instance in modules[kind]["cells"].values():
                own = leaf(instance)
                known[kind].update(content(instance["type"]) if own is None else own)
        return known[kind]

    def visit(kind: str) -> None:
        for instance in modules[kind]["cells"].values():
            inner, own = instance["type"], leaf(instance)
            if own is None and base_name(inner) not in PARTS:
                visit(inner)
            elif own is None or own:
                part = found.setdefault(part_of(inner), Counter())
                part.update(content(inner) if own is None else own)

    visit(next(name for name in modules if base_name(name) == top))
    return found
