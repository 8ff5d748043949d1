"""The pytest plugin, tried by running pytest inside pytest."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from PIL import Image

from tests.sim.models import random_weights
from xlic.pytest_plugin import plugin
from xlic.pytest_plugin.pictures import DEFAULT_NAMES
from xlic.shipped import model_path
from xlic.weights import save_weights

pytestmark = pytest.mark.sim


@pytest.fixture
def no_tensorflow(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        plugin.importlib.util,
        "find_spec",
        lambda name, *rest: None if name.startswith("tensorflow") else find(name, *rest),
    )


def test_all_markers_are_declared(pytester):
    result = pytester.runpytest("--markers")
    for name in ("model", "sim", "hls", "rtl", "board", "selfcheck", "nightly"):
        result.stdout.fnmatch_lines([f"@pytest.mark.xlic_{name}: *"])


def test_all_options_are_in_the_help(pytester):
    result = pytester.runpytest("--help")
    for option in ("weights=FILE|DIR", "images=GLOB", "model=FILE", "artifacts=DIR"):
        assert f"--xlic-{option}" in result.stdout.str()


def test_the_header_says_what_is_under_test(pytester):
    pytester.makepyfile("def test_uses_it(weights): pass")
    result = pytester.runpytest()
    result.stdout.fnmatch_lines(["xlic *: weights bls2017_*, model bls2017_*"])


def test_a_test_that_takes_rung_and_image_becomes_a_cell_for_each_pair(pytester):
    pytester.makepyfile("def test_cell(rung, image): pass")
    result = pytester.runpytest("--collect-only", "-q", "-m", "xlic_sim")
    for name in DEFAULT_NAMES:
        assert f"test_cell[sim-{name}]" in result.stdout.str()
    assert "[model-" not in result.stdout.str()


def test_model_tests_are_skipped_with_the_remedy_where_tensorflow_is_absent(
    pytester, no_tensorflow
):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.xlic_model
        def test_marked(): raise AssertionError("must not run")

        @pytest.mark.parametrize("image", ["grey"], indirect=True)
        def test_cell(rung, image): pass
        """
    )
    result = pytester.runpytest("-m", "xlic_model", "-rs")
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["*pip install *?model?' (Python 3.11)*"])


def test_model_tests_run_where_tensorflow_is_present(pytester, monkeypatch):
    monkeypatch.setattr(plugin, "has_tensorflow", lambda: True)
    pytester.makepyfile("import pytest\n@pytest.mark.xlic_model\ndef test_marked(): pass")
    pytester.runpytest("-m", "xlic_model").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--xlic-weights", "absent"],
            "no weights at absent; give a .safetensors file or a folder*",
        ),
        (["--xlic-model", "absent"], "cannot read absent: No such file or directory"),
        (["--xlic-images", "absent/*.png"], "--xlic-images 'absent/*.png' matches no file*"),
        (["--xlic-images", ""], "--xlic-images '' matches no file*"),
        (
            ["--xlic-artifacts", "test_x.py"],
            "--xlic-artifacts test_x.py: File exists; name a folder",
        ),
        (["--xlic-images", "test_x.py"], "test_x.py is no image that Pillow reads*"),
    ],
)
def test_an_unusable_option_is_one_line_and_no_traceback(pytester, arguments, message):
    pytester.makepyfile(test_x="def test_nothing(): pass")
    result = pytester.runpytest(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


def test_images_become_parameters_named_after_their_files(pytester):
    for name in ("b", "a"):
        pixels = np.full((3, 4, 3), 7, np.uint8)
        Image.fromarray(pixels).save(pytester.path / f"{name}.png")
    pytester.makepyfile(
        """
        def test_image(image):
            assert image.pixels.shape == (3, 4, 3)
            assert (image.pixels == 7).all()
            assert not image.pixels.flags.writeable

        def test_all_at_once(photographs):
            assert [p.name for p in photographs] == ["a", "b"]
        """
    )
    result = pytester.runpytest("--xlic-images", "*.png", "-v")
    result.assert_outcomes(passed=3)
    for name in "ab":
        result.stdout.fnmatch_lines([f"*test_image?{name}? PASSED*"])


def test_fixtures_hand_out_models_that_belong_together(pytester):
    pytester.makepyfile(
        """
        def test_identity(weights, quantized, float_rung):
            assert quantized.weights_identity == weights.identity
            assert float_rung.weights is weights
        """
    )
    pytester.runpytest().assert_outcomes(passed=1)


def test_artifacts_get_a_folder_per_test_where_the_option_says(pytester):
    pytester.makepyfile("def test_leaves(artifacts): (artifacts / 'kept').write_text('x')")
    pytester.runpytest("--xlic-artifacts", "out").assert_outcomes(passed=1)
    kept = list((pytester.path / "out").rglob("kept"))
    assert len(kept) == 1
    assert "test_leaves" in kept[0].parent.name


def test_fixtures_of_the_same_name_elsewhere_are_left_alone(pytester):
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def image(): return "mine"

        @pytest.fixture
        def rung(): return 7

        def test_mine(image, rung): assert (image, rung) == ("mine", 7)
        """
    )
    pytester.runpytest().assert_outcomes(passed=1)


def other_weights(folder):
    save_weights(random_weights(seed=1, filters=4), folder / "w.safetensors")
    return folder / "w.safetensors"


def test_a_model_made_from_other_weights_is_never_compared_with_them(pytester):
    pytester.makepyfile("def test_quantized(quantized): pass")
    result = pytester.runpytest("--xlic-weights", other_weights(pytester.path))
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*was not made from the weights w.safetensors*"])


def test_weights_and_a_model_that_do_not_belong_together_are_refused(pytester):
    weights = other_weights(pytester.path)
    result = pytester.runpytest(f"--xlic-weights={weights}", f"--xlic-model={model_path()}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --xlic-model * was not made from --xlic-weights *"])
