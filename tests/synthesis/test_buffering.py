"""Trees of buffers: the same function, and no net with more load than it may have."""

from dataclasses import replace

import numpy as np
import pytest

from systopack.errors import InvalidFileError
from systopack.synthesis.buffering import MOST_FF, buffered
from systopack.synthesis.delays import propagate
from systopack.synthesis.gate_simulation import GateSimulation
from systopack.synthesis.liberty import read_library
from systopack.synthesis.netlist import ONE, Instances, Netlist, clock_nets

SINKS = 400


@pytest.fixture(scope="module")
def netlist():
    """One flip-flop that drives very many others."""
    library = read_library()
    cell = library.cells["sky130_fd_sc_hd__dfxtp_1"]
    first = ONE + 3
    nets = {
        cell.data: np.array([ONE + 2] + [first] * SINKS),
        cell.clock: np.full(SINKS + 1, ONE + 1),
        cell.state: np.arange(first, first + SINKS + 1),
    }
    names = ("source", *(f"sink{n:03}" for n in range(SINKS)))
    return Netlist(
        top="fan",
        library=library,
        net_count=first + SINKS + 1,
        inputs={"clk": np.array([ONE + 1]), "d": np.array([ONE + 2])},
        outputs={"q": np.arange(first + 1, first + SINKS + 1)},
        instances={cell.name: Instances(cell=cell, names=names, nets=nets)},
    )


def test_the_same_function(netlist):
    tree = buffered(netlist)
    words = np.random.default_rng(0).integers(0, 2**63, (20, 1)).astype(np.uint64)
    runs = [GateSimulation(one).run({"d": words}).outputs["q"] for one in (netlist, tree)]
    assert np.array_equal(*runs) and runs[0].any()


def test_no_net_is_too_heavy(netlist):
    tree = buffered(netlist)
    plain = ~clock_nets(tree)
    assert netlist.loads_ff()[plain[: netlist.net_count]].max() > 5 * MOST_FF
    buffers = {
        int(net)
        for item in tree.instances.values()
        for names in [item.names]
        for pin in item.cell.outputs
        for name, net in zip(names, item.nets[pin], strict=True)
        if "$buffer" in name
    }
    own = [load for net, load in enumerate(tree.loads_ff()) if plain[net] and net not in buffers]
    assert max(own) <= MOST_FF
    assert buffers and all(
        name.startswith("source$buffer")
        for item in tree.instances.values()
        for name in item.names
        if "$buffer" in name
    )
    assert propagate(tree).critical_ns < propagate(netlist).critical_ns


def test_a_library_without_buffers(netlist):
    cells = {n: c for n, c in netlist.library.cells.items() if len(c.inputs) != 1}
    bare = replace(netlist, library=replace(netlist.library, cells=cells))
    with pytest.raises(InvalidFileError, match="has no buffer"):
        buffered(bare)
