"""How far a confidence can be trusted: is it as high as captions are often good, and does it tell good from bad.

Notable: bins hold equally many captions, because a few surest ones say nothing in a bin of their own; even a perfect
confidence has an error in bins of n / 10 captions, by chance alone, and `floor` is how much that is.

n captions   r resamples   k bins
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mm_memgpt.evaluation.bootstrap import Score, bootstrap
from mm_memgpt.evaluation.captions import scorers
from mm_memgpt.words import words

BINS = 10
"""Of equal mass, ordered by confidence."""


@dataclass(frozen=True, kw_only=True)
class ConfidenceScores:
    """Figures of a confidence, with 95% intervals over the captions."""

    error: Score
    """Expected calibration error. A resample's is higher by chance, so the interval lies above the middle."""
    floor: float
    """What `error` is on average where the confidence is exactly right and only chance is left."""
    auroc: Score
    """How often a good caption has the higher confidence of a pair of one good and one other."""
    surer_cider: Score
    """CIDEr of the half with the higher confidence; which half a caption is in stays the same in every resample."""
    other_cider: Score
    """CIDEr of the other half."""
    ratio: Score
    """`surer_cider` over `other_cider`."""
    good: float
    """Share of good captions."""
    photos: int
    """How many captions there are, one a photo."""


def score_confidence(
    confidence: np.ndarray, events: np.ndarray, cider: np.ndarray, resamples: int = 1000, seed: int = 0
) -> ConfidenceScores:
    """Scores confidences (n,) by whether each caption is good (n,) bool, and by its CIDEr (n,).

    Raises:
        ValueError: fewer than two captions, or lists that differ in length.
    """
    n = len(confidence)
    if n < 2 or not n == len(events) == len(cider):
        raise ValueError(f"{n} confidences, {len(events)} events and {len(cider)} scores: give at least two of each")
    draw = np.random.default_rng(seed)
    samples = draw.integers(n, size=(resamples, n))
    by_chance = draw.random((resamples, n)) < confidence
    surer = np.zeros(n)
    surer[np.argsort(-confidence, kind="stable")[: n // 2]] = 1
    halves = np.column_stack([cider * surer, surer, cider * (1 - surer), 1 - surer])
    surer_cider, other_cider, ratio = bootstrap(halves, _halves, resamples, seed)
    return ConfidenceScores(
        error=_interval(calibration_error, confidence, events, samples),
        floor=float(np.mean([calibration_error(confidence, chance) for chance in by_chance])),
        auroc=_interval(auroc, confidence, events, samples),
        surer_cider=surer_cider,
        other_cider=other_cider,
        ratio=ratio,
        good=float(events.mean()),
        photos=n,
    )


def cider_each(captions: list[str], references: list[list[str]]) -> np.ndarray:
    """(n,) CIDEr of each caption; words weigh by how rare they are among all the references.

    Raises:
        ImportError: pycocoevalcap is not installed.
    """
    expected = {i: [" ".join(words(sentence)) for sentence in each] for i, each in enumerate(references)}
    written = {i: [" ".join(words(caption))] for i, caption in enumerate(captions)}
    return scorers()[1]().compute_score(expected, written)[1]


def bins(confidence: np.ndarray, events: np.ndarray) -> np.ndarray:
    """(k, 3): mean confidence, share of good captions and number of captions of each bin, from low to high."""
    groups = np.array_split(np.argsort(confidence, kind="stable"), min(BINS, len(confidence)))
    return np.array([[confidence[group].mean(), events[group].mean(), len(group)] for group in groups])


def calibration_error(confidence: np.ndarray, events: np.ndarray) -> float:
    """Σ_k n_k / n |mean confidence_k - share good_k| over the bins (arXiv:1706.04599, equation 3, at equal mass)."""
    expected, found, size = bins(confidence, events).T
    return float(np.abs(expected - found) @ size / size.sum())


def auroc(confidence: np.ndarray, events: np.ndarray) -> float:
    """P(confidence of a good caption > of another), a tie counting half; nan where there is no such pair."""
    _, rank, count = np.unique(confidence, return_inverse=True, return_counts=True)
    place = (np.cumsum(count) - (count - 1) / 2)[rank]  # mean place among equals, from 1
    positive = int(events.sum())
    pairs = positive * (len(events) - positive)
    return float((place[events].sum() - positive * (positive + 1) / 2) / pairs) if pairs else float("nan")


def risk_coverage(confidence: np.ndarray, events: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) shares of captions kept, the surest first, and (n,) shares that are not good among those kept."""
    kept = np.arange(1, len(events) + 1)
    return kept / len(events), np.cumsum(~events[np.argsort(-confidence, kind="stable")]) / kept


def _interval(
    figure: Callable[[np.ndarray, np.ndarray], float], confidence: np.ndarray, events: np.ndarray, samples: np.ndarray
) -> Score:
    low, high = np.nanpercentile([figure(confidence[draw], events[draw]) for draw in samples], [2.5, 97.5])
    return Score(figure(confidence, events), float(low), float(high))


def _halves(totals: np.ndarray) -> np.ndarray:
    """(r, 4) summed scores and captions of both halves to (r, 3): both means and their ratio."""
    surer, other = (totals[:, i] / np.maximum(totals[:, i + 1], 1) for i in (0, 2))  # a half can be drawn empty
    return np.column_stack([surer, other, surer / np.maximum(other, 1e-12)])
