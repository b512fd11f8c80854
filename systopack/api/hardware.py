"""`simulate`, `energy`, `verify`, `write_rtl`: a packed network in hardware."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from systopack.api.sources import images_of, network_of, shown
from systopack.errors import InvalidOptionError
from systopack.hardware.array import Array
from systopack.hardware.named_arrays import DEFAULT_ARRAY, NAMED_ARRAYS, array_from
from systopack.requirements import has

if TYPE_CHECKING:
    from systopack.api.learning import Data
    from systopack.api.sources import NetworkLike
    from systopack.hardware.cycles import NetworkCycles
    from systopack.hardware.energy.coefficients import Gating
    from systopack.hardware.energy.model import NetworkEnergy
    from systopack.hardware.tiled import TiledCycles
    from systopack.network.network import PackedNetwork
    from systopack.rtl.write import WrittenRtl
    from systopack.verify.outcome import Verification

ArrayLike = Array | str
_SAMPLE_SHAPE = (1, 28, 28)
COEFFICIENTS = (
    Path(__file__).resolve().parent.parent / "records_data" / ("energy_coefficients_nangate45.json")
)
Organisation = Literal["tiled", "pipelined"]


def array_for(
    network: PackedNetwork, array: ArrayLike | None = None, changes: Sequence[str] = ()
) -> Array:
    """The array for a network; one given by name takes the network's accumulators.

    Args:
        array: itself, a name, a TOML file or ROWSxCOLUMNS; None: the default array.
        changes: `key=value`, each a field of the array.

    Raises:
        InvalidFileError, InvalidOptionError: there is no such array.
    """
    if isinstance(array, Array):
        return array
    bits = network.accumulator_bits
    return array_from(array or DEFAULT_ARRAY, changes, accumulator_bits=bits)


def _design(
    network: PackedNetwork,
    array: ArrayLike | None,
    changes: Sequence[str],
    organisation: Organisation,
) -> Array:
    """The array for a network in an organisation; what would change nothing is refused."""
    found = array_for(network, array, changes)
    if organisation == "pipelined" and found.sub_banks != 1:
        raise InvalidOptionError(
            f"sub_banks is {found.sub_banks}, but the layer-pipelined accelerator has no "
            "activation banks; add --set sub_banks=1, or choose --organisation tiled."
        )
    return found


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
        return {
            "cycles": self.layers.cycles,
            "tiles": self.layers.tiles,
            "streamed_words": self.layers.streamed_words,
            "stall_cycles": self.layers.stall_cycles,
            "tiled_accelerator_cycles": self.accelerator.cycles,
            "tiled_accelerator_steps": [asdict(step) for step in self.accelerator.steps],
            "layers": [asdict(layer) for layer in self.layers.layers],
        }

    def __repr__(self) -> str:
        return shown(
            self,
            network=self.network,
            array=self.array.label,
            cycles=self.cycles,
            tiles=self.tiles,
        )


def simulate(
    network: NetworkLike, array: ArrayLike | None = None, *, changes: Sequence[str] = ()
) -> Simulation:
    """Count tiles and cycles of one image on an array, and on the whole tiled accelerator.

    Args:
        network: an object, a .spk file or `zoo:NAME`.
        array, changes: see `array_for`.

    Raises:
        InvalidFileError, InvalidNetworkError: the network cannot be read.
        InvalidOptionError: it does not fit the array.
    """
    from systopack.hardware.cycles import count_cycles
    from systopack.hardware.tiled import count_tiled

    loaded = network_of(network)
    design = array_for(loaded, array, changes)
    return Simulation(
        network=loaded.name,
        layers=count_cycles(loaded, array=design),
        accelerator=count_tiled(loaded, array=design),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Energy:
    """The energy of one image.

    Args:
        network: its name.
        array: the array.
        found: step by step, in pJ.
        coefficients: the record that the array's coefficients are from.
    """

    network: str
    array: Array
    found: NetworkEnergy
    coefficients: Path

    @property
    def total_uj(self) -> float:
        """Array, logic and memories."""
        return self.found.total_pj / 1e6

    @property
    def figures(self) -> dict[str, Any]:
        """For a record."""
        found = self.found
        names = ("total_pj", "compute_pj", "memory_pj", "memory_leakage_pj", "memory_um2")
        return {
            **{name: getattr(found, name) for name in names},
            "cycles": found.events.cycles,
            "steps": [asdict(step) for step in found.steps],
            "origin": found.origin,
        }

    def __repr__(self) -> str:
        return shown(
            self, network=self.network, array=self.array.label, total_uj=round(self.total_uj, 4)
        )


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
) -> Energy:
    """Count the events of one image and give its energy, step by step.

    Args:
        network: an object, a .spk file or `zoo:NAME`.
        array, changes: see `array_for`.
        coefficients: record of coefficients measured at gate level; None: the package's own.
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
    from systopack.hardware.energy.pipelined_events import pipelined_events
    from systopack.hardware.energy.tiled_events import tiled_events

    loaded = network_of(network)
    design = _design(loaded, array, changes, organisation)
    activity = None
    if data is not None:
        activity = measure_activity(loaded, images_of(loaded, data, images))
    count = tiled_events if organisation == "tiled" else pipelined_events
    record = COEFFICIENTS if coefficients is None else Path(coefficients)
    return Energy(
        network=loaded.name,
        array=design,
        found=energy_of(
            count(loaded, array=design, activity=activity),
            coefficients=read_coefficients(record),
            gating=gating,
        ),
        coefficients=record,
    )


