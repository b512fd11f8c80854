"""What the verbs take: objects, files, or names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from systopack.errors import InvalidOptionError, MissingPackageError
from systopack.network.packaged import network_file
from systopack.requirements import missing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from systopack.data.images import ImageData
    from systopack.network.network import PackedNetwork

    class HoldsNetwork(Protocol):
        """A result that holds a network, for instance that of `quantize`."""

        @property
        def network(self) -> PackedNetwork:
            """The network."""

    NetworkLike = PackedNetwork | HoldsNetwork | Path | str


def load(network: Path | str) -> PackedNetwork:
    """Read a packed network.

    Args:
        network: a .spk file, or the name of a network that comes with systopack: `zoo:NAME`.

    Raises:
        InvalidFileError, InvalidNetworkError: see `network.file.load`.
    """
    from systopack.network import file

    return file.load(network_file(Path(network)))


def network_of(network: NetworkLike) -> PackedNetwork:
    """A network, however it was given.

    Raises:
        InvalidFileError, InvalidNetworkError: see `load`.
        InvalidOptionError: it is no network.
    """
    from systopack.network.network import PackedNetwork

    if isinstance(network, PackedNetwork):
        return network
    if isinstance(network, Path | str):
        return load(network)
    found = getattr(network, "network", None)
    if not isinstance(found, PackedNetwork):
        raise InvalidOptionError(
            f"A network is wanted, but a {type(network).__name__} was given; give a PackedNetwork, "
            "the result of quantize, a .spk file or zoo:NAME."
        )
    return found


def data_of(data: ImageData | Path | str) -> ImageData:
    """An image set, by object or by name: 'sample', a folder of parquet files, a hub id.

    Raises:
        InvalidFileError: see `data.open.open_data`.
        MissingPackageError: no package that reads it is installed.
    """
    from systopack.data import open as opening

    if not isinstance(data, Path | str):
        return data
    try:
        return opening.open_data(str(data))
    except ModuleNotFoundError as error:
        raise MissingPackageError(missing(error.name)) from error


def images_of(network: PackedNetwork, data: ImageData | Path | str, count: int) -> NDArray[np.int8]:
    """The first test images, as a network reads them: int8 of shape (count, C, H, W).

    Raises:
        InvalidFileError, InvalidOptionError: the set is missing, of another size, or has fewer
            test images.
    """
    from systopack.network.reference import quantize_images

    found = data_of(data)
    check_count(found, count)
    pixels: NDArray[np.int8] = quantize_images(network, found.test_images[: max(count, 0)])
    return pixels


def check_count(data: ImageData, count: int) -> None:
    """Refuse more test images than a set has.

    Raises:
        InvalidOptionError: naming how many there are.
    """
    if count > len(data.test_images):
        raise InvalidOptionError(
            f"{count:,} images are asked for, but data set '{data.name}' has "
            f"{len(data.test_images):,} test images; ask for at most so many (--images)."
        )


def shown(result: object, **parts: Any) -> str:
    """A `repr` that fits on a screen: the type and what counts."""
    inside = ", ".join(
        f"{name}={value:,}" if isinstance(value, int) else f"{name}={value!r}"
        for name, value in parts.items()
    )
    return f"{type(result).__name__}({inside})"
