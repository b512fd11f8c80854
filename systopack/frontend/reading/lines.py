"""Operations on lines: signals (channels, length), read as images of one row or one column."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from systopack.frontend.reading import matrix, moving, pooling
from systopack.frontend.reading.state import Arguments, Reading, Result, Rule
from systopack.frontend.reading.view import View

# What an argument is along the side that is 1.
_ALONG = {"kernel_size": 1, "stride": 1, "padding": 0, "dilation": 1, "output_size": 1}


def _on_lines(rule: Callable[[Reading, Any, Arguments], Result]) -> Rule:
    """A rule for images as one for lines."""

    def read(reading: Reading, node: Any, arguments: Arguments) -> Result:
        value = next(iter(arguments.values()))
        view = reading.view(node, value, scaled=True)
        if not view.merged or 1 not in view.shape[1:] or view.axes is not None:
            reading.refuse(node, "reads something other than lines (channels, length)", advice="")
        row = view.shape[1] == 1
        wide = {name: _widened(name, given, row) for name, given in arguments.items()}
        reading.views[value] = replace(view, merged=False)
        result = rule(reading, node, wide)
        reading.views[value] = view
        if isinstance(result, View):
            return replace(result, merged=True)
        return tuple(replace(part, merged=True) for part in result)

    return read


def _widened(name: str, given: Any, row: bool) -> Any:
    """An argument of an operation on lines as it is for images of one row, or of one column."""
    if name == "pad":
        ends, others = list(given[:2]), list(given[2:])
        return [*ends, 0, 0, *others] if row else [0, 0, *ends, *others]
    if name not in _ALONG or given in (None, []) or isinstance(given, str):
        return given
    size = given[0] if isinstance(given, list | tuple) else given
    return (_ALONG[name], size) if row else (size, _ALONG[name])


def _pad(reading: Reading, node: Any, arguments: Arguments) -> Result:
    merged = reading.view(node, arguments["self"]).merged
    rule = moving.RULES["aten.pad"]
    return (_on_lines(rule) if merged else rule)(reading, node, arguments)


def _unsqueeze(reading: Reading, node: Any, arguments: Arguments) -> Result:
    merged = reading.view(node, arguments["self"]).merged
    rule = "aten.reshape" if merged else "aten.unsqueeze"
    return moving.RULES[rule](reading, node, arguments)


_NAMES = {
    "conv1d": matrix.RULES["aten.conv2d"],
    "max_pool1d": pooling.RULES["aten.max_pool2d"],
    "max_pool1d_with_indices": pooling.RULES["aten.max_pool2d_with_indices"],
    "avg_pool1d": pooling.RULES["aten.avg_pool2d"],
    "adaptive_avg_pool1d": pooling.RULES["aten.adaptive_avg_pool2d"],
    "adaptive_max_pool1d": pooling.RULES["aten.adaptive_max_pool2d"],
}
RULES: dict[str, Rule] = {f"aten.{name}": _on_lines(rule) for name, rule in _NAMES.items()}
RULES |= {"aten.pad": _pad, "aten.constant_pad_nd": _pad, "aten.unsqueeze": _unsqueeze}
