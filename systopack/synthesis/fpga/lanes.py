"""Simulate a flat ECP5 netlist, 64 runs at once: bit k of a net's word belongs to run k.

The cells behave as yosys' simulation models of them; the block memory, which has none, as yosys'
map of memories to it uses it. All flip-flops see one rising clock. Block memories take one address
for all runs, as in a design whose control does not depend on its data; another one is an error.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from systopack.errors import InvalidFileError

Lanes = NDArray[np.uint64]
Table = NDArray[np.int64]
ALL = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
_LUT, _HALF, _READ = range(3)
_UNITS = 2048
_PORT = 14 + 3 + 36 + 36  # address, enable, write, width; data in; data out


class LaneSimulation:
    """A netlist ready to run; all flip-flops and memories hold zeros.

    Args:
        netlist: yosys' JSON of a flat design with one module.
        top: its name.

    Raises:
        InvalidFileError: the netlist has another cell, or a loop without flip-flop.
    """

    def __init__(self, netlist: bytes, *, top: str) -> None:
        module = json.loads(netlist)["modules"][top]
        self._ports: dict[str, list[Any]] = {n: p["bits"] for n, p in module["ports"].items()}
        self._index: dict[Any, int] = {"0": 0, "x": 0, "z": 0, "1": 1}
        self._extra = 0
        operations: list[list[int]] = []
        flops: list[list[int]] = []
        blocks: list[list[int]] = []
        small: list[list[int]] = []
        for name, cell in module["cells"].items():
            kind = cell["type"]
            pins = {
                pin: [self._net(bit) for bit in bits] for pin, bits in cell["connections"].items()
            }
            parameters = cell["parameters"]
            if kind == "LUT4":
                inputs = [pins[pin][0] for pin in "ABCD"]
                operations.append([_LUT, *inputs, 0, int(parameters["INIT"], 2), pins["Z"][0], 0])
            elif kind == "CCU2C":
                operations += self._adder(pins, parameters)
            elif kind == "TRELLIS_FF":
                flops.append(_flop(pins, parameters))
            elif kind == "DP16KD":
                blocks.append(_block(pins, parameters))
            elif kind == "TRELLIS_DPR16X4":
                for bit, out in enumerate(pins["DO"]):
                    operations.append([_READ, *pins["RAD"], len(small), bit, out, 0])
                small.append([*pins["WAD"], *pins["DI"], pins["WRE"][0]])
            elif not kind.startswith("$"):
                raise InvalidFileError(
                    f"Cell '{name}' is a {kind}, which has no simulation model; take a design "
                    "without it."
                )
        for bits in self._ports.values():
            for bit in bits:
                self._net(bit)
        count = 2 + len(self._index) + self._extra
        self._operations = np.array(_in_order(operations), dtype=np.int64).reshape(-1, 9)
        self._flops = np.array(flops, dtype=np.int64).reshape(-1, 6)
        self._blocks = np.array(blocks, dtype=np.int64).reshape(-1, 2, _PORT)
        self._small = np.array(small, dtype=np.int64).reshape(-1, 9)
        self._values = np.zeros(count, dtype=np.uint64)
        self._values[1] = ALL
        self._unsettled = True
        self._words = np.zeros((len(blocks), _UNITS, 9), dtype=np.uint64)
        self._small_words = np.zeros((len(small), 16, 4), dtype=np.uint64)

    def set(self, port: str, value: int) -> None:
        """Give an input the same value in all runs."""
        self._unsettled = True
        for place, bit in enumerate(self._ports[port]):
            self._values[self._index[bit]] = ALL if value >> place & 1 else np.uint64(0)

    def set_lanes(self, port: str, lanes: Lanes) -> None:
        """Give an input one word of lanes for each of its bits."""
        self._unsettled = True
        for bit, word in zip(self._ports[port], lanes, strict=True):
            self._values[self._index[bit]] = word

    def lanes(self, port: str) -> Lanes:
        """A port's words of lanes, bit by bit."""
        return self._values[[self._index[bit] for bit in self._ports[port]]]

    def get(self, port: str) -> int:
        """A port's value in run 0."""
        return sum(int(word & np.uint64(1)) << place for place, word in enumerate(self.lanes(port)))

    def settle(self) -> None:
        """Let the inputs reach the outputs."""
        self._unsettled = False
        _settle(self._operations, self._values, self._small_words)

    def clock(self) -> None:
        """One rising edge, after and before settling.

        Raises:
            InvalidFileError: runs address a block memory differently.
        """
        if self._unsettled:
            self.settle()
        if not _clock(
            self._flops, self._blocks, self._small, self._values, self._words, self._small_words
        ):
            raise InvalidFileError(
                "The runs address a block memory differently; simulate one image at a time."
            )
        self.settle()

    def _net(self, bit: Any) -> int:
        if bit not in self._index:
            self._index[bit] = len(self._index) + self._extra
        return self._index[bit]

    def _adder(
        self, pins: Mapping[str, list[int]], parameters: Mapping[str, str]
    ) -> list[list[int]]:
        if "YES" in (parameters["INJECT1_0"], parameters["INJECT1_1"]):
            raise InvalidFileError("An adder injects a carry, which has no simulation model here.")
        middle = len(self._index) + self._extra
        self._extra += 1
        halves = []
        for half, (entering, leaving) in enumerate(
            ((pins["CIN"][0], middle), (middle, pins.get("COUT", [0])[0]))
        ):
            inputs = [pins[f"{pin}{half}"][0] for pin in "ABCD"]
            init = int(parameters[f"INIT{half}"], 2)
            total = pins.get(f"S{half}", [0])[0]
            halves.append([_HALF, *inputs, entering, init, total, leaving])
        return halves


