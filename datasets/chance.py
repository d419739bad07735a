"""Draws that come out the same in every process and Python version, and a fifth of all combinations set aside.

Notable: Python keeps only `Random.random()` the same from version to version, so everything is drawn from it; sums run
in order, because `sum` of floats became more exact in Python 3.12; and `hash` of a string differs from process to
process, so combinations are set aside by a digest.
"""

from bisect import bisect_right
from collections.abc import Sequence
from hashlib import blake2b
from itertools import accumulate
from random import Random
from typing import TypeVar

Option = TypeVar("Option")

SET_ASIDE = 5
"""One combination in so many is never asked in training."""


def draw(generator: Random, options: Sequence[Option], weights: Sequence[float] | None = None) -> Option:
    """One of the options, as likely as its weight says; all alike where there are none.

    Raises:
        ValueError: no option.
    """
    if not options:
        raise ValueError("nothing to draw from; give at least one option")
    if weights is None:
        return options[int(generator.random() * len(options))]
    return options[draw_below(generator, list(accumulate(weights)))]


def draw_below(generator: Random, edges: Sequence[float]) -> int:
    """The place of an option drawn by weight; `edges` are the running totals of the weights."""
    return min(bisect_right(edges, generator.random() * edges[-1]), len(edges) - 1)


def happens(generator: Random, chance: float) -> bool:
    """True with this chance."""
    return generator.random() < chance


def between(generator: Random, low: float, high: float) -> float:
    """A number from low to high."""
    return low + (high - low) * generator.random()


def set_aside(asked: str, number: int) -> bool:
    """Whether a combination is kept for the test: what is asked, and the number of what it is combined with in a list.

    Of any `SET_ASIDE` that follow one another in the list, exactly one is; which, the digest of what is asked decides.
    """
    digest = blake2b(asked.encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") + number) % SET_ASIDE == 0
