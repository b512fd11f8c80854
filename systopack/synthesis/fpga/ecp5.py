"""From Verilog to a bitstream for an ECP5: yosys, nextpnr, ecppack."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from systopack.errors import InvalidOptionError
from systopack.hardware.array import Array
from systopack.rtl.memories import Memory
from systopack.synthesis.fpga.design import DEFINE, FpgaDesign
from systopack.synthesis.fpga.devices import Ecp5Device
from systopack.synthesis.fpga.nextpnr import PlacedDesign, place_and_route
from systopack.synthesis.parts import Content, contents_of_parts
from systopack.synthesis.yosys import run_yosys

# Slices whose lookup tables a cell takes: an adder two, a memory four and two for its writing.
_LUTS = {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6}
_BLOCK_BITS = 18_432
_SHALLOW = 128  # words of memories that may become look-up tables


@dataclass(frozen=True, kw_only=True)
class Use:
    """Resources of an ECP5.

    Args:
        luts: LUT4 sites, those of adders (CCU2C) and distributed memories included.
        flip_flops: TRELLIS_FF.
        block_rams: DP16KD.
        multipliers: MULT18X18D.
    """

    luts: int
    flip_flops: int
    block_rams: int
    multipliers: int


@dataclass(frozen=True, kw_only=True)
class Ecp5Netlist:
    """A synthesized design.

    Args:
        cells: cell type -> count.
        use: the same as resources.
        blocks: use of each block as it is mapped alone. Together they are `use` or more: what a
            block makes and no other reads falls away when they are joined.
        netlist: yosys' JSON, for nextpnr.
        verilog: the netlist as Verilog, for simulation.
    """

    cells: Mapping[str, int]
    use: Use
    blocks: Mapping[str, Use]
    netlist: bytes
    verilog: bytes


@dataclass(frozen=True, kw_only=True)
class Ecp5Result:
    """A design on a device.

    Args:
        device: the device.
        netlist: what yosys made.
        placed: one result a seed, in the order of the seeds.
        target_mhz: the clock that was asked for.
    """

    device: Ecp5Device
    netlist: Ecp5Netlist
    placed: tuple[PlacedDesign, ...]
    target_mhz: float

    @property
    def best(self) -> PlacedDesign:
        """The seed with the fastest clock."""
        return max(self.placed, key=lambda placed: placed.fmax_mhz)


def synthesize_ecp5(
    design: FpgaDesign, *, on_line: Callable[[str], None] | None = None
) -> Ecp5Netlist:
    """Map a design to the cells of an ECP5.

    The hierarchy is kept while mapping, so that each block's use is known and equal modules are
    mapped once; it is flattened afterwards.

    Raises:
        InvalidFileError: yosys is missing or refuses the design.
    """
    run = run_yosys(
        top=design.top,
        parameters=design.parameters,
        sources=design.sources,
        defines=(DEFINE,),
        commands=[
            "synth_ecp5 -noflatten -nowidelut",
            "write_json parts.json",
            "flatten",
            "clean -purge",
            "tee -q -o cells.json stat -json",
            "write_json netlist.json",
            "write_verilog -noattr netlist.v",
        ],
        outputs=("parts.json", "cells.json", "netlist.json", "netlist.v"),
        on_line=on_line,
    )
    cells = json.loads(run.text("cells.json"))["design"]["num_cells_by_type"]
    modules = json.loads(run.text("parts.json"))["modules"]
    parts = contents_of_parts(modules, design.top, leaf=partial(cells_alone, modules))
    return Ecp5Netlist(
        cells={name: count for name, count in cells.items() if not name.startswith("$")},
        use=_use(cells),
        blocks={name: _use(counts) for name, counts in parts.items()},
        netlist=run.files["netlist.json"],
        verilog=run.files["netlist.v"],
    )


def implement_ecp5(
    design: FpgaDesign,
    *,
    device: Ecp5Device,
    target_mhz: float,
    seeds: Sequence[int] = (1,),
    on_line: Callable[[str], None] | None = None,
) -> Ecp5Result:
    """Synthesize, place and route a design, and make its bitstream.

    Args:
        design: what to build.
        device: where.
        target_mhz: the clock to aim at, above 0; missing it is no error, see `PlacedDesign.met`.
        seeds: of the placer, at least one; each gives a result of its own.
        on_line: called with every line the tools print.

    Raises:
        InvalidOptionError: the design is larger than the device, or the options are out of range.
        InvalidFileError: a tool is missing or fails.
    """
    if not target_mhz > 0:
        raise InvalidOptionError(f"The clock is {target_mhz} MHz; give a number above 0.")
    if not seeds:
        raise InvalidOptionError("There is no seed to place with; give at least one.")
    netlist = synthesize_ecp5(design, on_line=on_line)
    check_fits_device(netlist.use, device)
    placed = tuple(
        place_and_route(
            netlist.netlist, device=device, target_mhz=target_mhz, seed=seed, on_line=on_line
        )
        for seed in seeds
    )
    return Ecp5Result(device=device, netlist=netlist, placed=placed, target_mhz=target_mhz)


def check_fits_device(use: Use, device: Ecp5Device) -> None:
    """Refuse a design that a device has no room for.

    Raises:
        InvalidOptionError: naming the scarcest resource.
    """
    for name, needed, there in (
        ("block memories (DP16KD)", use.block_rams, device.block_rams),
        ("lookup tables", use.luts, device.luts),
        ("flip-flops", use.flip_flops, device.luts),
        ("multipliers", use.multipliers, device.multipliers),
    ):
        if needed > there:
            raise InvalidOptionError(
                f"The design needs {needed:,} {name}, but {device.name} has {there:,}; choose a "
                "smaller array, a network with fewer weights or a larger device."
            )


def check_cells_fit_device(array: Array, device: Ecp5Device) -> None:
    """Refuse an array whose cells alone are too many, before mapping it.

    Each cell holds `weight_buffers` weights and indices, in flip-flops; where words are parallel it
    has a multiplier.

    Raises:
        InvalidOptionError: naming the array, the device and both numbers.
    """
    index_bits = (array.alpha - 1).bit_length()
    cells = array.rows * array.columns
    least = array.weight_buffers * cells * (array.weight_bits + index_bits)
    if least > device.luts:
        raise InvalidOptionError(
            f"The cells of array '{array.label}' hold weights and indices in {least:,} flip-flops, "
            f"but {device.name} has {device.luts:,}; choose a smaller array or a larger device."
        )
    if array.cell_kind.sums == "parallel" and cells > device.multipliers:
        raise InvalidOptionError(
            f"The cells of array '{array.label}' have a multiplier each, {cells:,}, but "
            f"{device.name} has {device.multipliers:,}; choose a smaller array, bit-serial cells "
            "or a larger device."
        )


def check_memories_fit_device(memories: Sequence[Memory], device: Ecp5Device) -> None:
    """Refuse memories that take more block memories than there are, before mapping them.

    Raises:
        InvalidOptionError: naming the largest of them, the device and both numbers.
    """
    least = least_block_memories(memories)
    needed = sum(least.values())
    if needed > device.block_rams:
        largest = max(least, key=lambda name: least[name])
        raise InvalidOptionError(
            f"The design needs {needed:,} block memories (DP16KD) or more, {least[largest]:,} of "
            f"them for its {largest}, but {device.name} has {device.block_rams:,}; choose another "
            "array, a smaller --weight-memory, a network with fewer weights or a larger device."
        )


def least_block_memories(memories: Sequence[Memory]) -> dict[str, int]:
    """DP16KD that memories take at least, by name: those of their bits.

    Mapping takes as many or more. Small ones become look-up tables and are left out.
    """
    return {
        memory.name: memory.count * -(-memory.width * memory.depth // _BLOCK_BITS)
        for memory in memories
        if memory.depth >= _SHALLOW and memory.width * memory.depth >= _BLOCK_BITS // 2
    }


def cells_alone(modules: Mapping[str, Any], instance: Mapping[str, Any]) -> Content | None:
    """What an instance counts as where cells are counted: a cell as itself."""
    kind = instance["type"]
    module = modules.get(kind)
    if module is not None and not {"blackbox", "whitebox"} & set(module.get("attributes", ())):
        return None
    return Counter() if kind.startswith("$") else Counter({kind: 1})


def _use(cells: Mapping[Any, int]) -> Use:
    counts = Counter(cells)
    return Use(
        luts=sum(size * counts[name] for name, size in _LUTS.items()),
        flip_flops=counts["TRELLIS_FF"],
        block_rams=counts["DP16KD"] + counts["PDPW16KD"],
        multipliers=counts["MULT18X18D"],
    )
