"""A classifier's figures are scikit-learn's, whatever the order of the rows, and the intervals those of resampling."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from mm_memgpt.evaluation.classification import (
    METRICS,
    classification_scores,
    confusion,
    expected_calibration_error,
    most_common,
    per_class,
)
from mm_memgpt.evaluation.confidence import calibration_error

LABELS = ("pos", "neg", "中性", "never seen")
PAIRS = st.lists(st.tuples(*[st.sampled_from(LABELS[:3])] * 2), min_size=1, max_size=30)


def drawn(n: int, seed: int = 0) -> tuple[list[str], list[str]]:
    draw = np.random.default_rng(seed)
    truth = draw.choice(LABELS[:3], n, p=[0.6, 0.3, 0.1])
    return truth.tolist(), np.where(draw.random(n) < 0.7, truth, draw.choice(LABELS[:3], n)).tolist()


def by_sklearn(truth, predicted) -> dict[str, float]:
    macro = {"average": "macro", "zero_division": 0}
    return {
        "accuracy": sklearn_metrics.accuracy_score(truth, predicted),
        "balanced_accuracy": sklearn_metrics.balanced_accuracy_score(truth, predicted),
        "f1_macro": sklearn_metrics.f1_score(truth, predicted, **macro),
        "precision_macro": sklearn_metrics.precision_score(truth, predicted, **macro),
        "recall_macro": sklearn_metrics.recall_score(truth, predicted, **macro),
        "f1_weighted": sklearn_metrics.f1_score(truth, predicted, average="weighted", zero_division=0),
        "matthews_corrcoef": sklearn_metrics.matthews_corrcoef(truth, predicted),
    }


@pytest.mark.filterwarnings("ignore::UserWarning:sklearn")  # a class that is predicted and never true, on purpose
@given(PAIRS)
def test_the_figures_are_scikit_learns(pairs):
    truth, predicted = zip(*pairs, strict=True)
    scores = classification_scores(truth, predicted, LABELS, resamples=2)
    assert tuple(scores) == METRICS
    assert {name: score.value for name, score in scores.items()} == pytest.approx(by_sklearn(truth, predicted))


@given(PAIRS)
def test_each_class_and_the_confusion_matrix_are_scikit_learns(pairs):
    truth, predicted = zip(*pairs, strict=True)
    report = sklearn_metrics.classification_report(truth, predicted, labels=LABELS, output_dict=True, zero_division=0)
    table = per_class(truth, predicted, LABELS)
    assert tuple(table) == LABELS
    for label, figures in table.items():
        assert figures == pytest.approx({name.removesuffix("-score"): value for name, value in report[label].items()})
    due = sklearn_metrics.confusion_matrix(truth, predicted, labels=LABELS)
    assert confusion(truth, predicted, LABELS).tolist() == due.tolist()


@given(PAIRS, st.randoms())
def test_the_order_of_the_rows_changes_nothing_and_every_figure_is_bounded(pairs, random):
    shuffled = random.sample(pairs, len(pairs))
    first, second = (classification_scores(*zip(*rows, strict=True), LABELS, resamples=9) for rows in (pairs, shuffled))
    assert first == second
    for name, score in first.items():
        floor = -1 if name == "matthews_corrcoef" else 0
        assert all(floor - 1e-12 <= bound <= 1 + 1e-12 for bound in score)


@given(st.lists(st.sampled_from(LABELS), min_size=1))
def test_perfect_predictions_get_1(truth):
    scores = classification_scores(truth, truth, LABELS, resamples=2)
    undefined = {"matthews_corrcoef"} if len(set(truth)) == 1 else set()
    assert {name: score.value for name, score in scores.items() if name not in undefined} == dict.fromkeys(
        [name for name in METRICS if name not in undefined], 1.0
    )
    assert all(figures["f1"] == 1 for figures in per_class(truth, truth, LABELS).values() if figures["support"])


@pytest.mark.filterwarnings("ignore::UserWarning:sklearn")
def test_the_intervals_are_those_of_resampling_the_examples_themselves():
    truth, predicted = map(np.array, drawn(150))
    scores = classification_scores(truth, predicted, LABELS, resamples=2000)
    draw = np.random.default_rng(1)
    rows = [draw.integers(150, size=150) for _ in range(400)]
    resampled = [by_sklearn(truth[row], predicted[row]) for row in rows]
    for name, score in scores.items():
        assert score.low < score.value < score.high
        low, high = np.percentile([figures[name] for figures in resampled], [2.5, 97.5])
        assert (score.low, score.high) == pytest.approx((low, high), abs=0.02)


def test_a_thousand_classes_and_a_hundred_thousand_rows_take_no_more_than_their_cells():
    labels = [f"class {number}" for number in range(1000)]
    truth = [labels[number % 1000] for number in range(100_000)]
    scores = classification_scores(truth, truth[:50_000] + [labels[0]] * 50_000, labels, resamples=20)
    assert scores["accuracy"].value == pytest.approx(0.5005)


def test_the_calibration_error_is_that_of_the_confidence_and_comes_only_with_one():
    truth, predicted = drawn(97)
    confidence = np.random.default_rng(3).random(97)
    right = np.array(truth) == np.array(predicted)
    scores = classification_scores(truth, predicted, LABELS, confidence, resamples=200)
    assert tuple(scores) == (*METRICS, "calibration_error")
    score = scores["calibration_error"]
    assert score.value == pytest.approx(calibration_error(confidence, right))
    assert score == expected_calibration_error(confidence, right, resamples=200)
    assert 0 <= score.low <= score.high <= 1


def test_a_confidence_that_is_always_right_has_no_error():
    assert expected_calibration_error(np.ones(5), np.ones(5, dtype=bool), resamples=9) == (0, 0, 0)


def test_the_most_common_label_is_the_first_of_equals():
    assert most_common(["b", "a", "c", "a", "b"]) == "b"
    with pytest.raises(ValueError, match="no labels: give at least one"):
        most_common([])


@pytest.mark.parametrize(
    ("truth", "predicted", "labels", "message"),
    [
        (["a"], ["a", "b"], ["a", "b"], "1 true labels and 2 predicted ones: give one a row, at least one"),
        ([], [], ["a"], "0 true labels and 0 predicted ones"),
        (["a", "c"], ["a", "a"], ["a", "b"], "label 'c' is not among the 2 labels: a, b$"),
        (["0"], ["x"], [str(number) for number in range(30)], "label 'x' is not among the 30 labels: 0, .*9, ...$"),
        (["a"], ["a"], ["a", "b", "a"], "label 'a' is 2 times among the 3 labels; give each once"),
    ],
)
def test_what_cannot_be_counted_is_refused(truth, predicted, labels, message):
    with pytest.raises(ValueError, match=message):
        classification_scores(truth, predicted, labels)
    with pytest.raises(ValueError, match=message):
        per_class(truth, predicted, labels)


def test_a_confidence_outside_0_to_1_or_of_another_length_is_refused():
    with pytest.raises(ValueError, match=r"confidences from -2.0 to 0.5: they must be between 0 and 1"):
        expected_calibration_error(np.array([0.5, -2]), np.array([True, False]))
    with pytest.raises(ValueError, match="3 confidences for 2 predictions"):
        expected_calibration_error(np.zeros(3), np.array([True, False]))
