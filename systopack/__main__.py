"""Where the `systopack` command begins, also as `python -m systopack`.

Nothing heavy is imported before Ctrl-C has its answer.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

_EXIT_CODE = 130


def main() -> None:
    """Run the command line; Ctrl-C ends it with "Interrupted." and 130 from the first moment on.

    While a command runs, it has its own answer (`systopack.cli.interrupt`); this one is for the
    imports before it and for what Python does behind it.
    """
    signal.signal(signal.SIGINT, _leave)
    try:
        from systopack.cli.main import main as run

        run()
    except KeyboardInterrupt:  # in the moment in which one answer takes over from the other
        _leave()


def _leave(_number: int = 0, _frame: FrameType | None = None) -> None:
    if os.environ.get("LOCAL_RANK", "0") == "0":  # one process speaks for all of a run
        os.write(2, b"Interrupted.\n")
    os._exit(_EXIT_CODE)


if __name__ == "__main__":
    main()
