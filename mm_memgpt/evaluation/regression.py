"""How close predicted numbers are: errors, explained variance, and correlation of the values and of their order.

Notable: Spearman's correlation is Pearson's of the ranks, and the ranks are those among all examples, in every resample
too; ranking each resample anew would cost a sort each and moves the interval's bounds by little.

n examples
"""

from collections.abc import Sequence

import numpy as np

from mm_memgpt.evaluation.bootstrap import Score, bootstrap

METRICS = ("mean_squared_error", "mean_absolute_error", "r2", "pearsonr", "spearmanr")


def regression_scores(
    truth: Sequence[float], predicted: Sequence[float], resamples: int = 1000, seed: int = 0
) -> dict[str, Score]:
    """METRICS of predicted numbers.

    A correlation with numbers that are all alike is undefined, and counts 0; R² of such a truth is 1 if every
    prediction is exact and else 0, as in scikit-learn.

    Raises:
        ValueError: lists that differ in length or are empty, or a number that is not finite.
    """
    if len(truth) != len(predicted) or len(truth) == 0:
        raise ValueError(f"{len(truth)} true numbers and {len(predicted)} predicted ones: give one a row, at least one")
    true, guess = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    for name, values in (("true", true), ("predicted", guess)):
        if not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values))[0])
            raise ValueError(f"{name} number {values[row]} of row {row} is not finite")
    x, y = _standardised(true), _standardised(guess)
    a, b = _standardised(ranks(true)), _standardised(ranks(guess))
    error, scale = true - guess, true.std()
    columns = [error**2, np.abs(error), x, y, x * x, y * y, x * y, a, b, a * a, b * b, a * b, np.ones(len(true))]

    def metrics(totals: np.ndarray) -> np.ndarray:
        means = totals / totals[:, -1:]
        squared, absolute = means[:, 0], means[:, 1]
        spread = _spread(means[:, 2], means[:, 4]) * scale**2
        r2 = np.where(spread > 0, 1 - squared / np.where(spread > 0, spread, 1), squared == 0)
        return np.column_stack([squared, absolute, r2, _correlation(means[:, 2:7]), _correlation(means[:, 7:12])])

    return dict(zip(METRICS, bootstrap(np.column_stack(columns), metrics, resamples, seed), strict=True))


def ranks(values: np.ndarray) -> np.ndarray:
    """(n,) places from 1, the smallest first; equals share the mean of theirs."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place]


def _standardised(values: np.ndarray) -> np.ndarray:
    """Mean 0 and deviation 1, so that sums of squares stay exact; zeros where all are alike."""
    if (values == values[0]).all():
        return np.zeros(len(values))
    return (values - values.mean()) / values.std()


def _spread(mean: np.ndarray, square: np.ndarray) -> np.ndarray:
    """The variance from the means of values and squares; what rounding leaves of none counts 0."""
    variance = square - mean**2
    return np.where(variance > 1e-12 * square, variance, 0)


def _correlation(means: np.ndarray) -> np.ndarray:
    """(r, 5) means of x, y, x², y² and xy to (r,) Pearson's correlations; 0 where one does not vary."""
    x, y, xx, yy, xy = means.T
    spread = np.sqrt(_spread(x, xx) * _spread(y, yy))
    return np.clip((xy - x * y) / np.where(spread > 0, spread, np.inf), -1, 1)
