"""When each layer of a network runs: the rows of a Gantt chart."""

from __future__ import annotations

from dataclasses import dataclass

from systopack.errors import InvalidOptionError
from systopack.hardware.pipelined.cycles import PipelinedCycles
from systopack.hardware.tiled.cycles import TiledCycles

HOST_KINDS = ("image", "send")


@dataclass(frozen=True, kw_only=True)
class ScheduleRow:
    """One bar of a Gantt chart; cycles count from the start of the run.

    Args:
        layer: its name.
        kind: "layer", "pool", "image" (from the host) or "send" (to the host).
        start_cycle: when its first work starts.
        first_output_cycle: when its first word leaves; None where the model does not say.
        end_cycle: when its last word has left.

    Raises:
        InvalidOptionError: the cycles are not in this order or negative.
    """

    layer: str
    kind: str
    start_cycle: int
    first_output_cycle: int | None
    end_cycle: int

    def __post_init__(self) -> None:
        first = self.start_cycle if self.first_output_cycle is None else self.first_output_cycle
        if not 0 <= self.start_cycle <= first <= self.end_cycle:
            raise InvalidOptionError(
                f"Layer '{self.layer}' starts in cycle {self.start_cycle}, gives its first word "
                f"in cycle {first} and ends in cycle {self.end_cycle}; a schedule needs these in "
                "order, from 0 on."
            )


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """One image through one accelerator.

    Args:
        name: of the organisation, for instance "layer-pipelined" or "tiled".
        design: the network in the report, which gives the colour.
        arrays: the array or arrays, in words.
        rows: in the order in which they are drawn; at least one.

    Raises:
        InvalidOptionError: there is no row.
    """

    name: str
    design: str
    arrays: str
    rows: tuple[ScheduleRow, ...]

    def __post_init__(self) -> None:
        if not self.rows:
            raise InvalidOptionError(
                f"Schedule '{self.name}' has no rows; give one for every layer that runs."
            )

    @property
    def cycles(self) -> int:
        """From the start of the run to the last end."""
        return max(row.end_cycle for row in self.rows)


def pipelined_schedule(count: PipelinedCycles, *, design: str) -> Schedule:
    """An image through the layer-pipelined accelerator, from the host and back to it."""
    units = [
        ScheduleRow(
            layer=unit.name,
            kind=unit.kind,
            start_cycle=unit.start_cycle,
            first_output_cycle=unit.first_word_cycle,
            end_cycle=unit.end_cycle,
        )
        for unit in count.units
    ]
    last = count.units[-1]
    return Schedule(
        name="layer-pipelined",
        design=design,
        arrays=_arrays(count),
        rows=(
            _host_row("input", "image", 0, count.image_cycles),
            *units,
            _host_row(last.name, "send", last.first_word_cycle, count.latency_cycles),
        ),
    )


def sequential_schedule(count: PipelinedCycles, *, design: str) -> Schedule:
    """The same cells, each layer waiting for all of its input."""
    rows = [_host_row("input", "image", 0, count.image_cycles)]
    now = count.image_cycles
    for unit in count.units:
        rows.append(
            ScheduleRow(
                layer=unit.name,
                kind=unit.kind,
                start_cycle=now,
                first_output_cycle=now + unit.first_word_cycle - unit.start_cycle,
                end_cycle=now + unit.alone_cycles,
            )
        )
        now += unit.alone_cycles
    rows.append(_host_row(count.units[-1].name, "send", now, now + count.send_cycles))
    return Schedule(
        name="one layer after another", design=design, arrays=_arrays(count), rows=tuple(rows)
    )


def _arrays(count: PipelinedCycles) -> str:
    return f"{count.cells:,} cells in tiles of {count.array.label}, each layer's side by side"


def _host_row(layer: str, kind: str, start: int, end: int) -> ScheduleRow:
    return ScheduleRow(
        layer=layer, kind=kind, start_cycle=start, first_output_cycle=None, end_cycle=end
    )


def tiled_schedule(count: TiledCycles, *, design: str) -> Schedule:
    """The steps of the tiled accelerator, each until the next one may start.

    Where the results of several row tiles are sent in turn, layer and sending share the time to
    their common end.
    """
    ends = [step.start_cycle + step.cycles for step in count.steps]
    for index in range(1, len(ends)):
        send = count.steps[index]
        if send.kind == "send" and send.start_cycle < ends[index - 1]:
            ends[index - 1] = ends[index] = ends[index - 1] + send.cycles
    return Schedule(
        name="tiled",
        design=design,
        arrays=count.array.label,
        rows=tuple(
            ScheduleRow(
                layer=step.name,
                kind=step.kind,
                start_cycle=step.start_cycle,
                first_output_cycle=None,
                end_cycle=end,
            )
            for step, end in zip(count.steps, ends, strict=True)
        ),
    )
