"""What the compiler refuses, and what it says would help."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.accelerator.chains import Shape, random_spec
from tests.sim.models import random_model
from xlic.accelerator.compiler import compile_layers, compile_transform
from xlic.accelerator.design import SMALL, Design
from xlic.accelerator.isa import InFormat
from xlic.accelerator.specs import SymbolIntegers
from xlic.errors import FormatError, InputError, ParameterError
from xlic.quantization.model import ConvIntegers

pytestmark = pytest.mark.sim


def spec(shape, cin=4, index=0):
    return random_spec(np.random.default_rng(0), index, shape, cin, from_bytes=False)


def compile_one(entry, size=(8, 8), design=SMALL, **options):
    return compile_layers([entry], (*size, entry.layer.cin), design, **options)


class TestBuffers:
    """The message names the parameter and the size that it would need; that size then does."""

    @pytest.mark.parametrize(
        ("parameter", "limit", "needed", "transform"),
        [
            ("input_words", 63, 64, "encode"),
            ("weight_words", 1000, 1336, "decode"),
            ("param_words", 40, 88, "decode"),
            ("pass_words", 30, 44, "decode"),
            ("tap_words", 100, 106, "encode"),
            ("channels", 63, 64, "decode"),
        ],
    )
    def test_that_are_too_small(self, parameter, limit, needed, transform):
        model = random_model(1, 8)
        base = replace(SMALL, input_words=2048)
        if parameter == "input_words":
            # ana_0 needs 2 slots of 16 pairs of 8 words.
            limit, needed = 255, 256
        with pytest.raises(InputError) as caught:
            compile_transform(model, transform, (20, 20), replace(base, **{parameter: limit}))
        message = str(caught.value)
        assert f"needs {parameter} {needed}, the design has {limit}" in message
        assert f"make it a design with {parameter} {needed}" in message
        enough = replace(base, **{parameter: needed})
        compile_transform(model, transform, (20, 20), enough)

    def test_that_hold_channels_of_a_normalization(self):
        entry = spec(Shape("down", 1, 1, 20, normalized=True))
        with pytest.raises(InputError, match="output of gdn_0 needs channels 20"):
            compile_one(entry, design=replace(SMALL, channels=19))

    def test_that_are_too_small_together_are_told_together(self):
        model = random_model(1, 8)
        short = replace(SMALL, weight_words=16, pass_words=16, channels=16)
        with pytest.raises(ParameterError, match="or use a smaller model") as caught:
            compile_transform(model, "decode", (20, 20), short)
        remedy = str(caught.value).partition("a design with ")[2].partition(",")[0].split()
        needed = {name: int(value) for name, value in zip(remedy[::2], remedy[1::2], strict=True)}
        assert needed.keys() == {"weight_words", "pass_words", "channels"}
        compile_transform(model, "decode", (20, 20), replace(short, **needed))

    def test_that_no_design_has_name_the_model(self):
        entry = spec(Shape("down", 1, 1, 1032))
        with pytest.raises(InputError, match=r"more than any design has \(1024\)") as caught:
            compile_one(entry, design=SMALL)
        assert not isinstance(caught.value, ParameterError)

    def test_shipped_models_need_more_than_the_small_design(self):
        model = random_model(1, 48)
        with pytest.raises(InputError, match="needs weight_words"):
            compile_transform(model, "encode", (16, 16), SMALL)


class TestCounts:
    def test_of_layers(self):
        entries = [spec(Shape("down", 1, 1, 4), index=index) for index in range(9)]
        with pytest.raises(InputError, match="the program has 9 layers, the accelerator takes 8"):
            compile_layers(entries, (4, 4, 4), SMALL)
        compile_layers(entries[:8], (4, 4, 4), SMALL)

    def test_of_layers_with_those_asked_for(self):
        entries = [spec(Shape("down", 1, 1, 4, normalized=True), index=index) for index in range(5)]
        names = [f"conv_{index}" for index in range(5)]
        with pytest.raises(InputError, match="the program has 10 layers"):
            compile_layers(entries, (4, 4, 4), SMALL, names)
        compile_layers(entries, (4, 4, 4), SMALL, names[:3])

    def test_of_tiles(self):
        entry = spec(Shape("down", 1, 1, 1), cin=1)
        compile_one(entry, size=(2 * 65535, 1))
        with pytest.raises(InputError, match="conv_0 takes 65536 tiles along one side"):
            compile_one(entry, size=(2 * 65535 + 1, 1))

    def test_of_rows_that_a_field_cannot_hold(self):
        entry = spec(Shape("down", 1, 4, 1), cin=1)
        with pytest.raises(FormatError, match=r"layer\.in_height would be 1048576"):
            compile_one(entry, size=(1 << 20, 1), design=Design(poy=8))


class TestIntegers:
    def test_whose_bias_leaves_no_room_for_the_rounding_half(self):
        entry = spec(Shape("down", 1, 1, 1))
        conv = replace(entry.conv, bias=np.array([(1 << 47) - 1]), shift=np.array([1]))
        with pytest.raises(
            FormatError, match=r"conv_0 can reach \d+ in channel 0, the accumulator has 48 bits"
        ):
            compile_one(replace(entry, conv=conv))

    def test_that_fill_the_accumulator_to_the_last_value_are_taken(self):
        entry = spec(Shape("down", 1, 1, 1))
        kernel, shift = np.zeros_like(entry.conv.kernel), np.array([46])
        most = (1 << 47) - 1 - (1 << 45)
        compile_one(replace(entry, conv=ConvIntegers(kernel, np.array([most]), shift)))
        with pytest.raises(FormatError, match="the accumulator has 48 bits"):
            compile_one(replace(entry, conv=ConvIntegers(kernel, np.array([most + 1]), shift)))

    @pytest.mark.parametrize("shift", [0, 48])
    def test_whose_shifts_are_beyond_the_contract(self, shift):
        entry = spec(Shape("down", 1, 1, 1))
        conv = replace(entry.conv, shift=np.array([shift]))
        with pytest.raises(FormatError, match=rf"conv_0\.shift spans {shift} … {shift}, .* 1 … 47"):
            compile_one(replace(entry, conv=conv))

    @pytest.mark.parametrize(("direction", "low", "high"), [("down", 0, 36), ("up", 1, 47)])
    def test_whose_normalization_is_beyond_the_contract(self, direction, low, high):
        entry = spec(Shape(direction, 1, 1, 1, normalized=True))
        for value in (low - 1, high + 1):
            gdn = replace(entry.gdn, out_shift=np.array([value]))
            with pytest.raises(FormatError, match=rf"gdn_0\.out_shift.*{low} … {high}"):
                compile_one(replace(entry, gdn=gdn))

    def test_of_symbols_beyond_the_contract(self):
        entry = spec(Shape("up", 1, 1, 1), cin=1)
        for shift, offset, what in ((16, 0, "shift"), (0, 1 << 15, "offset")):
            symbols = SymbolIntegers(np.array([shift]), np.array([offset]))
            with pytest.raises(FormatError, match=rf"symbols\.{what}"):
                compile_one(entry, input_format=InFormat.S32, symbols=symbols)

    def test_of_another_shape(self):
        entry = spec(Shape("down", 3, 1, 2))
        conv = ConvIntegers(entry.conv.kernel[:2], entry.conv.bias, entry.conv.shift)
        with pytest.raises(InputError, match=r"conv_0\.kernel is int16\[2, 3, 4, 2\], must be"):
            compile_one(replace(entry, conv=conv))
        conv = replace(entry.conv, bias=entry.conv.bias.astype(np.float64))
        with pytest.raises(InputError, match=r"conv_0\.bias is float64\[2\]"):
            compile_one(replace(entry, conv=conv))

    def test_of_a_normalization_that_the_layer_has_not(self):
        plain, normalized = spec(Shape("down", 1, 1, 2)), spec(Shape("down", 1, 1, 2, True))
        with pytest.raises(InputError, match="conv_0 needs integers of None"):
            compile_one(replace(plain, gdn=normalized.gdn))
        with pytest.raises(InputError, match="conv_0 needs integers of gdn_0"):
            compile_one(replace(normalized, gdn=None))


class TestChains:
    def test_without_layers(self):
        with pytest.raises(InputError, match="at least one layer"):
            compile_layers([], (1, 1, 1), SMALL)

    def test_of_channels_that_do_not_meet(self):
        entries = [spec(Shape("down", 1, 1, 5)), spec(Shape("down", 1, 1, 4), index=1)]
        with pytest.raises(InputError, match="conv_1 takes 4 channels and would get 5"):
            compile_layers(entries, (4, 4, 4), SMALL)
        with pytest.raises(InputError, match="conv_0 takes 4 channels and would get 3"):
            compile_layers(entries[:1], (4, 4, 3), SMALL)

    def test_of_names_that_repeat(self):
        entries = [spec(Shape("down", 1, 1, 4)), spec(Shape("down", 1, 1, 4))]
        with pytest.raises(InputError, match="'conv_0' twice"):
            compile_layers(entries, (4, 4, 4), SMALL)

    def test_with_a_picture_ahead_of_the_end(self):
        entries = [spec(Shape("down", 1, 1, 3, picture=True)), spec(Shape("down", 1, 1, 4), 3, 1)]
        with pytest.raises(InputError, match="conv_0 yields a picture, so it must be the last"):
            compile_layers(entries, (4, 4, 4), SMALL)

    def test_with_a_picture_of_four_colours_or_normalized(self):
        for shape in (Shape("up", 1, 1, 4, picture=True), Shape("up", 1, 1, 3, True, True)):
            with pytest.raises(InputError, match="conv_0 cannot yield a picture"):
                compile_one(spec(shape))

    @pytest.mark.parametrize("size", [(0, 4), (4, 0)])
    def test_of_nothing(self, size):
        with pytest.raises(InputError, match="is empty"):
            compile_one(spec(Shape("down", 1, 1, 4)), size=size)

    def test_of_pictures_with_four_colours(self):
        with pytest.raises(InputError, match="a picture of 4 channels"):
            compile_one(spec(Shape("down", 1, 1, 4)), input_format=InFormat.U8)

    def test_of_symbols_without_their_integers(self):
        entry = spec(Shape("up", 1, 1, 4))
        symbols = SymbolIntegers(np.zeros(3, np.int64), np.zeros(3, np.int64))
        with pytest.raises(InputError, match="symbols need their shifts and offsets"):
            compile_one(entry, input_format=InFormat.S32)
        with pytest.raises(InputError, match="symbols need their shifts and offsets"):
            compile_one(entry, symbols=symbols)
        with pytest.raises(InputError, match="conv_0 needs 4 shifts and offsets of symbols"):
            compile_one(entry, input_format=InFormat.S32, symbols=symbols)

    @pytest.mark.parametrize("crop", [(0, 1), (9, 1), (1, 9)])
    def test_cropped_to_what_is_not_there(self, crop):
        with pytest.raises(InputError, match="which cannot be cropped to"):
            compile_one(spec(Shape("down", 1, 1, 3, picture=True)), crop=crop)


class TestTransforms:
    def test_of_sizes_that_no_picture_has(self):
        with pytest.raises(InputError, match="picture is 0×4 pixels"):
            compile_transform(random_model(1, 4), "encode", (4, 0), SMALL)
        with pytest.raises(InputError, match="more than the"):
            compile_transform(random_model(1, 4), "decode", (1 << 17, 4), SMALL)

    def test_of_tensors_that_do_not_exist(self):
        with pytest.raises(InputError, match="no tensor 'syn_0' here; there are ana_0, gdn_0"):
            compile_transform(random_model(1, 4), "encode", (4, 4), SMALL, ["syn_0"])

    def test_of_unknown_name(self):
        with pytest.raises(InputError, match="no transform 'compress'; there are encode, decode"):
            compile_transform(random_model(1, 4), "compress", (4, 4), SMALL)
