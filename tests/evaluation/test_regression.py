"""Errors and correlations are those of scikit-learn and SciPy, and what is undefined counts 0."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sklearn_metrics

from mm_memgpt.evaluation.regression import METRICS, ranks, regression_scores

NUMBER = st.integers(-400, 400).map(lambda number: number / 8)
PAIRS = st.lists(st.tuples(NUMBER, NUMBER), min_size=2, max_size=20)


def varies(pairs) -> bool:
    return all(len(set(values)) > 1 for values in zip(*pairs, strict=True))


@given(PAIRS.filter(varies))
def test_the_figures_are_those_of_scikit_learn_and_scipy(pairs):
    truth, predicted = zip(*pairs, strict=True)
    scores = regression_scores(truth, predicted, resamples=2)
    assert tuple(scores) == METRICS
    due = {
        "mean_squared_error": sklearn_metrics.mean_squared_error(truth, predicted),
        "mean_absolute_error": sklearn_metrics.mean_absolute_error(truth, predicted),
        "r2": sklearn_metrics.r2_score(truth, predicted),
        "pearsonr": stats.pearsonr(truth, predicted).statistic,
        "spearmanr": stats.spearmanr(truth, predicted).statistic,
    }
    assert {name: score.value for name, score in scores.items()} == pytest.approx(due, abs=1e-9)


@given(st.lists(NUMBER, max_size=20))
def test_equals_share_the_mean_of_their_ranks(values):
    assert ranks(np.array(values)).tolist() == stats.rankdata(values).tolist()


@given(PAIRS, st.randoms())
def test_the_order_of_the_rows_changes_nothing_and_correlations_are_bounded(pairs, random):
    shuffled = random.sample(pairs, len(pairs))
    first, second = (regression_scores(*zip(*rows, strict=True), resamples=9) for rows in (pairs, shuffled))
    assert {name: score.value for name, score in first.items()} == pytest.approx(
        {name: score.value for name, score in second.items()}, abs=1e-9
    )
    assert all(-1 <= bound <= 1 for name in ("pearsonr", "spearmanr") for bound in first[name])
    assert all(bound >= 0 for name in METRICS[:2] for bound in first[name])
    assert all(bound <= 1 for bound in first["r2"])


@given(PAIRS.filter(varies))
def test_exact_predictions_have_no_error(pairs):
    truth, _ = zip(*pairs, strict=True)
    values = [score.value for score in regression_scores(truth, truth, resamples=2).values()]
    assert values == pytest.approx([0, 0, 1, 1, 1])


@pytest.mark.parametrize("shift", [0.0, 1e6])
def test_the_intervals_hold_the_values_wherever_the_numbers_lie(shift):
    draw = np.random.default_rng(0)
    truth = draw.normal(size=300)
    near = regression_scores(truth + shift, truth + draw.normal(0, 0.5, 300) + shift)
    assert all(score.low < score.value < score.high for score in near.values())
    assert near["pearsonr"].high - near["pearsonr"].low == pytest.approx(2 * 1.96 * 0.2 / np.sqrt(300), rel=0.4)


def test_a_constant_correlates_with_nothing():
    truth = [0.1, 0.2, 0.4]
    scores = regression_scores(truth, [0.1] * 3)
    assert scores["pearsonr"] == scores["spearmanr"] == (0, 0, 0)
    assert regression_scores([0.1] * 3, truth)["r2"].value == 0
    assert regression_scores([0.1] * 3, [0.1] * 3)["r2"] == (1, 1, 1)


def test_what_is_no_number_or_has_no_partner_is_refused():
    with pytest.raises(ValueError, match="1 true numbers and 2 predicted ones: give one a row, at least one"):
        regression_scores([1], [1, 2])
    with pytest.raises(ValueError, match="0 true numbers and 0 predicted ones"):
        regression_scores([], [])
    with pytest.raises(ValueError, match="predicted number nan of row 1 is not finite"):
        regression_scores([1, 2], [1, float("nan")])
