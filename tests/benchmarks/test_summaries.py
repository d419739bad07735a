"""The benchmark of summaries: every row has the same room, and its figures are of the same articles."""

from random import Random

import numpy as np

from mm_memgpt.words import words

ARTICLE = " ".join(f"Sentence number {number} is here." for number in range(10))


def test_first_and_random_sentences_have_the_same_room():
    from benchmarks.summaries import at_random, leading

    assert leading(ARTICLE) == " ".join(f"Sentence number {number} is here." for number in range(3))
    for share in (0.2, 0.5, 0.01):
        size = max(5, round(share * 50))
        assert len(words(leading(ARTICLE, share))) == len(words(at_random(ARTICLE, share, Random(1)))) == size


def test_the_lead_is_that_on_the_same_articles():
    from benchmarks.summaries import table

    each = {
        "first": {kind: np.array([0.1, 0.5, 0.9]) for kind in ("rouge_1", "rouge_2", "rouge_l")},
        "learned": {kind: np.array([0.2, 0.6, 1.0]) for kind in ("rouge_1", "rouge_2", "rouge_l")},
    }
    _, _, first, learned = table(each).splitlines()
    assert first.count("+0.100 (+0.100 to +0.100)") == 3
    assert learned.count("0.600 (0.200 to 1.000)") == 3
