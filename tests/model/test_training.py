"""Training: it learns, it can be interrupted anywhere, and it says what is wrong."""

from __future__ import annotations

import json
import os
import signal

import numpy as np
import pytest

from xlic.errors import FormatError, InputError
from xlic.evaluation.metrics import psnr
from xlic.rungs.tensorflow import TensorFlowRung
from xlic.tfmodel import klt
from xlic.tfmodel.checkpoint import FILE, load_checkpoint
from xlic.tfmodel.data import Patches
from xlic.tfmodel.initialize import change_rate
from xlic.tfmodel.model_file import load_model, save_model
from xlic.tfmodel.train import train
from xlic.weights import save_weights


class KilledError(Exception):
    """The process is gone, without a chance to store anything."""


def at_step(step, action):
    """A progress callback that acts once, after an update."""

    def progress(what, done, total):
        if done == step and total < 1000 and what.startswith("loss"):
            action()

    return progress


def killed():
    raise KilledError


def equal(a, b):
    """Assert that two checkpoints are the same, bit by bit."""
    assert (a.step, a.history, a.running) == (b.step, b.history, b.running)
    for ours, theirs in ((a.variables, b.variables), (a.optimizer, b.optimizer)):
        assert ours.keys() == theirs.keys()
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


def test_training_learns_and_saves(settings):
    said = []
    run = settings(
        steps_per_epoch=6, epochs=2, learning_rate=3e-3, max_validation_steps=1, kernels="direct"
    )
    result = train(run, say=said.append)
    assert result.step == 12
    assert result.history[1]["loss"] < result.history[0]["loss"]
    assert result.history[1]["val_loss"] < result.history[0]["val_loss"]
    assert json.loads((run.train_path / "log.json").read_text()) == result.history
    assert any("skipped 1 images smaller than a patch: small.png" in s for s in said)
    assert any("grey.jpg: converted from L to RGB" in s for s in said)

    model = load_model(run.model_path)
    assert model.kernels == "direct"
    assert model.lmbda == 0.01
    assert model.provenance["steps"] == 12
    assert model.provenance["images"] == 4
    assert str(run.train_path.parent) not in json.dumps(model.provenance)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "how",
    [
        {"optimizer": "soap", "kernels": "direct", "schedule": "cosine", "augment": "flips"},
        {"optimizer": "adam", "clip_norm": 5.0, "augment": "transposes"},
    ],
    ids=["soap", "adam"],
)
def test_interrupted_run_ends_as_an_uninterrupted_one(settings, tmp_path, monkeypatch, how):
    # SOAP's bases change after updates 2 and 4, so that stored ones matter.
    monkeypatch.setattr("xlic.tfmodel.train.REFRESH_STEPS", 2)
    stops, last = (1, 3, 3), 4
    base = {"epochs": 2, "steps_per_epoch": last // 2, "filters": 4} | how
    whole = settings(**base, train_path=tmp_path / "whole")
    assert train(whole).step == last

    parts = settings(**base, train_path=tmp_path / "parts", model_path=tmp_path / "parts_model")
    result = train(parts, progress=at_step(stops[0], lambda: os.kill(os.getpid(), signal.SIGTERM)))
    assert result.model is None
    assert result.step == stops[0]
    assert not parts.model_path.exists()
    # Killed without warning: what came after the last stored state is done again.
    frequent = settings(**base, train_path=parts.train_path, checkpoint_seconds=1e-6)
    with pytest.raises(KilledError):
        train(frequent, progress=at_step(stops[1], killed))
    assert load_checkpoint(parts.train_path).step == stops[1] - 1
    result = train(parts, progress=at_step(stops[2], lambda: os.kill(os.getpid(), signal.SIGINT)))
    assert result.step == stops[2]
    assert train(parts).step == last
    equal(load_checkpoint(whole.train_path), load_checkpoint(parts.train_path))
    whole_model, parts_model = load_model(whole.model_path), load_model(parts.model_path)
    assert whole_model.weights().identity == parts_model.weights().identity
    # Run once more, there is nothing left to do.
    assert train(parts).step == last


def test_klt_initialization_codes_photographs_at_once(settings, photo, monkeypatch):
    monkeypatch.setattr(klt, "BLOCKS", 3000)
    run = settings(epochs=0, init="klt", filters=32, lmbda=0.125)
    model = train(run).model
    rung = TensorFlowRung(model.weights())
    image = photo[:256, :256]
    symbols = rung.analyze(image).output
    picture = rung.synthesize(symbols, image.shape[:2]).output
    assert psnr(image, picture) > 24
    # The prior was fitted: nearly nothing needs an escape.
    tables = model.tables
    inside = (symbols >= tables.cdf_offset) & (symbols < tables.cdf_offset + tables.cdf_length - 2)
    assert inside.mean() > 0.95


@pytest.mark.usefixtures("quick")
def test_start_from_earlier_models(settings, tiny, tmp_path):
    save_model(tiny, tmp_path / "earlier")
    save_weights(tiny.weights(), tmp_path / "w.safetensors")
    np.savez(tmp_path / "v.npz", **tiny.variables)
    plain = tiny.weights().tensors

    def start(name, **changes):
        run = settings(epochs=0, init=str(tmp_path / name), **changes)
        return train(settings(**vars(run) | {"train_path": tmp_path / f"train_{name}"})).model

    for name in ("earlier", "w.safetensors", "v.npz"):
        for key, tensor in start(name, lmbda=0.01).weights().tensors.items():
            np.testing.assert_allclose(
                tensor, plain[key], rtol=0, atol=2e-6 * np.abs(plain[key]).max(), err_msg=key
            )
    # From λ = 0.01 to 0.04, quantization is twice as fine.
    scaled = train(
        settings(epochs=0, init=str(tmp_path / "earlier"), lmbda=0.04, kernels="direct")
    ).model
    tensors = scaled.weights().tensors
    np.testing.assert_allclose(tensors["ana_2.kernel"], plain["ana_2.kernel"] * 2, rtol=1e-6)
    np.testing.assert_allclose(tensors["syn_0.kernel"], plain["syn_0.kernel"] / 2, rtol=1e-6)
    np.testing.assert_array_equal(tensors["syn_1.kernel"], plain["syn_1.kernel"])

    with pytest.raises(InputError, match="give --num-filters 8"):
        train(settings(init=str(tmp_path / "v.npz"), filters=16, train_path=tmp_path / "other"))
    with pytest.raises(InputError, match="no weights at"):
        start("nowhere")


def test_rate_change_stretches_the_prior(tiny):
    import tensorflow as tf

    from xlic.tfmodel.network import Network

    network = Network(tiny.filters, "direct")
    prior = {k: v for k, v in network.values().items() if k.startswith("prior/")}
    x = tf.reshape(tf.range(-30.0, 30.0), (-1, 1)) * tf.ones((1, tiny.filters))
    before = network.prior.base.cdf(x).numpy()
    network.assign(change_rate(prior, 3.0))
    np.testing.assert_allclose(network.prior.base.cdf(3 * x).numpy(), before, atol=1e-5)


@pytest.mark.usefixtures("quick")
def test_divergence_stops_and_keeps_the_last_good_state(settings):
    good = settings(epochs=1, filters=4, kernels="direct")
    train(good)
    before = (good.train_path / FILE).read_bytes()
    wild = settings(epochs=9, filters=4, kernels="direct", learning_rate=1e30)
    with pytest.raises(InputError, match=r"diverged after step .*step 3 is kept.*--learning-rate"):
        train(wild)
    assert (good.train_path / FILE).read_bytes() == before


@pytest.mark.usefixtures("quick")
def test_another_run_in_the_same_place_is_refused(settings):
    train(settings(epochs=0, filters=4))
    with pytest.raises(InputError, match=r"started with --lambda 0\.01, not 0\.5"):
        train(settings(epochs=0, filters=4, lmbda=0.5))
    said = []
    train(settings(epochs=0, filters=4, learning_rate=1e-3), say=said.append)
    assert "continued with learning_rate 0.001 (was 0.0001)" in said


def test_damaged_state_is_refused(settings):
    run = settings(epochs=0)
    run.train_path.mkdir()
    (run.train_path / FILE).write_bytes(b"\x08\0\0\0\0\0\0\0garbage!")
    with pytest.raises(FormatError, match="another --train-path"):
        train(run)


def test_useless_images_are_refused(settings, tmp_path):
    with pytest.raises(InputError, match="matches no file"):
        train(settings(train_glob=str(tmp_path / "*.png")))
    with pytest.raises(InputError, match="none of 5 images is 128×128"):
        train(settings(patch=128))
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(InputError, match=r"bad\.png"):
        train(settings(train_glob=str(tmp_path / "*.png")))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lmbda": 0.0}, "--lambda is 0.0"),
        ({"learning_rate": float("nan")}, "--learning-rate is nan"),
        ({"patch": 8}, "--patchsize is 8"),
        ({"epochs": -1}, "cannot be negative"),
        ({"optimizer": "sgd"}, "--optimizer is 'sgd'"),
        ({"seed": 1 << 31}, "--seed is"),
        ({"precision_policy": "float64"}, "--precision-policy is 'float64'"),
    ],
)
def test_impossible_settings_are_refused(settings, change, message):
    with pytest.raises(InputError, match=message):
        settings(**change)


