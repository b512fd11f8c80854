"""The logic outside the array: what it takes by the cycle, by the word time, and by the word read.

A record of kind `periphery_model` has for every array that was measured as a whole at gate level:

    array          fields of `Array`
    cycle_pj, word_pj, read_pj    see `Periphery`
    critical_ns    shortest clock period of the whole accelerator
    kept_back      errors, of nodes of networks that the fit did not see
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from systopack.codec import from_plain
from systopack.errors import InvalidFileError
from systopack.fields import MalformedError
from systopack.hardware.array import Array
from systopack.hardware.energy.events import StepEvents
from systopack.records import read_record

RECORD_KIND = "periphery_model"


@dataclass(frozen=True, kw_only=True)
class Periphery:
    """The logic of an accelerator outside its array, memories apart, measured at gate level.

    Args:
        cycle_pj: energy of every clock cycle.
        word_pj: of every word time in which words enter the array.
        read_pj: of every word that is read from the feature memory.
        critical_ns: shortest clock period of the whole accelerator.
    """

    cycle_pj: float
    critical_ns: float
    word_pj: float = 0.0
    read_pj: float = 0.0

    def of(self, step: StepEvents, cells: int) -> float:
        """Energy of a step in pJ.

        Args:
            step: its events.
            cells: of the array.
        """
        counts = periphery_counts(step, cells)
        return float(counts @ np.array([self.cycle_pj, self.word_pj, self.read_pj]))


def periphery_counts(step: StepEvents, cells: int) -> NDArray[np.float64]:
    """Cycles, word times with words, words read from the feature memory: shape (3,)."""
    features = step.accesses.get("features")
    reads = 0 if features is None else features.reads
    return np.array([step.cycles, step.cell_words / cells, reads], dtype=np.float64)


def fit_periphery(
    counts: NDArray[np.float64], energies_pj: Sequence[float], *, critical_ns: float
) -> Periphery:
    """Find the three energies by non-negative least squares of relative errors.

    Args:
        counts: of each step, shape (steps, 3), see `periphery_counts`.
        energies_pj: measured, of each step, above 0.
        critical_ns: of the same netlist.
    """
    from scipy.optimize import nnls

    energies = np.asarray(energies_pj, dtype=np.float64)
    found, _ = nnls(counts / energies[:, None], np.ones(len(energies)))
    cycle, word, read = found.tolist()
    return Periphery(cycle_pj=cycle, word_pj=word, read_pj=read, critical_ns=critical_ns)


def read_periphery(path: Path, array: Array) -> Periphery | None:
    """The model of an array in a record; None where the record has none of such an array.

    Raises:
        InvalidFileError: the record cannot be read, or holds something else.
    """
    record = read_record(path)
    try:
        if record.get("kind") != RECORD_KIND:
            raise MalformedError(f"its kind is not '{RECORD_KIND}'")
        for entry in record["figures"]["arrays"]:
            own = from_plain(Array, entry["array"], "array")
            if replace(own, accumulator_bits=array.accumulator_bits) == array:
                names = ("cycle_pj", "word_pj", "read_pj", "critical_ns")
                return Periphery(**{name: float(entry[name]) for name in names})
    except (MalformedError, KeyError, TypeError, ValueError) as error:
        raise InvalidFileError(
            f"'{path}' is no record of a periphery's model ({error}); take the package's."
        ) from error
    return None
