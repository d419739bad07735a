"""Words that name what a photo shows are told from the rest, and forms of one word share a stem."""

import pytest

from mm_memgpt.explain.content import is_content, stem, stems


@pytest.mark.parametrize("word", ["dog", "Dog.", "red,", "running", "T-shirt"])
def test_what_names_something_is_content(word):
    assert is_content(word)


@pytest.mark.parametrize("word", ["a", "The", "of", "two", "is", "front", "'", "s", "."])
def test_what_names_nothing_is_none(word):
    assert not is_content(word)


@pytest.mark.parametrize(
    "forms",
    [("dog", "dogs"), ("run", "runs", "running"), ("ride", "rides", "riding"), ("baby", "babies"), ("sit", "sitting")],
)
def test_forms_of_a_word_share_a_stem(forms):
    assert len({stem(form) for form in forms}) == 1


def test_different_words_keep_different_stems():
    several = ["dog", "red", "bed", "ring", "king", "grass", "glass", "street", "tree", "bus", "eye"]
    assert len({stem(word) for word in several}) == len(several)


def test_stems_of_sentences_leave_function_words_out():
    assert stems(["Two dogs run.", "A dog is in the grass"]) == {"dog", "run", "gras"}
