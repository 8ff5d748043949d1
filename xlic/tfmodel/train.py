"""Training: ``bpp + λ·mse`` on random patches, interruptible at any point.

A run is a function of its settings, its images and the step: batches and noise are drawn from seed
and step, and the whole state (variables, optimizer, step, log) is stored every few minutes and on
SIGINT or SIGTERM. A continued run therefore ends where an uninterrupted one would have.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from xlic.errors import InputError
from xlic.files import Progress, find_files, require_writable_folder, write_json
from xlic.tfmodel.backend import backend, versions
from xlic.tfmodel.checkpoint import Checkpoint, load_checkpoint, restore, save_checkpoint
from xlic.tfmodel.data import Patches
from xlic.tfmodel.initialize import initialize, is_prior
from xlic.tfmodel.model_file import TrainedModel, make_folder, save_model
from xlic.tfmodel.network import Network, noise, rounding
from xlic.tfmodel.optimizers import NetworkOptimizer
from xlic.tfmodel.settings import TrainSettings, check_continuation
from xlic.tfmodel.soap import REFRESH_STEPS

LOG_FILE = "log.json"

Say = Callable[[str], None]
EpochDone = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class TrainResult:
    """How a run ended.

    Attributes:
        step: updates done in all.
        model: the trained model, as saved; None if the run was interrupted.
        history: one entry per epoch: ``epoch step loss bpp mse psnr`` of training, and the same
            with ``val_`` of validation, where latents are rounded as in coding.
    """

    step: int
    model: TrainedModel | None
    history: list[dict[str, Any]]


def train(
    settings: TrainSettings,
    *,
    say: Say = lambda text: None,
    progress: Progress | None = None,
    epoch_done: EpochDone | None = None,
) -> TrainResult:
    """Train a model, or continue to, and save it to ``settings.model_path``.

    Args:
        settings: the run.
        say: called with sentences for the user.
        progress: called after every update.
        epoch_done: called with the log's entry after every epoch.

    Raises:
        InputError: no usable images, a run of other settings in ``train_path``, or training
            diverged; the last good state is kept.
        FormatError: the stored state is damaged.
        MissingToolError: TensorFlow is absent.
    """
    with _policy(settings.precision_policy), _numerics_checked(settings.check_numerics):
        run = _Run(settings, say, progress, epoch_done)
        with _stop_on_signals() as stop:
            finished = run.advance(stop)
        if not finished:
            return TrainResult(run.step, None, run.history)
        model = run.trained_model()
    save_model(model, settings.model_path)
    return TrainResult(run.step, model, run.history)


class _Run:
    """A training run under way."""

    def __init__(
        self,
        settings: TrainSettings,
        say: Say,
        progress: Progress | None,
        epoch_done: EpochDone | None,
    ) -> None:
        self._settings, self._progress, self._epoch_done = settings, progress, epoch_done
        # The model is written after days.
        require_writable_folder(settings.model_path)
        make_folder(settings.train_path)
        require_writable_folder(settings.train_path)
        self._patches = Patches(
            find_files(settings.train_glob, "--train-glob"),
            patch=settings.patch,
            seed=settings.seed,
            augment=settings.augment,
            threads=settings.threads,
            progress=progress,
        )
        for note in self._patches.notes:
            say(note)
        if self._patches.skipped:
            names = ", ".join(file.name for file in self._patches.skipped[:3])
            say(f"skipped {len(self._patches.skipped)} images smaller than a patch: {names} …")
        self._network = Network(settings.filters, settings.kernels)
        self._optimizer = NetworkOptimizer(self._network, settings.optimizer, settings.prior_rate)
        self.step = 0
        self.history: list[dict[str, Any]] = []
        self._running: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
        self._stored_step = -1
        self._compile()
        self._start_or_continue(say)

    def advance(self, stop: threading.Event) -> bool:
        """Do all updates; whether the run is complete."""
        settings = self._settings
        first, last = self.step, settings.steps
        next_save = time.monotonic() + settings.checkpoint_seconds
        batches = self._patches.stream(first, last, settings.batch, settings.threads)
        with closing(batches):
            for pixels in batches:
                self._update(pixels)
                if self.step % settings.steps_per_epoch == 0:
                    self._end_epoch()
                if stop.is_set() or time.monotonic() > next_save:
                    self._save()
                    next_save = time.monotonic() + settings.checkpoint_seconds
                if stop.is_set() and self.step < last:
                    return False
        self._save()
        return True

    def trained_model(self) -> TrainedModel:
        """The model as it is now, with its tables."""
        settings = self._settings
        provenance: dict[str, Any] = {
            "steps": self.step,
            "settings": settings.public(),
            "images": len(self._patches.files),
            "images_digest": self._patches.digest,
            "trained_with": versions(),
        }
        if self.history:
            provenance["last_epoch"] = self.history[-1]
        return TrainedModel(
            self._network.values(),
            settings.filters,
            settings.kernels,
            self._network.build_tables(),
            settings.lmbda,
            provenance,
        )

    def _start_or_continue(self, say: Say) -> None:
        settings = self._settings
        stored = load_checkpoint(settings.train_path)
        if stored is None:
            note = initialize(
                self._network,
                settings.init,
                lmbda=settings.lmbda,
                patches=self._patches,
                batch=settings.batch,
                seed=settings.seed,
                init_lmbda=settings.init_lmbda,
            )
            say(f"{note}; training on {len(self._patches.files)} images")
            return
        changes = check_continuation(stored.settings, self._facts(), settings.train_path)
        restore(stored.variables, self._network.variables, settings.train_path)
        restore(stored.optimizer, self._optimizer.state, settings.train_path)
        self.step, self.history = stored.step, stored.history
        self._running = (*stored.running, 0.0, 0.0, 0.0, 0.0)[:4]
        self._stored_step = stored.step
        say(f"continuing the run in {settings.train_path} from step {stored.step}")
        for change in changes:
            say(change)

    def _facts(self) -> dict[str, Any]:
        return self._settings.public() | {"images_digest": self._patches.digest}

    def _compile(self) -> None:
        tf = backend().tf
        network, optimizer, settings = self._network, self._optimizer, self._settings
        variables = list(network.variables.values())

        def gradients(pixels: Any, seed: Any) -> tuple[list[Any], Any, Any]:
            with tf.GradientTape() as tape:
                bpp, mse = network.losses(pixels, noise(seed))
                loss = bpp + settings.lmbda * mse
            found = tape.gradient(loss, variables)
            if settings.clip_norm > 0:
                # The prior's gradient is of another scale, and is left as it is.
                chosen = [i for i, name in enumerate(optimizer.names) if not is_prior(name)]
                clipped, _ = tf.clip_by_global_norm([found[i] for i in chosen], settings.clip_norm)
                for i, value in zip(chosen, clipped, strict=True):
                    found[i] = value
            return found, bpp, mse

        def start(pixels: Any, seed: Any) -> None:
            optimizer.start(gradients(pixels, seed)[0])

        def update(pixels: Any, seed: Any, rate: Any, count: Any) -> tuple[Any, Any]:
            found, bpp, mse = gradients(pixels, seed)
            optimizer.apply(found, rate, count)
            return bpp, mse

        self._start_function = tf.function(start)
        self._update_function = tf.function(update)
        self._refresh_function = tf.function(optimizer.refresh)
        self._evaluate_function = tf.function(
            lambda pixels, offset: network.losses(pixels, rounding(offset))
        )

    def _update(self, pixels: Any) -> None:
        tf = backend().tf
        settings = self._settings
        batch = tf.constant(pixels)
        seed = tf.constant([settings.seed, self.step], tf.int64)
        rate = tf.constant(settings.rate(self.step), tf.float32)
        count = tf.constant(self.step + 1, tf.float32)
        try:
            if self.step == 0 and self._optimizer.has_bases:
                self._start_function(batch, seed)
            bpp, mse = (float(x) for x in self._update_function(batch, seed, rate, count))
        except tf.errors.InvalidArgumentError as error:
            # What --check-numerics and the eigenvalue solver raise on NaN.
            raise self._diverged(str(error).splitlines()[0]) from error
        loss = bpp + settings.lmbda * mse
        if not math.isfinite(loss):
            raise self._diverged(f"the loss is {loss}")
        self.step += 1
        if self._optimizer.has_bases and self.step % REFRESH_STEPS == 0:
            self._refresh_function()
        count_, *sums = self._running
        loss_, bpp_, mse_ = (a + b for a, b in zip(sums, (loss, bpp, mse), strict=True))
        self._running = (count_ + 1, loss_, bpp_, mse_)
        if self._progress is not None:
            self._progress(_figures_text(loss, bpp, mse), self.step, settings.steps)

    def _diverged(self, reason: str) -> InputError:
        kept = (
            f"the state of step {self._stored_step} is kept in {self._settings.train_path}"
            if self._stored_step >= 0
            else "no state was stored yet"
        )
        return InputError(
            f"training diverged after step {self.step}: {reason}; {kept}: continue with a lower "
            "--learning-rate or a --clip-norm"
        )

    def _end_epoch(self) -> None:
        settings = self._settings
        count, *sums = self._running
        loss, bpp, mse = (value / max(count, 1) for value in sums)
        epoch = self.step // settings.steps_per_epoch
        entry: dict[str, Any] = {"epoch": epoch, "step": self.step}
        entry |= _figures(loss, bpp, mse)
        if settings.max_validation_steps:
            entry |= {f"val_{name}": value for name, value in self._validate().items()}
        self.history.append(entry)
        self._running = (0.0, 0.0, 0.0, 0.0)
        write_json(settings.train_path / LOG_FILE, self.history)
        if self._epoch_done is not None:
            self._epoch_done(entry)

    def _validate(self) -> dict[str, float]:
        tf = backend().tf
        settings = self._settings
        offset = tf.constant(self._network.quantization_offset())
        results = [
            [float(x) for x in self._evaluate_function(tf.constant(pixels), offset)]
            for pixels in self._patches.validation(settings.max_validation_steps, settings.batch)
        ]
        bpp, mse = (sum(column) / len(results) for column in zip(*results, strict=True))
        return _figures(bpp + settings.lmbda * mse, bpp, mse)

    def _save(self) -> None:
        checkpoint = Checkpoint(
            step=self.step,
            variables=self._network.values(),
            optimizer={name: v.numpy() for name, v in self._optimizer.state.items()},
            settings=self._facts(),
            history=self.history,
            running=self._running,
        )
        if not checkpoint.is_finite():
            raise self._diverged("a variable is not finite")
        save_checkpoint(checkpoint, self._settings.train_path)
        self._stored_step = self.step


def _figures(loss: float, bpp: float, mse: float) -> dict[str, float]:
    psnr = 10.0 * math.log10(255.0**2 / max(mse, 1e-10))
    return {"loss": loss, "bpp": bpp, "mse": mse, "psnr": psnr}


def _figures_text(loss: float, bpp: float, mse: float) -> str:
    return " ".join(f"{name} {value:.3f}" for name, value in _figures(loss, bpp, mse).items())


@contextmanager
def _policy(name: str) -> Iterator[None]:
    """Keras' global precision policy for the time of the block."""
    mixed_precision = backend().tf.keras.mixed_precision
    before = mixed_precision.global_policy()
    mixed_precision.set_global_policy(name)
    try:
        yield
    finally:
        mixed_precision.set_global_policy(before)


@contextmanager
def _numerics_checked(wanted: bool) -> Iterator[None]:
    debugging = backend().tf.debugging
    if not wanted:
        yield
        return
    debugging.enable_check_numerics()
    try:
        yield
    finally:
        debugging.disable_check_numerics()


@contextmanager
def _stop_on_signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; a second one of them acts as usual."""
    stop = threading.Event()
    before: dict[int, Any] = {}

    def request(number: int, frame: FrameType | None) -> None:
        stop.set()
        signal.signal(number, before[number])

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, request)
    try:
        yield stop
    finally:
        for changed, handler in before.items():
            signal.signal(changed, handler)