def _flop(pins: Mapping[str, list[int]], parameters: Mapping[str, str]) -> list[int]:
    how = parameters["CEMUX"].strip()
    if how not in ("1", "CE", "INV") or (parameters["CLKMUX"], parameters["LSRMUX"]) != (
        "CLK",
        "LSR",
    ):
        raise InvalidFileError(
            f"A flip-flop has CEMUX {how}, CLKMUX {parameters['CLKMUX']} and LSRMUX "
            f"{parameters['LSRMUX']}, which have no simulation model here."
        )
    enable = 1 if how == "1" else pins["CE"][0]
    is_set = int(parameters["REGSET"] == "SET")
    return [pins["DI"][0], pins["Q"][0], enable, pins["LSR"][0], is_set, int(how == "INV")]


def _block(pins: Mapping[str, list[int]], parameters: Mapping[str, str]) -> list[int]:
    widths = [int(parameters[f"DATA_WIDTH_{side}"], 2) for side in "AB"]
    wide = 36 in widths
    row: list[int] = []
    data = {side: [pins.get(f"DI{side}{bit}", [0])[0] for bit in range(18)] for side in "AB"}
    outs = {side: [pins.get(f"DO{side}{bit}", [-1])[0] for bit in range(18)] for side in "AB"}
    for side, width in zip("AB", widths, strict=True):
        row += [pins.get(f"AD{side}{bit}", [0])[0] for bit in range(14)]
        row += [pins[f"CE{side}"][0], pins[f"WE{side}"][0], width]
        into = data["A"] + data["B"] if wide else data[side] + [0] * 18
        # A word of 36 bits leaves by port B's read, on the pins of both ports.
        out = (
            (outs["A"] + outs["B"] if side == "B" else [-1] * 36)
            if wide
            else outs[side] + [-1] * 18
        )
        row += [*into, *out]
    return row


def _in_order(operations: list[list[int]]) -> list[list[int]]:
    """Operations behind those that give their inputs."""
    maker: dict[int, int] = {}
    for number, operation in enumerate(operations):
        for out in operation[7:]:
            if out > 1:
                maker[out] = number
    followers: dict[int, list[int]] = defaultdict(list)
    missing = np.zeros(len(operations), dtype=np.int64)
    for number, operation in enumerate(operations):
        inputs = operation[1:5] if operation[0] == _READ else operation[1:6]
        for net in {net for net in inputs if net in maker}:
            followers[maker[net]].append(number)
            missing[number] += 1
    ready = [number for number in range(len(operations)) if missing[number] == 0]
    ordered = []
    while ready:
        number = ready.pop()
        ordered.append(operations[number])
        for follower in followers[number]:
            missing[follower] -= 1
            if missing[follower] == 0:
                ready.append(follower)
    if len(ordered) < len(operations):
        raise InvalidFileError(
            "The netlist has a loop without a flip-flop; it cannot be simulated."
        )
    return ordered


