"""`report`, `reproduce` and `demo`: pages about networks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from systopack.api.hardware import array_for, energy
from systopack.api.packaged import recorded_accuracy
from systopack.api.sources import data_of, images_of, network_of
from systopack.errors import InvalidOptionError
from systopack.records import COEFFICIENTS
from systopack.requirements import needs

if TYPE_CHECKING:
    from systopack.api.hardware import ArrayLike
    from systopack.api.learning import Data
    from systopack.api.sources import NetworkLike
    from systopack.demo.run import DemoResult
    from systopack.hardware.array import Array
    from systopack.hardware.energy.model import NetworkEnergy
    from systopack.network.network import PackedNetwork
    from systopack.reproduce.run import Written
    from systopack.training.events import Observer

_OF_DEMO = ("torch", "lightning_fabric", "pyarrow", "PIL", "jinja2")


def report(
    network: NetworkLike,
    out: Path | str,
    array: ArrayLike | None = None,
    *,
    changes: Sequence[str] = (),
    dense: NetworkLike | None = None,
    model: Path | str | None = None,
    title: str | None = None,
    records: Iterable[Path | str] = (),
    data: Data | None = None,
) -> str:
    """Write one self-contained HTML page about a packed network.

    Args:
        network: an object, a .spk file or `zoo:NAME`.
        out: page to write.
        array, changes: see `api.hardware.array_for`; the dense network runs on the same array
            without multiplexers.
        dense: a network to compare with.
        model: model file whose training curve to show.
        title: heading; None: the network's name.
        records: to quote.
        data: the animation streams the words of its first test image.

    Returns:
        The heading.

    Raises:
        InvalidFileError, InvalidOptionError: a file cannot be read or written, or does not fit.
    """
    needs("jinja2", "PIL")
    from systopack.files import write_atomically
    from systopack.hardware.cycles import count_cycles
    from systopack.hardware.pipelined.cycles import count_pipelined
    from systopack.hardware.tiled.cycles import count_tiled
    from systopack.network.nodes import ConcatLayer
    from systopack.records import read_record
    from systopack.report.comparison import compare
    from systopack.report.page import render

    packed = network_of(network)
    networks = {} if dense is None else {"dense": network_of(dense)}
    networks["packed"] = packed
    history: Sequence[Mapping[str, Any]] = ()
    if model is not None:
        from systopack.api.learning import load_model

        history = load_model(model).history
    arrays = {name: array_for(loaded, array, changes) for name, loaded in networks.items()}
    if dense is not None:
        arrays["dense"] = replace(arrays["dense"], alpha=1)
    content = compare(
        title=title or packed.name,
        networks=networks,
        cycles={
            name: count_cycles(loaded, array=arrays[name]) for name, loaded in networks.items()
        },
        accelerators={
            name: count_tiled(loaded, array=arrays[name]) for name, loaded in networks.items()
        },
        pipelined={
            name: count_pipelined(loaded, array=arrays[name])
            for name, loaded in networks.items()
            if not any(isinstance(node, ConcatLayer) for node in loaded.nodes)
        },
        accuracies={
            name: {"8-bit": accuracy}
            for name, given in (("dense", dense), ("packed", network))
            if isinstance(given, Path | str)
            and str(given).startswith("zoo:")
            and (accuracy := recorded_accuracy(str(given))) is not None
        },
        energies=_energies(networks, arrays),
        image=None if data is None else images_of(packed, data, 1)[0],
        history=history,
        records=[read_record(path) for path in records],
    )
    write_atomically(out, render(content))
    return content.title


def _energies(
    networks: Mapping[str, PackedNetwork], arrays: Mapping[str, Array]
) -> dict[str, NetworkEnergy]:
    """Of each network and of the packed one uncombined; none where such an array is unmeasured."""
    from systopack.hardware.energy.coefficients import read_coefficients
    from systopack.report.opening import UNCOMBINED, without_combining

    cases = {name: (network, arrays[name]) for name, network in networks.items()}
    plain = without_combining(*cases["packed"])
    if plain is not None:
        cases[UNCOMBINED] = plain
    table = read_coefficients(COEFFICIENTS)
    try:
        for _, array in cases.values():
            table.for_array(array, gating="clock")
    except InvalidOptionError:
        return {}
    return {name: energy(network, array) for name, (network, array) in cases.items()}


def reproduce(
    out: Path | str,
    data: Iterable[Data] = (),
    *,
    images: int = 4,
    records: Path | None = None,
    full: bool = False,
    liberty: Path | None = None,
    say: Callable[[str], None] = print,
    on_section: Callable[[str, float], None] | None = None,
) -> Written:
    """Make the paper's tables and figures anew, beside ours.

    Args:
        out: folder to write.
        data: sets whose test images give real activations.
        images: of each set.
        records: folder of records; None: the checkout's, or the package's own.
        full: measure the records anew first, for days; needs a checkout.
        liberty: with `full`: Liberty file to map to.
        say: with `full`: told about each measurement.
        on_section: told the name of each section when it is done, and its seconds.

    Raises:
        InvalidFileError, InvalidOptionError: something is missing, or cannot be written.
    """
    needs("matplotlib")
    from systopack.reproduce.full import measure_records
    from systopack.reproduce.run import reproduce as run
    from systopack.reproduce.sources import Sources, records_folder

    if liberty is not None and not full:
        raise InvalidOptionError("--liberty is read by --full alone; give both, or leave it out.")
    folder = records_folder(records)
    if full:
        measure_records(folder, Path(out) / "runs", liberty=liberty, say=say)
    opened = [data_of(one) for one in data]
    pixels = {one.shape: one.test_images for one in opened}
    sources = Sources(records=folder, pixels=pixels, images=images)
    return run(sources, Path(out), on_section=on_section)


def sections() -> tuple[str, ...]:
    """The names of the sections of a reproduction."""
    from systopack.reproduce.run import SECTIONS

    return tuple(SECTIONS)


def demo(
    out: Path | str = "demo", *, seed: int = 0, observer: Observer | None = None
) -> DemoResult:
    """Train, pack, quantize and count cycles on bundled digits, in about a minute.

    Args:
        out: folder to write.
        seed: of the run.
        observer: follows the training.

    Raises:
        InvalidFileError: the folder cannot be written.
    """
    needs(*_OF_DEMO)
    from systopack.demo.run import run_demo
    from systopack.training.events import SilentObserver

    return run_demo(Path(out), seed=seed, observer=observer or SilentObserver())


def demo_files() -> tuple[str, ...]:
    """The names of the files that the demo writes, its record apart."""
    needs(*_OF_DEMO)
    from systopack.demo.run import FILES

    return FILES
