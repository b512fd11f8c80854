"""Images for a test bench whose results tell them apart, so that a lost pixel can be seen."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidOptionError
from systopack.network.network import PackedNetwork
from systopack.network.reference import run
from systopack.rtl.texts import BENCH_IMAGES

_MORE = 16  # further images of noise that are tried


def telling_images(
    network: PackedNetwork, images: NDArray[np.int8] | None, count: int = BENCH_IMAGES
) -> tuple[NDArray[np.int8], NDArray[np.int32], str | None]:
    """The images for a test bench, their results, and a sentence where all results are the same.

    Args:
        images: shape (B, C, H, W), int8, B at least 1; None: noise. Where they all give
            the same results, further ones are tried (the extremes of a pixel, boards, more noise),
            and the first one with other results is added.
        count: images of noise.

    Raises:
        InvalidOptionError: not even one image is asked for.
    """
    if count < 1:
        raise InvalidOptionError(f"images is {count}, but the test bench needs at least 1.")
    if images is None:
        images = _noise(network, count, seed=0)
    results = run(network, images)[network.output.name]
    tried = len(images)
    if (results != results[0]).any():
        return images, results, None
    for image in _others(network):
        other = run(network, image[None])[network.output.name]
        tried += 1
        if (other != results[0]).any():
            return np.concatenate([images, image[None]]), np.concatenate([results, other]), None
    return (
        images,
        results,
        f"All {tried} images that were tried give the same results, so the test bench cannot see "
        "whether pixels arrive.",
    )


def _noise(network: PackedNetwork, count: int, *, seed: int) -> NDArray[np.int8]:
    """Shape (count, C, H, W): noise over all pixel values."""
    shape = (count, *network.input.shape)
    return np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int8)


def _others(network: PackedNetwork) -> Iterator[NDArray[np.int8]]:
    """Images of shape (C, H, W): even ones, boards of extremes, noise, dark and bright noise."""
    shape = network.input.shape
    for value in (127, -128, 0):
        yield np.full(shape, value, np.int8)
    board = np.indices(shape).sum(axis=0) % 2 == 1
    for odd, even in ((127, -128), (-128, 127)):
        yield np.where(board, odd, even).astype(np.int8)
    for image in _noise(network, _MORE, seed=1):
        yield image
        yield (image >> 1) - 64
        yield (image >> 1) + 63
