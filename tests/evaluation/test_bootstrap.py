"""Bootstrap intervals shrink as examples grow, and cover what they should."""

import numpy as np
import pytest

from mm_memgpt.evaluation.bootstrap import bootstrap


def mean(totals: np.ndarray) -> np.ndarray:
    return totals[:, :1] / totals[:, 1:]


def column(values: np.ndarray) -> np.ndarray:
    return np.column_stack([values, np.ones(len(values))])


def test_the_interval_of_a_mean_is_about_two_standard_errors_each_side():
    values = np.random.default_rng(0).normal(3, 2, size=400)
    (score,) = bootstrap(column(values), mean, resamples=4000)
    error = values.std() / np.sqrt(400)
    assert score.value == pytest.approx(values.mean())
    assert score.low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert score.high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)


def test_examples_that_agree_leave_no_doubt():
    (score,) = bootstrap(column(np.full(7, 0.25)), mean)
    assert tuple(score) == (0.25, 0.25, 0.25)


def test_examples_that_are_alike_may_share_a_row():
    values, counts = np.array([0.0, 1.0, 5.0]), np.array([60, 30, 10])
    (apart,) = bootstrap(column(np.repeat(values, counts)), mean, resamples=4000)
    (together,) = bootstrap(column(values), mean, resamples=4000, counts=counts)
    assert together.value == apart.value
    assert (together.low, together.high) == pytest.approx((apart.low, apart.high), abs=0.03)


def test_no_examples_and_no_resamples_are_refused():
    with pytest.raises(ValueError, match="0 examples and 5 resamples: both must be at least 1"):
        bootstrap(np.empty((0, 2)), mean, resamples=5)