@pytest.mark.usefixtures("quick")
def test_mixed_precision_trains(settings):
    import tensorflow as tf

    result = train(settings(filters=4, precision_policy="mixed_bfloat16"))
    assert np.isfinite(result.history[0]["loss"])
    assert tf.keras.mixed_precision.global_policy().name == "float32"


def test_patches_are_a_function_of_seed_and_step(training_folder):
    files = sorted(training_folder.glob("[0-9].png"))
    a = Patches(files, patch=64, seed=3, augment="transposes", threads=4)
    b = Patches(files, patch=64, seed=3, augment="transposes", threads=1)
    stream = list(a.stream(5, 9, 2, threads=4))
    assert len(stream) == 4
    for step, batch in zip(range(5, 9), stream, strict=True):
        assert batch.shape == (2, 64, 64, 3)
        np.testing.assert_array_equal(batch, b.batch(step, 2))
    assert (a.batch(0, 2) != Patches(files, patch=64, seed=4).batch(0, 2)).any()
    assert sum(1 for _ in a.validation(-1, 2)) == 2
    assert a.digest == b.digest != Patches(files[:2], patch=64, seed=3).digest


def test_soap_is_that_of_the_paper():
    """Against a plain NumPy transcription of the paper's algorithm, for three modes."""
    import tensorflow as tf

    from xlic.tfmodel.soap import REFRESH_STEPS, Soap

    generator = np.random.default_rng(0)
    shape = (3, 3, 4, 5)
    modes = (9, 4, 5)
    start = generator.normal(size=shape)
    variable = tf.Variable(start, dtype=tf.float32)
    soap = Soap(variable, "direct")

    def rotate(x, q):
        return np.einsum("abc,ai,bj,ck->ijk", x, *q)

    def outer(x):
        return [np.tensordot(x, x, ([k for k in range(3) if k != i],) * 2) for i in range(3)]

    x, first, second = start.reshape(modes), np.zeros(modes), np.zeros(modes)
    for count in range(1, 2 * REFRESH_STEPS + 3):
        gradient = generator.normal(size=modes) * np.linspace(0.1, 2, 9)[:, None, None]
        given = tf.constant(gradient.reshape(shape), tf.float32)
        if count == 1:
            soap.start(given)
            covariances = outer(gradient)
            bases = [np.linalg.eigh(c)[1][:, ::-1] for c in covariances]
        soap.apply(given, 0.01, tf.constant(float(count)))
        rotated = rotate(gradient, bases)
        first = 0.95 * first + 0.05 * rotated
        second = 0.95 * second + 0.05 * rotated**2
        correction = 1 - 0.95**count
        step = first / correction / (np.sqrt(second / correction) + 1e-8)
        x = x - 0.01 * rotate(step, [q.T for q in bases])
        covariances = [
            0.95 * c + 0.05 * o for c, o in zip(covariances, outer(gradient), strict=True)
        ]
        if count % REFRESH_STEPS == 0:
            soap.refresh()
            plain = rotate(first, [q.T for q in bases])
            bases = [np.linalg.qr(c @ q)[0] for c, q in zip(covariances, bases, strict=True)]
            first = rotate(plain, bases)
    np.testing.assert_allclose(variable.numpy(), x.reshape(shape), atol=2e-4)
    for i in range(3):
        basis = soap.state[f"basis_{i}"].numpy()
        np.testing.assert_allclose(basis.T @ basis, np.eye(modes[i]), atol=1e-5)


def test_modes_join_the_spatial_axes():
    from xlic.tfmodel.soap import modes_of

    assert modes_of((9, 9, 3, 8), "direct") == (81, 3, 8)
    assert modes_of((3, 8, 9, 5), "rdft") == (3, 8, 45)
    assert modes_of((8, 8), "rdft") == (8, 8)


def test_adam_is_that_of_keras():
    import tensorflow as tf

    from xlic.tfmodel.optimizers import Adam

    ours, theirs = tf.Variable([1.0, -2.0]), tf.Variable([1.0, -2.0])
    adam, keras = Adam(ours), tf.keras.optimizers.Adam(1e-2)
    for count in range(1, 6):
        gradient = tf.constant([0.1 * count, -3.0])
        adam.apply(gradient, 1e-2, tf.constant(float(count)))
        keras.apply_gradients([(gradient, theirs)])
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6)
