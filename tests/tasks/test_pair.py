"""A pair classifier ranks the rows of a text by how likely they are right."""

import pytest

from mm_memgpt.backbones.base import Inputs
from mm_memgpt.tasks.base import Example, Prediction
from mm_memgpt.tasks.pair import Pair

COLUMNS = {"text": "q", "text_pair": "s", "label": "l"}


def score(rows):
    examples = [Example(Inputs(text, f"{number}"), label) for number, (text, label, _) in enumerate(rows)]
    said = [Prediction(value="1" if p > 0.5 else "0", confidence=max(p, 1 - p), details={}) for _, _, p in rows]
    return Pair(COLUMNS, ("0", "1")).score(said, examples).values


def test_a_text_with_several_rows_ranks_them_and_one_without_a_right_row_is_left_out():
    scores = score(
        [("a", "0", 0.9), ("a", "1", 0.8), ("a", "0", 0.1), ("b", "1", 0.4), ("b", "0", 0.2), ("c", "0", 0.3)]
    )
    assert scores["mrr"].value == pytest.approx((1 / 2 + 1) / 2)
    assert scores["accuracy"].value == pytest.approx(4 / 6)


def test_texts_with_one_row_each_rank_nothing():
    assert "mrr" not in score([("a", "0", 0.9), ("b", "1", 0.8)])


def test_without_a_label_that_says_right_it_is_the_second():
    assert Pair(COLUMNS, ("other", "same")).right == "same"
    assert Pair(COLUMNS, ("Yes", "no")).right == "Yes"
