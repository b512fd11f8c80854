"""Cited figures, from `published.toml`, and their scaling to one technology node."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from systopack.hardware.energy.technology import Node, Technology, load_technology

_FILE = Path(__file__).with_name("published.toml")


@dataclass(frozen=True, kw_only=True)
class PaperNetwork:
    """The paper's figures of one network, in three settings: alpha 1; alpha 8 with gamma 0; with
    gamma 0.5.

    Args:
        name: network and data.
        throughput, energy, tiles: relative to alpha 1.
        accuracy_percent: of the first and the last setting.
    """

    name: str
    throughput: tuple[float, ...]
    energy: tuple[float, ...]
    tiles: tuple[float, ...]
    accuracy_percent: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Accelerator:
    """A published accelerator.

    Args:
        name, data, source: what it is, what it classified, where it stands.
        technology: ASIC or FPGA, measured or not.
        precision: of weights and activations.
        node_nm: where published.
        supply_v: where published; else the node's nominal supply is taken to be it.
        energy_uj: of one frame, where published.
        energy_bound: "at most" where the source bounds the energy, else "".
        accuracy_percent, frames_per_s, latency_us: where published.
    """

    name: str
    data: str
    source: str
    technology: str
    precision: str
    node_nm: float | None = None
    supply_v: float | None = None
    energy_uj: float | None = None
    energy_bound: str = ""
    accuracy_percent: float | None = None
    frames_per_s: float | None = None
    latency_us: float | None = None

    @property
    def matched(self) -> bool:
        """Whether weights and activations have 8 bits, as ours."""
        return self.precision == "8 bit"

    @property
    def frames_per_j(self) -> float | None:
        """Frames for one joule; None where no energy is published."""
        return None if self.energy_uj is None else 1e6 / self.energy_uj

    def scaled_uj(self, node: Node, technology: Technology | None = None) -> float | None:
        """Energy of a frame at another node and its nominal supply.

        None where no energy or no node is published.
        """
        if self.energy_uj is None or self.node_nm is None:
            return None
        table = technology or load_technology()
        own = table.nearest_node(self.node_nm)
        return self.energy_uj * table.energy_factor(
            source=own,
            source_v=self.supply_v or own.nominal_v,
            target=node,
            target_v=node.nominal_v,
        )


@dataclass(frozen=True, kw_only=True)
class Published:
    """All cited figures.

    Args:
        source: of the paper's.
        networks: the paper's, by name.
        energy_efficiency, latency: the factors that the paper claims over others.
        accelerators: others.
    """

    source: str
    networks: dict[str, PaperNetwork]
    energy_efficiency: float
    latency: float
    accelerators: tuple[Accelerator, ...]


@cache
def load_published() -> Published:
    """The figures that come with the package."""
    data = tomllib.loads(_FILE.read_text())
    networks = [
        PaperNetwork(
            name=entry["name"],
            **{
                name: tuple(entry[name])
                for name in ("throughput", "energy", "tiles", "accuracy_percent")
            },
        )
        for entry in data["paper"]["network"]
    ]
    return Published(
        source=data["paper"]["source"],
        networks={network.name: network for network in networks},
        energy_efficiency=data["paper"]["claims"]["energy_efficiency"],
        latency=data["paper"]["claims"]["latency"],
        accelerators=tuple(Accelerator(**entry) for entry in data["accelerator"]),
    )