@njit(cache=True)
def _lookup(init: int, a: np.uint64, b: np.uint64, c: np.uint64, d: np.uint64) -> np.uint64:
    # Each level of the table is halved by one input.
    zero = np.uint64(0)
    high, low = zero, zero
    for eighth in range(2):
        upper, lower = zero, zero
        for quarter in range(2):
            base = 8 * eighth + 4 * quarter
            x0 = (a if init >> (base + 1) & 1 else zero) | (~a if init >> base & 1 else zero)
            x1 = (a if init >> (base + 3) & 1 else zero) | (~a if init >> (base + 2) & 1 else zero)
            chosen = (x1 & b) | (x0 & ~b)
            if quarter:
                upper = chosen
            else:
                lower = chosen
        both = (upper & c) | (lower & ~c)
        if eighth:
            high = both
        else:
            low = both
    return (high & d) | (low & ~d)


@njit(cache=True)
def _settle(operations: Table, values: Lanes, small: NDArray[np.uint64]) -> None:
    for number in range(operations.shape[0]):
        op = operations[number]
        a, b, c, d = values[op[1]], values[op[2]], values[op[3]], values[op[4]]
        if op[0] == _LUT:
            values[op[7]] = _lookup(op[6], a, b, c, d)
        elif op[0] == _HALF:
            table = _lookup(op[6], a, b, c, d)
            two = _lookup((op[6] & 15) * 0x1111, a, b, np.uint64(0), np.uint64(0))
            carry = values[op[5]]
            if op[7] > 1:
                values[op[7]] = table ^ carry
            if op[8] > 1:
                values[op[8]] = (~table & two) | (table & carry)
        else:
            word = np.uint64(0)
            for address in range(16):
                mask = a if address & 1 else ~a
                mask &= b if address & 2 else ~b
                mask &= c if address & 4 else ~c
                mask &= d if address & 8 else ~d
                word |= small[op[5], address, op[6]] & mask
            values[op[7]] = word


@njit(cache=True)
def _clock(  # noqa: PLR0917 (numba takes positions)
    flops: Table,
    blocks: NDArray[np.int64],
    small: Table,
    values: Lanes,
    words: NDArray[np.uint64],
    small_words: NDArray[np.uint64],
) -> bool:
    zero, full = np.uint64(0), ~np.uint64(0)
    changed = np.empty(flops.shape[0], dtype=np.uint64)
    for number in range(flops.shape[0]):
        enable, reset = values[flops[number, 2]], values[flops[number, 3]]
        if flops[number, 5]:
            enable = ~enable
        kept = (values[flops[number, 1]] & ~enable) | (values[flops[number, 0]] & enable)
        changed[number] = (kept | reset) if flops[number, 4] else (kept & ~reset)
    for number in range(small.shape[0]):
        write = values[small[number, 8]]
        if write == zero:
            continue
        for address in range(16):
            mask = write
            for bit in range(4):
                word = values[small[number, bit]]
                mask &= word if address >> bit & 1 else ~word
            for bit in range(4):
                data = values[small[number, 4 + bit]]
                old = small_words[number, address, bit]
                small_words[number, address, bit] = (old & ~mask) | (data & mask)
    # Block memories: both ports read what was there, then both write.
    outs = np.zeros((blocks.shape[0], 2, 36), dtype=np.uint64)
    for writing in range(2):
        for number in range(blocks.shape[0]):
            for port in range(2):
                row = blocks[number, port]
                if values[row[14]] == zero:
                    continue
                write = values[row[15]]
                if writing == 1 and write == zero:
                    continue
                width = row[16]
                address = 0
                for bit in range(14):
                    word = values[row[bit]]
                    if word == full:
                        address |= 1 << bit
                    elif word != zero and bit >= (5 if width == 36 else 4 if width == 18 else 0):
                        return False
                parts = width // 9 if width >= 9 else 1
                unit = address >> 3
                first = unit - unit % parts
                for part in range(parts):
                    enable = values[row[part]] if width >= 18 else full
                    bits = 9 if width >= 9 else width
                    offset = 0 if width >= 9 else address & 7 & ~(width - 1)
                    for bit in range(bits):
                        if writing == 0:
                            outs[number, port, 9 * part + bit] = words[
                                number, first + part, offset + bit
                            ]
                        else:
                            mask = write & enable
                            old = words[number, first + part, offset + bit]
                            data = values[row[17 + 9 * part + bit]]
                            words[number, first + part, offset + bit] = (old & ~mask) | (
                                data & mask
                            )
    for number in range(blocks.shape[0]):
        for port in range(2):
            row = blocks[number, port]
            if values[row[14]] == zero:
                continue
            for bit in range(36):
                if row[53 + bit] > 1:
                    values[row[53 + bit]] = outs[number, port, bit]
    for number in range(flops.shape[0]):
        values[flops[number, 1]] = changed[number]
    return True
