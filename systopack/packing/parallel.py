"""Pack the weights of a file in several processes, each with one weight in memory."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from systopack.errors import InvalidMatrixError, SystopackError
from systopack.packing.layers import LayerOptions, figures_of, pack_layer
from systopack.packing.parts import Parts
from systopack.packing.weights import WeightFile

Outcome = Mapping[str, Any] | str  # figures, or why a weight cannot be packed


class LostProcessError(SystopackError):
    """A process that packs ended before its weight was packed."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What every process knows.

    Args:
        file: the weights.
        options: how each is packed.
        array: rows and columns, to count tiles on.
        parts: where packed matrices go.
        threads: of each process.
    """

    file: WeightFile
    options: LayerOptions
    array: tuple[int, int]
    parts: Parts
    threads: int | None = None


def pack_one(work: Work, index: int) -> Outcome:
    """Pack one weight and keep it.

    Raises:
        SystopackError: it cannot be read or written; a weight that breaks a rule is no error.
    """
    try:
        layer = pack_layer(work.file, work.file.weights[index], work.options)
    except InvalidMatrixError as error:
        return str(error)
    figures = figures_of(layer, array=work.array)
    work.parts.store(index, layer, figures)
    return figures


def pack_in_processes(
    work: Work, indices: Sequence[int], *, jobs: int, on_begin: Callable[[int], None]
) -> Iterator[tuple[int, Outcome]]:
    """Pack weights in several processes; yield each when it is packed, in any order.

    Args:
        work: what is to be done.
        indices: of the weights.
        jobs: processes, at least 1.
        on_begin: told the index of a weight before it is packed.

    Raises:
        SystopackError: as `pack_one`, from any process.
        LostProcessError: a process was ended from outside.
    """
    context = multiprocessing.get_context("spawn")
    left = list(indices)[::-1]
    running: dict[Connection, tuple[Any, int]] = {}
    processes = []

    def hand_out(connection: Connection, process: Any) -> None:
        if left:
            index = left.pop()
            on_begin(index)
            running[connection] = (process, index)
            with suppress(OSError):  # told when its end is seen
                connection.send(index)
        else:
            connection.close()

    try:
        for _ in range(min(jobs, len(left))):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, work), daemon=True)
            process.start()
            theirs.close()
            processes.append(process)
            hand_out(ours, process)
        while running:
            for ready in wait(list(running)):
                assert isinstance(ready, Connection)
                process, index = running.pop(ready)
                try:
                    outcome = ready.recv()
                except (EOFError, OSError) as error:
                    raise LostProcessError(
                        f"The process that packed '{work.file.weights[index].name}' was ended, "
                        "perhaps for want of memory; run again with --resume and fewer --jobs."
                    ) from error
                if isinstance(outcome, SystopackError):
                    raise outcome
                hand_out(ready, process)
                yield index, outcome
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()


def _serve(connection: Connection, work: Work) -> None:
    """Pack what is asked for until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that asks ends this one
    if work.threads is not None:
        import numba

        numba.set_num_threads(min(work.threads, numba.config.NUMBA_NUM_THREADS))
    while True:
        try:
            index = connection.recv()
        except (EOFError, OSError):
            return
        try:
            outcome: Any = pack_one(work, index)
        except SystopackError as error:
            outcome = error
        try:
            connection.send(outcome)
        except OSError:
            return


def threads_of_each(jobs: int) -> int:
    """Threads of each of so many processes, so that all together use every core once."""
    return max(1, (os.cpu_count() or 1) // jobs)
