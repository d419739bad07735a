"""How well classes are told apart: accuracy and the F1 family of scikit-learn, the confusion matrix, each class.

Notable: every figure follows from three counts a class (right, true, predicted), so examples in one cell of the
confusion matrix are alike, and a resample draws cells; a macro average is over the classes that occur in the truth or
in the predictions, of a resample too, and what is divided by nothing counts 0 (scikit-learn's zero_division=0).

n examples   k classes   c cells of the confusion matrix that hold an example   r resamples
"""

from collections import Counter
from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from mm_memgpt.evaluation.bootstrap import Score, bootstrap
from mm_memgpt.evaluation.confidence import BINS

METRICS = (
    "accuracy",
    "balanced_accuracy",
    "f1_macro",
    "precision_macro",
    "recall_macro",
    "f1_weighted",
    "matthews_corrcoef",
)
"""As scikit-learn names them, in the order of `_metrics`."""


class ClassFigures(TypedDict):
    """One class of several, or one type of entities."""

    precision: float
    recall: float
    f1: float
    support: int
    """How many there truly are."""


def classification_scores(
    truth: Sequence[str],
    predicted: Sequence[str],
    labels: Sequence[str],
    confidence: np.ndarray | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Score]:
    """METRICS of predictions, and `calibration_error` where the `confidence` (n,) in each, 0 to 1, is given.

    Raises:
        ValueError: lists that differ in length or are empty, or a label that is not among `labels`.
    """
    matrix = confusion(truth, predicted, labels)
    rows, columns = np.nonzero(matrix)  # (c,)
    one_hot = np.eye(len(labels))
    statistics = np.hstack([one_hot[rows] * one_hot[columns], one_hot[rows], one_hot[columns]])  # (c, 3k)
    figures = bootstrap(statistics, _metrics, resamples, seed, counts=matrix[rows, columns])
    scores = dict(zip(METRICS, figures, strict=True))
    if confidence is not None:
        right = np.array([one == other for one, other in zip(truth, predicted, strict=True)])
        scores["calibration_error"] = expected_calibration_error(confidence, right, resamples, seed)
    return scores


def confusion(truth: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> np.ndarray:
    """(k, k) int64: how many examples of the row's class were taken for the column's.

    Raises:
        ValueError: as `classification_scores`.
    """
    if len(truth) != len(predicted) or len(truth) == 0:
        raise ValueError(f"{len(truth)} true labels and {len(predicted)} predicted ones: give one a row, at least one")
    number = {label: place for place, label in enumerate(labels)}
    if len(number) != len(labels):
        twice = Counter(labels).most_common(1)[0]
        raise ValueError(f"label {twice[0]!r} is {twice[1]} times among the {len(labels)} labels; give each once")
    try:
        cells = [number[one] * len(labels) + number[other] for one, other in zip(truth, predicted, strict=True)]
    except KeyError as error:
        raise ValueError(
            f"label {error.args[0]!r} is not among the {len(labels)} labels: {', '.join(map(str, labels[:10]))}"
            f"{', ...' if len(labels) > 10 else ''}"
        ) from None
    return np.bincount(cells, minlength=len(labels) ** 2).reshape(len(labels), len(labels))


def per_class(truth: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> dict[str, ClassFigures]:
    """The figures of each of `labels`, in their order, as in scikit-learn's classification_report.

    Raises:
        ValueError: as `classification_scores`.
    """
    matrix = confusion(truth, predicted, labels)
    return {
        label: class_figures(int(right), int(true), int(taken))
        for label, right, true, taken in zip(labels, matrix.diagonal(), matrix.sum(1), matrix.sum(0), strict=True)
    }


def class_figures(right: int, true: int, predicted: int) -> ClassFigures:
    """Of how many are right, how many there truly are, and how many were predicted."""
    return ClassFigures(
        precision=right / max(predicted, 1),
        recall=right / max(true, 1),
        f1=2 * right / max(true + predicted, 1),
        support=true,
    )


def expected_calibration_error(
    confidence: np.ndarray, right: np.ndarray, resamples: int = 1000, seed: int = 0
) -> Score:
    """`confidence.calibration_error` of confidences (n,) and whether each prediction is right (n,) bool.

    An example stays in its bin in every resample. A resample's error is higher by chance, so the interval lies above
    the middle, and above the value itself where the confidence is nearly exact.

    Raises:
        ValueError: arrays that differ in length or are empty, or a confidence that is not between 0 and 1.
    """
    if len(confidence) != len(right) or len(right) == 0:
        raise ValueError(f"{len(confidence)} confidences for {len(right)} predictions: give one each, at least one")
    confidence = np.asarray(confidence, dtype=np.float64)
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise ValueError(f"confidences from {confidence.min()} to {confidence.max()}: they must be between 0 and 1")
    bins = np.array_split(np.argsort(confidence, kind="stable"), min(BINS, len(right)))
    excess = np.zeros((len(right), len(bins)))
    for number, members in enumerate(bins):
        excess[members, number] = confidence[members] - right[members]
    [score] = bootstrap(excess, lambda totals: np.abs(totals).sum(1, keepdims=True) / len(right), resamples, seed)
    return score


def most_common(labels: Sequence[str]) -> str:
    """The label that occurs most often, of several the first seen: the best constant prediction, to be ahead of.

    Raises:
        ValueError: no label.
    """
    if len(labels) == 0:
        raise ValueError("no labels: give at least one")
    return Counter(labels).most_common(1)[0][0]


def _metrics(totals: np.ndarray) -> np.ndarray:
    """(r, 3k) how many of each class are right, true and predicted, to (r, 7) METRICS."""
    right, true, predicted = np.split(totals, 3, axis=1)  # (r, k) each
    n, classes = true.sum(1), (true + predicted > 0).sum(1)
    precision, recall, f1 = _share(right, predicted), _share(right, true), _share(2 * right, true + predicted)
    covariance = right.sum(1) * n - (true * predicted).sum(1)
    spread = (n**2 - (true**2).sum(1)) * (n**2 - (predicted**2).sum(1))
    return np.column_stack(
        [
            right.sum(1) / n,
            recall.sum(1) / (true > 0).sum(1),
            f1.sum(1) / classes,
            precision.sum(1) / classes,
            recall.sum(1) / classes,
            (f1 * true).sum(1) / n,
            covariance
            / np.sqrt(np.where(spread > 0, spread, np.inf)),  # Matthews's R_K (Gorodkin 2004), 0 if undefined
        ]
    )


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, and 0 of nothing."""
    return part / np.maximum(whole, 1)
