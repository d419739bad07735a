"""The figures of a confidence follow from their definitions, and a right confidence gets right figures."""

import sys

import numpy as np
import pytest
from PIL import Image
from pycocoevalcap.cider.cider import Cider

from mm_memgpt.evaluation.confidence import (
    auroc,
    bins,
    calibration_error,
    cider_each,
    risk_coverage,
    score_confidence,
)
from mm_memgpt.evaluation.plots import write_plots


def drawn(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    confidence = draw.beta(2, 4, n)
    return confidence, draw.random(n) < confidence


def test_the_area_is_the_share_of_pairs_in_the_right_order():
    confidence = np.array([0.1, 0.4, 0.4, 0.8, 0.2, 0.4, 0.9])
    events = np.array([False, True, False, True, True, False, False])
    pairs = [(a > b) + (a == b) / 2 for a in confidence[events] for b in confidence[~events]]
    assert auroc(confidence, events) == pytest.approx(np.mean(pairs))
    assert auroc(events.astype(float), events) == 1
    assert np.isnan(auroc(confidence, events & False))


def test_bins_hold_equally_many_and_the_error_is_their_mean_distance():
    confidence, events = np.linspace(1, 0, 25), np.arange(25) % 3 == 0
    low_to_high = bins(confidence, events)
    assert sorted(low_to_high[:, 2]) == [2] * 5 + [3] * 5
    assert (np.diff(low_to_high[:, 0]) > 0).all()
    assert low_to_high[0].tolist() == pytest.approx([np.mean([0, 1, 2]) / 24, 1 / 3, 3])
    assert calibration_error(np.array([0.2, 0.9]), np.array([False, True])) == pytest.approx(0.15)
    assert calibration_error(np.full(50, 0.9), np.zeros(50, dtype=bool)) == pytest.approx(0.9)


def test_a_right_confidence_errs_by_chance_alone_and_a_wrong_one_by_more():
    confidence, events = drawn(700)
    scores = score_confidence(confidence, events, np.ones(700), resamples=200)
    assert scores.error.value < 2 * scores.floor
    assert 0.02 < scores.floor < 0.06
    wrong = score_confidence(confidence**0.3, events, np.ones(700), resamples=200)
    assert wrong.error.value > 4 * wrong.floor
    assert wrong.auroc == scores.auroc
    assert scores.auroc.low < scores.auroc.value < scores.auroc.high


def test_the_halves_are_told_apart_by_confidence():
    confidence, cider = np.array([0.1, 0.9, 0.3, 0.8, 0.2]), np.array([1.0, 4.0, 2.0, 6.0, 3.0])
    scores = score_confidence(confidence, cider > 3, cider, resamples=50)
    assert (scores.surer_cider.value, scores.other_cider.value) == (5, 2)
    assert scores.ratio.value == 2.5
    assert scores.ratio.low <= 2.5 <= scores.ratio.high
    assert (scores.good, scores.photos) == (pytest.approx(0.4), 5)


def test_each_captions_cider_is_pycocoevalcaps():
    captions, references = ["A dog runs.", "two men", "A ball"], [["a dog"], ["Two men sing", "men"], ["the ball!"]]
    due = Cider().compute_score(
        {0: ["a dog"], 1: ["two men sing", "men"], 2: ["the ball"]}, {0: ["a dog runs"], 1: ["two men"], 2: ["a ball"]}
    )[1]
    assert cider_each(captions, references).tolist() == due.tolist()


def test_risk_is_the_share_not_good_among_the_surest():
    coverage, risk = risk_coverage(np.array([0.2, 0.9, 0.5, 0.7]), np.array([False, True, True, False]))
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1]
    assert risk.tolist() == pytest.approx([0, 1 / 2, 1 / 3, 1 / 2])


def test_too_little_or_uneven_is_refused():
    with pytest.raises(ValueError, match="1 confidences, 1 events and 1 scores: give at least two of each"):
        score_confidence(np.ones(1), np.ones(1, dtype=bool), np.ones(1))
    with pytest.raises(ValueError, match="3 confidences, 2 events"):
        score_confidence(np.ones(3), np.ones(2, dtype=bool), np.ones(3))


def test_both_pictures_are_drawn(tmp_path):
    paths = write_plots(tmp_path / "new" / "plots", *drawn(40))
    assert [path.name for path in paths] == ["reliability.png", "risk_coverage.png"]
    for path in paths:
        with Image.open(path) as picture:
            assert picture.size == (600, 540)
            assert len(picture.convert("RGB").getcolors(1 << 20)) > 20


def test_without_matplotlib_the_error_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'pip install "mm-memgpt\[plots\]"'):
        write_plots(tmp_path, *drawn(12))
