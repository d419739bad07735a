"""A caption is good by one sentence at a time, and the fit finds the chances that the good ones were drawn with."""

import re

import numpy as np
import pytest

from mm_memgpt.evaluation.calibration import RIDGE, cross_validated, fit, good, predicted, sigmoid

NAMES = ("mean_logprob", "length", "evidence")


def drawn(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Signals (n, 3) of unlike sizes, the chances they give and events drawn with these."""
    draw = np.random.default_rng(seed)
    signals = draw.normal(size=(n, 3)) * [0.4, 3, 20] + [-1, 9, 50]
    chance = sigmoid(signals @ [2.0, -0.3, 0.05] + 1.5)
    return signals, chance, draw.random(n) < chance


def test_good_is_half_of_the_words_in_order_with_one_sentence():
    reference = "a dog runs on the grass"
    captions = ["A dog runs.", "The grass.", "a dog", "", "on runs dog a"]
    assert good(captions, [[reference]] * 5).tolist() == [True, False, False, False, False]


def test_two_sentences_do_not_make_a_caption_good_together():
    # precision 1 with the long sentence alone, recall 1 with the short one alone; F at most 0.4 with either
    caption, long, short = "red dog blue cat", "red x dog y blue z cat " + "w " * 15, "red"
    assert not good([caption], [[long, short]])[0]
    assert good([caption], [[long, short, "red dog blue"]])[0]


def test_f_weighs_recall_more_as_pycocoevalcap_does():
    # 2 words in common; precision 2/2 and recall 2/6 give F1 = 0.5 but F with beta 1.2 = 0.44
    assert not good(["a dog"], [["a dog runs on the grass"]])[0]
    assert good(["a dog runs on the grass"], [["a dog"]])[0]


def test_a_photo_without_a_reference_is_named():
    with pytest.raises(ValueError, match="photo 1 has no reference caption with a word in it; leave it out"):
        good(["a", "b"], [["a"], ["..."]])


def test_the_fit_finds_the_chances_that_were_drawn_with():
    signals, chance, events = drawn(20_000)
    fitted = fit(NAMES, signals, events)
    assert fitted.signals == NAMES
    assert fitted.weights == pytest.approx([2, -0.3, 0.05], rel=0.1)
    assert np.abs(predicted(fitted, signals) - chance).max() < 0.05


def test_the_fit_is_where_its_loss_is_least():
    signals, _, events = drawn(60, seed=1)
    fitted = fit(NAMES, signals, events)

    def loss(weights: np.ndarray, bias: float) -> float:
        chance = sigmoid(signals @ weights + bias)
        penalty = RIDGE / 2 * ((weights * signals.std(0)) ** 2).sum()
        return -np.log(np.where(events, chance, 1 - chance)).sum() + penalty

    best = loss(np.array(fitted.weights), fitted.bias)
    for which in range(4):
        for sign in (-1, 1):
            moved = np.append(fitted.weights, fitted.bias)
            moved[which] += sign * 1e-3 * max(1, abs(moved[which]))
            assert loss(moved[:3], moved[3]) > best


def test_where_the_signals_say_all_the_weights_stay_bounded():
    signals = np.arange(20.0)[:, None]
    fitted = fit(("length",), signals, signals[:, 0] > 9)
    assert 0 < fitted.weights[0] < 2
    assert fit(("length",), np.full((4, 1), 3.0), np.array([True, False] * 2)).weights == pytest.approx((0,))


def test_no_caption_takes_part_in_the_fit_that_judges_it():
    signals, _, events = drawn(40, seed=2)
    fitted, held = predicted(fit(NAMES, signals, events), signals), cross_validated(NAMES, signals, events, folds=40)
    alone = [predicted(fit(NAMES, np.delete(signals, i, 0), np.delete(events, i)), signals[i]) for i in range(40)]
    assert held == pytest.approx(np.array(alone))
    assert held[events].mean() < fitted[events].mean()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s, e: fit(NAMES, s, e | True), "9 of 9 captions are good; there must be some of each kind"),
        (lambda s, e: fit(NAMES, s, e & False), "0 of 9 captions are good; there must be some of each kind"),
        (lambda s, e: cross_validated(NAMES, s, np.arange(9) == 4), "1 good captions, 8 others and 10 folds: each"),
    ],
)
def test_what_cannot_be_fitted_is_refused(call, message):
    signals, _, events = drawn(9)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        call(signals, events)
