"""Settings of the whole test suite."""

import os

# The models of the tests are tiny: one thread is as fast, and a busy machine does not stall them.
os.environ.setdefault("OMP_NUM_THREADS", "1")
