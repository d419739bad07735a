"""How well a model foresees a text: perplexity a token and a word, and bits a byte.

Notable: only the last two compare models with different tokens; all of them are of the text's own tokens, its end not
counted. Intervals are over the pieces that were scored.

n pieces
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mm_memgpt.evaluation.bootstrap import Score, bootstrap


class Foreseen(NamedTuple):
    """A piece of text, and how well it was foreseen."""

    nats: float
    """Minus its log-probability."""
    tokens: int
    words: int
    size: int
    """Bytes, in UTF-8."""


def foreseen(text: str, logprobs: Sequence[float]) -> Foreseen:
    """A text with the log-probability of each of its tokens."""
    return Foreseen(-math.fsum(logprobs), len(logprobs), len(text.split()), len(text.encode()))


def perplexity_scores(pieces: Sequence[Foreseen], resamples: int = 1000, seed: int = 0) -> dict[str, Score]:
    """`perplexity` and `word_perplexity`, exp(nats / n) over tokens and over words, and `bits_per_byte`.

    Raises:
        ValueError: no piece, or no token, word or byte in all of them.
    """
    counts = np.array(pieces, dtype=float).reshape(-1, len(Foreseen._fields))
    if not len(counts) or not counts[:, 1:].sum(0).all():
        raise ValueError(f"{len(counts)} pieces without a token, a word and a byte; give some text")
    scores = bootstrap(counts, _figures, resamples, seed)
    return dict(zip(("perplexity", "word_perplexity", "bits_per_byte"), scores, strict=True))


def _figures(totals: np.ndarray) -> np.ndarray:
    nats, tokens, words, size = totals.T
    size, words, tokens = (np.maximum(each, 1) for each in (size, words, tokens))  # a resample can lack them
    with np.errstate(over="ignore"):
        return np.column_stack([np.exp(nats / tokens), np.exp(nats / words), nats / size / math.log(2)])
