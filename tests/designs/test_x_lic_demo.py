"""The public X-LIC demo's datapath: against what its own tools wrote, and against plain loops."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace

import numpy as np
import pytest

from tests.shared_data import shared
from tests.sim.models import random_weights
from xlic.designs.x_lic_demo.files import (
    SIZES_FILE,
    pack_kernel,
    read_parameters,
    sizes_set,
    taps,
    unpack_kernel,
    write_parameters,
)
from xlic.designs.x_lic_demo.layers import decoder, decoder_sizes, encoder
from xlic.designs.x_lic_demo.parameters import (
    ONE,
    LayerParameters,
    Parameters,
    accumulator_step,
    quantized_kernel,
)
from xlic.designs.x_lic_demo.quantize import quantize
from xlic.designs.x_lic_demo.simulation import Pass, Simulation, to_int16
from xlic.errors import FormatError, InputError
from xlic.images import read_image
from xlic.weights import load_weights

pytestmark = pytest.mark.sim

TILES = {"syn_0": (24, 32), "syn_1": (24, 32), "syn_2": (4, 64)}
"""Of the golden, as the demo printed them."""
GOLDEN = "3115f24025c2403a22e59fbde46cb53d"
"""Of parameters of our own making, not of the demo's: that nothing changed unnoticed."""


@pytest.fixture(scope="module")
def golden():
    return shared("xlic_demo")


@pytest.fixture(scope="module")
def parameters(golden):
    return read_parameters(golden)


@pytest.fixture(scope="module")
def picture(golden):
    return read_image(golden / "input.png").pixels


@pytest.fixture(scope="module")
def latents(golden, picture):
    values = np.fromfile(golden / "ana_q_out_chw.bin", "<f4")
    return values.reshape(128, 12, 16).transpose(1, 2, 0)


@pytest.fixture(scope="module")
def small():
    """A random model of few filters, quantized on a random picture: no golden of the demo's."""
    image = np.random.default_rng(5).integers(0, 256, (37, 50, 3)).astype(np.uint8)
    return quantize(random_weights(seed=3, filters=8), image), image


def made_parameters():
    """Parameters without a run in real numbers, whose last bits would be the machine's."""
    rng = np.random.default_rng(11)

    def drawn(low, high, count):
        return rng.uniform(low, high, count).astype(np.float32)

    def made(layer):
        conv = layer.conv
        kernel = rng.integers(-16384, 16385, conv.kernel_shape).astype(np.int16)
        gain = np.float32(2.0**-25 / conv.kernel)
        return LayerParameters(
            np.abs(kernel) if layer.kind != "convolution" else kernel,
            drawn(0.1, 0.3, conv.cout),
            drawn(0.8, 1.2, conv.cin),
            drawn(0.5, 1, conv.cout) * gain,
            np.ones(conv.cout, np.float32),
            drawn(0.3, 0.6, conv.cout) * ONE,
            inter_q=int(rng.integers(0, 4)),
        )

    return Parameters(tuple(map(made, encoder(8))), tuple(map(made, decoder(8))))


