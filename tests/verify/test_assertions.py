"""The assertions of the RTL itself: a verification in which one fails has failed."""

import shutil

import numpy as np
import pytest

from systopack.errors import InvalidNetworkError
from systopack.hardware.array import Array
from systopack.rtl.parameters import VERILOG
from systopack.verification.verify import verify
from tests.networks import random_images, random_network

COUNTED = "image_rules: an image of the right length was counted as dropped"
STAYED = "result_rules: a word that was offered and not taken did not stay"
LOST = "image_rules: a word that was taken was not written"
INVENTED = "image_rules: a word was written that was not taken"

# No word and no cycle changes by these: nothing but an assertion can see them.
TILED_MUTANTS = [
    (COUNTED, "visit_control.v", [("image_took && image_last && (overrun || !whole);", "image_took && image_last;")]),
    (INVENTED, "tiled_accelerator.v", [("{byte_1, ends_1} <= {image_took && !reset, image.ends}", "{byte_1, ends_1} <= {is_image, image.ends}")]),
]  # fmt: skip
PIPELINED_MUTANTS = [
    (COUNTED, "pipe_host.v", [("judged && !good && !reset", "judged && !reset")]),
    (
        STAYED,
        "pipe_host.v",
        [
            ("    pipe_results #(", "    wire offered;\n    assign result_valid = offered && !cycles[0];\n    pipe_results #("),
            (".result_valid(result_valid), .result_ready(result_ready),\n        .result_word", ".result_valid(offered), .result_ready(result_ready && !cycles[0]),\n        .result_word"),
        ],
    ),
]  # fmt: skip
LOSING = [
    ("tiled", "image_words.v", "write <= took && ends && !reset", "write <= took && ends && !last_position && !reset"),
    ("pipelined", "pipe_source.v", "(took && !overrun) ||", "(took && !overrun && word != 2) ||"),
]  # fmt: skip


def mutated(tmp_path, name, changes):
    folder = tmp_path / "verilog"
    shutil.copytree(VERILOG, folder)
    text = (folder / name).read_text()
    for old, new in changes:
        assert text.count(old) == 1, f"{name} has {text.count(old)} times {old}"
        text = text.replace(old, new)
    (folder / name).write_text(text)
    return folder


def outcome(verilog, organisation, *, back_pressure=1):
    rng = np.random.default_rng(7)
    network = random_network(rng, layers=2)
    images = random_images(rng, network, 2)
    array = Array(rows=2, columns=2, alpha=16 if organisation == "pipelined" else 8)
    return verify(
        network,
        images,
        array=array,
        organisation=organisation,
        verilog=verilog,
        back_pressure=back_pressure,
    )


def assert_named(found, rule, capfd):
    assert found.difference is None
    assert not found.passed and found.assertion is not None and found.assertion.endswith(rule)
    assert "accelerator." in found.assertion  # the instance, from the top on
    assert found.reason == f"An assertion of the RTL failed: {found.assertion}."
    assert capfd.readouterr().out == ""


@pytest.mark.slow
@pytest.mark.parametrize("organisation", ["tiled", "pipelined"])
def test_the_hardware_itself_is_green(organisation):
    found = outcome(VERILOG, organisation)
    assert found.passed and found.assertion is None and found.reason is None


@pytest.mark.slow
def test_an_assertion_alone_fails_a_verification(tmp_path, capfd):
    rule, name, changes = TILED_MUTANTS[0]
    assert_named(outcome(mutated(tmp_path, name, changes), "tiled"), rule, capfd)


@pytest.mark.slow
@pytest.mark.parametrize("mutant", TILED_MUTANTS[1:], ids=lambda mutant: mutant[0])
def test_a_tiled_accelerator_that_breaks_a_rule_fails(tmp_path, capfd, mutant):
    rule, name, changes = mutant
    assert_named(outcome(mutated(tmp_path, name, changes), "tiled"), rule, capfd)


@pytest.mark.slow
@pytest.mark.parametrize("mutant", PIPELINED_MUTANTS, ids=lambda mutant: mutant[0])
def test_a_pipelined_accelerator_that_breaks_a_rule_fails(tmp_path, capfd, mutant):
    rule, name, changes = mutant
    assert_named(outcome(mutated(tmp_path, name, changes), "pipelined"), rule, capfd)


@pytest.mark.slow
@pytest.mark.parametrize("mutant", LOSING, ids=lambda mutant: mutant[0])
def test_a_word_that_is_lost_on_its_way_in_is_named(tmp_path, mutant):
    organisation, name, old, new = mutant
    folder = mutated(tmp_path, name, [(old, new)])
    if organisation == "tiled":
        found = outcome(folder, organisation)
        assert found.assertion is not None and found.assertion.endswith(LOST)
        return
    # The image is one word short for ever, so that no result comes.
    with pytest.raises(InvalidNetworkError, match=f"did not finish .* RTL failed: .*{LOST}"):
        outcome(folder, organisation)
