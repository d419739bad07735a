"""ROUGE is that of rouge-score, a mean over rows with an interval around it."""

import pytest

from mm_memgpt.evaluation.rouge import rouge_each, rouge_scores

WRITTEN = ["the dog runs home", "a cat sleeps", "nothing alike"]
REFERENCES = ["the dogs run home", "a cat sleeps", "other words"]


def test_figures_are_means_with_intervals_and_a_stemmer_joins_forms_of_a_word():
    each = rouge_each(WRITTEN, REFERENCES)
    assert each["rouge_1"].tolist() == each["rouge_2"].tolist() == each["rouge_l"].tolist() == [1.0, 1.0, 0.0]
    scores = rouge_scores(WRITTEN, REFERENCES)
    assert list(scores) == ["rouge_1", "rouge_2", "rouge_l"]
    for score in scores.values():
        assert score.value == pytest.approx(2 / 3)
        assert score.low <= score.value <= score.high


def test_order_matters_to_pairs_and_sequences_alone():
    each = rouge_each(["home runs dog the"], ["the dog runs home"])
    assert (each["rouge_1"][0], each["rouge_2"][0], each["rouge_l"][0]) == (1.0, 0.0, 0.25)


def test_texts_and_references_come_in_pairs():
    with pytest.raises(ValueError, match="2 texts and 1 references: give one each, at least one"):
        rouge_scores(["a", "b"], ["a"])
