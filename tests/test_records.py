"""Records tell with how many threads they were made."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from systopack.records import Record

PROGRAM = """
import json, sys
{imports}
from systopack.records import Record
print(json.loads(Record(kind="x", figures={{}}).to_json())["machine"]["threads"])
"""


@pytest.mark.parametrize("count", [1, 3])
def test_threads_are_those_in_use(count):
    program = PROGRAM.format(
        imports=f"import numba, torch; torch.set_num_threads({count}); numba.set_num_threads(1)"
    )
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": str(count)}
    found = threads_of(program, environment)
    assert found == {"numpy": count, "torch": count, "numba": 1}


def test_what_is_not_loaded_has_no_threads():
    environment = {key: value for key, value in os.environ.items() if "NUM_THREADS" not in key}
    found = threads_of(PROGRAM.format(imports=""), environment)
    assert list(found) == ["numpy"]
    assert 1 <= found["numpy"] <= os.cpu_count()


def threads_of(program, environment):
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )
    return json.loads(done.stdout.replace("'", '"'))


def test_a_record_says_the_same_at_every_call():
    record = Record(kind="a", figures={}, time_utc="2001-02-03T04:05:06+00:00")
    assert json.loads(record.to_json())["time_utc"] == "2001-02-03T04:05:06+00:00"
    assert Record(kind="a", figures={}).time_utc != record.time_utc
