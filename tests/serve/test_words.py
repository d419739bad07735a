"""A caption becomes HTML that shows what it says, where each word lies on the scale, and nothing that could run."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_memgpt.serve.words import LEAST, begun, clock, hint, percent, problem, sentence, sureness
from mm_memgpt.types import Caption, Word

CAPTION = Caption(text="A red dog.", confidence=0.25, words=(Word("A", -0.01), Word("red", -3.2), Word("dog.", -9.0)))


def test_the_scale_runs_from_one_in_a_hundred_to_certain():
    assert [sureness(math.log(p)) for p in (1.0, 0.1, 0.01, 0.0001)] == pytest.approx([1, 0.5, 0, 0])
    assert sureness(-math.inf) == 0


@given(st.floats(LEAST, 0), st.floats(LEAST, 0))
def test_the_scale_is_linear_in_the_log_probability(one, other):
    assert sureness((one + other) / 2) == pytest.approx((sureness(one) + sureness(other)) / 2, abs=1e-9)


@pytest.mark.parametrize(
    ("probability", "shown"),
    [(1.0, "100%"), (0.996, "&gt;99%"), (0.35, "35%"), (0.0996, "10%"), (0.0312, "3.1%"), (0.0004, "&lt;0.1%")],
)
def test_a_probability_is_never_rounded_to_what_it_is_not(probability, shown):
    assert percent(probability).replace("\u202f", "") == shown


def test_each_word_has_its_place_on_the_scale_and_its_figure():
    found = re.findall(r"--sure: ([\d.]+)%.*?, log-probability (.*?)<", sentence(CAPTION))
    assert [logprob for _, logprob in found] == ["-0.01", "-3.20", "-9.00"]
    assert [float(place) / 100 for place, _ in found] == pytest.approx([0.998, 0.305, 0], abs=1e-3)


def test_what_the_confidence_means_depends_on_whether_it_is_calibrated():
    html, calibrated = sentence(CAPTION), sentence(CAPTION, calibrated=True)
    assert ">25\u202f%<" in html
    assert ">25\u202f%<" in calibrated
    assert "not calibrated" in html
    assert "not calibrated" not in calibrated
    assert "about so many were good ones" in calibrated


def test_a_figure_fitted_on_photos_is_called_a_guess_elsewhere():
    assert "of a sound, a clip or an answer, this figure is a guess" in sentence(CAPTION, calibrated=True, of="clip")
    assert "this figure is a guess" in sentence(CAPTION, calibrated=True, prompt="A red")
    assert "not calibrated" in sentence(CAPTION, of="sound")


@pytest.mark.parametrize(("prompt", "given"), [("", 0), ("A", 1), ("A red", 2), ("A red do", 2), ("A red dog. It", 3)])
def test_what_it_was_given_to_begin_with_has_no_colour(prompt, given):
    html, words = sentence(CAPTION, prompt=prompt), [word.word for word in CAPTION.words]
    assert begun(CAPTION, prompt) == given
    assert re.findall('class="mm-given">(.*?)<', html) == ([" ".join(words[:given])] if given else [])
    assert re.findall(r'class="mm-word".*?>(.*?)<', html) == words[given:]


def test_seconds_are_told_to_a_tenth():
    shown = {0.0: "0:00.0", 0.975: "0:01.0", 59.96: "1:00.0", 61.25: "1:01.2", 3723.0: "1:02:03.0"}
    assert {seconds: clock(seconds) for seconds in shown} == shown


def test_a_caption_without_a_word_says_so():
    assert "no word" in sentence(Caption(text="", confidence=0.5, words=()))


@pytest.mark.parametrize(
    "show", [problem, hint, lambda text: sentence(Caption(text="", confidence=1, words=[Word(text, -1)]))]
)
def test_nothing_from_outside_can_run(show):
    html = show("<script>alert(1)</script>")
    assert "<script" not in html
    assert "&lt;script&gt;" in html
