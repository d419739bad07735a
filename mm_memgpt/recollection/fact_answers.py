"""The fact that answers a question about what was seen, heard, read or is known: a photo shows a dog, and a dog is a
kind of canine.

Notable: a fact answers where the question has all words of its relation and does not name its other end, and where what
else the question names is said of the entity or of what shows it; so a kind is told of what is there, and never of a
giraffe that nobody saw.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mm_memgpt.datasets.things import mentioned
from mm_memgpt.explain.content import stem
from mm_memgpt.knowledge.saying import sentence_of
from mm_memgpt.memory.item import Item
from mm_memgpt.recollection.forms import base, base_stems
from mm_memgpt.recollection.linking import FAN, LinkedFacts, asked_stems, has_words, relation_words
from mm_memgpt.recollection.wanted import fits, named
from mm_memgpt.types import Fact

KINDS = frozenset(["kind", "instanc", "exampl"])
"""Stems of relations that lead from a thing to its kind: what is seen is one of its kind, and not any other."""

_KIND_OF = re.compile(r"\b(?:kind|type|sort)s? of (?:an? |the )?(\w+)")


class Seen(NamedTuple):
    """A photo, sound or note that was found."""

    items: tuple[Item, ...]
    """One, or the pieces of a sound."""
    text: str
    """Its words, or what the model says of it."""
    entities: tuple[int, ...]
    """Those that its words name, in order."""


class Fitting(NamedTuple):
    """A fact that answers."""

    triple: int
    """Its number in the graph."""
    place: int | None
    """Of what leads to it among what was seen; None where the question names the entity itself."""
    covered: float
    """Share of what the question names that the fact and what leads to it say."""


def fitting(
    question: str,
    linked: LinkedFacts,
    seen: Sequence[Seen],
    *,
    least: float,
    perceived: bool = False,
    at: float | None = None,
) -> Fitting | None:
    """The fact that answers a question best; None where none does.

    Args:
        question: as it was asked.
        linked: the facts.
        seen: what may lead to one, the likeliest first.
        least: share of what the question names that must be said.
        perceived: whether only what was seen may lead to one, and not the question's own words.
        at: second in Unix time at which it must hold.
    """
    among = linked.asked_for(question, at)
    asked = _Asked(question, linked, among)
    starts = [] if perceived else [(entity, None) for entity in asked.entities]
    starts += [(entity, place) for place, one in enumerate(seen) for entity in one.entities]
    best, best_rank = None, ()
    for order, (entity, place) in enumerate(starts):
        others = () if place is None else seen[place].entities
        text = "" if place is None else seen[place].text
        for number in asked.about(entity).leading:
            if not asked.means(entity, others, number, perceived):
                continue
            shown, itself = asked.covered(number, entity, text)
            is_head = entity == linked.graph.triples[number, 0]
            rank = (shown, itself, asked.about(entity).is_thing, is_head, -order, linked.facts[number].since, number)
            if shown >= least and rank > best_rank:
                best, best_rank = Fitting(number, place, shown), rank
    return best


def quotable(fact: Fact, question: str, at: float | None = None) -> bool:
    """Whether a fact that has a question's words may be its answer: its relation is asked for, and leads both ways."""
    words = relation_words(fact)
    asked = has_words(words, asked_stems(question)) and not any(each & KINDS for each in words)
    return asked and (at is None or fact.holds(at))


class _About(NamedTuple):
    """An entity, as a question sees it."""

    name: str
    stems: set[str]
    """Of its names."""
    kinds: set[str]
    """Stems of what it is a kind of."""
    leading: list[int]
    """Facts that lead from it to something that is asked for."""
    has_word: bool
    """Whether the question has a word for it."""
    is_thing: bool
    """Whether its name is one of something that can be seen, and no word such as "brown" that can be a name too."""


class _Asked:
    """A question, as it is held against facts; what it makes of an entity is worked out once."""

    def __init__(self, question: str, linked: LinkedFacts, among: np.ndarray) -> None:
        self.question, self.linked, self.among = question, linked, among
        kinds = [place for place, each in enumerate(linked.relation_words) if any(words & KINDS for words in each)]
        self.is_kind = np.isin(linked.graph.triples[:, 1], kinds)
        self.entities = linked.entities(question)
        self.wanted = [one.word for one in named(question)]
        self.kind_of = {base(stem(word)) for word in _KIND_OF.findall(question.lower())}
        self._about: dict[int, _About] = {}

    def about(self, entity: int) -> _About:
        """What the question makes of an entity."""
        if entity not in self._about:
            graph, name, stems = self.linked.graph, self.linked.graph.name(entity), self._stems(entity)
            leading = graph.neighbours(entity, FAN, self.among).triples.tolist()
            kinds = graph.triples[graph.neighbours(entity, FAN, self.is_kind).triples]
            thing = mentioned(name)
            self._about[entity] = _About(
                name=name,
                stems=stems,
                kinds=set().union(*(self._stems(tail) for head, _, tail in kinds.tolist() if head == entity)),
                leading=[number for number in leading if self._leads(number, entity, stems)],
                has_word=any(base(stem(word)) in stems or _is_word_for(word, name) for word in self.wanted),
                is_thing=bool(thing.named) or thing.anybody,
            )
        return self._about[entity]

    def means(self, entity: int, others: Sequence[int], number: int, perceived: bool) -> bool:
        """Whether an entity may be meant beside others that are shown with it: not where there is a word for another,
        unless that only says in which note it stands."""
        if not perceived and not self.is_kind[number]:
            return True
        return self.about(entity).has_word or not any(self.about(other).has_word for other in others)

    def covered(self, number: int, entity: int, text: str) -> tuple[float, int]:
        """The share of what is named that is said at all, and how many words of it the fact and its entity say."""
        about, said = self.about(entity), base_stems(text)
        own = (about.stems | about.kinds).union(*self.linked.relation_words[self.linked.graph.triples[number, 1]])
        itself = [word for word in self.wanted if base(stem(word)) in own or _is_word_for(word, about.name)]
        shown = [word for word in self.wanted if base(stem(word)) in said or _is_word_for(word, text)]
        return (len({*itself, *shown}) / len(self.wanted) if self.wanted else 1.0), len(itself)

    def _leads(self, number: int, entity: int, stems: set[str]) -> bool:
        """Whether a fact leads from an entity to something that is asked for."""
        head, _, tail = self.linked.graph.triples[number].tolist()
        other = tail if entity == head else head
        if other == entity or other in self.entities:
            return False
        if self.is_kind[number] and (entity == tail or self.kind_of & stems):
            return False  # "what kind of dog" asks for a dog, and not for what a dog is
        return fits(self.question, sentence_of(self.linked.facts[number]))

    def _stems(self, entity: int) -> set[str]:
        return base_stems(" ".join(self.linked.graph.entity_names[entity]))


def _is_word_for(word: str, text: str) -> bool:
    """Whether a word of a question may stand for something that a text names: "animal" for a dog."""
    asked, said = mentioned(word), mentioned(text)
    if asked.named:
        return bool(asked.named & said.named)
    return bool(asked.open & said.named) or (asked.anybody and said.anybody)
