"""Damage to streams, drawn from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator


def _flip_bits(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 2, 5))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _substitute(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 2, 5))):
        data[rng.randrange(len(data))] = rng.randrange(256)


def _truncate(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data)) :]


def _remove(data: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(data))
    del data[start : start + rng.randint(1, 40)]


def _insert(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.randbytes(rng.randint(1, 10))


def _swap_ranges(data: bytearray, rng: random.Random) -> None:
    size = rng.randint(1, max(1, len(data) // 3))
    a = rng.randrange(len(data) - 2 * size + 1)
    b = rng.randrange(a + size, len(data) - size + 1)
    data[a : a + size], data[b : b + size] = data[b : b + size], data[a : a + size]


def _copy_range(data: bytearray, rng: random.Random) -> None:
    size = rng.randint(1, len(data) // 2)
    a, b = rng.randrange(len(data) - size + 1), rng.randrange(len(data) - size + 1)
    data[b : b + size] = data[a : a + size]


KINDS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    *(_flip_bits, _substitute, _truncate, _remove, _insert, _swap_ranges, _copy_range),
)


def mutations(data: bytes, count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Damaged copies of ``data``, and of what kind each is; half near the ends of the container.

    A stream is nearly all of a file, so that damage drawn evenly would seldom meet its container.
    """
    rng = random.Random(seed)
    for number in range(count):
        damage = KINDS[number % len(KINDS)]
        while True:
            damaged = bytearray(data)
            if rng.random() < 0.5 and len(data) > 240:
                # The first or last bytes alone are damaged.
                cut = rng.randint(60, 120)
                at = rng.choice((0, len(data) - cut))
                part = damaged[at : at + cut]
                damage(part, rng)
                damaged[at : at + cut] = part
            else:
                damage(damaged, rng)
            if damaged != data:
                break
        yield damage.__name__.strip("_"), bytes(damaged)
