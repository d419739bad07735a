"""A fact is said as people say it where its relation is common, and in its own words where it is not."""

import pytest

from mm_memgpt.knowledge.saying import names, sentence_of
from mm_memgpt.types import Fact


@pytest.mark.parametrize(
    ("fact", "says"),
    [
        (("Berlin", "capital_of", "Germany"), "Berlin is the capital of Germany"),
        (("dog", "_hypernym", "canine"), "dog is a kind of canine"),
        (("ada_lovelace", "admires", "charles_babbage"), "ada lovelace admires charles babbage"),
        (("Ada", "friend of McDuff", "Bob"), "Ada friend of McDuff Bob"),
        (("ada", "/people/person/place_of_birth", "london"), "ada was born in london"),
        (("ada", "__people__person__gender", "female"), "ada gender female"),
        (("http://x.org/Ada", "http://x.org/ontology#birthYear", "1815"), "Ada birth year 1815"),
        (("a", "/", "b"), "a / b"),
    ],
)
def test_a_fact_is_said(fact, says):
    assert sentence_of(Fact(*fact)) == says


def test_names_stand_for_identifiers():
    fact = Fact("q64", "p1376", "q183", head_name="Berlin", relation_name="Capital of", tail_name="Germany")
    assert sentence_of(fact) == "Berlin is the capital of Germany"
    assert names(fact) == ("Berlin", "Capital of", "Germany")
    assert names(Fact("new_york", "part_of", "usa")) == ("new york", "part of", "usa")
