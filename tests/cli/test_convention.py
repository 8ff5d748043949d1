"""The convention of docs/cli.md, checked on every command of the tree."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from xlic.cli.main import cli

pytestmark = pytest.mark.sim

METAVARS = {
    *("FILE", "DIR", "FILE|DIR", "[LABEL=]FILE|DIR", "GLOB", "WxH", "IMAGE", "NAME", "PORT"),
    *("TEXT", "N", "CYCLES", "BYTES", "any|HASH", "random|klt|FILE"),
    *("[float32|mixed_bfloat16|mixed_float16]",),
}
"""What an option's value can be called where its type does not say."""

OWN_HELP = {"--out", "--weights", "--image", "--lambda", "--transform", "--pl", "--log", "--name"}
"""Options whose help says what they mean in that command; their metavars are alike all the same."""

PUBLIC = (
    ["-V", "--model_path", "m", "train"],
    ["--model_path", "m", "--verbose", "compress"],
    ["--verbose", "decompress"],
)
"""How the public bls2017.py is called."""

PUBLIC_TRAIN = (
    *("train_glob", "lambda", "num_filters", "train_path", "batchsize", "patchsize", "epochs"),
    *("steps_per_epoch", "max_validation_steps", "preprocess_threads", "precision_policy"),
    *("check_numerics", "model_path", "verbose"),
)


def walk(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from walk(found, (*path, name))
        else:
            yield " ".join((*path, name)), found


COMMANDS = dict(walk(cli))
OPTIONS = [
    pytest.param(option, id=f"{name} {option.opts[0]}")
    for name, command in COMMANDS.items()
    for option in command.params
    if isinstance(option, click.Option)
]


def test_the_walk_reaches_every_depth():
    assert {"demo", "rtl run", "hls run", "board virtual up", "train"} <= COMMANDS.keys()


class TestEveryCommand:
    @pytest.mark.parametrize("name", COMMANDS)
    def test_has_help_with_an_example_of_its_own(self, name):
        shown = CliRunner().invoke(cli, [*name.split(), "--help"], prog_name="xlic")
        assert shown.exit_code == 0
        assert f"Usage: xlic {name} " in shown.output
        assert f"Example: xlic {name}" in " ".join(shown.output.split())

    @pytest.mark.parametrize("name", COMMANDS)
    def test_has_an_example_that_it_would_take(self, name, tmp_path, monkeypatch):
        command = COMMANDS[name]
        words = command.epilog.removeprefix("Example: xlic ").replace("'", "").split()
        arguments = words[len(name.split()) :]
        # Parses, so that every option of it exists and every argument is there.
        with command.make_context(name, arguments, **cli.context_settings):
            pass

    @pytest.mark.parametrize("name", COMMANDS)
    def test_says_what_it_does_in_sentences(self, name):
        text = COMMANDS[name].help or ""
        first, *rest = text.strip().split("\n\n")
        assert re.match(r"[A-Z]", first)
        assert all(part.rstrip().endswith((".", ":")) for part in (first, *rest))
        assert len(first.split("\n")[0]) <= 80

    @pytest.mark.parametrize("name", COMMANDS)
    def test_has_arguments_in_capitals(self, name):
        arguments = [p for p in COMMANDS[name].params if isinstance(p, click.Argument)]
        for argument in arguments:
            assert argument.make_metavar(click.Context(COMMANDS[name])).strip("[]").isupper() or (
                argument.metavar == "FILE.bin|FILE.bit"
            )


class TestEveryOption:
    @pytest.mark.parametrize("option", OPTIONS)
    def test_is_spelled_with_hyphens_in_one_way(self, option):
        long = [spelling for spelling in option.opts if spelling.startswith("--")]
        assert len(long) == 1
        assert re.fullmatch(r"--[a-z]+(-[a-z]+)*", long[0])
        assert set(option.opts) - set(long) <= {"-V"}

    @pytest.mark.parametrize("option", OPTIONS)
    def test_has_help_that_is_a_sentence(self, option):
        assert option.help
        assert re.match(r"[A-Zλ\w]", option.help)
        assert re.sub(r"\s*\[default: .*\]$", "", option.help).endswith(".")

    @pytest.mark.parametrize("option", OPTIONS)
    def test_names_its_value_as_others_do(self, option):
        if option.metavar is not None:
            assert option.metavar in METAVARS
        elif not option.is_flag:
            assert option.type is not click.STRING

    def test_of_one_name_is_the_same_everywhere(self):
        meant = defaultdict(set)
        for command in COMMANDS.values():
            for option in command.params:
                if isinstance(option, click.Option):
                    spelling = max(option.opts, key=len)
                    help_ = None if spelling in OWN_HELP else option.help
                    kind = "" if spelling in OWN_HELP else str(option.type)
                    meant[spelling].add((option.metavar, kind, help_))
        # Help that differs by design: what is verbose, and what a value defaults to.
        for spelling in ("--verbose", "--calibrate", "--design", "--size"):
            meant.pop(spelling, None)
        twice = {spelling: found for spelling, found in meant.items() if len(found) > 1}
        assert {k: v for k, v in twice.items() if k not in OWN_HELP} == {}

    def test_that_writes_results_is_called_json_or_out(self):
        for name, command in COMMANDS.items():
            spellings = {spelling for option in command.params for spelling in option.opts}
            assert not spellings & {"--output", "--out-file", "--as-json"}, name

    def test_json_takes_a_file_in_every_command_that_has_it(self):
        having = {
            name: option
            for name, command in COMMANDS.items()
            for option in command.params
            if "--json" in option.opts
        }
        assert having.keys() >= {
            *("demo", "eval", "quantize", "bench", "compile", "cycles", "rtl run", "rtl estimate"),
            *("hls run", "board run", "board status", "board virtual up", "board virtual status"),
        }
        assert all(not option.is_flag and option.metavar == "FILE" for option in having.values())


class TestCommandLinesOfThePublicScript:
    @pytest.mark.parametrize("words", PUBLIC, ids=lambda words: words[-1])
    def test_are_taken(self, words):
        shown = CliRunner().invoke(cli, [*words, "--help"])
        assert shown.exit_code == 0, shown.output

    @pytest.mark.parametrize("name", PUBLIC_TRAIN)
    def test_have_every_option_of_train(self, name):
        spelled = f"--{name.replace('_', '-')}"
        assert any(spelled in option.opts for option in COMMANDS["train"].params)

    def test_keep_their_underscores(self):
        with COMMANDS["train"].make_context(
            "train",
            ["--train_glob", "a_b/*", "--num_filters=8", "--precision_policy", "mixed_float16"],
            **cli.context_settings,
        ) as context:
            assert context.params["train_glob"] == "a_b/*"
            assert context.params["num_filters"] == 8
            assert context.params["precision_policy"] == "mixed_float16"


def test_the_page_names_every_rule():
    page = Path(__file__).parents[2].joinpath("docs", "cli.md").read_text("utf-8")
    for word in ("--json FILE", "--out", "`-`", "_", "-V", "Exit status", "gdn_0", "Example"):
        assert word in page
