"""Options that would change nothing are refused by name, before anything is read."""

import numpy as np
import pytest

from tests.cli.results import refused

OUT = ("--out", "out.safetensors")
BUDGET = ("--cells", 0.3)
COMBINE = [
    *[
        ((*BUDGET, option, value), option)
        for option, value in [
            ("--rho", 0.2),
            ("--gamma", 0.5),
            ("--beta", 0.3),
            ("--beta-decay", 0.9),
            ("--beta-floor", 0.1),
            ("--iteration-limit", 5),
            ("--channels-per-group", 4),
        ]
    ],
    (("--streamed-words-ratio", 2, "--rho", 0.2), "--rho"),
    (("--preset", "budgets", "--rho", 0.2), "--rho"),
    (("--importance", "fisher"), "--importance"),
    (("--preset", "paper", "--importance", "fisher"), "--importance"),
    (("--budget-steps", 3), "--budget-steps"),
    (("--array", "16x16"), "--array"),
    (("--grouping", "last"), "--grouping"),
    ((*BUDGET, "--grouping", "last"), "--grouping"),
    (("--distill-temperature", 2), "--distill-temperature"),
    (("--resume",), "--resume goes on from 'out.safetensors.checkpoint', which does not exist"),
]


@pytest.mark.parametrize(("options", "word"), COMBINE)
def test_combine(run, options, word):
    result = run("combine", "none.safetensors", *OUT, *options)
    assert refused(result, word)
    if "--resume" not in options:
        assert "would change nothing" in result[2]


def test_settings_of_a_file_count_as_given(run, tmp_path):
    (tmp_path / "s.toml").write_text("cells = 0.3\nrho = 0.2\n")
    assert refused(run("combine", "none.safetensors", *OUT, "--config", "s.toml"), "--rho")
    (tmp_path / "s.toml").write_text("importance_images = 5\n")
    result = run("combine", "none.safetensors", *OUT, "--config", "s.toml")
    assert refused(result, "--importance-images")


def test_what_has_an_effect_goes_on_to_the_model(run):
    for options in (
        (),
        ("--rho", 0.2, "--gamma", 0.25),
        (*BUDGET, "--importance", "fisher", "--array", "16x16"),
        ("--preset", "budgets", "--cells", 0.3, "--distill-temperature", 2),
    ):
        assert refused(run("combine", "none.safetensors", *OUT, *options), "There is no file")


OTHERS = [
    (("train", "lenet5-shift", "--resume", *OUT), "--resume"),
    (("quantize", "m.safetensors", "--learning-rate", 0.1, "--out", "n.spk"), "--learning-rate"),
    (("quantize", "m.safetensors", "--distill-weight", 0.1, "--out", "n.spk"), "--distill-weight"),
    (("quantize", "m.safetensors", "--resume", "--out", "n.spk"), "--resume"),
    (("quantize", "m.safetensors", "--batch-size", 8, "--out", "n.spk"), "--batch-size"),
    (("energy", "n.spk", "--images", 2), "--images"),
    (("reproduce", "--images", 2, "--out", "r"), "--images"),
    (("reproduce", "--liberty", "l.lib", "--out", "r"), "--liberty"),
    (("pack", "m.npy", "--seed", 3), "--seed"),
    (("pack", "m.npy", "--policy", "polish", "--seed", 3), "--seed"),
    (("pack", "m.npy", "--time-limit-s", 3), "--time-limit-s"),
    (("import", "m.safetensors", "--fraction", 0.5, *OUT), "--fraction"),
]


@pytest.mark.parametrize(("command", "word"), OTHERS, ids=lambda value: str(value)[:60])
def test_other_commands(run, tmp_path, command, word):
    np.save("m.npy", np.ones((3, 4)))
    before = sorted(tmp_path.iterdir())
    assert refused(run(*command), word)
    assert sorted(tmp_path.iterdir()) == before


def test_inspect_counts_tiles_of_matrices_alone(run):
    np.save("m.npy", np.ones((3, 4)))
    assert run("pack", "m.npy")[0] == 0
    assert run("inspect", "m.packed.safetensors", "--array", "2x2")[0] == 0


TOML = {
    "text for a number": ('epochs = "3"', "s.toml' sets epochs"),
    "bool for a number": ("epochs = true", "s.toml' sets epochs"),
    "float for a whole number": ("epochs = 3.0", "s.toml' sets epochs"),
    "infinite": ("learning_rate = inf", "s.toml' sets learning_rate"),
    "not a number": ("learning_rate = nan", "s.toml' sets learning_rate"),
    "a list": ("seed = [1]", "s.toml' sets seed"),
    "many digits": ("seed = " + "9" * 5000, "not valid TOML: it holds an integer of too many"),
    "beyond floats": ("learning_rate = 1" + "0" * 400, "s.toml' sets learning_rate"),
    "deep": ("seed = " + "[" * 16_000, "s.toml"),
    "deep key": ("a" + ".a" * 8_000 + " = 1", "s.toml"),
    "zero byte": ("epochs = 3\x00", "s.toml"),
    "unknown": ('"\\u001b[2J" = 3', "no setting"),
    "not UTF-8": (b"\xff\xfe", "s.toml"),
}


@pytest.mark.parametrize("case", TOML)
def test_settings_have_exactly_their_types(run, tmp_path, case):
    content, word = TOML[case]
    (tmp_path / "s.toml").write_bytes(content if isinstance(content, bytes) else content.encode())
    result = run("train", "lenet5-shift", "--config", "s.toml", "--out", "d.safetensors")
    assert refused(result, word)
    assert "\x1b" not in result[2]
    assert len(result[2]) < 1500


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", ".", "a\udc80b"])
def test_only_ordinary_files_are_read(run, path):
    for command in (["inspect"], ["simulate"], ["pack"], ["report", "--out", "r.html"]):
        assert refused(run(command[0], path, *command[1:]))
