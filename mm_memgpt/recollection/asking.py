"""Asking: an answer from what is found and what the bank remembers, with what each of its words rests on.

Notable: what is found and the facts around it join a detached copy of the bank, so asking changes nothing; where a fact
or a sentence answers it is quoted, where the memory holds nothing of what is asked it declines, and else fusion and
decoder answer.

w words
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import torch

from mm_memgpt.config import AskingConfig
from mm_memgpt.memory.archive_search import Found
from mm_memgpt.memory.item import Item
from mm_memgpt.memory.store import Store
from mm_memgpt.memory.where import Where
from mm_memgpt.recollection.evidence import edges_of, grounds, groups_of, readable
from mm_memgpt.recollection.fact_answers import quotable
from mm_memgpt.recollection.gathering import Gathering, Told
from mm_memgpt.recollection.joining import Joined, alone, join, related_by
from mm_memgpt.recollection.linking import LinkedFacts, spoken
from mm_memgpt.recollection.links import links, moved
from mm_memgpt.recollection.perceiving import Perceiver
from mm_memgpt.recollection.quoting import Quote, quote
from mm_memgpt.recollection.results import Answer, Source, WordEvidence
from mm_memgpt.recollection.searching import search, whole
from mm_memgpt.recollection.support import supported
from mm_memgpt.recollection.wanted import of_perception
from mm_memgpt.steps import Steps
from mm_memgpt.types import Caption, Fact, InputError

NOTHING = Answer(text="", confidence=0.0, grounded=0.0, declined=True, words=(), sources=())
"""The answer of a memory that holds too little."""


class Asked(NamedTuple):
    """A question on its way to an answer."""

    question: str
    items: list[Item]
    """What was found, in the order in which it joined."""
    joined: Joined
    related: Mapping[tuple[int, int], str] = MappingProxyType({})
    """Places of two items that a fact relates, the smaller first, and the name that both have."""


class Asking:
    """A model and a store, as what answers; with the store's facts, where it holds any."""

    def __init__(self, steps: Steps, store: Store, perceiver: Perceiver, facts: LinkedFacts | None = None) -> None:
        self.steps, self.store, self.perceiver = steps, store, perceiver
        self.config: AskingConfig = steps.model.config.asking
        self.facts = None if facts is None else Gathering(facts, store.archive, self.say)
        self._said: dict[tuple[str, ...], str] = {}

    def ask(self, question: str, k: int, at: float | None = None) -> Answer:
        """The answer to a question, from the k best items found and all that is remembered.

        Of the facts those count that hold `at` a second in Unix time; all where None.

        Raises:
            InputError: no question, one that is too long, or a k below 1.
        """
        question = " ".join(question.split())
        if not question:
            raise InputError('nothing is asked; give a question, such as "What is heard?"')
        if k < 1:
            raise InputError(f"k {k} must be at least 1; try k=8")
        key = self.perceiver.text_key(question)
        found = self.found(key, question, k, at)
        items = [one.item for one in found]
        told = None if self.facts is None else self.facts.answer(question, key, items, self.config, at)
        if told is not None:
            return self.told(self.asked(question, _behind(told.found, found, k), at), told)
        perception = of_perception(question)
        quoted = None if perception else self.quote(key, question, at)
        if quoted is None and not self.supported(question):
            quoted = self.quote(key, question, at) if perception else None
            if quoted is None:
                return NOTHING
        if quoted is None:
            return self.answered(self.asked(question, found, at))
        first = [quoted.best, *quoted.older]
        return self.quoted(self.asked(question, _behind(first, found, k), at), quoted)

    def found(self, key: np.ndarray, question: str, k: int, at: float | None) -> list[Found]:
        """The k items that fit a question best; facts say nothing on what was seen or heard."""
        where = Where(facts=False) if self.facts is not None and of_perception(question) else None
        found = search(self.store.archive, key, question, k, where)
        return [one for one in found if at is None or one.item.fact is None or one.item.fact.holds(at)]

    def quote(self, key: np.ndarray, question: str, at: float | None) -> Quote | None:
        """The sentence that answers a question; of facts, one whose relation is asked for."""

        def allowed(fact: Fact) -> bool:
            return not of_perception(question) and quotable(fact, question, at)

        return quote(self.store.archive, key, question, self.config, None if self.facts is None else allowed)

    def supported(self, question: str) -> bool:
        """Whether the memory holds what the question names."""
        return supported(self.store.archive, question, self.perceiver.text_key, self.say, self.config.nearest)

    @torch.inference_mode()
    def say(self, groups: Sequence[Sequence[Item]]) -> list[str]:
        """What the model writes of each group of items by itself; it is asked once."""
        names = [tuple(item.id for item in group) for group in groups]
        new = {name: group for name, group in zip(names, groups, strict=True) if name not in self._said}
        if new:
            fused = self.steps.fuse(readable(self.steps.model, alone(self.steps.bank, list(new.values()))))
            said = [caption.text for caption in self.steps.decode_each(fused, beams=1)]
            self._said |= zip(new, said, strict=True)
        return [self._said[name] for name in names]

    def asked(self, question: str, found: Sequence[Found], at: float | None = None) -> Asked:
        """A question with what was found and the facts around that, joined to what is remembered."""
        items, related = [one.item for one in whole(self.store.archive, found)], {}
        if self.facts is not None:
            items, related = self.facts.join(question, items, at)
        joined = join(self.store.state(), self.store.ledger, self.store.names, items)
        if related and self.steps.model.config.fusion.relations:
            joined = joined._replace(relations=related_by(joined, related))
        return Asked(question, items, joined, related)

    def answered(self, asked: Asked) -> Answer:
        """The model's own answer, where it is sure enough of it."""
        fused = self.steps.fuse(readable(self.steps.model, asked.joined.state), asked.joined.relations)
        said: Caption = self.steps.answer_each(fused, asked.question)[0]
        if not said.text or said.confidence < self.config.least:
            return NOTHING
        return replace(self.explained(asked, said.text), confidence=said.confidence)

    def quoted(self, asked: Asked, quoted: Quote) -> Answer:
        """A sentence of the memory as the answer; it is the first source, and those that said otherwise come last.

        It is scored without the question, as what the model writes unasked: on validation the note itself then has the
        most evidence 18 times of 20, behind the question 15 times.
        """
        answer = self.explained(asked._replace(question=""), quoted.best.item.text)
        answer = _ordered(answer, [quoted.best.item.id], {one.item.id for one in quoted.older})
        return replace(answer, confidence=quoted.covered)

    def told(self, asked: Asked, told: Told) -> Answer:
        """A fact as the answer; it is the first source, and what led to it the next."""
        fact, *_ = ids = [one.item.id for one in told.found]
        said = next(item for item in asked.items if item.id == fact)
        answer = _ordered(self.explained(asked._replace(question=""), said.text), ids)
        return replace(answer, confidence=told.covered, path=(spoken(said.fact),))

    def explained(self, asked: Asked, text: str) -> Answer:
        """An answer with what it rests on."""
        items = asked.items
        groups = groups_of(items)
        model, processor = self.steps.model, self.steps.processor
        found = grounds(model, processor, asked.joined, items, groups, asked.question, text)
        sources = tuple(
            source(items[group[0]], drop) for group, drop in zip(groups, found.drops.sum(-1).tolist(), strict=True)
        )
        words = tuple(
            WordEvidence(word=word, logprob=logprob, sources=tuple(enumerate(drops)))
            for word, logprob, drops in zip(
                found.words, found.logprob.tolist(), found.drops.T.tolist() or [[]] * len(found.words), strict=True
            )
        )
        answer = Answer(
            text=text,
            confidence=0.0,
            grounded=found.grounded,
            declined=False,
            words=words,
            sources=sources,
            links=links(edges_of(model, asked.joined), asked.joined.own, groups, asked.related),
        )
        order = sorted(range(len(sources)), key=lambda place: -sources[place].evidence)
        return reordered(answer, order)


