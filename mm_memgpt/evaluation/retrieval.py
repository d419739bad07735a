"""How well photos and sentences find each other by their keys: recall at 1, 5 and 10, in both directions.

Notable: a photo has several sentences; it is found right if any of its own is among the first k, and each sentence
looks for its photo alone (the usual protocol of Flickr8k, arXiv:1412.2306 §4.1).

n photos   m sentences   k key width
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mm_memgpt.evaluation.bootstrap import Score, bootstrap

DEPTHS = (1, 5, 10)


@dataclass(frozen=True, kw_only=True)
class RetrievalScores:
    """Recall at each of DEPTHS, with 95% intervals over the photos."""

    photo_to_text: dict[int, Score]
    """Share of photos that find one of their own sentences among the first."""
    text_to_photo: dict[int, Score]
    """Share of sentences that find their photo among the first."""
    photos: int
    sentences: int


def score_retrieval(
    photos: np.ndarray, sentences: np.ndarray, owner: Sequence[int], resamples: int = 1000, seed: int = 0
) -> RetrievalScores:
    """Recall of photo keys (n, k) and sentence keys (m, k), both unit length; sentence j is of photo owner[j].

    Raises:
        ValueError: a photo has no sentence, or `owner` is not one number a sentence.
    """
    owner = np.asarray(owner)
    if len(owner) != len(sentences):
        raise ValueError(f"{len(owner)} owners for {len(sentences)} sentences; give one a sentence")
    if missing := sorted(set(range(len(photos))) - set(owner.tolist())):
        raise ValueError(f"photo {missing[0]} has no sentence; leave it out")
    cosine = sentences @ photos.T  # (m, n)
    own = cosine[np.arange(len(owner)), owner]  # (m,)
    photo_place = (cosine > own[:, None]).sum(1)  # how many photos come before a sentence's own
    best = np.full(len(photos), -np.inf)
    np.maximum.at(best, owner, own)
    text_place = (cosine > best).sum(0)  # how many sentences come before the best of a photo's own
    shares = [np.bincount(owner, photo_place < depth, minlength=len(photos)) for depth in DEPTHS]
    rows = np.column_stack(
        [*(text_place < depth for depth in DEPTHS), *shares, np.ones(len(photos)), np.bincount(owner)]
    ).astype(np.float64)
    scores = bootstrap(rows, _recalls, resamples, seed)
    return RetrievalScores(
        photo_to_text=dict(zip(DEPTHS, scores[: len(DEPTHS)], strict=True)),
        text_to_photo=dict(zip(DEPTHS, scores[len(DEPTHS) :], strict=True)),
        photos=len(photos),
        sentences=len(sentences),
    )


def _recalls(totals: np.ndarray) -> np.ndarray:
    """(r, 8) summed hits of both directions, photos and sentences, to (r, 6) recalls."""
    half = len(DEPTHS)
    return np.column_stack([totals[:, :half] / totals[:, -2:-1], totals[:, half : 2 * half] / totals[:, -1:]])
