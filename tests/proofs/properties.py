"""What is proven of the hardware, block by block (`formal.prove` proves a property).

A bit-serial cell is proven in four steps that fit together, so that every alpha, weight width and
accumulator takes seconds: the word that its input side chooses (`multiplexer_property`), what its
multiplier adds to the passing sums (`product_property`, `rows_property`) and that sums grow by
what is added to them (`lanes_property`). `cell_property` has it all in one, from the cell's ports
only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from systopack.hardware.array import ACCUMULATORS, ALPHA_RANGE, WEIGHT_BITS_RANGE, Array
from systopack.hardware.cells import CELLS
from systopack.rtl.fields import INSTRUCTION, bits_of
from systopack.rtl.parameters import VERILOG, bits_for, sum_bits
from tests.proofs.formal import Property

_PROOFS = Path(__file__).parent
_ROWS = tuple(
    VERILOG / name
    for name in (
        "masked_register.v",
        "weight_register.v",
        "multiplexer_row.v",
        *(file for cell in CELLS.values() for file in cell.verilog if "_array" not in file),
    )
)
_SERIAL = ("bit-serial", "balanced")


def requantizer_property(bits: int) -> Property:
    """The requantizer rounds and saturates as docs/method.md, section 3 says, for all values and shifts."""
    return Property(
        name=f"requantizer of {bits} bits",
        top="requantize_proof",
        files=(VERILOG / "requantize.v", _PROOFS / "requantize_proof.v"),
        parameters=(("WIDTH", bits),),
    )


def stages_property(bits: int) -> Property:
    """The requantizer in stages gives what `requantize` gives three cycles later, and keeps it."""
    return Property(
        name=f"requantizer of {bits} bits in stages",
        top="stages_proof",
        files=(
            VERILOG / "requantize.v",
            VERILOG / "requantize_stages.v",
            _PROOFS / "stages_proof.v",
        ),
        parameters=(("WIDTH", bits),),
        cycles=6,
    )


def multiplexer_property(alpha: int, *, word_bits: int) -> Property:
    """A row's input side gives the word of the channel whose index was taken last."""
    columns, index_bits = 2, bits_for(alpha)
    levels = [f"\\row.g_choice.g_level[{index_bits - 1 - bit}]." for bit in range(index_bits)]
    wires = {} if alpha == 1 else {"index": "index", "next_index": "indices.next"}
    return Property(
        name=f"choice of {alpha} channels of {word_bits} bits",
        top="multiplexer_proof",
        files=(
            VERILOG / "masked_register.v",
            VERILOG / "weight_register.v",
            VERILOG / "multiplexer_row.v",
            _PROOFS / "multiplexer_proof.v",
        ),
        parameters=(
            ("COLUMNS", columns),
            ("ALPHA", alpha),
            ("INDEX_BITS", index_bits),
            ("WORD_BITS", word_bits),
            ("MARKERS", columns + 7),
        ),
        induction=True,
        wires=tuple((wire, _joined(levels, inner)) for wire, inner in wires.items()),
    )


def rows_property(weight_bits: int) -> Property:
    """The rows that `product_property` speaks of add up to weight * word."""
    return Property(
        name=f"rows of a product, weights of {weight_bits} bits",
        top="rows_proof",
        files=(_PROOFS / "rows_proof.v",),
        parameters=(("CELL_WEIGHT_BITS", weight_bits),),
    )


def product_property(array: Array) -> Property:
    """A bit-serial cell's multiplier gives the product of every word, one after another."""
    bits = array.weight_bits
    if array.cell == "balanced":
        row = "\\g_bl.row."
        wires = {name: row + name for name in ("weight", "carry", "partial")}
        wires["next_weight"] = row + "weights.next"
        wires["low"] = row + "addend"
    else:
        row = "\\g_mx.row."
        cells = [f"{row}g_bit[{bit}]." for bit in range(bits)]
        wires = {name: _joined(cells, name) for name in ("weight", "carry", "high_carry")}
        wires["next_weight"] = _joined(cells, "weights.next")
        inner = cells[: bits - 1]
        wires |= {name: _joined(inner, f"g_inner.{name}") for name in ("partial", "high_sum")}
        wires["high_kept"] = row + "high_kept"
        wires["markers"] = row + "choice.g_chain.start_chain"
        wires["low"] = row + "g_lane[0].addend"
        wires["high"] = row + "g_lane[1].addend"
    return Property(
        name=f"products of {_words(array)}",
        top="product_proof",
        files=(*_ROWS, _PROOFS / "product_proof.v"),
        parameters=_serial_parameters(array),
        induction=True,
        wires=tuple(wires.items()),
    )