def _behind(first: Sequence[Found], found: Sequence[Found], k: int) -> list[Found]:
    """What must come first, all of it, and behind it the rest of what was found, k in all."""
    known = {one.item.id for one in first}
    return [*first, *(one for one in found if one.item.id not in known)][: max(k, len(first))]


def _ordered(answer: Answer, first: Sequence[str], last: Collection[str] = ()) -> Answer:
    """The same answer with some sources before all others, and some behind."""

    def place(number: int) -> tuple[int, bool]:
        id = answer.sources[number].id
        return first.index(id) if id in first else len(first), id in last

    return reordered(answer, sorted(range(len(answer.sources)), key=place))


def source(item: Item, evidence: float) -> Source:
    """An item as what an answer rests on."""
    return Source(
        path=item.source,
        modality=item.modality,
        start=item.start,
        end=item.end,
        text=item.text,
        evidence=evidence,
        id=item.id,
        preview=item.preview,
        fact=item.fact,
    )


def reordered(answer: Answer, order: Sequence[int]) -> Answer:
    """The same answer with its sources in another order."""
    place = {old: new for new, old in enumerate(order)}
    words = tuple(
        replace(
            word, sources=tuple(sorted(((place[old], nats) for old, nats in word.sources), key=lambda pair: -pair[1]))
        )
        for word in answer.words
    )
    sources = tuple(answer.sources[old] for old in order)
    return replace(answer, words=words, sources=sources, links=moved(answer.links, place))
