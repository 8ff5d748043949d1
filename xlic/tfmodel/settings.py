"""What a training run is told, and which of it may change when it continues."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from xlic.architecture import DEFAULT_FILTERS
from xlic.errors import InputError
from xlic.tfmodel.data import Augment
from xlic.tfmodel.optimizers import OptimizerName
from xlic.tfmodel.variables import Kernels

Schedule = Literal["constant", "cosine"]

POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")
"""Keras precision policies that keep the variables in float32."""

DEFAULT_TRAIN_PATH = "/tmp/train_bls2017"  # the public script's
DEFAULT_MODEL_PATH = "bls2017"

_WARMUP = 200
_FINAL_RATE = 0.015
_NO_RESULT = ("train_path", "model_path", "threads", "checkpoint_seconds", "check_numerics")
_FIXED = {
    "lmbda": "--lambda",
    "filters": "--num-filters",
    "kernels": "--kernels",
    "optimizer": "--optimizer",
    "init": "--init",
}


@dataclass(frozen=True)
class TrainSettings:
    """A training run; the defaults are those of the public script.

    Attributes:
        train_glob: the training images.
        lmbda: λ of ``bpp + λ·mse``, mse on 0..255.
        filters: N.
        batch: patches per update.
        patch: their side in pixels.
        epochs: train up to this many; 0 saves the model as it is initialized or stored.
        steps_per_epoch: updates per epoch.
        max_validation_steps: batches per validation; −1 for one patch per image, 0 for none.
        learning_rate: of the transforms, at its highest.
        prior_rate: learning rate of the prior, as a multiple of that.
        schedule: ``constant``, or ``cosine`` down to 1.5 % at the last step.
        warmup: updates over which the rate rises from zero; None is 200 with SOAP or cosine, at
            most a tenth of the run, and otherwise none.
        optimizer: see :mod:`xlic.tfmodel.optimizers`.
        clip_norm: bound on the norm of the transforms' gradient, 0 for none.
        kernels: how kernels are parametrized.
        init: ``random``, ``klt`` or a file, see :mod:`xlic.tfmodel.initialize`.
        init_lmbda: λ of that file, where it does not say.
        seed: of all randomness, 0 … 2**31 − 1.
        augment: see :mod:`xlic.tfmodel.data`.
        precision_policy: one of :data:`POLICIES`.
        check_numerics: let TensorFlow name the operation that first yields NaN; slow.
        threads: images decoded at once.
        train_path: folder of the state and the log.
        model_path: folder of the trained model.
        checkpoint_seconds: time between two stored states.

    Raises:
        InputError: a value that cannot be.
    """

    train_glob: str
    lmbda: float = 0.01
    filters: int = DEFAULT_FILTERS
    batch: int = 8
    patch: int = 256
    epochs: int = 1000
    steps_per_epoch: int = 1000
    max_validation_steps: int = 16
    learning_rate: float = 1e-4
    prior_rate: float = 1.0
    schedule: Schedule = "constant"
    warmup: int | None = None
    optimizer: OptimizerName = "adam"
    clip_norm: float = 0.0
    kernels: Kernels = "rdft"
    init: str = "random"
    init_lmbda: float | None = None
    seed: int = 0
    augment: Augment = "none"
    precision_policy: str = "float32"
    check_numerics: bool = False
    threads: int = 16
    train_path: Path = Path(DEFAULT_TRAIN_PATH)
    model_path: Path = Path(DEFAULT_MODEL_PATH)
    checkpoint_seconds: float = 120.0

    def __post_init__(self) -> None:
        positive = {
            "--lambda": self.lmbda,
            "--learning-rate": self.learning_rate,
            "--prior-rate": self.prior_rate,
            "--init-lambda": 1.0 if self.init_lmbda is None else self.init_lmbda,
            "--num-filters": self.filters,
            "--batchsize": self.batch,
            "--steps-per-epoch": self.steps_per_epoch,
            "--checkpoint-seconds": self.checkpoint_seconds,
        }
        for flag, value in positive.items():
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"{flag} is {value}, must be a positive number")
        if self.patch < 16:
            raise InputError(f"--patchsize is {self.patch}, must be 16 or more")
        if self.epochs < 0 or self.clip_norm < 0 or (self.warmup or 0) < 0:
            raise InputError("--epochs, --clip-norm and --warmup cannot be negative")
        if not 0 <= self.seed < 1 << 31:
            raise InputError(f"--seed is {self.seed}, must be 0 … 2147483647")
        choices = {
            "--schedule": (self.schedule, get_args(Schedule)),
            "--optimizer": (self.optimizer, get_args(OptimizerName)),
            "--kernels": (self.kernels, get_args(Kernels)),
            "--augment": (self.augment, get_args(Augment)),
            "--precision-policy": (self.precision_policy, POLICIES),
        }
        for flag, (choice, known) in choices.items():
            if choice not in known:
                raise InputError(f"{flag} is {choice!r}, must be one of {', '.join(known)}")

    @property
    def steps(self) -> int:
        """Updates in all."""
        return self.epochs * self.steps_per_epoch

    def rate(self, step: int) -> float:
        """Learning rate of the update after ``step`` others."""
        warmup = self.warmup
        if warmup is None:
            gentle = self.optimizer == "soap" or self.schedule == "cosine"
            warmup = min(_WARMUP, self.steps // 10) if gentle else 0
        rate = self.learning_rate * min(1.0, (step + 1) / max(1, warmup))
        if self.schedule == "cosine":
            half_wave = 0.5 * (1.0 + math.cos(math.pi * step / max(1, self.steps)))
            rate *= _FINAL_RATE + (1.0 - _FINAL_RATE) * half_wave
        return rate

    def public(self) -> dict[str, Any]:
        """What decides the result, for storing; paths by their last part only."""
        values = {k: v for k, v in asdict(self).items() if k not in _NO_RESULT}
        values["train_glob"] = Path(self.train_glob).name
        values["init"] = Path(self.init).name
        return values


def check_continuation(
    stored: Mapping[str, Any], now: Mapping[str, Any], train_path: Path
) -> list[str]:
    """Compare the settings of a stored run with those of one that is to continue it.

    Returns:
        Sentences on what has changed and is allowed to.

    Raises:
        InputError: something has changed that makes it another run.
    """
    for name, flag in _FIXED.items():
        if stored.get(name) != now[name]:
            raise InputError(
                f"the run in {train_path} was started with {flag} {stored.get(name)}, not "
                f"{now[name]}; give the same to continue it, or another --train-path"
            )
    return [
        f"continued with {name} {value} (was {stored.get(name)})"
        for name, value in now.items()
        if name != "epochs" and stored.get(name) != value
    ]
