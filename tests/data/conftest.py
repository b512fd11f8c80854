"""Where the full data sets lie, if they are there."""

import os
from pathlib import Path

import pytest

_SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data():
    if not _SHARED.is_dir():
        reason = "the shared data sets are not next to the checkout"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    return _SHARED
