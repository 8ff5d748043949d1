"""The coder, the tables and the container against tensorflow-compression, byte by byte."""

from __future__ import annotations

import numpy as np
import pytest

from tests.entropy.reference import (
    any_symbols,
    likely_symbols,
    make_tables,
    random_tables,
    rows_of,
)
from tests.entropy.test_tables import flat_of
from xlic.architecture import symbol_size
from xlic.entropy.codec import compress, decompress
from xlic.entropy.rangecoder import decode, encode
from xlic.entropy.tables import tables_from_tfc
from xlic.entropy.tfci import Tfci, pack, unpack

pytestmark = pytest.mark.model

INT32 = np.iinfo(np.int32)


@pytest.fixture(scope="module")
def tf():
    return pytest.importorskip("tensorflow", reason="needs TensorFlow")


@pytest.fixture(scope="module")
def tfc(tf):
    return pytest.importorskip("tensorflow_compression", reason="needs tensorflow-compression")


@pytest.fixture(scope="module")
def model(tf, tfc):
    """An entropy model with the tables of an untrained prior, offsets included."""
    tf.random.set_seed(7)
    prior = tfc.NoisyDeepFactorized(batch_shape=(6,), init_scale=3.0)
    return tfc.ContinuousBatchedEntropyModel(prior, coding_rank=3, compression=True)


@pytest.fixture(scope="module")
def model_tables(model):
    return tables_from_tfc(
        model.cdf.numpy(), model.cdf_offset.numpy(), model.quantization_offset.numpy()
    )


def tfc_encode(tfc, symbols, tables):
    handle = tfc.create_range_encoder([], flat_of(tables))
    handle = tfc.entropy_encode_channel(handle, (symbols - tables.cdf_offset).astype(np.int32))
    return tfc.entropy_encode_finalize(handle).numpy()


def tfc_decode(tf, tfc, data, shape, tables):
    """The symbols; fails where TensorFlow's own sanity check does."""
    handle = tfc.create_range_decoder(data, flat_of(tables))
    handle, bins = tfc.entropy_decode_channel(handle, shape, tf.int32)
    assert tfc.entropy_decode_finalize(handle).numpy()
    # In int64, and back: the offset may carry a bin beyond int32 that its symbol is not.
    return (bins.numpy().astype(np.int64) + tables.cdf_offset).astype(np.int32)


@pytest.mark.parametrize("seed", range(20))
def test_streams_are_equal_in_every_byte_and_decode_in_both_directions(tf, tfc, seed):
    rng = np.random.default_rng(seed)
    for _ in range(25):
        channels, height, width = (int(n) for n in rng.integers(1, 12, 3))
        tables = random_tables(rng, channels, int(rng.choice([1, 5, 12, 12, 12, 16])))
        # TensorFlow's encoder does not come back from escapes of 2**30 and more.
        symbols = any_symbols(rng, tables, height, width, top=2**30 - 200)
        theirs, ours = tfc_encode(tfc, symbols, tables), encode(symbols, tables)
        assert ours == theirs
        assert np.array_equal(decode(theirs, symbols.shape, tables), symbols)
        assert np.array_equal(tfc_decode(tf, tfc, ours, symbols.shape, tables), symbols)


def test_a_whole_images_stream_is_equal_in_every_byte(tf, tfc):
    rng = np.random.default_rng(0)
    tables = random_tables(rng, 128)
    symbols = likely_symbols(rng, tables, 32, 48)
    data = encode(symbols, tables)
    assert data == tfc_encode(tfc, symbols, tables)
    assert np.array_equal(tfc_decode(tf, tfc, data, symbols.shape, tables), symbols)


@pytest.mark.parametrize("bit", [0, 1])
def test_streams_of_exactly_dyadic_bins_are_equal_in_every_byte(tfc, bit):
    tables = make_tables([[0, 1024, 2048, 4096]])
    for count in range(1, 70):
        symbols = np.full((count, 1, 1), bit, np.int32)
        assert encode(symbols, tables) == tfc_encode(tfc, symbols, tables)


def test_the_comparison_tells_one_differing_symbol(tfc):
    rng = np.random.default_rng(0)
    tables = random_tables(rng, 8)
    symbols = likely_symbols(rng, tables, 5, 5)
    other = symbols.copy()
    other[4, 4, 7] += 1
    assert encode(other, tables) != tfc_encode(tfc, symbols, tables)


@pytest.mark.parametrize("offset", [INT32.min, -100, 0, 100, INT32.max])
def test_escapes_beyond_tensorflows_encoder_are_read_by_its_decoder(tf, tfc, offset):
    tables = make_tables([[0, 2000, 4000, 4096]], [offset])
    values = [INT32.min, INT32.min + 1, -(2**30), -1, 0, 1, 2**30, INT32.max - 1, INT32.max]
    symbols = np.array(values, np.int32).reshape(-1, 1, 1)
    data = encode(symbols, tables)
    assert np.array_equal(tfc_decode(tf, tfc, data, symbols.shape, tables), symbols)


