"""An answer is right whatever its case, articles, punctuation and figures, and wrong with anything added."""

import pytest

from mm_memgpt.datasets.answers import score


@pytest.mark.parametrize("written", ["seven", "Seven.", "7", " 7 . ", "the seven!"])
def test_numbers_are_one_as_words_and_figures(written):
    assert score("seven", written)
    assert score("7", written)


@pytest.mark.parametrize(
    ("answer", "written", "right"),
    [
        ("dog", "A dog.", True),
        ("dog", "the DOG", True),
        ("barking dog", "a barking dog", True),
        ("barking dog", "dog", False),
        ("dog", "a dog and a cat", False),
        ("dog", "dogs", False),
        ("dog", "", False),
        ("yes", "yes yes", False),
        ("twenty", "20", True),
        ("one", "11", False),
    ],
)
def test_only_what_does_not_count_may_differ(answer, written, right):
    assert score(answer, written) is right
