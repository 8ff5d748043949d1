"""Options that are given twice: united where that makes sense, refused otherwise."""

from __future__ import annotations

import json

import click
import pytest

from tests.cli.test_main import error_line
from tests.evaluation.small import photo, small_weights
from xlic.cli.command import command
from xlic.cli.main import cli, main
from xlic.images import write_png
from xlic.weights import save_weights

pytestmark = pytest.mark.sim


def commands(group=cli, words=()):
    """All commands, with the words that call them."""
    yield words, group
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            yield from commands(group.get_command(context, name), (*words, name))


OPTIONS = [
    (words, option)
    for words, each in commands()
    for option in each.params
    if isinstance(option, click.Option) and not option.is_eager
]


def name_of(case):
    words, option = case
    return " ".join((*words, option.opts[0]))


SINGLE = [case for case in OPTIONS if not (case[1].multiple or case[1].is_flag)]


def test_the_options_are_found():
    names = {name_of(case) for case in SINGLE}
    assert {"eval --plot", "rtl run --image", "board virtual up --name", "--model-path"} <= names
    assert len(names) > 100
    repeated = {name_of(case) for case in OPTIONS if case[1].multiple}
    assert {"eval --images", "eval --calibrate", "quantize --calibrate"} <= repeated


@pytest.mark.parametrize("case", SINGLE, ids=name_of)
def test_an_option_that_takes_one_value_is_refused_twice(case, capsys):
    words, option = case
    for first in option.opts:
        assert main([*words, first, "1", option.opts[0], "2"]) == 2
        line = error_line(capsys)
        assert option.opts[0] in line
        assert "is given 2 times, takes one value" in line


def test_two_flags_that_contradict_each_other_are_refused_and_the_same_one_twice_is_not():
    @command()
    @click.option("--on/--off")
    @click.option("--quick", is_flag=True)
    @click.option("-v", "verbose", count=True)
    def act(on, quick, verbose):
        return quick, verbose

    assert act.main(["--quick", "--quick", "-vv", "-v"], standalone_mode=False) == (True, 3)
    with pytest.raises(click.UsageError, match="--on is given 2 times"):
        act.main(["--on", "--off"], standalone_mode=False)


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_weights(small_weights(), "w.safetensors")
    for name in ("b/2", "b/1", "a/1"):
        (tmp_path / name[0]).mkdir(exist_ok=True)
        write_png(tmp_path / f"{name}.png", photo(40, 40, ord(name[-1])))
    (tmp_path / "b" / "3.png").symlink_to("2.png")


def test_several_calibrations_are_united_in_order_and_each_image_counts_once(pictures, capsys):
    calibrate = [f"--calibrate={name}" for name in ("b/2.png", "b/*", "a/1.png", "./b/1.png")]
    out = ["--out", "q.safetensors", "--json", "-"]
    assert main(["quantize", "--weights", "w.safetensors", *calibrate, *out]) == 0
    assert json.loads(capsys.readouterr().out)["calibration"] == ["2.png", "b/1.png", "a/1.png"]


def test_one_pattern_that_matches_nothing_is_an_error_beside_others_that_do(pictures, capsys):
    images = ["--images", "a/*.png", "--images", "c/*.png"]
    assert main(["eval", "--weights", "w.safetensors", "--rung", "float", *images]) == 2
    assert "--images 'c/*.png' matches no file" in error_line(capsys)


def test_several_images_are_united(pictures, capsys):
    images = ["--images", "b/2.png", "--images", "a/*.png"]
    words = ["eval", "--weights", "w.safetensors", "--rung", "float", *images, "--json", "-"]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert [image["file"] for image in found["images"]] == ["2.png", "1.png"]


def test_an_option_before_the_command_and_behind_it_must_agree(tmp_path, capsys):
    words = ["compress", "--model-path", "b", "absent.png"]
    assert main(["--model-path", "a", *words]) == 2
    assert "--model-path is given before the command and behind it" in error_line(capsys)
    assert main(["--model-path", "b", *words]) == 2
    assert "absent.png" in error_line(capsys)


NUMBERS = [case for case in OPTIONS if isinstance(case[1].type, click.FloatRange)]


@pytest.mark.parametrize("value", ["nan", "inf"])
@pytest.mark.parametrize("case", NUMBERS, ids=name_of)
def test_a_number_in_a_range_is_a_number(case, value, capsys):
    words, option = case
    required = [
        word
        for other in dict(commands())[words].params
        if other.required and other is not option and isinstance(other, click.Option)
        for word in (other.opts[0], "x")
    ]
    assert main([*words, *required, option.opts[0], value]) == 2
    line = error_line(capsys)
    assert option.opts[0] in line
    assert value in line