def test_zeros_that_tensorflow_would_leave_out_do_not_disturb_it(tf, tfc):
    tables = make_tables([[0, 1024, 3072, 4096]])
    symbols = np.ones((1000, 1, 1), np.int32)
    data = encode(symbols, tables)
    assert data != tfc_encode(tfc, symbols, tables) == b"\x80"
    assert np.array_equal(tfc_decode(tf, tfc, data, symbols.shape, tables), symbols)


def test_an_entropy_models_tables_are_understood(model, model_tables):
    assert model_tables.channels == 6
    assert model_tables.precision == 12
    assert np.array_equal(flat_of(model_tables), model.cdf.numpy())
    assert np.array_equal(model_tables.cdf_offset, model.cdf_offset.numpy())
    assert np.abs(model_tables.quantization_offset).max() > 0


def test_an_entropy_model_and_xlic_read_each_others_streams(tf, model, model_tables):
    rng = np.random.default_rng(1)
    latents = rng.normal(0, 8, (1, 7, 9, 6)).astype(np.float32)
    latents[0, 0, 0] = [300, -300, 5000, -5000, 1e6, -1e6]  # escapes, also in a real model
    offset = model_tables.quantization_offset
    symbols = np.round(latents - offset).astype(np.int32)[0]
    theirs = model.compress(latents).numpy()[0]
    ours = encode(symbols, model_tables)
    assert ours == theirs
    assert np.array_equal(decode(theirs, symbols.shape, model_tables), symbols)
    assert np.array_equal(
        model.decompress(tf.constant([ours]), (7, 9)).numpy()[0],
        symbols.astype(np.float32) + offset,
    )


def pack_by_tfc(tf, tfc, string, image_size, size, name=None):
    packed = tfc.PackedTensors()
    packed.pack([tf.constant([string]), tf.constant(image_size), tf.constant(size)])
    if name is not None:
        packed.model = name
    return packed.string


def unpack_by_tfc(tf, tfc, data):
    packed = tfc.PackedTensors(data)
    tensors = packed.unpack([tf.string, tf.int32, tf.int32])
    assert [tuple(tensor.shape) for tensor in tensors] == [(1,), (2,), (2,)]
    return [tensor.numpy() for tensor in tensors]


@pytest.mark.parametrize("size", [(1, 1), (17, 33), (768, 512), (8192, 8192)])
@pytest.mark.parametrize("string", [b"", b"\0", b"abc" * 1000])
@pytest.mark.parametrize("name", [None, "bls2017"])
def test_containers_are_read_in_both_directions(tf, tfc, size, string, name):
    content = Tfci(string, size, symbol_size(*size), name, checksum=0xFFFFFFFF)
    data = pack(content)
    theirs = unpack_by_tfc(tf, tfc, data)
    assert theirs[0].tolist() == [string]
    assert tuple(theirs[1]) == size
    assert tuple(theirs[2]) == content.symbol_size
    if name is not None:
        assert tfc.PackedTensors(data).model == name
    back = unpack(pack_by_tfc(tf, tfc, string, size, content.symbol_size, name))
    assert back == Tfci(string, size, content.symbol_size, name)


def test_what_tensorflow_parses_is_what_was_packed_to_the_last_field(tf):
    content = Tfci(b"abc", (17, 33), (2, 3), "bls2017", 0xDEADBEEF)
    example = tf.train.Example.FromString(pack(content))
    features = example.features.feature
    assert sorted(features) == ["\x01", "\x02", "\x03", "CRC", "MD"]
    assert list(features["CRC"].int64_list.value) == [0xDEADBEEF]
    # Protobuf keeps what it does not understand; a second trip would show it as added length.
    assert len(example.SerializeToString()) == len(pack(content))
    assert unpack(example.SerializeToString()) == content


def test_whole_files_travel_in_both_directions(tf, tfc, model, model_tables):
    rng = np.random.default_rng(2)
    size = (97, 130)
    latents = rng.normal(0, 8, (1, *symbol_size(*size), 6)).astype(np.float32)
    offset = model_tables.quantization_offset
    symbols = np.round(latents - offset).astype(np.int32)[0]

    string, image_size, shape = unpack_by_tfc(tf, tfc, compress(symbols, size, model_tables))
    assert tuple(image_size) == size
    decoded = model.decompress(tf.constant(string), shape).numpy()[0]
    assert np.array_equal(decoded, symbols.astype(np.float32) + offset)

    strings = model.compress(latents).numpy()
    theirs = pack_by_tfc(tf, tfc, strings[0], size, symbol_size(*size))
    decoded, image_size = decompress(theirs, model_tables)
    assert image_size == size
    assert np.array_equal(decoded, symbols)
    assert rows_of(model_tables)[0][-1] == 4096