def lanes_property(array: Array) -> Property:
    """A bit-serial cell's sum grows by what its multiplier gives, whatever came before."""
    wires = {"low": "\\g_bl.row.addend"}
    start = 0
    if array.cell != "balanced":
        wires = {"low": "\\g_mx.row.g_lane[0].addend", "high": "\\g_mx.row.g_lane[1].addend"}
        start = array.word_cycles
    return Property(
        name=f"sums of {_words(array)}",
        top="lanes_proof",
        files=(*_ROWS, _PROOFS / "lanes_proof.v"),
        parameters=_serial_parameters(array),
        cycles=start + array.accumulator_bits + 2,
        wires=tuple(wires.items()),
    )


def parallel_property(array: Array) -> Property:
    """A bit-parallel cell adds weight * word to the passing sum."""
    return Property(
        name=f"products and sums of {_words(array)}",
        top="parallel_proof",
        files=(*_ROWS, _PROOFS / "parallel_proof.v"),
        parameters=(
            ("ACCUMULATOR_BITS", array.accumulator_bits),
            ("CELL_WEIGHT_BITS", array.weight_bits),
        ),
        induction=True,
        wires=(
            ("weight", "\\row.g_cell[0].weight"),
            ("next_weight", "\\row.g_cell[0].held.next"),
        ),
    )


def cell_property(array: Array, *, carry_save: bool = False) -> Property:
    """A cell of this array adds weight * chosen word to the passing sum, whatever came before.

    Args:
        array: its cells that share an adder are proven together.
        carry_save: the form of compact bit-parallel cells for silicon.
    """
    late = array.multiplexer_cycles + array.product_cycles
    start = 4 if array.cell_kind.sums == "parallel" else 2 * array.word_cycles
    return Property(
        name=f"cell {_words(array)}, alpha {array.alpha}{', carry-save' * carry_save}",
        top="cell_proof",
        files=(*_ROWS, _PROOFS / "cell_proof.v"),
        parameters=(
            ("CELL", array.cell_kind.number),
            ("ALPHA", array.alpha),
            ("INDEX_BITS", bits_for(array.alpha)),
            ("ACCUMULATOR_BITS", array.accumulator_bits),
            ("WORD_CYCLES", array.word_cycles),
            ("WORD_BITS", array.cell_kind.stream_wires),
            ("SUM_BITS", sum_bits(array)),
            ("CELL_WEIGHT_BITS", array.weight_bits),
            ("CELLS_PER_ADDER", array.cells_per_adder),
            ("CARRY_SAVE", int(carry_save)),
            ("LATE", late),
        ),
        cycles=start + late + 2 + array.partial_sum_cycles,
    )


def cell_properties() -> Iterator[Property]:
    """All cells: every alpha, weight width and accumulator; every weight, word and sum."""
    for alpha in range(ALPHA_RANGE[0], ALPHA_RANGE[1] + 1):
        for word_bits in (1, 8):
            yield multiplexer_property(alpha, word_bits=word_bits)
    for bits in range(WEIGHT_BITS_RANGE[0], WEIGHT_BITS_RANGE[1] + 1):
        yield rows_property(bits)
        yield product_property(_one("bit-serial", 32, bits))
        for accumulator in ACCUMULATORS:
            yield product_property(_one("balanced", accumulator, bits))
            yield parallel_property(_one("bit-parallel", accumulator, bits))
            for cell in _SERIAL:
                yield lanes_property(_one(cell, accumulator, bits))


def registers_property(config_bits: int) -> Property:
    """The AXI4-Lite registers, for any host."""
    inner = ["chunk", "collected", "address_waits", "data_waits", "read_waits", "write_index"]
    inner += ["read_index", "write_data", "strobe", "drops", "wrong_length", "wrong_weights"]
    return Property(
        name=f"registers for memories of {config_bits} bits",
        top="registers_proof",
        files=(VERILOG / "axi_registers.v", _PROOFS / "registers_proof.v"),
        parameters=(("CONFIG_BITS", config_bits),),
        induction=True,
        wires=_inner(inner),
    )


