"""What the user of ``xlic`` sees when all is well, and when it is not."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import click
import pytest

from xlic.cli import main as module
from xlic.cli.command import command
from xlic.cli.main import main
from xlic.cli.options import verbose_option
from xlic.errors import InputError, MissingToolError, XlicError
from xlic.exit_status import ExitStatus

pytestmark = pytest.mark.sim


def error_line(capsys):
    """The one line on stderr; fails if there are more, or anything on stdout."""
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    lines = err.splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("xlic: error: ")
    return lines[0]


@pytest.fixture
def raising(monkeypatch):
    """Make ``xlic bench`` raise a given exception."""

    def install(error):
        @click.command()
        def fail():
            raise error

        monkeypatch.setattr(
            module._LazyGroup, "get_command", lambda self, ctx, name: fail, raising=True
        )

    return install


class TestUsageErrors:
    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            (["evla"], "Did you mean 'eval'?"),
            (["nothing-like-it"], "No such command 'nothing-like-it'"),
            (["--nonsense"], "No such option"),
            (["eval", "--imagse", "x"], "--images"),
            (["eval"], "Missing option '--images'"),
            (["encode"], "Missing argument 'IMAGE'"),
            (["demo", "--lambda", "3"], "'3' is not one of '0.125', '0.01'"),
            (["demo", "a.png", "b.png"], "quote patterns"),
            (["bench", "--repeats", "0"], "not in the range"),
            (["quantize", "--headroom", "x"], "not a valid float"),
            (["bench", "--size", "7"], "768x512"),
            (["bench", "--size", "0x5"], "at least 1×1"),
        ],
    )
    def test_are_one_line_with_the_remedy(self, capsys, arguments, expected):
        assert main(arguments) == 2
        line = error_line(capsys)
        assert expected in line
        assert "help" in line or "768x512" in line or "1×1" in line


class TestFailures:
    @pytest.mark.parametrize("kind", [XlicError, InputError, MissingToolError])
    def test_of_the_projects_own_kind_are_one_line(self, capsys, raising, kind):
        raising(kind("cannot do\n  this; do that"))
        assert main(["bench"]) == 2
        assert error_line(capsys) == "xlic: error: cannot do this; do that"

    def test_for_want_of_memory_are_one_line(self, capsys, raising):
        raising(MemoryError())
        assert main(["bench"]) == 2
        assert "out of memory" in error_line(capsys)

    def test_of_the_system_name_file_and_reason(self, capsys, raising):
        raising(OSError(errno.ENOSPC, "No space left on device", "/full/disk"))
        assert main(["bench"]) == 2
        assert "/full/disk: No space left on device" in error_line(capsys)

    @pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
    def test_by_interruption_have_status_130(self, raising, error):
        raising(error)
        assert main(["bench"]) == 130

    def test_that_are_defects_keep_their_traceback(self, raising):
        raising(ZeroDivisionError("a defect"))
        with pytest.raises(ZeroDivisionError):
            main(["bench"])


class TestHelp:
    def test_lists_every_command_without_loading_numpy(self):
        code = (
            "import sys; from xlic.cli.main import main; status = main(['--help']); "
            "heavy = {'numpy', 'scipy', 'matplotlib', 'tensorflow', 'numba'} & set(sys.modules); "
            "sys.exit(status or ','.join(heavy) or 0)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        for name in module._COMMANDS:
            assert name in done.stdout

    def test_version_is_the_packages(self, capsys):
        from xlic import __version__

        assert main(["--version"]) == 0
        assert __version__ in capsys.readouterr().out


class TestGlobalOptions:
    """-V and --model-path may stand before the command, as in the public script, or behind it."""

    @pytest.fixture
    def seen(self, monkeypatch):
        given = {}

        @command()
        @verbose_option
        @click.option("--model-path")
        def look(**options):
            given.update(options)

        monkeypatch.setattr(module._LazyGroup, "get_command", lambda self, ctx, name: look)
        return given

    @pytest.mark.parametrize("spelling", ["--model-path", "--model_path"])
    @pytest.mark.parametrize("before", [True, False])
    def test_mean_the_same_in_both_places(self, seen, before, spelling):
        options = ["-V", spelling, "some_folder"]
        assert main([*options, "train"] if before else ["train", *options]) == 0
        assert seen == {"verbose": True, "model_path": "some_folder"}

    def test_are_off_by_default(self, seen):
        main(["train"])
        assert seen == {"verbose": False, "model_path": None}

    def test_of_both_places_are_refused(self, seen, capsys):
        assert main(["--model-path", "a", "train", "--model_path", "b"]) == 2
        assert "before the command and behind it" in error_line(capsys)
        assert seen == {}

    @pytest.mark.parametrize(
        ("arguments", "option"),
        [
            (["-V", "bench"], "-V"),
            (["-V", "board", "status", "--host", "x"], "-V"),
            (["--model-path", "m", "encode", "a.png"], "--model-path"),
        ],
    )
    def test_are_refused_where_they_would_do_nothing(self, capsys, arguments, option):
        assert main(arguments) == 2
        line = error_line(capsys)
        assert f"has no {option}" in line
        assert "leave it out" in line


class TestGroups:
    @pytest.mark.parametrize("words", [[], ["rtl"], ["hls"], ["board"], ["board", "virtual"]])
    def test_alone_show_their_help(self, capsys, words):
        assert main(words) == 0
        out, err = capsys.readouterr()
        assert err == ""
        assert out.startswith("Usage: " + " ".join(["xlic", *words]))
        assert len(out.splitlines()) > 8

    @pytest.mark.parametrize(
        ("words", "meant"), [(["rtl", "rum"], "run"), (["board", "virtual", "upp"], "up")]
    )
    def test_know_what_a_misspelt_command_was_to_be(self, capsys, words, meant):
        assert main(words) == 2
        assert f"Did you mean {meant!r}?" in error_line(capsys)


class TestStandardOutput:
    COMMAND = (sys.executable, "-m", "xlic")

    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
    def test_on_a_full_disk_is_a_one_line_error(self):
        with open("/dev/full", "w") as full:  # noqa: PTH123
            done = subprocess.run(
                [*self.COMMAND, "--help"], stdout=full, stderr=subprocess.PIPE, text=True
            )
        assert done.returncode == 2
        assert done.stderr.splitlines() == [
            "xlic: error: the system refused: No space left on device"
        ]

    def test_that_nobody_reads_is_no_error_message(self):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [*self.COMMAND, "--help"], stdout=writer, stderr=subprocess.PIPE, text=True
        )
        os.close(writer)
        assert done.returncode == ExitStatus.BROKEN_PIPE
        assert done.stderr == ""

    @pytest.mark.parametrize(
        ("arguments", "closed", "status"),
        [("--version", "1", 0), ("--help", "1", 0), ("demo absent.png", "2", 2)],
    )
    def test_that_the_caller_closed_is_no_defect(self, arguments, closed, status):
        line = f"{sys.executable} -m xlic {arguments} {closed}>&-"
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True)
        assert done.returncode == status
        assert done.stdout + done.stderr == ""

    @pytest.mark.parametrize(
        "environment",
        [
            {"PYTHONIOENCODING": "ascii"},
            {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        ],
        ids=["ascii", "C"],
    )
    def test_in_ascii_shows_tables(self, tmp_path, environment):
        code = (
            "import sys, click; from xlic.cli import main as m; from rich.table import Table;"
            "from xlic.cli.common import print_table, print_line;"
            "work = lambda: (print_table(Table('\\u03bb')), print_line('\\u03bb = 1 \\xd7 2'));"
            "m._LazyGroup.get_command = lambda *_: click.Command('x', callback=work);"
            "sys.exit(m.main(['bench']))"
        )
        # tox sets PYTHONIOENCODING, which goes before the locale.
        inherited = {k: v for k, v in os.environ.items() if k != "PYTHONIOENCODING"}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, env=inherited | environment
        )
        assert done.returncode == 0, done.stderr
        assert b"? = 1 ? 2" in done.stdout
        assert b"Traceback" not in done.stderr
