"""A question's entity is found by name."""

import pytest

from mm_memgpt.knowledge.linking import ENTITY, mentions, names_index, without
from mm_memgpt.knowledge.word_pieces import relation_words, split_words, word_pieces

NAMES = ["john_ii", "john_ii_of_france", "Free", "free", "Album", "Free"]
INDEX = names_index(NAMES)


@pytest.mark.parametrize(
    ("text", "entities"),
    [
        ("the gender of john_ii_of_france 's son ?", [(1,)]),
        ("Who is the wife of John II of France?", [(1,)]),
        ("john_ii 's son", [(0,)]),
        ("what is the album of Free ?", [(2, 5)]),  # two of one name; "album" is not written like "Album"
        ("nobody at all", []),
    ],
)
def test_the_longest_name_is_the_entity(text, entities):
    assert [mention.entities for mention in mentions(text, NAMES, INDEX)] == entities


def test_the_name_is_one_word_of_the_question():
    [mention] = mentions("the gender of john_ii_of_france 's son ?", NAMES, INDEX)
    assert mention.words == ("the", "gender", "of", ENTITY, "'s", "son")
    assert without("is Free free of john_ii ?", "free") == ("is", ENTITY, ENTITY, "of", "john", "ii")


def test_a_relation_is_its_last_words_and_what_they_belong_to():
    assert relation_words("__music__album__release_type") == (["release", "type"], ["music", "album"])
    assert relation_words("/people/person/place_of_birth") == (["place", "of", "birth"], ["people", "person"])
    assert relation_words("spouse") == (["spouse"], [])


def test_words_alike_share_pieces():
    shared = set(word_pieces("releases", 8192)) & set(word_pieces("release", 8192))
    assert shared
    assert set(word_pieces("releases", 8192)) != set(word_pieces("release", 8192))
    assert min(word_pieces("a", 3)) >= 1
    assert split_words("What's John\u2019s AGE_at_birth?") == ["what", "'s", "john", "'s", "age", "at", "birth"]
