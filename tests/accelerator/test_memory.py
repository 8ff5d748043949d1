"""Tensors in the window: packing, unpacking, where they lie."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sim.models import random_model
from xlic.accelerator.compiler import compile_transform
from xlic.accelerator.design import SMALL
from xlic.accelerator.memory import Allocator, Layout, Tensor
from xlic.errors import InputError

pytestmark = pytest.mark.sim


@st.composite
def tensors(draw):
    layout = draw(st.sampled_from(Layout))
    colours = layout in (Layout.PICTURE, Layout.BLOCKS)
    stride = draw(st.integers(1, 5)) if layout is Layout.BLOCKS else 1
    return Tensor(
        "t",
        layout,
        draw(st.integers(1, 9)),
        draw(st.integers(1, 9)),
        draw(st.integers(1, 3 if colours else 20)),
        draw(st.integers(0, 5)),
        stride,
        draw(st.integers(0, stride - 1)),
    )


def random_values(tensor, seed=0):
    limits = np.iinfo(tensor.layout.dtype)
    rng = np.random.default_rng(seed)
    return rng.integers(limits.min, limits.max + 1, tensor.shape).astype(tensor.layout.dtype)


@given(tensors(), st.integers(0, 100))
def test_what_is_written_is_read_back_and_nothing_else_changes(tensor, seed):
    values = random_values(tensor, seed)
    window = np.full((tensor.offset + tensor.beats + 2) * 16, 0x5A, np.uint8)
    tensor.write(window, values)
    read = tensor.read(window)
    assert read.dtype == tensor.layout.dtype
    assert np.array_equal(read, values)
    window_outside = window.copy()
    window_outside[tensor.offset * 16 : (tensor.offset + tensor.beats) * 16] = 0x5A
    assert (window_outside == 0x5A).all()
    read[...] = 0
    assert np.array_equal(tensor.read(window), values), "a copy"


@given(tensors())
def test_padding_is_zero(tensor):
    packed = tensor.pack(np.full(tensor.shape, -1 if tensor.layout is Layout.MAP else 1))
    assert packed.dtype == np.uint8
    assert packed.shape == (tensor.beats * 16,)
    assert np.count_nonzero(tensor.pack(np.zeros(tensor.shape, int))) == 0
    per_value = 2 if tensor.layout is Layout.MAP else 1
    assert np.count_nonzero(packed) == np.prod(tensor.shape) * per_value


class TestLayouts:
    def test_of_maps_are_rows_pixels_channels(self):
        tensor = Tensor("m", Layout.MAP, 2, 3, 9)
        values = np.arange(54).reshape(2, 3, 9).astype(np.int16)
        stored = tensor.pack(values).view("<i2").reshape(2, 3, 16)
        assert np.array_equal(stored[..., :9], values)
        assert (tensor.pixel_beats, tensor.row_pitch, tensor.beats) == (2, 6, 12)

    def test_of_symbols_are_the_same_in_32_bits(self):
        tensor = Tensor("s", Layout.SYMBOLS, 1, 2, 5)
        stored = tensor.pack(np.full((1, 2, 5), -(2**31))).view("<i4").reshape(1, 2, 8)
        assert (stored[..., :5] == -(2**31)).all()
        assert (tensor.pixel_beats, tensor.row_pitch, tensor.beats) == (2, 4, 4)

    def test_of_pictures_pad_rows_to_beats(self):
        tensor = Tensor("p", Layout.PICTURE, 2, 5, 3)
        values = np.arange(30).reshape(2, 5, 3).astype(np.uint8)
        stored = tensor.pack(values).reshape(2, 8, 4)
        assert np.array_equal(stored[:, :5, :3], values)
        assert (tensor.row_pitch, tensor.beats) == (2, 4)

    def test_of_blocks_are_space_to_depth_from_the_lead_on(self):
        tensor = Tensor("b", Layout.BLOCKS, 3, 4, 1, stride=3, lead=1)
        values = np.arange(1, 13).reshape(3, 4, 1).astype(np.uint8)
        # 9 pixels of 4 bytes take 3 beats; 4×5 pixels with the lead take 2×2 blocks.
        stored = tensor.pack(values).reshape(2, 2, 48)
        assert tensor.beats == 2 * 2 * 3
        first = stored[0, 0, :36].reshape(3, 3, 4)[..., 0]
        assert np.array_equal(first, [[0, 0, 0], [0, 1, 2], [0, 5, 6]])
        last = stored[1, 1, :36].reshape(3, 3, 4)[..., 0]
        assert np.array_equal(last, [[11, 12, 0], [0, 0, 0], [0, 0, 0]])


class TestRefusals:
    tensor = Tensor("latents", Layout.SYMBOLS, 2, 2, 3)

    def test_of_another_shape(self):
        with pytest.raises(InputError, match=r"latents is int64\[2, 3, 3\].*\[2, 2, 3\]; compile"):
            self.tensor.pack(np.zeros((2, 3, 3), np.int64))

    def test_of_floats(self):
        with pytest.raises(InputError, match="latents is float64"):
            self.tensor.pack(np.zeros((2, 2, 3)))

    @pytest.mark.parametrize("value", [2**31, -(2**31) - 1])
    def test_of_values_that_do_not_fit(self, value):
        with pytest.raises(InputError, match="must be -2147483648 … 2147483647"):
            self.tensor.pack(np.full((2, 2, 3), value))

    def test_of_short_windows(self):
        with pytest.raises(InputError, match="latents ends at byte 128 of a window of 112"):
            self.tensor.read(np.zeros(112, np.uint8))

    def test_of_windows_that_are_no_bytes(self):
        with pytest.raises(InputError, match=r"a window is uint8 \[bytes\], not int16\[128\]"):
            self.tensor.read(np.zeros(128, np.int16))

    def test_of_windows_that_the_register_cannot_say(self):
        allocator = Allocator()
        allocator.take(1 << 31, "a")
        with pytest.raises(InputError, match="with b the memory window would take 68719476736"):
            allocator.take(1 << 31, "b")


@pytest.fixture(scope="module")
def compiled():
    return compile_transform(random_model(1, 6), "decode", (20, 36), SMALL, ["syn_0"])


class TestMap:
    def test_gives_everything_a_place_of_its_own_at_a_page(self, compiled):
        memory = compiled.memory
        places = [(t.offset, t.beats) for t in (memory.input, *memory.tensors.values())]
        places.append((memory.program, memory.program_beats))
        places.sort()
        assert all(16 * offset % 4096 == 0 for offset, _ in places)
        ends = [offset + beats for offset, beats in places]
        assert all(end <= offset for end, (offset, _) in zip(ends, places[1:], strict=False))
        assert ends[-1] <= memory.beats
        assert memory.bytes % 4096 == 0
        assert memory.bytes == 16 * memory.beats == len(compiled.new_window())

    def test_names_its_tensors(self, compiled):
        assert list(compiled.memory.tensors) == ["syn_0", "igdn_0", "igdn_1", "syn_2"]
        with pytest.raises(InputError, match=r"no tensor 'syn_1' in memory; there are symbols, "):
            compiled.memory.tensor("syn_1")

    def test_puts_the_program_where_it_says(self, compiled):
        window = compiled.new_window(0xEE)
        begin = 16 * compiled.memory.program
        data = compiled.program.to_bytes()
        assert window[begin : begin + len(data)].tobytes() == data
        assert (window[:begin] == 0xEE).all()
        with pytest.raises(InputError, match="the program ends at byte"):
            compiled.write_program(window[:begin])
