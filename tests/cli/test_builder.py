"""Commands are made from models: what holds for all of them."""

import inspect
import json
from collections import defaultdict
from typing import Literal

import pytest
import typer

from systopack import options as declared
from systopack.cli import main
from systopack.cli.builder import command, commands_of
from systopack.cli.job import Job
from systopack.errors import InvalidOptionError
from systopack.options import Options, argument, flag_of, option, properties_of
from systopack.version import VERSION

MADE = commands_of(main.app)


def fields():
    """Every option of every command: (command, class that declares it, name, field)."""
    for where, made in MADE.items():
        for kind in made.models.values():
            for name, field in kind.model_fields.items():
                if not properties_of(kind, name).get("hidden"):
                    owner = next(
                        base
                        for base in kind.__mro__
                        if name in vars(base).get("__annotations__", {})
                    )
                    yield where, owner, name, field


def test_every_option_has_a_help_and_a_group():
    for where, owner, name, field in fields():
        assert field.description.strip().endswith("."), (where, name)
        assert properties_of(owner, name), (where, name)


def test_no_option_is_declared_twice():
    """The same flag may mean different things in different commands, but not say the same."""
    declarations = defaultdict(set)
    for _, owner, name, field in fields():
        if not properties_of(owner, name).get("argument"):
            declarations[flag_of(owner, name), field.description].add(owner)
    twice = {key: owners for key, owners in declarations.items() if len(owners) > 1}
    assert not twice
    for flag in ("--array", "--set", "--organisation", "--force", "--json"):
        owners = {owner for _, owner, name, _ in fields() if flag_of(owner, name) == flag}
        assert len(owners) == 1, flag


def test_no_command_is_long():
    for name, made in MADE.items():
        assert len(inspect.getsource(made.function).splitlines()) <= 80, name


@pytest.mark.parametrize("name", MADE)
def test_help_shows_every_flag_and_an_example(run, name):
    code, out, _ = run(*name.split(), "-h")
    assert code == 0
    assert f"Example: systopack {name}" in " ".join(out.split())
    flags = {
        flag_of(owner, field_name)
        for where, owner, field_name, _ in fields()
        if where == name and not properties_of(owner, field_name).get("argument")
    }
    assert {flag for flag in flags if flag not in out} == set()


def test_the_version_and_short_flags(run):
    assert run("-V") == run("--version") == (0, f"systopack {VERSION}\n", "")
    assert run("-h")[0] == 0


def test_a_shell_completes_words_and_values(run, monkeypatch):
    monkeypatch.setenv("_SYSTOPACK_COMPLETE", "complete_bash")
    for words, wanted in (
        ("systopack sim", "simulate"),
        ("systopack verify x.spk --organisation ", "pipelined"),
        ("systopack simulate x.spk --ar", "--array"),
    ):
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
        code, out, err = run()
        assert (code, err) == (0, "")
        assert wanted in out.split()


def test_quiet_and_json(run, network, tmp_path):
    assert run("simulate", network, "-q") == (0, "", "")
    code, out, err = run("simulate", network, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == json.loads((tmp_path / "net.simulate.json").read_text())
    for looking in (("inspect", network), ("arrays",), ("zoo", "--array", "8x8")):
        code, out, err = run(*looking, "--json")
        assert (code, err) == (0, "")
        assert json.loads(out)["kind"] == looking[0]
    code, out, err = run("simulate", "none.spk", "--json")
    assert (code, out) == (2, "")
    assert "There is no file 'none.spk'" in err


def test_names_of_the_package_are_networks_everywhere(run, tmp_path):
    assert run("inspect", "zoo:lenet5-mnist")[0] == 0
    code, out, _ = run("zoo")
    assert code == 0
    assert "zoo:lenet5-mnist " in out
    assert " 99.14 " in out


def test_force_replaces_files_but_no_input_and_no_record_of_others(run, network, tmp_path):
    (tmp_path / "page.html").write_text("mine")
    command_line = ("report", network, "--out", "page.html")
    assert "replace it with --force" in run(*command_line)[2]
    assert run(*command_line, "--force")[0] == 0
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    (tmp_path / "page.report.json").write_text('{"my": "notes"}')
    assert "no record of systopack" in run(*command_line)[2]
    assert run(*command_line, "--force")[0] == 0
    assert run("simulate", network, "--out", "page.report.json", "--force")[0] == 2
    (tmp_path / "link.json").symlink_to(network)
    assert "also the input" in run("simulate", network, "--out", "link.json", "--force")[2]
    (tmp_path / "rtl").mkdir()
    (tmp_path / "rtl" / "accelerator.v").write_text("mine")
    assert run("rtl", network, "--array", "8x8", "--out", "rtl")[0] == 2
    assert run("rtl", network, "--array", "8x8", "--out", "rtl", "--force")[0] == 0
    assert (tmp_path / "rtl" / "accelerator.v").read_text() != "mine"


class Part(Options):
    number: int = option(3, "A number.", ge=1, le=9)
    words: tuple[str, ...] = option((), "Words.", flag="--word")
    kind: Literal["a", "b"] = option("a", "A choice.")
    on: bool = option(True, "A switch.")


class Whole(Options):
    name: str = argument("A name.")
    inner: float | None = option(None, "Optional.", gt=0, group="Other")


def made():
    """A command line with one command, and what its function was given."""
    app, seen = typer.Typer(), []

    @app.callback()
    def top() -> None:
        """Nothing."""

    @command(app, "do")
    def do(whole: Whole, part: Part, job: Job) -> None:
        """Do."""
        seen.append((whole, part, job))

    return app, seen


def test_a_function_gets_its_models_with_what_was_given():
    app, seen = made()
    app(["do", "x", "--word", "u", "--word", "v", "--no-on", "--force"], standalone_mode=False)
    whole, part, job = seen[0]
    assert (whole.name, whole.inner, part.number, part.words) == ("x", None, 3, ("u", "v"))
    assert part.given == {"words": ("u", "v"), "on": False}
    assert job.force


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("--number", "0"),
            "--number is 0, but it must be a whole number at least 1 and at most 9.",
        ),
        (("--kind", "c"), "--kind is 'c', but it must be 'a' or 'b'."),
        (("--inner", "0"), "--inner is 0.0, but it must be a finite number above 0."),
    ],
)
def test_ranges_stand_in_the_model_alone(arguments, sentence):
    app, _ = made()
    with pytest.raises(InvalidOptionError) as told:
        app(["do", "x", *arguments], standalone_mode=False)
    assert str(told.value) == sentence


def test_two_models_with_one_option_cannot_be_a_command():
    class Again(Options):
        number: int = option(1, "Again.")

    def do(part: Part, again: Again, job: Job) -> None:
        """Do."""

    with pytest.raises(AssertionError, match="two options 'number'"):
        command(typer.Typer(), "do")(do)


def test_options_without_effect_have_their_flags_named():
    with pytest.raises(InvalidOptionError, match="--word would change nothing: so it is; leave"):
        declared.refuse_idle({"words"}, ("words",), "so it is", kind=Part)


def test_the_command_line_was_made():
    assert main.app.info.name == "systopack"
    assert {"train", "combine", "quantize", "simulate", "verify", "pack"} <= set(MADE)
