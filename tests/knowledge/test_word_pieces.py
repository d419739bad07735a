"""Words are numbers without a vocabulary, and words alike share some."""

import pytest

from mm_memgpt.knowledge.word_pieces import LONGEST, relation_words, split_words, word_pieces


@pytest.mark.parametrize(
    ("name", "own", "above"),
    [
        ("__music__album__release_type", ["release", "type"], ["music", "album"]),
        ("/people/person/place_of_birth", ["place", "of", "birth"], ["people", "person"]),
        ("http://example.org/terms#birthPlace", ["birth", "place"], ["http", "example", "org", "terms"]),
        ("spouse", ["spouse"], []),
    ],
)
def test_a_relation_is_its_last_words_and_what_they_belong_to(name, own, above):
    assert relation_words(name) == (own, above)


def test_words_alike_share_pieces():
    many, one = set(word_pieces("releases", 8192)), set(word_pieces("release", 8192))
    assert many & one
    assert many != one


def test_pieces_are_few_and_never_the_number_of_none():
    assert min(word_pieces("a", 3)) >= 1
    assert len(word_pieces("x" * 5 + "abcdefghijklmnopqrstuvwxyz" * 3, 8192)) == LONGEST


def test_underscores_part_words():
    assert split_words("What's John\u2019s AGE_at_birth?") == ["what", "'s", "john", "'s", "age", "at", "birth"]
