"""Seeded randomness whose first n values do not depend on how many are drawn.

So the people and orders of a small export are the first ones of a large export of the same seed,
and the database's customers are the first people of both.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


def generator(seed: int, *stream: str) -> np.random.Generator:
    """An independent generator for each seed and name of a stream."""
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in stream)])


def uniform(seed: int, stream: str, count: int) -> Floats:
    """`count` numbers in [0, 1)."""
    return generator(seed, stream).random(count)


def below(limit: int, seed: int, stream: str, count: int) -> Integers:
    """`count` integers in [0, limit)."""
    return (uniform(seed, stream, count) * limit).astype(np.int64)


def weighted(weights: tuple[float, ...], seed: int, stream: str, count: int) -> Integers:
    """`count` indexes into `weights`, each as often as its weight says."""
    edges = np.cumsum(weights) / np.sum(weights)
    return np.searchsorted(edges[:-1], uniform(seed, stream, count), side="right").astype(np.int64)


def apportion(total: int, *, low: Integers, high: int, rng: np.random.Generator) -> Integers:
    """Share `total` out at random: each share is at least its `low`, at most `high`, and they sum to it.

    Raises:
        ValueError: no such shares exist.
    """
    if not low.sum() <= total <= high * len(low):
        raise ValueError(f"{len(low)} shares from {low.sum()} in all to {high} each cannot sum to {total}")
    shares = low.copy()
    appetite = rng.exponential(size=len(low))
    while rest := total - int(shares.sum()):
        hungry = np.where(shares < high, appetite, 0)
        shares = np.minimum(shares + rng.multinomial(rest, hungry / hungry.sum()), high)
    return shares
