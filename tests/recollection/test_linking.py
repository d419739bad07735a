"""Texts are linked to facts by name, whatever is asked stays bounded, and related is what a fact says of both."""

from collections.abc import Sequence

import pytest

from mm_memgpt.recollection.linking import FAN, MOST, LinkedFacts, asked_stems, related, relation_words, spoken
from mm_memgpt.types import Fact

FACTS = (
    Fact("dog", "hypernym", "canine"),
    Fact("dog", "has part", "paw"),
    Fact("hot dog", "hypernym", "sandwich"),
    Fact("photo", "hypernym", "picture"),
    Fact("Berlin", "capital_of", "Germany", since=100.0),
    Fact("Bonn", "capital_of", "Germany", until=100.0),
)


def names(facts: LinkedFacts, entities: Sequence[int]) -> list[str]:
    return [facts.graph.name(entity) for entity in entities]


def told(facts: LinkedFacts, numbers: Sequence[int]) -> list[Fact]:
    return [facts.facts[number] for number in numbers]


@pytest.mark.parametrize(
    ("text", "entities"),
    [
        ("Two dogs in Berlin", ["dog", "Berlin"]),
        ("A dog, a dog and a Dog.", ["dog"]),
        ("A hot dog.", ["hot dog"]),
        ("What is in the photo?", []),  # it is what was asked about, and not what it shows
        ("A siren", []),
        ("", []),
    ],
)
def test_a_text_names_entities_by_their_longest_names_each_once(linked, text, entities):
    facts = linked(FACTS)
    assert names(facts, facts.entities(text)) == entities


def test_two_entities_of_one_name_are_both_meant(linked):
    facts = linked(
        [Fact("q1", "hypernym", "person", head_name="Paris"), Fact("q2", "located in", "France", head_name="Paris")]
    )
    assert [facts.graph.entities[number] for number in facts.entities("Paris")] == ["q1", "q2"]
    assert len(facts.around(facts.entities("Paris"), "Where is Paris?")) == 2


def test_a_fact_names_its_ends_and_one_told_since_names_none(linked):
    facts = linked(FACTS)
    assert facts.triples["item 4"] == 4
    assert names(facts, facts.graph.triples[4, [0, 2]]) == ["Berlin", "Germany"]
    assert "item 9" not in facts.triples


def test_of_one_fact_of_two_sources_the_newer_item_says_it(linked):
    facts = linked([FACTS[0], FACTS[1], FACTS[0]])
    assert facts.ids == ["item 2", "item 1"]
    assert facts.triples == {"item 0": 0, "item 1": 1, "item 2": 0}


@pytest.mark.parametrize(
    ("question", "first"),
    [("What is a dog a kind of?", FACTS[0]), ("What part has a dog?", FACTS[1]), ("Which sort is a dog?", FACTS[0])],
)
def test_the_facts_that_have_most_of_the_questions_words_come_first(linked, question, first):
    facts = linked(FACTS[:2])
    found = told(facts, facts.around(facts.entities("dog"), question))
    assert found[0] == first
    assert sorted(found) == sorted(FACTS[:2])


def test_of_an_entity_with_many_facts_few_are_looked_at_and_the_one_asked_for_is_among_them(linked):
    many = [Fact("dog", "seen by", f"person {number}") for number in range(3000)]
    facts = linked([*many, FACTS[0], Fact("cat", "hypernym", "feline")])
    found = told(facts, facts.around(facts.entities("a dog and a cat"), "What kind is it?"))
    assert len(found) == MOST
    assert set(found[:2]) == {FACTS[0], Fact("cat", "hypernym", "feline")}
    assert facts.graph.degree(0) > FAN
    assert found == told(facts, facts.around(facts.entities("a dog and a cat"), "What kind is it?"))


def test_facts_are_those_that_hold_at_the_time_asked(linked):
    facts = linked(FACTS)
    [germany] = facts.entities("Germany")
    for at, heads in ((99.0, {"Bonn"}), (100.0, {"Berlin"}), (None, {"Berlin", "Bonn"})):
        assert {fact.head for fact in told(facts, facts.around([germany], "capital", at))} == heads


def test_a_fact_is_related_to_all_that_names_one_of_its_ends_and_to_facts_that_share_one():
    dog, canine, paw, cat = range(4)
    photo, note, kind, part, lonely = (dog, cat), (dog,), (dog, canine), (dog, paw), (7, 8)
    pairs = related([photo, kind, note, part, lonely], [1, 3, 4])
    assert pairs == {(0, 1): dog, (1, 2): dog, (1, 3): dog, (0, 3): dog, (2, 3): dog}
    assert related([photo, note], []) == {}  # what two notes both name is no fact


def test_a_fact_on_itself_is_related_to_what_names_it_and_not_to_itself():
    assert related([(5, 5), (5,)], [0]) == {(0, 1): 5}


@pytest.mark.parametrize(
    ("fact", "said", "words"),
    [
        (FACTS[0], "is a kind of", [{"kind"}, {"hypernym"}]),
        (FACTS[4], "is the capital of", [{"capital"}, {"capital"}]),
        (Fact("Anna", "wrote", "letters"), "wrote", [{"writ"}, {"writ"}]),
    ],
)
def test_the_words_of_a_relation_are_those_it_is_said_or_called_by(fact, said, words):
    assert spoken(fact) == (fact.head, said, fact.tail)
    assert relation_words(fact) == words


def test_a_question_says_some_words_without_having_them():
    assert asked_stems("Where?") >= {"locat", "plac"}
    assert "kind" in asked_stems("What type of thing?")
    assert "kind" not in asked_stems("What thing?")
