"""JSON of any form is judged in a time that grows with its length alone."""

import json
import time

import pytest

from systopack.fields import MalformedError, parse_json


def test_a_key_twice_among_many_is_found_at_once():
    text = "{" + ",".join(f'"k{number}":1' for number in range(60_000)) + ',"k59999":2}'
    began = time.process_time()
    with pytest.raises(MalformedError, match="'k59999' is there twice"):
        parse_json(text)
    assert time.process_time() - began < 2


def test_objects_stay_as_json_reads_them():
    text = '{"b": {"a": [1, {"c": null}]}, "a": 2}'
    assert parse_json(text) == json.loads(text)
    assert list(parse_json(text)) == ["b", "a"]


def test_an_integer_of_very_many_digits_is_told_in_our_words():
    with pytest.raises(MalformedError, match=r"^it holds an integer of too many digits$"):
        parse_json("1" + "0" * 5000)
