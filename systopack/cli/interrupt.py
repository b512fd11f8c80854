"""What Ctrl-C does: every command ends with "Interrupted." and exit code 130."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from systopack.cli import console

EXIT_CODE = 130
_AGAIN_S = 2.0
_STUCK_S = 5.0


class RunInterrupted(BaseException):
    """A run was interrupted; the text says how to go on with it."""


class Interruptions:
    """Turns Ctrl-C into a KeyboardInterrupt that is not lost, as long as the block runs.

    A KeyboardInterrupt can be lost where Python ignores exceptions (in finalizers, in callbacks of
    libraries) and can come out as another error (of a compiled kernel); so it is raised again
    every two seconds until the block has ended, and `received` tells that any error after it is
    its own. Where the main thread waits in compiled code that never looks at signals, for instance
    in simulated Verilog, a second thread ends the process after five seconds.
    """

    def __init__(self) -> None:
        self.received = False
        self._acts = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruptions:
        self._acts = threading.current_thread() is threading.main_thread()
        if self._acts:
            self._before = {
                number: signal.signal(number, self._raise)
                for number in (signal.SIGINT, signal.SIGALRM)
            }
            self._watch()
        return self

    def __exit__(self, *_: Any) -> None:
        if not self._acts:
            return
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.set_wakeup_fd(self._earlier_descriptor)
        os.close(self._writer)  # ends the thread
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _raise(self, _number: int, _frame: FrameType | None) -> None:
        self.received = True
        signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)
        raise KeyboardInterrupt

    def _watch(self) -> None:
        reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        # The byte of a signal arrives here at once, whatever the main thread is doing.
        self._earlier_descriptor = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        threading.Thread(target=self._end_if_stuck, args=(reader,), daemon=True).start()

    def _end_if_stuck(self, reader: int) -> None:
        ended = threading.Event()
        with os.fdopen(reader, "rb", buffering=0) as signals:
            while numbers := signals.read(1):
                if numbers[0] == signal.SIGINT and not self.received:
                    ended.wait(_STUCK_S)
                    if not self.received:
                        console.explain_error("Interrupted.")
                        os._exit(EXIT_CODE)


class interruptible(Interruptions):  # noqa: N801 - reads as a word in `with interruptible(out):`
    """On Ctrl-C during a run that writes checkpoints raise `RunInterrupted`."""

    def __init__(self, out: Path) -> None:
        super().__init__()
        self._out = out

    def __exit__(self, kind: type[BaseException] | None, *rest: Any) -> None:
        super().__exit__(kind, *rest)
        if kind is not None and (self.received or issubclass(kind, KeyboardInterrupt)):
            from systopack.files import checkpoint_path

            checkpoint = checkpoint_path(self._out)
            where = "no epoch was finished, so there is no checkpoint; run the command again"
            if checkpoint.exists():
                where = f"the last checkpoint is '{checkpoint}'; run it again with --resume"
            raise RunInterrupted(f"Interrupted; {where}.")
