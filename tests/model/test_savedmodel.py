"""Models of the public script are read: variables and tables of a SavedModel."""

from __future__ import annotations

import numpy as np
import pytest

from tests.model.conftest import FILTERS, flat_tables
from xlic.entropy.tables import tables_from_tfc
from xlic.errors import FormatError
from xlic.rungs.tensorflow import TensorFlowRung
from xlic.tfmodel.codec import entropy_coder
from xlic.tfmodel.model_file import load_model


def build_like_the_script():
    """A Keras model with the script's attributes, layers and layer names."""
    import tensorflow as tf
    import tensorflow_compression as tfc

    def convolution(index, filters, kernel, inverse, activation, **how):
        gdn = tfc.GDN(inverse=inverse) if activation else None
        return tfc.SignalConv2D(
            filters,
            (kernel, kernel),
            name=f"layer_{index}",
            corr=not inverse,
            padding="same_zeros",
            use_bias=activation or inverse,
            activation=gdn,
            **how,
        )

    class Model(tf.keras.Model):
        def __init__(self):
            super().__init__()
            self.analysis_transform = tf.keras.Sequential(
                [
                    tf.keras.layers.Lambda(lambda x: x / 255.0),
                    convolution(0, FILTERS, 9, False, True, strides_down=4),
                    convolution(1, FILTERS, 5, False, True, strides_down=2),
                    convolution(2, FILTERS, 5, False, False, strides_down=2),
                ]
            )
            self.synthesis_transform = tf.keras.Sequential(
                [
                    convolution(0, FILTERS, 5, True, True, strides_up=2),
                    convolution(1, FILTERS, 5, True, True, strides_up=2),
                    convolution(2, 3, 9, True, False, strides_up=4),
                    tf.keras.layers.Lambda(lambda x: x * 255.0),
                ]
            )
            self.prior = tfc.NoisyDeepFactorized(batch_shape=(FILTERS,))

        def call(self, x, training=False):
            y = self.analysis_transform(x)
            return self.synthesis_transform(y), self.prior.log_prob(y)

    return Model()


@pytest.fixture(scope="module")
def saved(tmp_path_factory, photo):
    """Path of a saved model, and its latents and picture of a photograph."""
    import tensorflow as tf
    import tensorflow_compression as tfc

    model = build_like_the_script()
    image = tf.constant(photo[None, :48, :64], tf.float32)
    picture, _ = model(image)
    latents = model.analysis_transform(image)
    tables = flat_tables()
    model.entropy_model = tfc.ContinuousBatchedEntropyModel(
        prior_shape=(FILTERS,),
        coding_rank=3,
        compression=True,
        cdf=entropy_coder(tables).cdf,
        cdf_offset=tables.cdf_offset,
        quantization_offset=tables.quantization_offset,
        offset_heuristic=False,
    )
    folder = tmp_path_factory.mktemp("script") / "bls2017"
    # Without the traced functions: they take long to make, and nothing of them is read.
    model.save(folder, save_traces=False)
    return folder, latents.numpy()[0], picture.numpy()[0]


def test_model_of_the_public_script_is_read(saved, photo):
    folder, latents, picture = saved
    model = load_model(folder, 0.02)
    assert (model.filters, model.kernels, model.lmbda) == (FILTERS, "rdft", 0.02)
    for key, array in flat_tables().arrays().items():
        np.testing.assert_array_equal(model.tables.arrays()[key], array)

    rung = TensorFlowRung(model.weights())
    run = rung.analyze(np.ascontiguousarray(photo[:48, :64]), keep=("ana_2",))
    np.testing.assert_allclose(run.tensors["ana_2"], latents, atol=1e-5 * np.ptp(latents))
    decoded = rung.reconstruct(latents, (48, 64), keep=("syn_2",))
    np.testing.assert_allclose(decoded.tensors["syn_2"], picture, atol=1e-5 * np.ptp(picture))


def test_damaged_saved_model_is_refused(saved, tmp_path):
    import shutil

    shutil.copytree(saved[0], tmp_path / "m")
    for index in (tmp_path / "m" / "variables").glob("*.index"):
        index.write_bytes(index.read_bytes()[:40])
    with pytest.raises(FormatError, match="no readable variables"):
        load_model(tmp_path / "m")


def test_tables_survive_the_form_of_tensorflow_compression():
    tables = flat_tables()
    coder = entropy_coder(tables)
    again = tables_from_tfc(coder.cdf.numpy(), coder.cdf_offset.numpy(), tables.quantization_offset)
    for key, array in tables.arrays().items():
        np.testing.assert_array_equal(again.arrays()[key], array)
