"""A question's entity is found by name, and what is left are the words that ask."""

import pytest

from mm_memgpt.knowledge.entity_mentions import ENTITY, mentions, without
from mm_memgpt.knowledge.surroundings import WalkGraph

GRAPH = WalkGraph.of_triples(
    [("john_ii", "child", "john_ii_of_france"), ("Free", "kind", "Album"), ("free", "is", "a")]
)
NAMES = ["Free" if name == "a" else name for name in GRAPH.names]  # a second of that name


def named(text: str) -> list[list[str]]:
    return [
        [GRAPH.knowledge.entities[number] for number in each.entities] for each in mentions(text, GRAPH.linker, NAMES)
    ]


@pytest.mark.parametrize(
    ("text", "entities"),
    [
        ("the gender of john_ii_of_france 's son ?", [["john_ii_of_france"]]),
        ("Who is the child of John II of France?", [["john_ii_of_france"]]),
        ("john_ii 's son", [["john_ii"]]),
        ("what is the album of Free ?", [["Free"]]),  # "album" is not written like "Album"
        ("what is the album of FREE ?", [["Album"], ["Free", "free"]]),
        ("nobody at all", []),
    ],
)
def test_the_longest_name_is_the_entity(text, entities):
    assert named(text) == entities


def test_the_name_is_one_word_of_the_question():
    [mention] = mentions("the gender of john_ii_of_france 's son ?", GRAPH.linker, NAMES)
    assert mention.words == ("the", "gender", "of", ENTITY, "'s", "son")
    assert without("is Free free of john_ii ?", "free") == ("is", ENTITY, ENTITY, "of", "john", "ii")
