"""Training data: random patches of photographs, a function of seed and step alone.

That makes an interrupted run continue exactly: there is no state to store but the step.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from xlic.errors import InputError
from xlic.files import Progress
from xlic.images import UInt8Image, read_image

_T = TypeVar("_T")
_R = TypeVar("_R")

Augment = Literal["none", "flips", "transposes"]

_CACHE_BYTES = 2 << 30
"""Decoded images are kept up to here; those beyond are decoded again at each use."""

_PREFETCH = 8
_BLOCK_STREAM = 1
_VALIDATION_STREAM = 2


class Patches:
    """Random square patches of a set of images.

    Attributes:
        files: the images in use.
        skipped: those that are smaller than a patch.
        notes: what was converted in reading, a sentence each.
        digest: of names and sizes of the images in use: equal digests draw equal patches.
    """

    def __init__(
        self,
        files: Sequence[Path],
        *,
        patch: int,
        seed: int,
        augment: Augment = "none",
        threads: int = 1,
        progress: Progress | None = None,
    ) -> None:
        """Read all images once.

        Args:
            files: images of any kind that :func:`xlic.images.read_image` reads.
            patch: side of a patch in pixels.
            seed: of all randomness.
            augment: ``flips`` mirrors half of the patches, ``transposes`` also transposes half.
            threads: images read at once.
            progress: called as images are read.

        Raises:
            InputError: an image cannot be read, or none is as large as a patch.
        """
        self._patch, self._seed, self._augment = patch, seed, augment
        self.files: list[Path] = []
        self.skipped: list[Path] = []
        self.notes: list[str] = []
        self._cache: list[UInt8Image | None] = []
        digest = hashlib.sha256()
        held = 0
        with ThreadPoolExecutor(max(1, threads)) as pool:
            loaded = _in_order(pool, read_image, files, ahead=2 * max(1, threads))
            for index, (file, image) in enumerate(zip(files, loaded, strict=True)):
                if progress is not None:
                    progress("reading images", index, len(files))
                height, width = image.pixels.shape[:2]
                if min(height, width) < patch:
                    self.skipped.append(file)
                    continue
                self.files.append(file)
                self.notes += [f"{file.name}: {note}" for note in image.notes]
                digest.update(f"{file.name}:{height}x{width}\n".encode())
                keep = held + image.pixels.nbytes <= _CACHE_BYTES
                held += image.pixels.nbytes if keep else 0
                self._cache.append(image.pixels if keep else None)
        if not self.files:
            raise InputError(
                f"none of {len(files)} images is {patch}×{patch} pixels or more; "
                "give larger ones with --train-glob, or a smaller --patchsize"
            )
        self.digest = digest.hexdigest()

    def batch(self, step: int, size: int) -> NDArray[np.float32]:
        """The batch of a step: ``(size, patch, patch, 3)`` on 0..255."""
        return self._draw(np.random.default_rng([self._seed, step]), size, self._augment)

    def validation(self, count: int, size: int) -> Iterator[NDArray[np.float32]]:
        """``count`` batches, always the same ones; −1 makes it one patch per image on average."""
        if count < 0:
            count = -(-len(self.files) // size)
        for index in range(count):
            yield self._draw(
                np.random.default_rng([self._seed, index, _VALIDATION_STREAM]), size, "none"
            )

    def blocks(self, count: int, side: int) -> NDArray[np.float64]:
        """``count`` random blocks ``(count, side, side, 3)`` on 0..1."""
        generator = np.random.default_rng([self._seed, 0, _BLOCK_STREAM])
        blocks = np.empty((count, side, side, 3))
        # Evenly many of each image, one image at a time: those outside the cache are decoded once.
        for index in range(len(self.files)):
            share = slice(index * count // len(self.files), (index + 1) * count // len(self.files))
            if share.start < share.stop:
                image = self._image(index)
                for k in range(share.start, share.stop):
                    blocks[k] = _crop(image, side, generator) / 255.0
        return blocks

    def stream(
        self, start: int, stop: int, size: int, threads: int
    ) -> Generator[NDArray[np.float32], None, None]:
        """The batches of steps ``start`` … ``stop − 1``, prepared ahead by ``threads`` threads."""
        with ThreadPoolExecutor(max(1, threads)) as pool:
            yield from _in_order(
                pool, lambda step: self.batch(step, size), range(start, stop), ahead=_PREFETCH
            )

    def _draw(
        self, generator: np.random.Generator, size: int, augment: Augment
    ) -> NDArray[np.float32]:
        batch = np.empty((size, self._patch, self._patch, 3), np.float32)
        for k in range(size):
            image = self._image(int(generator.integers(len(self.files))))
            patch = _crop(image, self._patch, generator)
            mirror, transpose = generator.random(2) < 0.5
            if mirror and augment != "none":
                patch = patch[:, ::-1]
            if transpose and augment == "transposes":
                patch = patch.transpose(1, 0, 2)
            batch[k] = patch
        return batch

    def _image(self, index: int) -> UInt8Image:
        cached = self._cache[index]
        return read_image(self.files[index]).pixels if cached is None else cached


def _crop(image: UInt8Image, side: int, generator: np.random.Generator) -> UInt8Image:
    y = int(generator.integers(image.shape[0] - side + 1))
    x = int(generator.integers(image.shape[1] - side + 1))
    return image[y : y + side, x : x + side]


def _in_order(
    pool: ThreadPoolExecutor, work: Callable[[_T], _R], items: Sequence[_T], ahead: int
) -> Iterator[_R]:
    """Results of ``work`` in order of ``items``, at most ``ahead`` of them waiting."""
    waiting: deque[Future[_R]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
