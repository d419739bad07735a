"""Captions are scored as pycocoevalcap scores them, on this project's tokens, with honest intervals."""

import math
import random
import sys

import pytest
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge

from mm_memgpt.evaluation.captions import cider_each, score_captions, tokens

METRICS = ("cider", "bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l")
VOCABULARY = ["a", "the", "dog", "man", "red", "ball", "runs", "holds", "on", "grass", "beach", "two"]


def sentences(seed: int, photos: int, each: int) -> list[list[str]]:
    draw = random.Random(seed)
    return [[" ".join(draw.choices(VOCABULARY, k=draw.randint(2, 9))) for _ in range(each)] for _ in range(photos)]


def test_tokens_are_lower_cased_runs_of_letters_digits_and_apostrophes():
    assert tokens("A dog's 2nd-best BALL, it\u2019s_Ça!") == ["a", "dog's", "2nd", "best", "ball", "it's", "ça"]


def test_the_scores_are_those_of_pycocoevalcap_on_the_whole_set():
    references = sentences(0, photos=37, each=3)
    captions = [row[0] for row in sentences(1, photos=37, each=1)]
    expected, written = dict(enumerate(references)), {i: [caption] for i, caption in enumerate(captions)}
    ours = score_captions(captions, references, resamples=2)
    theirs = [
        Cider().compute_score(expected, written)[0],
        *Bleu(4).compute_score(expected, written, verbose=0)[0],
        Rouge().compute_score(expected, written)[0],
    ]
    assert [getattr(ours, name).value for name in METRICS] == pytest.approx(theirs, rel=1e-9)
    assert theirs[4] > 0


def test_cider_each_has_the_whole_set_s_cider_as_its_mean():
    references = sentences(0, photos=37, each=3)
    captions = [row[0] for row in sentences(1, photos=37, each=1)]
    each = cider_each(captions, references)
    assert each.shape == (37,)
    assert each.mean() == pytest.approx(score_captions(captions, references, resamples=2).cider.value)
    assert each.std() > 0


def test_the_figures_of_two_photos_follow_from_the_definitions():
    scores = score_captions(["A dog.", "a red ball"], [["a dog runs", "the dog runs on"], ["A red ball!"]], resamples=2)
    assert scores.bleu_1.value == pytest.approx(math.exp(1 - 6 / 5))  # every word matched, 5 written where 6 were due
    assert scores.bleu_2.value == pytest.approx(math.exp(1 - 6 / 5))
    beta = 1.2**2
    assert scores.rouge_l.value == pytest.approx(((1 + beta) * (2 / 3) / (2 / 3 + beta) + 1) / 2)
    assert (scores.photos, scores.distinct, scores.distinct_share, scores.mean_length) == (2, 2, 1.0, 2.5)


def test_case_and_punctuation_do_not_make_captions_distinct():
    scores = score_captions(["A dog.", "a dog", "two dogs"], [["a dog"]] * 3, resamples=2)
    assert (scores.distinct, scores.distinct_share) == (2, pytest.approx(2 / 3))


def test_a_caption_without_a_word_scores_zero():
    scores = score_captions(["...", "a dog"], [["a cat sat"], ["two men"]], resamples=2)
    assert [getattr(scores, name).value for name in METRICS] == pytest.approx([0] * 6, abs=1e-6)


def test_the_interval_is_that_of_resampled_photos():
    references = sentences(2, photos=11, each=2)
    captions = [row[0] for row in references[:6]] + ["two grass"] * 5
    scores = score_captions(captions, references, resamples=300, seed=5)
    draw = random.Random(0)
    naive = []
    for _ in range(300):
        photos = draw.choices(range(11), k=11)
        expected = {i: references[photo] for i, photo in enumerate(photos)}
        written = {i: [captions[photo]] for i, photo in enumerate(photos)}
        naive.append(Bleu(4).compute_score(expected, written, verbose=0)[0][1])
    naive.sort()
    assert scores.bleu_2.low == pytest.approx(naive[7], abs=0.06)
    assert scores.bleu_2.high == pytest.approx(naive[292], abs=0.06)
    assert all(getattr(scores, name).low < getattr(scores, name).value < getattr(scores, name).high for name in METRICS)


def test_a_seed_gives_the_same_interval_and_another_seed_another():
    captions, references = [row[0] for row in sentences(3, 9, 1)], sentences(4, 9, 2)
    first = score_captions(captions, references, resamples=50, seed=1)
    assert score_captions(captions, references, resamples=50, seed=1) == first
    assert score_captions(captions, references, resamples=50, seed=2).cider != first.cider


def test_lists_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="2 captions and 1 lists of references: give one list a caption"):
        score_captions(["a", "b"], [["a"]])


def test_a_photo_without_a_reference_is_named():
    with pytest.raises(ValueError, match="photo 1 has no reference caption with a word in it; leave it out"):
        score_captions(["a", "b"], [["a"], ["..."]])


def test_without_the_scorers_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocoevalcap.bleu.bleu_scorer", None)
    with pytest.raises(ImportError, match=r'pip install "mm-memgpt\[evaluate\]"'):
        score_captions(["a"], [["a"]])
