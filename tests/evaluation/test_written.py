import pytest
from sacrebleu.metrics import BLEU, CHRF

from mm_memgpt.evaluation.written import written_scores

WRITTEN = ["A brown dog runs in the grass.", "Two kids play.", "", "A man climbs a big rock in the sun."]
RIGHT = [
    "A brown dog runs through the grass.",
    "Two children play in water.",
    "A rock.",
    "A man climbs a big rock in the sun.",
]


def test_figures_are_sacrebleu_s_own():
    scores = written_scores(WRITTEN, RIGHT)
    assert scores["bleu"].value == pytest.approx(BLEU().corpus_score(WRITTEN, [RIGHT]).score, abs=1e-9)
    assert scores["chrf"].value == pytest.approx(CHRF().corpus_score(WRITTEN, [RIGHT]).score, abs=1e-9)
    assert scores["exact_match"].value == 0.25


def test_intervals_hold_the_figure_and_are_as_wide_as_resampled_texts_differ():
    scores = written_scores(WRITTEN, RIGHT)
    for score in scores.values():
        assert score.low < score.value < score.high
    alike = written_scores(RIGHT * 3, RIGHT * 3)
    assert alike["bleu"] == pytest.approx((100, 100, 100))


def test_spaces_do_not_make_a_text_another():
    assert written_scores(["a  dog\n"], ["a dog"])["exact_match"].value == 1


def test_lists_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="1 texts beside 2"):
        written_scores(["a"], ["a", "b"])