def source_property(*, period: int, credits: int) -> Property:
    """The layer-pipelined accelerator's input, for any host."""
    return Property(
        name=f"images every {period} word times, {credits} at most",
        top="source_proof",
        files=(VERILOG / "pipe_source.v", _PROOFS / "source_proof.v"),
        parameters=(("PERIOD", period), ("CREDITS", credits)),
        induction=True,
        wires=_inner(["word", "since", "images", "begun", "filling", "overrun"]),
    )


def results_property(*, positions: int, entries: int) -> Property:
    """The layer-pipelined accelerator's output, for any host."""
    kept = [f"\\subject.kept.words[{entry}]" for entry in reversed(range(entries))]
    inner = ["sending", "write_entry", "read_entry", "held", "position", "row"]
    inner += ["last_sending", "verdicts", "known"]
    return Property(
        name=f"results of {positions} positions, {entries} kept",
        top="results_proof",
        files=(
            VERILOG / "register_memory.v",
            VERILOG / "pipe_results.v",
            _PROOFS / "results_proof.v",
        ),
        parameters=(("POSITIONS", positions), ("ENTRIES", entries)),
        induction=True,
        wires=(*_inner(inner), ("kept", ",".join(kept))),
    )


def host_property(*, credits: int, positions: int) -> Property:
    """Start, input and results of the layer-pipelined accelerator, joined, for any host."""
    inner = [f"control.{name}" for name in ("preparing", "running", "prepared")]
    inner += [f"source.{name}" for name in ("word", "since", "images", "begun", "filling")]
    inner += [f"source.{name}" for name in ("overrun", "judged", "good", "finished")]
    inner += [f"results.{name}" for name in ("held", "position", "known", "verdicts", "row")]
    inner += [f"results.{name}" for name in ("next", "last_sending", "read_entry", "write_entry")]
    names = ("control", "source", "results", "host")
    return Property(
        name=f"host with {credits} images of {positions} positions",
        top="host_proof",
        files=(
            VERILOG / "register_memory.v",
            *(VERILOG / f"pipe_{name}.v" for name in names),
            _PROOFS / "host_proof.v",
        ),
        parameters=(("CREDITS", credits), ("POSITIONS", positions)),
        induction=True,
        wires=_inner(inner),
    )


def streams_property() -> Property:
    """The streams of both accelerators, for any host, with aborts at any time."""
    return Property(
        name="streams with aborts",
        top="streams_proof",
        files=(VERILOG / "axi_streams.v", _PROOFS / "streams_proof.v"),
        parameters=(),
        induction=True,
        wires=_inner(["open", "closes", "midway", "discards"]),
    )


def handshake_properties() -> Iterator[Property]:
    """Everything that waits for a host."""
    yield registers_property(70)
    yield registers_property(bits_of(INSTRUCTION))
    yield source_property(period=7, credits=3)
    yield source_property(period=5, credits=1)
    yield results_property(positions=2, entries=3)
    yield results_property(positions=1, entries=2)
    yield host_property(credits=2, positions=2)
    yield host_property(credits=2, positions=1)
    yield streams_property()


def _inner(names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Wires of a proof and the registers of its subject that they show."""
    return tuple((name.rsplit(".")[-1], f"\\subject.{name}") for name in names)


def _one(cell: str, accumulator: int, weight_bits: int, *, alpha: int = 1) -> Array:
    """An array of one cell."""
    return Array(
        rows=1,
        columns=1,
        alpha=alpha,
        cell=cell,
        accumulator_bits=accumulator,
        weight_bits=weight_bits,
    )


def _serial_parameters(array: Array) -> tuple[tuple[str, int], ...]:
    return (
        ("CELL", array.cell_kind.number),
        ("ACCUMULATOR_BITS", array.accumulator_bits),
        ("CELL_WEIGHT_BITS", array.weight_bits),
        ("SUM_BITS", sum_bits(array)),
        ("WORD_CYCLES", array.word_cycles),
    )


def _joined(prefixes: list[str], name: str) -> str:
    """A concatenation in yosys' words, the highest bit first."""
    return ",".join(prefix + name for prefix in reversed(prefixes))


def _words(array: Array) -> str:
    together = f"{array.cells_per_adder} of " if array.cells_per_adder > 1 else ""
    return f"{together}{array.cell}, {array.accumulator_bits} bits, weights of {array.weight_bits}"
