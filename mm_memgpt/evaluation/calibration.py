"""Calibration: from signals to the probability that a caption is a good one, and how far to trust the fit.

Notable: a caption is good if its ROUGE-L F is at least GOOD with some sentence that people wrote of the photo; F is
pycocoevalcap's, with beta 1.2, but one sentence at a time (its own score of several sentences mixes the precision with
one and the recall with another). The fit is a logistic regression by Newton's method, small enough to need no library.

n captions   s signals   k folds
"""

import numpy as np

from mm_memgpt.config import ConfidenceConfig
from mm_memgpt.evaluation.captions import scorers
from mm_memgpt.words import words

GOOD = 0.5
"""ROUGE-L F from which on a caption is good."""

RIDGE = 1.0
"""Pull of the standardised weights towards 0, as half the sum of their squares."""

STEPS = 50
"""Newton's steps, at most; without separable classes ten are plenty."""


def good(captions: list[str], references: list[list[str]]) -> np.ndarray:
    """(n,) bool: whether caption i is good, by the sentences `references[i]`.

    Raises:
        ValueError: a photo has no reference with a word in it.
        ImportError: pycocoevalcap is not installed.
    """
    rouge = scorers()[2]()
    found = []
    for number, (caption, sentences) in enumerate(zip(captions, references, strict=True)):
        expected = [" ".join(cut) for cut in map(words, sentences) if cut]
        if not expected:
            raise ValueError(f"photo {number} has no reference caption with a word in it; leave it out")
        written = [" ".join(words(caption))]
        found.append(max(rouge.calc_score(written, [sentence]) for sentence in expected) >= GOOD)
    return np.array(found)


def fit(names: tuple[str, ...], signals: np.ndarray, events: np.ndarray) -> ConfidenceConfig:
    """The logistic regression of `events` (n,) on the `signals` (n, s) called `names`.

    Minimises sum log(1 + exp(-y z)) + RIDGE/2 |w|^2 for z = w · standardised signals + b, y = ±1, then takes the
    standardisation into the weights, so that they are of the signals as they are.

    Raises:
        ValueError: the events are all of one kind, so nothing can be told apart.
    """
    if events.all() or not events.any():
        raise ValueError(f"{int(events.sum())} of {len(events)} captions are good; there must be some of each kind")
    mean, deviation = signals.mean(0), np.maximum(signals.std(0), 1e-12)
    inputs = np.column_stack([(signals - mean) / deviation, np.ones(len(signals))])
    pull = np.append(np.full(signals.shape[1], RIDGE), 0)  # the bias is free
    weights = np.zeros(inputs.shape[1])
    for _ in range(STEPS):
        chance = sigmoid(inputs @ weights)
        slope = inputs.T @ (chance - events) + pull * weights
        curvature = inputs.T @ (inputs * (chance * (1 - chance))[:, None]) + np.diag(pull)
        step = np.linalg.solve(curvature, slope)
        weights -= step
        if np.abs(step).max() < 1e-10:
            break
    scaled = weights[:-1] / deviation
    return ConfidenceConfig(signals=names, weights=tuple(scaled.tolist()), bias=float(weights[-1] - scaled @ mean))


def predicted(config: ConfidenceConfig, signals: np.ndarray) -> np.ndarray:
    """(n,) probabilities of signals (n, s) in the order of `config.signals`."""
    return sigmoid(signals @ np.array(config.weights) + config.bias)


def sigmoid(scores: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-score)), without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * scores))


def cross_validated(
    names: tuple[str, ...], signals: np.ndarray, events: np.ndarray, folds: int = 10, seed: int = 0
) -> np.ndarray:
    """(n,) probabilities, each by a fit to the folds that the caption is not in; both kinds are dealt out evenly.

    Raises:
        ValueError: fewer than two folds, or fewer captions of a kind than two, so that a fit would lack it.
    """
    kinds = [np.flatnonzero(events), np.flatnonzero(~events)]
    if folds < 2 or min(map(len, kinds)) < 2:
        raise ValueError(
            f"{len(kinds[0])} good captions, {len(kinds[1])} others and {folds} folds: each must be at least 2; "
            "give more photos"
        )
    draw = np.random.default_rng(seed)
    order = np.concatenate([draw.permutation(kind) for kind in kinds])
    fold = np.empty(len(events), dtype=int)
    fold[order] = np.arange(len(events)) % folds
    chances = np.empty(len(events))
    for number in range(folds):
        held = fold == number
        chances[held] = predicted(fit(names, signals[~held], events[~held]), signals[held])
    return chances
