"""Recall counts what the protocol says, in both directions, with its intervals."""

import numpy as np
import pytest

from mm_memgpt.evaluation.retrieval import DEPTHS, score_retrieval


def unit(*shape: int) -> np.ndarray:
    keys = np.random.default_rng(0).normal(size=shape)
    return keys / np.linalg.norm(keys, axis=-1, keepdims=True)


def naive(photos, sentences, owner, depth) -> tuple[float, float]:
    cosine = photos @ sentences.T
    to_text = [any(owner[j] == i for j in np.argsort(-cosine[i])[:depth]) for i in range(len(photos))]
    to_photo = [owner[j] in np.argsort(-cosine[:, j])[:depth] for j in range(len(sentences))]
    return np.mean(to_text), np.mean(to_photo)


def test_it_counts_as_sorting_would():
    photos, sentences = unit(30, 4), unit(75, 4)
    owner = [j % 30 for j in range(75)]
    scores = score_retrieval(photos, sentences, owner, resamples=50)
    for depth in DEPTHS:
        to_text, to_photo = naive(photos, sentences, owner, depth)
        assert scores.photo_to_text[depth].value == pytest.approx(to_text)
        assert scores.text_to_photo[depth].value == pytest.approx(to_photo)
        assert scores.photo_to_text[depth].low <= to_text <= scores.photo_to_text[depth].high
    assert (scores.photos, scores.sentences) == (30, 75)


def test_keys_that_agree_find_each_other_and_opposites_never_do():
    photos = np.eye(12)
    perfect = score_retrieval(photos, np.repeat(photos, 2, 0), np.repeat(np.arange(12), 2), resamples=5)
    assert perfect.photo_to_text[1] == perfect.text_to_photo[1] == (1.0, 1.0, 1.0)
    opposite = score_retrieval(photos, -photos, np.arange(12), resamples=5)
    assert opposite.photo_to_text[10].value == opposite.text_to_photo[10].value == 0.0


def test_a_photo_without_a_sentence_or_a_wrong_number_of_owners_is_refused():
    with pytest.raises(ValueError, match="photo 1 has no sentence"):
        score_retrieval(unit(3, 4), unit(2, 4), [0, 2])
    with pytest.raises(ValueError, match="3 owners for 2 sentences"):
        score_retrieval(unit(3, 4), unit(2, 4), [0, 1, 2])
