"""A fact as a sentence: "Berlin", "capital_of", "Germany" is "Berlin is the capital of Germany".

Notable: common relations are said as people say them; of all others the words stand between head and tail as they are,
for a relation's own words are what a question about it repeats.
"""

import re

from mm_memgpt.datasets.entity_names import name_of
from mm_memgpt.types import Fact

SAID = {
    "also see": "is related to",
    "capital of": "is the capital of",
    "cause of death": "died of",
    "children": "has the child",
    "derivationally related form": "is a word related to",
    "has part": "has the part",
    "hypernym": "is a kind of",
    "instance hypernym": "is an instance of",
    "instance of": "is an instance of",
    "located in": "is located in",
    "member meronym": "has the member",
    "member of": "is a member of",
    "member of domain region": "is the region of",
    "member of domain usage": "has the example",
    "parents": "has the parent",
    "part of": "is part of",
    "place of birth": "was born in",
    "place of death": "died in",
    "profession": "works as",
    "similar to": "is similar to",
    "spouse": "is married to",
    "synset domain topic of": "is a word of the topic",
    "verb group": "is a verb like",
}
"""Between head and tail, by the relation's words in lower case."""

_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_ADDRESS = re.compile(r"[/#]|__")
"""What parts the words of a relation such as /people/person/place_of_birth, of which the last say it."""


def names(fact: Fact) -> tuple[str, str, str]:
    """What head, relation and tail are called: the names they were given, or what their identifiers say."""
    return (
        fact.head_name or name_of(fact.head),
        fact.relation_name or name_of(fact.relation),
        fact.tail_name or name_of(fact.tail),
    )


def sentence_of(fact: Fact) -> str:
    """What a fact says, by names; its times are no part of it."""
    head, relation, tail = names(fact)
    if not fact.relation_name:
        relation = name_of(_ADDRESS.split(fact.relation.rstrip("/#"))[-1] or fact.relation)
        relation = relation if " " in relation else _HUMP.sub(" ", relation).lower()
    return " ".join([head, SAID.get(relation.casefold(), relation), tail])
