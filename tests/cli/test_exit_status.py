"""How commands end: one table of exit statuses, and a mismatch that nothing after it hides."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest

from tests.sim.models import random_model
from xlic.accelerator import measure
from xlic.cli import common, measured
from xlic.cli import main as module
from xlic.cli.main import main
from xlic.cli.verdict import Verdict
from xlic.entry_point import run
from xlic.errors import InputError, MismatchError
from xlic.exit_status import ExitStatus
from xlic.images import write_png
from xlic.quantization.model import save_quantized

ROOT = Path(__file__).parents[2]
XLIC = f"{sys.executable} -m xlic"


def shell(line, cwd):
    return subprocess.run(
        ["bash", "-c", f"{line}; echo ${{PIPESTATUS[0]}} >&2"],
        cwd=cwd,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


class TestTheTable:
    def test_in_the_readme_is_this_one(self):
        readme = (ROOT / "README.md").read_text("utf-8")
        rows = re.findall(r"^\| (\d+) \| (.+) \|$", readme, re.MULTILINE)
        assert rows == [(str(int(status)), status.meaning) for status in ExitStatus]

    def test_has_no_two_alike(self):
        assert len({int(status) for status in ExitStatus}) == len(ExitStatus)

    @pytest.mark.parametrize(
        "module",
        [
            "xlic.accelerator.vectors",
            "xlic.accelerator.generate",
            "xlic.board.vivado",
            "xlic.board.virtual",
            "xlic.bootstrap",
        ],
    )
    def test_holds_for_every_program(self, module, tmp_path):
        done = shell(f"{sys.executable} -m {module} --nonsense --more", tmp_path)
        assert done.stderr.splitlines()[-1] == str(int(ExitStatus.INPUT))
        assert "Traceback" not in done.stderr

    def test_has_a_number_for_each_way_to_end(self, capsys):
        def program(error):
            def ends(_):
                raise error

            return ends

        for error, status in (
            (InputError("x"), ExitStatus.INPUT),
            (MismatchError("x"), ExitStatus.MISMATCH),
            (KeyboardInterrupt(), ExitStatus.INTERRUPTED),
            (BrokenPipeError(), ExitStatus.BROKEN_PIPE),
            (MemoryError(), ExitStatus.INPUT),
            (OSError(errno.ENOSPC, "full"), ExitStatus.INPUT),
        ):
            assert run(program(error), []) == status
        with pytest.raises(ZeroDivisionError):
            run(program(ZeroDivisionError()), [])


class TestAReaderWhoGoesAway:
    @pytest.mark.parametrize(
        "arguments",
        [
            "--help",
            "cycles --help",
            "rtl",
            "cycles --size 64x64",
            "cycles --size 64x64 --json -",
            "compile --size 64x64 --explain",
            "encode - < {image}",
        ],
    )
    def test_leaves_status_141_and_no_message(self, tmp_path, arguments):
        image = ROOT / "xlic" / "data" / "coffee.png"
        # `true` is gone before anything is written.
        done = shell(f"{XLIC} {arguments.format(image=image)} | true", tmp_path)
        assert done.stderr.splitlines()[-1] == "141"
        assert "rror" not in done.stderr

    def test_of_the_messages_too(self, tmp_path):
        done = shell(f"{XLIC} cycles --size 64x64 2>&1 | true", tmp_path)
        assert done.stderr.splitlines() == ["141"]

    def test_after_a_defect_leaves_that_defects_status(self, tmp_path):
        code = (
            "from xlic.cli import main as m; import click, sys;"
            "m._LazyGroup.get_command = lambda *_: click.Command('x', callback=lambda: 1 / 0);"
            "sys.exit(m.main(['bench']))"
        )
        done = shell(f'{sys.executable} -c "{code}" | true', tmp_path)
        assert "ZeroDivisionError" in done.stderr
        assert done.stderr.splitlines()[-1] == str(int(ExitStatus.DEFECT))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "arguments", ["cycles --size 64x64", "cycles --size 64x64 --json -", "rtl --help"]
)
def test_a_full_disk_behind_stdout_is_unusable_input(tmp_path, arguments):
    done = shell(f"{XLIC} {arguments} > /dev/full", tmp_path)
    assert done.stderr.splitlines() == [
        "xlic: error: the system refused: No space left on device",
        str(int(ExitStatus.INPUT)),
    ]


@pytest.mark.hls
@pytest.mark.selfcheck
class TestAMismatch:
    """A wrong layer in `xlic hls run`, and then something else."""

    @pytest.fixture
    def wrong(self, tmp_path, monkeypatch):
        class Wrong(measure.Int16Rung):
            def analyze(self, *args, **kwargs):
                found = super().analyze(*args, **kwargs)
                found.tensors["gdn_1"][0, 0, 0] ^= 1
                return found

        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(measure, "Int16Rung", Wrong)
        save_quantized(random_model(1, 8), "q.safetensors")
        pixels = np.random.default_rng(0).integers(0, 256, (20, 24, 3), dtype=np.uint8)
        write_png("a.png", pixels)
        return ["hls", "run", "--model", "q.safetensors", "--design", "small", "--image", "a.png"]

    def test_has_a_status_of_its_own(self, wrong, capsys):
        assert main(wrong) == ExitStatus.MISMATCH
        out, err = capsys.readouterr()
        assert "NO" in out
        assert err.splitlines()[-1] == (
            "xlic: error: gdn_1 differs from the simulation in 1 of 72 elements; "
            "the first of them is where to look"
        )

    @pytest.mark.parametrize(
        "failure",
        [
            BrokenPipeError(errno.EPIPE, "Broken pipe"),
            OSError(errno.ENOSPC, "No space left on device"),
            KeyboardInterrupt(),
            InputError("cannot write"),
            ZeroDivisionError("a defect"),
        ],
        ids=lambda failure: type(failure).__name__,
    )
    @pytest.mark.parametrize("arguments", [[], ["--json", "-"], ["--json", "o.json"]])
    def test_is_not_lost_by_what_fails_after_it(
        self, wrong, capsys, monkeypatch, failure, arguments
    ):
        def fails(*_):
            raise failure

        monkeypatch.setattr(common, "print_json", fails)
        monkeypatch.setattr(measured, "print_table", fails)
        assert main([*wrong, *arguments]) == ExitStatus.MISMATCH
        err = capsys.readouterr().err
        assert "gdn_1 differs from the simulation" in err
        assert "after that: " in err
        assert ("Traceback" in err) == isinstance(failure, ZeroDivisionError)

    def test_is_none_where_the_failure_came_before_it(self):
        with pytest.raises(InputError), Verdict():
            raise InputError("no board")

    def test_is_none_where_none_was_told(self):
        with Verdict():
            pass


def test_click_and_rich_do_not_make_a_closed_pipe_status_1(monkeypatch):
    def closed():
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(
        module._LazyGroup, "get_command", lambda *_: click.Command("x", callback=closed)
    )
    assert main(["bench"]) == ExitStatus.BROKEN_PIPE
