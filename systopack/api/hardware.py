"""`simulate`, `energy`, `verify`, `write_rtl`, `arrays`: a packed network in hardware."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from systopack.api.sources import images_of, network_of, shown
from systopack.hardware.array import Array
from systopack.hardware.named_arrays import DEFAULT_ARRAY, NAMED_ARRAYS, array_from
from systopack.records import COEFFICIENTS, PERIPHERY
from systopack.requirements import has

if TYPE_CHECKING:
    from systopack.api.learning import Data
    from systopack.api.sources import NetworkLike
    from systopack.hardware.cycles import NetworkCycles
    from systopack.hardware.energy.coefficients import Gating
    from systopack.hardware.energy.measured import MeasuredAccelerator
    from systopack.hardware.energy.model import NetworkEnergy
    from systopack.hardware.tiled.cycles import TiledCycles
    from systopack.hardware.tiled.weight_ring import WeightMemory
    from systopack.network.network import PackedNetwork
    from systopack.rtl.packages.packages import Package
    from systopack.rtl.write import WrittenRtl
    from systopack.verification.outcome import Verification
    from systopack.verification.tracing import Trace
    from systopack.verification.verify import Organisation

ArrayLike = Array | str
ACCELERATORS_NETWORK = "zoo:resnet20-cifar10-fast"
_SAMPLE_SHAPE = (1, 28, 28)


def array_for(
    network: PackedNetwork,
    array: ArrayLike | None = None,
    changes: Sequence[str] = (),
    organisation: Organisation = "tiled",
) -> Array:
    """The array for a network; one given by name takes the network's accumulators.

    Args:
        array: itself, a name, a TOML file or ROWSxCOLUMNS; None: the default array.
        changes: `key=value`, each a field of the array.
        organisation: "tiled" or "pipelined".

    Raises:
        InvalidFileError, InvalidOptionError: there is no such array, or it has no such
            organisation.
    """
    if not isinstance(array, Array):
        bits = network.accumulator_bits
        array = array_from(array or DEFAULT_ARRAY, changes, accumulator_bits=bits)
    return array


@dataclass(frozen=True, kw_only=True, eq=False)
class Simulation:
    """Tiles and cycles of one image.

    Args:
        network: its name.
        layers: on the array alone, memories taken as ideal.
        accelerator: on the whole tiled accelerator.
    """

    network: str
    layers: NetworkCycles
    accelerator: TiledCycles

    @property
    def array(self) -> Array:
        """The array."""
        return self.layers.array

    @property
    def cycles(self) -> int:
        """Of an image on the whole tiled accelerator, as its Verilog takes."""
        return self.accelerator.cycles

    @property
    def tiles(self) -> int:
        """Tiles of all layers."""
        return self.layers.tiles

    @property
    def figures(self) -> dict[str, Any]:
        """For a record."""
        names = ("cycles", "tiles", "streamed_words", "stall_cycles")
        return {
            **{name: getattr(self.layers, name) for name in names},
            "tiled_accelerator_cycles": self.accelerator.cycles,
            "tiled_accelerator_weight_bytes": self.accelerator.weight_bytes,
            "tiled_accelerator_steps": [asdict(step) for step in self.accelerator.steps],
            "layers": [asdict(layer) for layer in self.layers.layers],
        }

    def __repr__(self) -> str:
        where = {"network": self.network, "array": self.array.label}
        return shown(self, **where, cycles=self.cycles, tiles=self.tiles)


def simulate(
    network: NetworkLike,
    array: ArrayLike | None = None,
    *,
    changes: Sequence[str] = (),
    weight_memory: int | None = None,
    weight_stream: int = 64,
) -> Simulation:
    """Count tiles and cycles of one image on an array, and on the whole tiled accelerator.

    Args:
        network: an object, a .spk file or `zoo:NAME`.
        array, changes: see `array_for`.
        weight_memory: bytes that the tiled accelerator's weight memory may have; what does not
            fit comes as a stream while the array works. None: it holds all weights.
        weight_stream: bits of that stream: 32, 64 or 128.

    Raises:
        InvalidFileError, InvalidNetworkError: the network cannot be read.
        InvalidOptionError: it does not fit the array, or two of its tiles the weight memory.
    """
    from systopack.hardware.cycles import count_cycles
    from systopack.hardware.tiled.cycles import count_tiled

    loaded = network_of(network)
    design = array_for(loaded, array, changes)
    return Simulation(
        network=loaded.name,
        layers=count_cycles(loaded, array=design),
        accelerator=count_tiled(
            loaded, array=design, weights=_weights(weight_memory, weight_stream)
        ),
    )


def _weights(capacity_bytes: int | None, beat_bits: int) -> WeightMemory | None:
    """The weight memory where its size was given."""
    from systopack.hardware.tiled.weight_ring import WeightMemory

    if capacity_bytes is None:
        return None
    return WeightMemory(capacity_bytes=capacity_bytes, beat_bits=beat_bits)


def energy(
    network: NetworkLike,
    array: ArrayLike | None = None,
    *,
    changes: Sequence[str] = (),
    coefficients: Path | str | None = None,
    gating: Gating = "clock",
    organisation: Organisation = "tiled",
    data: Data | None = None,
    images: int = 4,
) -> NetworkEnergy:
    """Count the events of one image and give its energy, step by step.

    Args:
        network, array, changes: as in `simulate`.
        coefficients: record of coefficients measured at gate level; None: the package's, and with
            them the logic outside the array where it was measured for this array.
        gating: of the array's clock: "none" or "clock".
        organisation: "tiled" or "pipelined".
        data: images that give real activations; None: every word counts as not zero.
        images: how many.

    Raises:
        InvalidFileError: the network or the record cannot be read.
        InvalidOptionError: no array like this was measured, or the network does not fit it.
    """
    from systopack.hardware.energy.activity import measure_activity
    from systopack.hardware.energy.coefficients import read_coefficients
    from systopack.hardware.energy.model import energy_of
    from systopack.hardware.energy.periphery import read_periphery
    from systopack.hardware.energy.pipelined_events import pipelined_events
    from systopack.rtl.tiled_events import tiled_events

    loaded = network_of(network)
    design = array_for(loaded, array, changes, organisation)
    activity = None
    if data is not None:
        activity = measure_activity(loaded, images_of(loaded, data, images))
    count = tiled_events if organisation == "tiled" else pipelined_events
    events = count(loaded, array=design, activity=activity)
    table = read_coefficients(coefficients or COEFFICIENTS)
    beside = None
    if organisation == "tiled" and coefficients is None and gating == "clock":
        beside = read_periphery(PERIPHERY, design)
    return energy_of(events, coefficients=table, gating=gating, periphery=beside)


def measured_beside(
    network: NetworkLike, found: NetworkEnergy
) -> tuple[MeasuredAccelerator | None, tuple[MeasuredAccelerator, ...]]:
    """What was measured at gate level of this network on this array, and of others on it.

    Args:
        network: as in `energy`.
        found: what `energy` gave for the tiled accelerator.

    Raises:
        InvalidFileError: the package's record is damaged.
    """
    from systopack.hardware.energy.measured import measured_accelerators, measured_like

    array = found.events.array
    return measured_like(network_of(network), array), measured_accelerators(array)


def verify(
    network: NetworkLike,
    array: ArrayLike | None = None,
    *,
    changes: Sequence[str] = (),
    data: Data = "sample",
    images: int = 4,
    organisation: Organisation = "tiled",
    weight_memory: int | None = None,
    weight_stream: int = 64,
    trace: Path | Trace | None = None,
) -> Verification:
    """Run images through the RTL and compare every word and every cycle with the models.

    Args:
        network, array, changes: as in `simulate`.
        data, images: the first test images of a set.
        organisation: "tiled" or "pipelined".
        weight_memory, weight_stream: as in `simulate`.
        trace: file for all signals of the run, `.vcd` or `.fst`; a `Trace` of it takes some cycles
            only.

    Raises:
        InvalidFileError: a file or a tool is missing.
        InvalidOptionError: the network does not fit the array.
    """
    from systopack.verification import verify as verification
    from systopack.verification.tracing import Trace

    loaded = network_of(network)
    design = array_for(loaded, array, changes, organisation)
    words = images_of(loaded, data, images)
    return verification.verify(
        loaded,
        words,
        array=design,
        organisation=organisation,
        weights=_weights(weight_memory, weight_stream),
        trace=Trace(file=trace) if isinstance(trace, Path) else trace,
    )


def trace_of(file: Path, first_cycle: int = 0, cycles: int | None = None) -> Trace:
    """A trace of some cycles of a run, for `verify`; see `verification.tracing.Trace`.

    Raises:
        InvalidOptionError: the file has another suffix than `.vcd` and `.fst`.
    """
    from systopack.verification.tracing import Trace

    return Trace(file=file, first_cycle=first_cycle, cycles=cycles)


def write_rtl(
    network: NetworkLike,
    out: Path | str,
    array: ArrayLike | None = None,
    *,
    changes: Sequence[str] = (),
    organisation: Organisation = "tiled",
    data: Data | None = None,
    images: int = 3,
    packages: Sequence[Package] = (),
    weight_memory: int | None = None,
    weight_stream: int = 64,
    force: bool = False,
) -> WrittenRtl:
    """Write Verilog, memory contents, a self-checking test bench and a README of its ports.

    Args:
        network, array, changes: as in `simulate`.
        out: folder to write.
        organisation: "tiled" or "pipelined".
        data: images for the test bench; None: the bundled digits where they fit and what reads
            them is installed (the extra `data`), else noise.
        images: how many of them, at least 1.
        packages: what else to write: "fusesoc" (`accelerator.core`), "ip-xact" (`component.xml`),
            "c" (a driver in C99 with the network's configuration, in the folder `c`), "litex" (a
            module for LiteX and a system in simulation, in the folder `litex`, with "c").
        weight_memory, weight_stream: as in `simulate`.
        force: replace files of the same names, whoever wrote them.

    Raises:
        InvalidFileError: the network cannot be read, or the folder not be written.
        InvalidOptionError: the network does not fit the array.
    """
    from systopack.rtl import write

    loaded = network_of(network)
    design = array_for(loaded, array, changes, organisation)
    image = None
    if data is not None or (loaded.input.shape == _SAMPLE_SHAPE and has("pyarrow")):
        image = images_of(loaded, data or "sample", images)
    return write.write_rtl(
        loaded,
        array=design,
        out=out,
        organisation=organisation,
        image=image,
        count=images,
        packages=packages,
        weights=_weights(weight_memory, weight_stream),
        force=force,
    )


@dataclass(frozen=True, kw_only=True)
class ArrayFigures:
    """A named array, with what its record says; None where there is no record.

    Args:
        name, label, purpose: what it is called, what it is, what it is for.
        area_mm2: of the array alone, in the library of the package's coefficients.
        clock_mhz: at which it was measured.
        energy_uj: of an image of `zoo:lenet5-mnist`, array, logic and memories, by the model.
        accelerator_mm2, accelerator_mhz, accelerator_uj: of the whole accelerator at gate level,
            memories included, with `ACCELERATORS_NETWORK`.
    """

    name: str
    label: str
    purpose: str
    area_mm2: float | None = None
    clock_mhz: float | None = None
    energy_uj: float | None = None
    accelerator_mm2: float | None = None
    accelerator_mhz: float | None = None
    accelerator_uj: float | None = None


def arrays() -> tuple[ArrayFigures, ...]:
    """The named arrays."""
    from systopack.hardware.energy.coefficients import read_coefficients
    from systopack.hardware.energy.measured import measured_accelerators

    points = [point for point in read_coefficients(COEFFICIENTS).points if point.gating == "clock"]
    found = []
    for name, entry in NAMED_ARRAYS.items():
        array = entry.array
        one = ArrayFigures(name=name, label=array.label, purpose=entry.purpose)
        for point in points:
            if point.array == array:
                one = replace(
                    one,
                    area_mm2=point.cell_area_um2 * array.rows * array.columns / 1e6,
                    clock_mhz=point.clock_mhz,
                    energy_uj=energy("zoo:lenet5-mnist", array).total_pj / 1e6,
                )
        for measured in measured_accelerators(array):
            if measured.network == ACCELERATORS_NETWORK:
                one = replace(
                    one,
                    accelerator_mm2=measured.area_mm2,
                    accelerator_mhz=measured.clock_mhz,
                    accelerator_uj=measured.total_pj / 1e6,
                )
        found.append(one)
    return tuple(found)