def verify(
    network: NetworkLike,
    array: ArrayLike | None = None,
    *,
    changes: Sequence[str] = (),
    data: Data = "sample",
    images: int = 4,
    organisation: Organisation = "tiled",
    trace: Path | None = None,
) -> Verification:
    """Run images through the RTL and compare every word and every cycle with the models.

    Args:
        network: an object, a .spk file or `zoo:NAME`.
        array, changes: see `array_for`.
        data, images: the first test images of a set.
        organisation: "tiled" or "pipelined".
        trace: VCD file for all signals of the run.

    Raises:
        InvalidFileError: a file or a tool is missing.
        InvalidOptionError: the network does not fit the array.
    """
    from systopack.verify import verify as verification

    loaded = network_of(network)
    design = _design(loaded, array, changes, organisation)
    return verification.verify(
        loaded,
        images_of(loaded, data, images),
        array=design,
        organisation=organisation,
        trace=trace,
    )


def write_rtl(
    network: NetworkLike,
    out: Path | str,
    array: ArrayLike | None = None,
    *,
    changes: Sequence[str] = (),
    organisation: Organisation = "tiled",
    data: Data | None = None,
    force: bool = False,
) -> WrittenRtl:
    """Write Verilog, memory contents, a self-checking test bench and a README of its ports.

    Args:
        network: an object, a .spk file or `zoo:NAME`.
        out: folder to write.
        array, changes: see `array_for`.
        organisation: "tiled" or "pipelined".
        data: images for the test bench; None: the bundled digits where they fit and what reads
            them is installed (the extra `data`), else noise.
        force: replace files of the same names, whoever wrote them.

    Raises:
        InvalidFileError: the network cannot be read, or the folder not be written.
        InvalidOptionError: the network does not fit the array.
    """
    from systopack.rtl import write
    from systopack.rtl.texts import BENCH_IMAGES

    loaded = network_of(network)
    design = _design(loaded, array, changes, organisation)
    image = None
    if data is not None or (loaded.input.shape == _SAMPLE_SHAPE and has("pyarrow")):
        image = images_of(loaded, data or "sample", BENCH_IMAGES)
    return write.write_rtl(
        loaded, array=design, out=out, organisation=organisation, image=image, force=force
    )


@dataclass(frozen=True, kw_only=True)
class ArrayFigures:
    """A named array, with what was measured of it.

    Args:
        name, label, purpose: what it is called, what it is, what it is for.
        area_mm2, clock_mhz, energy_uj: from its record; None where there is none.
    """

    name: str
    label: str
    purpose: str
    area_mm2: float | None = None
    clock_mhz: float | None = None
    energy_uj: float | None = None

    @property
    def figures(self) -> dict[str, Any]:
        """For a record."""
        return asdict(self)


def arrays() -> tuple[ArrayFigures, ...]:
    """The named arrays."""
    return tuple(
        ArrayFigures(name=name, label=entry.array.label, purpose=entry.purpose)
        for name, entry in NAMED_ARRAYS.items()
    )
