"""A mismatch stays one, whatever fails after it."""

from __future__ import annotations

import contextlib
import json
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from tests.board.tiny import IMAGE
from tests.hls.programs import TINY, compiled, model
from xlic.accelerator.driver import Execution, LayerCounters
from xlic.board.comparison import BoardComparison
from xlic.board.config import Board
from xlic.board.errors import InfrastructureError
from xlic.board.policy import Repeatability
from xlic.board.results import Repeat
from xlic.board.session import BoardRun
from xlic.board.transfer import Traffic
from xlic.cli.board_commands import board
from xlic.errors import MismatchError
from xlic.exit_status import ExitStatus
from xlic.rungs.int16 import Int16Rung
from xlic.rungs.interface import Run
from xlic.shipped import photo_path

pytestmark = pytest.mark.board


class ScriptedRung:
    """A board that computes right or wrong integers, or fails, as it is told for each run."""

    def __init__(self, *script: str) -> None:
        self._script = list(script)
        self._sim = Int16Rung(model())
        self.programs = []
        self.last = None

    def analyze(self, image, *, keep=()):
        return self._play("encode", self._sim.analyze(image, keep=keep))

    def synthesize(self, symbols, size, *, keep=()):
        return self._play("decode", self._sim.synthesize(symbols, size, keep=keep))

    def _play(self, transform, run):
        what = self._script.pop(0)
        if what == "fails":
            raise InfrastructureError("the link is down")
        output = run.output.copy()
        output.flat[0] ^= what == "wrong"
        self.programs.append(compiled(transform))
        counters = tuple(LayerCounters(*[1] * 8) for _ in compiled(transform).layers)
        repeat = Repeat(0.1, 10, True, 0, counters, (what,))
        self.last = BoardRun(Execution(10, counters), (repeat,), {}, ())
        saturations = {**run.saturations}
        if what == "miscounts":
            saturations[next(iter(saturations))] += 1
        return Run(output, run.tensors, saturations)


def compare(*script, transforms=("encode",)):
    return BoardComparison(ScriptedRung(*script), model(), reruns=2).run(IMAGE, transforms)


def test_right_integers_are_equal():
    (result,) = compare("right")
    assert result.equal
    assert (result.repeatability, result.label_failure) == (None, None)


def test_a_mismatch_is_labelled():
    (result,) = compare("wrong", "right", "wrong", "right")
    assert (result.equal, result.different) == (False, 1)
    assert result.repeatability is Repeatability.INTERMITTENT


def test_other_counts_of_clipped_elements_are_a_mismatch():
    (result,) = compare(*["miscounts"] * 4)
    assert (result.equal, result.different) == (False, 0)
    assert result.repeatability is Repeatability.DETERMINISTIC
    ((name, (found, expected)),) = result.miscounted.items()
    assert found == expected + 1
    assert result.first_wrong == name
    assert f"counts {found} saturations of {name}, the simulation {expected}" in str(result)
    assert result.as_dict(1e6)["miscounted"] == {name: {"found": found, "simulation": expected}}


def test_a_mismatch_stays_one_where_it_cannot_be_run_again():
    (result,) = compare("wrong", "wrong", "fails")
    assert (result.equal, result.repeatability) == (False, None)
    assert "the link is down" in result.label_failure
    assert "differs in 1 of" in str(result)
    assert "running it again failed: infrastructure: the link is down" in str(result)
    assert result.as_dict(1e6)["label_failure"] == result.label_failure


def test_a_mismatch_keeps_its_label_where_the_layer_cannot_be_found():
    (result,) = compare("wrong", "wrong", "wrong", "fails")
    assert result.repeatability is Repeatability.DETERMINISTIC
    assert result.first_wrong is None
    assert "the link is down" in result.label_failure


def test_a_mismatch_stays_one_where_the_next_transform_fails():
    with pytest.raises(MismatchError, match=r"encode differs .*; then decode failed: infrastr"):
        compare("wrong", *["right"] * 3, "fails", transforms=("encode", "decode"))


def test_without_a_mismatch_it_is_infrastructure():
    with pytest.raises(InfrastructureError):
        compare("right", "fails", transforms=("encode", "decode"))


def test_the_command_ends_with_the_status_of_a_mismatch(monkeypatch, tmp_path):
    def play(*_, **__):
        session = SimpleNamespace(
            board=Board("b"),
            identity=SimpleNamespace(design=TINY, source_hash=1),
            failures=[],
            done=[],
            traffic=Traffic(),
        )
        return contextlib.nullcontext(session)

    monkeypatch.setattr("xlic.board.connect.open_session", play)
    wrong = compare(*["wrong"] * 4)
    monkeypatch.setattr(BoardComparison, "run", lambda *_: wrong)
    path = str(tmp_path / "out.json")
    words = ["run", "--host", "b", "--image", str(photo_path("coffee")), "--no-limits"]
    words += ["--json", path]
    error = CliRunner().invoke(board, words).exception
    assert isinstance(error, MismatchError)
    assert error.exit_status == ExitStatus.MISMATCH
    (written,) = json.loads((tmp_path / "out.json").read_text())["transforms"]
    assert (written["equal"], written["repeatability"]) == (False, "deterministic")
