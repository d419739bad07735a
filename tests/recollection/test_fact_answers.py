"""A fact answers what is asked for, of what is there, and nothing else."""

from collections.abc import Callable

import pytest

from mm_memgpt.recollection.fact_answers import Fitting, Seen, fitting, quotable
from mm_memgpt.recollection.linking import LinkedFacts
from mm_memgpt.types import Fact

CANINE, PAW, FELINE, ADULT, LAKE = (
    Fact("dog", "hypernym", "canine"),
    Fact("dog", "has part", "paw"),
    Fact("cat", "hypernym", "feline"),
    Fact("man", "hypernym", "adult"),
    Fact("Bodensee", "located in", "Germany"),
)
BERLIN, BONN = Fact("Berlin", "capital_of", "Germany", since=100.0), Fact("Bonn", "capital_of", "Germany", until=100.0)
FAUST, BORN = Fact("Faust", "author", "Goethe"), Fact("Goethe", "place_of_birth", "Frankfurt")
FACTS = (CANINE, PAW, FELINE, ADULT, LAKE, BERLIN, BONN, FAUST, BORN, Fact("loop", "hypernym", "loop"))


@pytest.fixture
def facts(linked) -> LinkedFacts:
    return linked(FACTS)


Ask = Callable[..., Fact | None]


@pytest.fixture
def answer(facts) -> Ask:
    def ask(question: str, *texts: str, perceived: bool = False, at: float | None = None) -> Fact | None:
        seen = [Seen((), text, facts.entities(text)) for text in texts]
        found = fitting(question, facts, seen, least=0.8, perceived=perceived, at=at)
        return None if found is None else facts.facts[found.triple]

    return ask


@pytest.mark.parametrize(
    ("question", "fact"),
    [
        ("What is the animal in the photo a kind of?", CANINE),
        ("What is the dog in the photo a kind of?", CANINE),
        ("What is the puppy in the photo a kind of?", CANINE),  # a puppy is a dog, as far as a photo shows
        ("What type is the animal in the photo?", CANINE),
        ("What part has the animal in the photo?", PAW),
        ("What is the person in the photo a kind of?", ADULT),
        ("What is the giraffe in the photo a kind of?", None),  # nobody saw one
        ("What is the cat in the photo a kind of?", None),  # known, and not seen
        ("Is the dog in the photo a kind of canine?", None),  # it names what would be the answer
        ("What kind of dog is in the photo?", None),  # asks for one of its kinds, which nobody said
        ("Who is the author of the dog in the photo?", None),  # no such fact
        ("What is the dog in the photo called?", None),
    ],
)
def test_a_photo_leads_to_what_is_known_of_what_it_shows(answer, question, fact):
    assert answer(question, "A dog and a man run.", perceived=True) == fact


def test_a_general_question_is_answered_of_what_was_found_first(answer):
    question = "What kind of thing is in the photo?"
    assert answer(question, "A wall.", "A cat sits.", "A dog runs.", perceived=True) == FELINE
    assert answer(question, "A wall.", perceived=True) is None


@pytest.mark.parametrize(
    ("question", "fact"),
    [
        ("What is a dog a kind of?", CANINE),
        ("What is the capital of Germany?", BERLIN),
        ("Who is the author of Faust?", FAUST),
        ("Where was Goethe born?", BORN),
        ("When was Goethe born?", None),  # the fact says where
        ("Where is the Bodensee?", LAKE),
        ("What is the capital of France?", None),
        ("What is a canine a kind of?", None),  # a dog is of this kind, and not the other way about
        ("What is a loop a kind of?", None),
    ],
)
def test_a_question_leads_to_what_is_known_of_what_it_names(answer, question, fact):
    assert answer(question) == fact


def test_a_note_leads_to_what_is_known_of_what_it_names(answer):
    assert answer("What is the capital where we ate soup?", "The train was late.", "We eat soup in Germany.") == BERLIN
    assert answer("What is the capital where we ate fish?", "We eat soup in Germany.") is None


def test_a_fact_answers_while_it_holds(answer):
    question = "What is the capital of Germany?"
    assert (answer(question, at=99.0), answer(question, at=100.0)) == (BONN, BERLIN)


def test_what_leads_to_a_fact_is_told_and_how_much_of_the_question_is_covered(facts):
    seen = [Seen((), text, facts.entities(text)) for text in ("A cat.", "A red dog in the grass.")]
    question = "What is the dog that was seen in the wet red grass a kind of?"
    assert fitting(question, facts, seen, least=0.75, perceived=True) == Fitting(0, 1, 0.75)
    assert fitting(question, facts, seen, least=0.8, perceived=True) is None


def test_two_entities_of_one_name_are_both_asked(linked):
    paris = [
        Fact("q1", "located in", "France", head_name="Paris"),
        Fact("q2", "spouse", "Helen", head_name="Paris"),
    ]
    facts = linked(paris)
    for question, fact in (("Where is Paris?", paris[0]), ("Who is married to Paris?", paris[1])):
        assert facts.facts[fitting(question, facts, [], least=0.8).triple] == fact


def test_the_fact_asked_for_is_found_among_thousands_of_one_entity(linked):
    facts = linked([*(Fact("dog", "seen by", f"person {number}") for number in range(3000)), CANINE])
    assert facts.facts[fitting("What is a dog a kind of?", facts, [], least=0.8).triple] == CANINE


def test_a_fact_is_quoted_where_its_relation_is_asked_for_and_it_leads_both_ways():
    assert quotable(BORN, "Where was Johann Wolfgang von Goethe born?")
    assert not quotable(BORN, "Where did Goethe live?")
    assert not quotable(CANINE, "What is a dog a kind of?")
    assert not quotable(BONN, "What was the capital of West Germany?", at=100.0)
