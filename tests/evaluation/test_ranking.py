"""A rank counts ties against us, and the figures follow from the ranks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_memgpt.evaluation.ranking import rank_of_first, ranking_scores

CANDIDATES = st.lists(st.tuples(st.sampled_from([-0.5, 0.0, 0.25, 1.0]), st.booleans()), min_size=1, max_size=12)
RANKS = st.lists(st.one_of(st.none(), st.integers(1, 20)), min_size=1, max_size=15)


@given(CANDIDATES, st.randoms())
def test_the_rank_is_where_sorting_puts_the_first_right_one_behind_its_equals(candidates, random):
    order = sorted(candidates, key=lambda each: (-each[0], each[1]))
    due = next((place for place, (_, right) in enumerate(order, 1) if right), None)
    shuffled = random.sample(candidates, len(candidates))
    assert rank_of_first(*map(np.array, zip(*shuffled, strict=True))) == due


def test_scores_that_are_all_alike_gain_nothing():
    assert rank_of_first(np.zeros(5), np.arange(5) == 0) == 5
    assert rank_of_first(np.zeros(5), np.arange(5) < 2) == 4
    assert rank_of_first(np.array([-np.inf, 1]), np.array([True, False])) == 2


def test_the_figures_follow_from_the_ranks():
    scores = ranking_scores([1, 2, None, 4, 10, 11], resamples=200)
    assert {name: score.value for name, score in scores.items()} == pytest.approx(
        {"mrr": (1 + 1 / 2 + 1 / 4 + 1 / 10 + 1 / 11) / 6}
        | {"hits@1": 1 / 6, "hits@3": 2 / 6, "hits@5": 3 / 6, "hits@10": 4 / 6}
    )
    assert all(score.low <= score.value <= score.high for score in scores.values())


@given(RANKS)
def test_figures_are_bounded_whatever_the_order_and_deeper_is_never_less(ranks):
    scores, backwards = ranking_scores(ranks, resamples=5), ranking_scores(ranks[::-1], resamples=5)
    values = {name: score.value for name, score in scores.items()}
    assert values == pytest.approx({name: score.value for name, score in backwards.items()})
    assert 0 <= values["hits@1"] <= values["hits@3"] <= values["hits@5"] <= values["hits@10"] <= 1
    assert values["hits@1"] <= values["mrr"] + 1e-12 <= 1 + 1e-12
    assert set(ranking_scores([1] * len(ranks), resamples=2).values()) == {(1, 1, 1)}


def test_what_cannot_be_ranked_is_refused():
    with pytest.raises(ValueError, match="no ranks: give that of at least one query"):
        ranking_scores([])
    with pytest.raises(ValueError, match="rank 0 of query 1 is below 1, the best; give None for one not found"):
        ranking_scores([3, 0])
    with pytest.raises(ValueError, match=r"scores of shape \(3,\) and right of shape \(2,\)"):
        rank_of_first(np.zeros(3), np.zeros(2, dtype=bool))
    with pytest.raises(ValueError, match="1 of 2 scores are not a number"):
        rank_of_first(np.array([0, np.nan]), np.array([True, False]))
