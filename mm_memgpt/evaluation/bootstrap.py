"""How sure a figure is: bootstrap intervals over the examples it was measured on.

Notable: a metric is a function of per-example statistics summed over the examples, so a resample is a row of counts
and all resamples are one matrix product; corpus metrics such as BLEU are resampled exactly, not averaged. Examples that
are alike may share a row: a million examples in four cells of a confusion matrix are four rows and their counts.

r resamples   n examples   s statistics   m metrics
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Metric = Callable[[np.ndarray], np.ndarray]
"""(r, s) summed statistics to (r, m) metrics."""


class Score(NamedTuple):
    """A metric and the bounds of its 95% interval."""

    value: float
    low: float
    high: float


def bootstrap(
    statistics: np.ndarray, metric: Metric, resamples: int = 1000, seed: int = 0, counts: np.ndarray | None = None
) -> list[Score]:
    """The m metrics of (n, s) `statistics`, each with its 95% percentile interval (Efron 1979).

    With `counts`, row i stands for counts[i] examples that are alike.

    Raises:
        ValueError: no example, or no resample.
    """
    counts = np.ones(len(statistics), dtype=np.int64) if counts is None else counts
    n = int(counts.sum())
    if n < 1 or resamples < 1:
        raise ValueError(f"{n} examples and {resamples} resamples: both must be at least 1")
    draws = np.random.default_rng(seed).multinomial(n, counts / n, size=resamples)  # (r, rows)
    values = metric((counts[:, None] * statistics).sum(0, keepdims=True))[0]
    low, high = np.percentile(metric(draws @ statistics), [2.5, 97.5], axis=0)
    return [Score(*map(float, score)) for score in zip(values, low, high, strict=True)]
