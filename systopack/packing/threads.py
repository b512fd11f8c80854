"""How compiled kernels use all cores without getting in the way of others.

numba's default layer is OpenMP, whose runtime it then shares with torch: after the first parallel
kernel torch's own loops ran up to forty times slower on a busy machine. numba's own work queue
shares nothing, but only one thread at a time may hand it work.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_one_at_a_time = threading.RLock()


@contextmanager
def parallel_kernels() -> Iterator[None]:
    """Run parallel kernels inside; other threads wait until this one is done.

    A threading layer that the user chose for numba is left alone.
    """
    import numba

    with _one_at_a_time:
        if numba.config.THREADING_LAYER == "default":
            numba.config.THREADING_LAYER = "workqueue"
        yield
