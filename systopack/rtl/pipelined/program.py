"""Compile a packed network for the layer-pipelined accelerator: units, depths, memory contents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from systopack.hardware.array import Array, check_fits
from systopack.hardware.pipelined.cycles import PipelinedCycles, count_pipelined
from systopack.hardware.pipelined.schedule import image_period, window_depths
from systopack.hardware.pipelined.units import BandCells, LayerUnit, PoolUnit, build_units
from systopack.network.network import PackedNetwork
from systopack.rtl.fields import bits_of, pack_fields, pipelined_row_layout
from systopack.rtl.images import MemoryImage, clip_limits, image_of_bits, image_of_words
from systopack.rtl.limits import check_depths, check_units
from systopack.rtl.parameters import bits_for

WEIGHTS, PARAMETERS = 2, 6  # numbers on the configuration port


@dataclass(frozen=True, kw_only=True, eq=False)
class PipelinedProgram:
    """A packed network, ready to be built as a layer-pipelined accelerator.

    Args:
        network, array: what was compiled for what.
        units: in the order of the network.
        depths: by unit, words of each of its windows, the residual's last.
        cycles: what an image costs.
        period_words: word times between two images.
        credits: images that may be under way.
        prepare_words: word times that the take-over of weights needs.
        parameters: of the ports (BANK_BITS, CONFIG_BITS, IMAGE_BITS), and how many words a host may
            write (WEIGHT_BANKS, WEIGHT_WORDS, LANE_BANKS, LANE_WORDS).
        images: weights, one bank for each row band; output parameters, one for each lane.
    """

    network: PackedNetwork
    array: Array
    units: tuple[LayerUnit | PoolUnit, ...]
    depths: Mapping[str, tuple[int, ...]]
    cycles: PipelinedCycles
    period_words: int
    credits: int
    prepare_words: int
    parameters: Mapping[str, int]
    images: tuple[MemoryImage, ...]

    @property
    def result_words(self) -> int:
        """32-bit words that one image gives."""
        return int(np.prod(self.network.shapes[self.network.output.name]))


def compile_pipelined(network: PackedNetwork, *, array: Array) -> PipelinedProgram:
    """Compile a network for the layer-pipelined accelerator.

    Args:
        array: `rows` and `columns` limit a tile of a layer's cells, `alpha` a group.

    Raises:
        InvalidOptionError: the network does not fit; the message names the layer and the limit.
    """
    check_fits(network, array)
    units = build_units(network, array)
    check_units(network, units)
    depths = window_depths(network, units)
    check_depths(depths)
    cycles = count_pipelined(network, array=array)
    images = (_weights(units, array.weight_bits), _parameters(network, units))
    longest = max(unit.valid_cycles for unit in units)
    return PipelinedProgram(
        network=network,
        array=array,
        units=units,
        depths=depths,
        cycles=cycles,
        period_words=image_period(network, units),
        credits=-(-cycles.latency_cycles // cycles.period_cycles) + 1,
        prepare_words=longest // array.word_cycles + 3,
        parameters={
            "BANK_BITS": bits_for(max(image.words.shape[0] for image in images)),
            "CONFIG_BITS": max(image.bits for image in images),
            "IMAGE_BITS": 8 * network.input.shape[0],
            "WEIGHT_BANKS": images[0].words.shape[0],
            "WEIGHT_WORDS": images[0].words.shape[1],
            "LANE_BANKS": images[1].words.shape[0],
            "LANE_WORDS": images[1].words.shape[1],
        },
        images=images,
    )


def _weights(units: tuple[LayerUnit | PoolUnit, ...], weight_bits: int) -> MemoryImage:
    """Weight and channel index of every cell: one bank a row band, one word a column."""
    banks = [
        _band_bits(unit, index, cells, weight_bits)
        for unit in units
        if isinstance(unit, LayerUnit)
        for index, cells in enumerate(unit.bands)
    ]
    depth = max((len(bank) for bank in banks), default=1)
    width = max((bank.shape[1] for bank in banks), default=1)
    bits = np.zeros((max(len(banks), 1), depth, width), dtype=np.uint8)
    for padded, bank in zip(bits, banks, strict=False):
        padded[: bank.shape[0], : bank.shape[1]] = bank
    return image_of_bits(WEIGHTS, bits)


def _band_bits(
    unit: LayerUnit, index: int, cells: BandCells, weight_bits: int
) -> NDArray[np.uint8]:
    """Shape (columns, bits): bit j of row r, weight and then index, at j * rows + r."""
    band = unit.layer.matrix.bands[index]
    index_bits = bits_for(unit.alpha)
    bits = np.zeros((cells.columns, weight_bits + index_bits, cells.rows), dtype=np.uint8)
    if band.nonzeros:
        values, channels = band.values.T.astype(np.int64), band.channels.T.astype(np.int64)
        bits[:, :weight_bits] = (values[:, None] >> np.arange(weight_bits)[:, None]) & 1
        bits[:, weight_bits:] = (channels[:, None] >> np.arange(index_bits)[:, None]) & 1
    return bits.reshape(cells.columns, -1)


def _parameters(network: PackedNetwork, units: tuple[LayerUnit | PoolUnit, ...]) -> MemoryImage:
    """Bias, residual, clip and requantization of every row: one bank a lane, one word a row."""
    bits = network.accumulator_bits
    layout = pipelined_row_layout(bits)
    banks: list[list[int]] = []
    for unit in units:
        if not isinstance(unit, LayerUnit):
            continue
        layer = unit.layer
        clip = clip_limits(layer, bits)
        for first in range(0, layer.matrix.rows, unit.lane_rows):
            words = []
            for row in range(first, min(first + unit.lane_rows, layer.matrix.rows)):
                used = layer.residual is not None and int(layer.residual.channels[row]) >= 0
                residual_shift = int(layer.residual.shift[row]) if layer.residual else 0
                lowest, highest = clip[row].tolist()
                fields = [
                    int(used),
                    residual_shift,
                    int(layer.shift is not None),
                    int(layer.shift[row]) if layer.shift is not None else 0,
                    highest,
                    lowest,
                    int(layer.bias[row]),
                ]
                words.append(pack_fields(layout, fields, where=f"Layer '{layer.name}'"))
            banks.append(words)
    return image_of_words(PARAMETERS, bits_of(layout), banks or [[0]])
