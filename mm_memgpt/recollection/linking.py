"""A memory's facts linked by name: to a question, to notes, and to what the model says of photos and sounds.

Notable: bounded, however many facts there are: of an entity with 100,000 as many are looked at as of any other, those
of the relations that a question has the words of first; a name that several entities bear means all of them.

t triples
"""

from collections.abc import Collection, Iterable, Sequence
from functools import cached_property

import numpy as np

from mm_memgpt.knowledge.graph import KnowledgeGraph
from mm_memgpt.knowledge.linking import Linker
from mm_memgpt.knowledge.saying import names, sentence_of
from mm_memgpt.memory.item import Item
from mm_memgpt.recollection.forms import base, base_stems
from mm_memgpt.recollection.results import KnownFact
from mm_memgpt.recollection.wanted import content, cues
from mm_memgpt.types import Fact
from mm_memgpt.words import words

MOST = 8
"""Facts that join what was found, at most."""

FAN = 20
"""Facts of an entity that are looked at, at most."""

MENTIONS = 64
"""Entities whose facts are looked at, at most."""

ASKS_FOR = {"where": "located place", "when": "date year", "type": "kind", "sort": "kind"}
"""Words that a question says without having them."""


class LinkedFacts:
    """The facts of a memory, and what names them.

    Args:
        known: all of them, in the order in which they were told.
        graph: made of these by `graph_of`.
    """

    def __init__(self, known: Sequence[KnownFact], graph: KnowledgeGraph) -> None:
        self.graph = graph
        self.facts: list[Fact] = []
        """(t) each triple of the graph, as it was told first."""
        self.ids: list[str] = []
        """(t) the item that said it last."""
        numbers: dict[tuple, int] = {}
        self.triples: dict[str, int] = {}
        """The triple that an item says, by its id."""
        for each in known:
            number = numbers.setdefault(each.fact[:5], len(numbers))  # as `build_graph` numbers them
            if number == len(self.facts):
                self.facts.append(each.fact)
                self.ids.append(each.id)
            self.ids[number] = each.id
            self.triples[each.id] = number

    @cached_property
    def linker(self) -> Linker:
        """Finds the entities' names."""
        return Linker(self.graph)

    @cached_property
    def relation_words(self) -> list[list[frozenset[str]]]:
        """Of each relation the stems of its words, as it is said and as it is called."""
        first = {int(relation): number for number, relation in reversed(list(enumerate(self.graph.triples[:, 1])))}
        return [relation_words(self.facts[first[relation]]) for relation in range(len(self.graph.relations))]

    def entities(self, text: str) -> tuple[int, ...]:
        """The entities that a text names, in its order; words that only frame a question ("photo") name none."""
        mentions = (mention for mention in self.linker.link(text) if content(mention.text))
        return tuple(dict.fromkeys(entity for mention in mentions for entity in mention.entities))

    def ends(self, item: Item) -> tuple[int, ...]:
        """Head and tail of an item that is a fact; nothing for one that was told since."""
        number = self.triples.get(item.id)
        return () if number is None else tuple(self.graph.triples[number, [0, 2]].tolist())

    def holding(self, at: float | None) -> np.ndarray:
        """(t) bool: which hold at a second in Unix time; all where None."""
        since, until = self.graph.valid.T
        return np.ones(len(self.graph), bool) if at is None else (since <= at) & (at < until)

    def asked_for(self, question: str, at: float | None) -> np.ndarray:
        """(t) bool: those that hold at a second and of whose relation the question has all words."""
        asked = asked_stems(question)
        relations = [number for number, each in enumerate(self.relation_words) if has_words(each, asked)]
        return self.holding(at) & np.isin(self.graph.triples[:, 1], relations)

    def around(self, entities: Iterable[int], question: str, at: float | None = None) -> list[int]:
        """Triples at entities, at most MOST: first those with most words of the question, then some of each entity."""
        asked, asked_for, holding = asked_stems(question), self.asked_for(question, at), self.holding(at)
        rank: dict[int, int] = {}
        for entity in list(dict.fromkeys(entities))[:MENTIONS]:
            near: dict[int, None] = {}
            for among in (asked_for, holding):
                near |= dict.fromkeys(self.graph.neighbours(entity, FAN, among).triples.tolist())
            for place, number in enumerate(near):
                rank[number] = min(place, rank.get(number, place))
        shared = {number: len(base_stems(sentence_of(self.facts[number])) & asked) for number in rank}
        return sorted(rank, key=lambda number: (-shared[number], rank[number]))[:MOST]


def asked_stems(question: str) -> frozenset[str]:
    """The stems of all words of a question, and of those that it says without having them."""
    said = words(question)
    implied = [ASKS_FOR[word] for word in said if word in ASKS_FOR]
    return frozenset(base(each) for each in cues(" ".join([*said, *implied])))


def relation_words(fact: Fact) -> list[frozenset[str]]:
    """The stems of the words of a fact's relation, as it is said and as it is called; either may be what is asked."""
    phrases = (spoken(fact)[1], names(fact)[1])
    return [frozenset(found) for phrase in phrases if (found := base_stems(phrase))]


def spoken(fact: Fact) -> tuple[str, str, str]:
    """Head, relation and tail of a fact as its sentence has them."""
    head, _, tail = names(fact)
    return head, sentence_of(fact).removeprefix(head).removesuffix(tail).strip(), tail


def has_words(relation: Iterable[frozenset[str]], asked: Collection[str]) -> bool:
    """Whether what is asked has all words of a relation, as it is said or as it is called."""
    return any(each.issubset(asked) for each in relation)


def related(entities: Sequence[Collection[int]], facts: Collection[int]) -> dict[tuple[int, int], int]:
    """Which of what was found are related, one of them a fact at least, and by which entity that both name.

    Args:
        entities: that each names; of a fact, its head and tail.
        facts: places of those that are facts.

    Returns:
        By the places of two, the smaller first, the first entity of the fact that the other names.
    """
    pairs = {}
    for fact in facts:
        for place, named in enumerate(entities):
            shared = [entity for entity in entities[fact] if entity in named]
            if place != fact and shared:
                pairs.setdefault((min(place, fact), max(place, fact)), shared[0])
    return pairs
