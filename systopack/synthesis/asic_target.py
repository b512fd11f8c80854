"""The target `asic`: standard cells."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from systopack.hardware.array import check_fits, check_weights
from systopack.options import Options, option
from systopack.synthesis.blocks import BLOCKS
from systopack.synthesis.facts import DEFAULT_LIBRARY
from systopack.synthesis.target import Synthesized, Work

_GROUP = "Standard cells"


class MappingClock(Options):
    """How fast the mapped design is to be."""

    clock_ns: float = option(
        1.5, "Clock period that gates are sized for.", ge=0.01, le=1000, group=_GROUP
    )


class AsicOptions(MappingClock):
    """What is built of an array, and of which cells."""

    block: Literal["cell", "row", "array", "accelerator", "accelerator-energy"] = option(
        "array",
        "; ".join(f"{block.name}: {block.built} ({block.measured})" for block in BLOCKS.values())
        + ".",
        group=_GROUP,
    )
    library: str = option(
        DEFAULT_LIBRARY,
        "A library that comes with the package, a Liberty file, or a TOML file of facts.",
        group=_GROUP,
    )


class Asic:
    """Area, clock and energy of real work at gate level."""

    name = "asic"
    summary = "Standard cells: area, clock, and energy of real work at gate level (yosys)."
    example = "systopack synthesize asic zoo:lenet5-mnist --array tiny-8x8 --out asic"
    options = AsicOptions

    def runs_images(self, options: AsicOptions) -> bool:
        """Of what has energy."""
        return BLOCKS[options.block].images

    def check(self, work: Work, options: AsicOptions) -> None:
        """Refuse a block without the network that it needs."""
        block = BLOCKS[options.block]
        block.size(work.array)
        if block.network:
            work.needed_network(block.option)
        if work.network is not None:
            check = check_fits if work.array.alpha > 1 else check_weights
            check(work.network, work.array)

    def synthesize(self, work: Work, options: AsicOptions) -> Synthesized:
        """Map a block, run it, and measure."""
        from systopack.synthesis.liberty import open_library
        from systopack.synthesis.yosys import yosys_version

        block = BLOCKS[options.block]
        power = block.images and work.network is not None
        library = open_library(options.library, power=power)
        found = block.measure(block, work, options.clock_ns, library)
        return replace(
            found,
            figures={**found.figures, "pyosys": yosys_version()},
            configuration={
                "block": options.block,
                "clock_ns": options.clock_ns,
                "library": library.name,
                "corner": None if library.corner is None else str(library.corner),
                **found.configuration,
            },
            reads=(library.path,),
        )
