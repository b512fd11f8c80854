"""Liberty's Boolean expressions as truth tables, typed out."""

import pytest

from systopack.errors import InvalidFileError
from systopack.synthesis.boolean import truth_table

A, B = 0b1010, 0b1100  # rows 3..0 of two variables


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("A", A),
        ("!A", 0b0101),
        ("A'", 0b0101),
        ("A & B", A & B),
        ("A B", A & B),
        ("A*B", A & B),
        ("A|B", A | B),
        ("A + B", A | B),
        ("A ^ B", A ^ B),
        ("!(A & B)", 0b0111),
        ("!A & !B | A B", 0b1001),
        ("A ^ B & B", (A ^ B) & B),
        ("1", 0b1111),
        ("0", 0),
    ],
)
def test_tables(text, table):
    assert truth_table(text, ["A", "B"]) == table


@pytest.mark.parametrize("text", ["", "A &", "C", "(A", "A)", "A ! B )", "A # B", "((((("])
def test_what_is_no_expression_is_refused(text):
    with pytest.raises(InvalidFileError, match="Boolean expression"):
        truth_table(text, ["A", "B"])