class TestAgainstTheDemo:
    def test_its_latents_are_computed_to_the_last_bit(self, parameters, picture, latents):
        found, _ = Simulation(parameters).encode(picture)
        assert found.dtype == np.float32
        assert np.array_equal(found, latents)

    def test_its_picture_is_computed_to_the_last_bit(self, golden, parameters, latents):
        decoded, _ = Simulation(parameters, TILES).decode(latents, (187, 250))
        assert np.array_equal(decoded, read_image(golden / "recon_c.png").pixels)

    def test_what_its_buffers_held_counts_at_cropped_borders_only(
        self, golden, parameters, latents
    ):
        zeros, _ = Simulation(parameters).decode(latents, (187, 250))
        differs = np.argwhere(zeros != read_image(golden / "recon_c.png").pixels)
        assert len(differs) == 7727
        assert np.all((differs[:, 0] >= 180) | (differs[:, 1] >= 244))

    def test_other_tiles_are_other_pictures(self, golden, parameters, latents):
        others = TILES | {"syn_1": (16, 32)}
        decoded, _ = Simulation(parameters, others).decode(latents, (187, 250))
        assert not np.array_equal(decoded, read_image(golden / "recon_c.png").pixels)

    def test_its_files_are_written_byte_by_byte(self, golden, parameters, tmp_path):
        write_parameters(tmp_path, parameters)
        written = sorted(file.name for file in tmp_path.iterdir())
        assert len(written) == 18
        for name in written:
            assert (tmp_path / name).read_bytes() == (golden / name).read_bytes(), name
        assert (golden / SIZES_FILE).read_bytes() == sizes_set(187, 250).tobytes()

    def test_from_its_scales_come_its_integers(self, parameters):
        weights = load_weights(shared("xlic_lambda0125")).tensors
        layers = [*encoder(128), *decoder(128)]
        for layer, p in zip(layers, [*parameters.encoder, *parameters.decoder], strict=True):
            kernel = weights.get(f"{layer.name}.kernel")
            if kernel is None:
                kernel = weights[f"{layer.name}.gamma"][None, None]
            integers, scale = quantized_kernel(kernel, p.input_scale, p.inter_q)
            assert np.array_equal(integers, p.kernel), layer.name
            step = accumulator_step(scale, p.inter_q, p.input_q)
            assert np.array_equal(step, p.accumulator_step), layer.name

    def test_quantizing_its_picture_finds_its_shifts_and_nearly_its_scales(
        self, parameters, picture
    ):
        found = quantize(load_weights(shared("xlic_lambda0125")), picture)
        assert [p.inter_q for p in found.encoder] == [1, 0, 2, 0, 2]
        # syn_2's errors with 0 and with 2 are 5 % apart; cropped borders decide.
        assert [p.inter_q for p in found.decoder[:4]] == [0, 1, 0, 0]
        for ours, theirs in zip(found.encoder, parameters.encoder, strict=True):
            np.testing.assert_allclose(ours.input_scale, theirs.input_scale, rtol=4e-6)
            assert np.mean(ours.kernel != theirs.kernel) < 1e-3


