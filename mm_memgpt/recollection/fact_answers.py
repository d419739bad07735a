"""The fact that answers a question about what was seen, heard, read or is known: a photo shows a dog, and a dog is a
kind of canine.

Notable: a fact answers where the question has all words of its relation and does not name its other end, and where what
else the question names is said of the entity or of what shows it; so a kind is told of what is there, and never of a
giraffe that nobody saw.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from mm_memgpt.datasets.things import mentioned
from mm_memgpt.explain.content import stem
from mm_memgpt.knowledge.saying import sentence_of
from mm_memgpt.memory.item import Fact, Item
from mm_memgpt.recollection.forms import base, base_stems
from mm_memgpt.recollection.linking import FAN, LinkedFacts, asked_stems, has_words, relation_words
from mm_memgpt.recollection.wanted import fits, named

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
    among = linked.holding(at) & linked.asked_for(asked_stems(question))
    if not among.any():
        return None
    own = linked.entities(question)
    starts: list[tuple[int, int | None]] = [] if perceived else [(entity, None) for entity in own]
    starts += [(entity, place) for place, one in enumerate(seen) for entity in one.entities]
    best, best_rank = None, ()
    meant = [_meant(question, linked, one.entities) for one in seen]
    for order, (entity, place) in enumerate(starts):
        is_meant = place is None or not meant[place] or entity in meant[place]
        for number in linked.graph.neighbours(entity, FAN, among).triples.tolist():
            if not is_meant and (perceived or _is_kind(linked, number)):
                continue
            if not _leads(linked, number, entity, question, own):
                continue
            text = "" if place is None else seen[place].text
            covered, itself = _covered(question, linked, number, entity, text)
            is_head = entity == linked.graph.triples[number, 0]
            rank = (covered, itself, is_head, -order, linked.facts[number].since, number)
            if covered >= least and rank > best_rank:
                best, best_rank = Fitting(number, place, covered), rank
    return best


def quotable(fact: Fact, question: str, at: float | None = None) -> bool:
    """Whether a fact that has a question's words may be its answer: its relation is asked for, and leads both ways."""
    words = relation_words(fact)
    asked = has_words(words, asked_stems(question)) and not any(each & KINDS for each in words)
    return asked and (at is None or fact.holds(at))


def _leads(linked: LinkedFacts, number: int, entity: int, question: str, own: Collection[int]) -> bool:
    """Whether a fact leads from an entity to something that the question asks for."""
    head, _, tail = linked.graph.triples[number].tolist()
    other = tail if entity == head else head
    if other == entity or other in own:
        return False
    if _is_kind(linked, number):
        asked_of = {base(stem(word)) for word in _KIND_OF.findall(question.lower())}
        if entity == tail or asked_of & _named(linked, entity):  # "what kind of dog" asks for a dog, not for its kind
            return False
    return fits(question, sentence_of(linked.facts[number]))


def _covered(question: str, linked: LinkedFacts, number: int, entity: int, text: str) -> tuple[float, int]:
    """The share of a question's names that are said at all, and how many the fact and its entity say themselves."""
    relation = frozenset().union(*linked.relation_words[linked.graph.triples[number, 1]])
    own = relation | _named(linked, entity) | {each for kind in _kinds(linked, entity) for each in _named(linked, kind)}
    wanted, said = [one.word for one in named(question)], base_stems(text)
    itself = [word for word in wanted if base(stem(word)) in own or _means(word, linked, entity)]
    shown = [word for word in wanted if word in itself or base(stem(word)) in said or _is_word_for(word, text)]
    return (len(shown) / len(wanted) if wanted else 1.0), len(itself)


def _meant(question: str, linked: LinkedFacts, entities: Sequence[int]) -> set[int]:
    """Those of some entities that a question has a word for."""
    wanted = [one.word for one in named(question)]
    return {entity for entity in entities if any(_means(word, linked, entity) for word in wanted)}


def _means(word: str, linked: LinkedFacts, entity: int) -> bool:
    """Whether a word of a question is one for an entity."""
    return base(stem(word)) in _named(linked, entity) or _is_word_for(word, linked.graph.name(entity))


def _is_kind(linked: LinkedFacts, number: int) -> bool:
    """Whether a fact leads from a thing to its kind."""
    return any(words & KINDS for words in linked.relation_words[linked.graph.triples[number, 1]])


def _named(linked: LinkedFacts, entity: int) -> set[str]:
    """The stems of an entity's names."""
    return base_stems(" ".join(linked.graph.entity_names[entity]))


def _kinds(linked: LinkedFacts, entity: int) -> Iterator[int]:
    """What an entity is a kind of."""
    for number in linked.graph.neighbours(entity, FAN).triples.tolist():
        head, _, tail = linked.graph.triples[number].tolist()
        if head == entity and _is_kind(linked, number):
            yield tail


def _is_word_for(word: str, text: str) -> bool:
    """Whether a word of a question may stand for something that a text names: "animal" for a dog."""
    asked, said = mentioned(word), mentioned(text)
    if asked.named:
        return bool(asked.named & said.named)
    return bool(asked.open & said.named) or (asked.anybody and said.anybody)