def loops(layer, parameters, x, size):
    """A pass in plain Python integers and single float32 operations."""
    conv = layer.conv
    loaded = (np.abs(x) if layer.kind != "convolution" else x).tolist()
    rows, columns = conv.output_size(x.shape[0], x.shape[1]) if size is None else size
    out = np.zeros((rows, columns, conv.cout), np.int16)
    half = conv.kernel // 2
    for y, c, o in np.ndindex(rows, columns, conv.cout):
        total = 0
        for i, j in np.ndindex(conv.kernel, conv.kernel):
            if conv.direction == "down":
                place = (y * conv.stride + i - half, c * conv.stride + j - half)
            else:
                stuffed = (y + i - half, c + j - half)
                if stuffed[0] % conv.stride or stuffed[1] % conv.stride:
                    continue
                place = (stuffed[0] // conv.stride, stuffed[1] // conv.stride)
            if 0 <= place[0] < x.shape[0] and 0 <= place[1] < x.shape[1]:
                for channel, value in enumerate(loaded[place[0]][place[1]]):
                    total += (value >> parameters.load_shift) * int(
                        parameters.kernel[i, j, channel, o]
                    )
        wrapped = np.float32((total + 2**31) % 2**32 - 2**31)
        value = np.float32(wrapped * parameters.accumulator_step[o]) + parameters.bias[o]
        if layer.kind != "convolution":
            own = np.float32(x[y, c, o]) * np.float32(parameters.input_scale[o] / ONE)
            value = own / value if layer.kind == "divide" else own * value
        truncated = int(np.float32(value * parameters.output_factor[o]))
        out[y, c, o] = (truncated + 2**15) % 2**16 - 2**15
    return out


class TestAgainstPlainLoops:
    def test_every_pass_computes_the_same(self, small):
        parameters, _ = small
        rng = np.random.default_rng(1)
        sizes = [None] * 5 + decoder_sizes(9, 13)
        layers = [*encoder(8), *decoder(8)]
        both = [*parameters.encoder, *parameters.decoder]
        for layer, p, size in zip(layers, both, sizes, strict=True):
            shape = (3, 5) if size is None else {2: (2, 2), 4: (3, 4)}.get(layer.conv.stride, size)
            if layer.conv.direction == "up":
                shape = tuple(-(-length // layer.conv.stride) for length in size)
            x = rng.integers(-16384, 16385, (*shape, layer.conv.cin)).astype(np.int16)
            assert np.array_equal(Pass(layer, p, None)(x, size), loops(layer, p, x, size))

    def test_accumulators_wrap_at_32_bits(self, small):
        parameters, _ = small
        layer = encoder(8)[2]
        p = replace(
            parameters.encoder[2],
            kernel=np.full((5, 5, 8, 8), 32767, np.int16),
            inter_q=0,
            accumulator_step=np.full(8, 2.0**-20, np.float32),
            output_factor=np.ones(8, np.float32),
        )
        x = np.full((4, 4, 8), 32767, np.int16)
        found = Pass(layer, p, None)(x, None)
        assert np.array_equal(found, loops(layer, p, x, None))
        # 200 products of 2^30 would be 2^17.6 at that scale.
        assert np.abs(found.astype(int)).max() <= 2**11

    def test_a_golden_of_our_own_making_has_not_changed(self, small):
        _, image = small
        tiles = {"syn_0": (4, 4), "syn_1": (8, 8), "syn_2": (4, 16)}
        simulation = Simulation(made_parameters(), tiles)
        latents, _ = simulation.encode(image)
        decoded, _ = simulation.decode(latents, image.shape[:2])
        assert len(np.unique(latents)) > 50
        assert len(np.unique(decoded)) > 50
        digest = hashlib.sha256(latents.tobytes() + decoded.tobytes()).hexdigest()
        assert digest[:32] == GOLDEN


class TestTheFiles:
    @pytest.mark.parametrize("layer", [*encoder(24), *decoder(24)], ids=lambda layer: layer.name)
    def test_a_kernel_survives_its_order(self, layer):
        rng = np.random.default_rng(2)
        kernel = rng.integers(-32768, 32768, layer.conv.kernel_shape).astype(np.int16)
        packed = pack_kernel(kernel, layer.conv)
        assert np.array_equal(unpack_kernel(packed, layer.conv), kernel)

    def test_transposed_taps_are_sorted_by_phase(self):
        layer = decoder(8)[0].conv
        order = taps(layer)
        assert order[:9] == [(y, x) for y in (0, 2, 4) for x in (0, 2, 4)]
        assert order[9:15] == [(y, x) for y in (0, 2, 4) for x in (1, 3)]
        assert sorted(order) == list(np.ndindex(5, 5))

    def test_what_was_written_is_read(self, small, tmp_path):
        parameters, image = small
        write_parameters(tmp_path, parameters)
        again = read_parameters(tmp_path, 8)
        first, second = Simulation(parameters), Simulation(again)
        assert np.array_equal(first.encode(image)[0], second.encode(image)[0])

    def test_a_file_of_another_size_is_refused(self, small, tmp_path):
        write_parameters(tmp_path, small[0])
        with pytest.raises(FormatError, match="a model of 16 filters has"):
            read_parameters(tmp_path, 16)
        shutil.copy(tmp_path / "ana_i16c_interQ.bin", tmp_path / "ana_bias_f32c.bin")
        with pytest.raises(FormatError, match=r"ana_bias_f32c\.bin has 20 bytes"):
            read_parameters(tmp_path, 8)

    def test_an_absent_file_is_named(self, tmp_path):
        with pytest.raises(InputError, match=r"cannot read .*ana_kernel_w_i16rc_srcb\.bin"):
            read_parameters(tmp_path)


def test_tiles_do_not_matter_where_nothing_is_cropped(small):
    parameters, _ = small
    image = np.random.default_rng(9).integers(0, 256, (32, 48, 3)).astype(np.uint8)
    latents, _ = Simulation(parameters).encode(image)
    plain, _ = Simulation(parameters).decode(latents, (32, 48))
    tiled, _ = Simulation(parameters, TILES).decode(latents, (32, 48))
    assert np.array_equal(plain, tiled)


def test_maps_are_handed_out_by_name(small):
    parameters, image = small
    simulation = Simulation(parameters)
    latents, kept = simulation.encode(image, keep=("gdn_0", "ana_2"))
    assert {name: value.shape for name, value in kept.items()} == {
        "gdn_0": (10, 13, 8),
        "ana_2": (3, 4, 8),
    }
    _, kept = simulation.decode(latents, image.shape[:2], keep=("syn_2",))
    assert kept["syn_2"].shape == (37, 50, 3)
    assert isinstance(parameters, Parameters)


def test_truncation_is_toward_zero_and_keeps_the_low_bits():
    values = np.array([-1.9, 1.9, 32768.0, -32769.0], np.float32)
    assert to_int16(values).tolist() == [-1, 1, -32768, 32767]
