"""Asking: an answer from what is found and what the bank remembers, with what each of its words rests on.

Notable: what is found joins a detached copy of the bank, so asking changes nothing; where a sentence answers it is
quoted, where the memory holds nothing of what is asked it declines, and else fusion and decoder answer.

w words
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch

from mm_memgpt.config import AskingConfig
from mm_memgpt.memory.archive_search import Found
from mm_memgpt.memory.item import Item
from mm_memgpt.memory.store import Store
from mm_memgpt.recollection.evidence import grounds, groups_of, readable
from mm_memgpt.recollection.joining import Joined, alone, join
from mm_memgpt.recollection.perceiving import Perceiver
from mm_memgpt.recollection.quoting import Quote, quote
from mm_memgpt.recollection.results import Answer, Source, WordEvidence
from mm_memgpt.recollection.searching import search, whole
from mm_memgpt.recollection.support import supported
from mm_memgpt.recollection.wanted import of_perception
from mm_memgpt.steps import Steps
from mm_memgpt.types import Caption, InputError

NOTHING = Answer(text="", confidence=0.0, grounded=0.0, declined=True, words=(), sources=())
"""The answer of a memory that holds too little."""


class Asked(NamedTuple):
    """A question on its way to an answer."""

    question: str
    found: list[Found]
    joined: Joined

    @property
    def items(self) -> list[Item]:
        """What was found, in the order in which it joined."""
        return [one.item for one in self.found]


class Asking:
    """A model and a store, as what answers."""

    def __init__(self, steps: Steps, store: Store, perceiver: Perceiver) -> None:
        self.steps, self.store, self.perceiver = steps, store, perceiver
        self.config: AskingConfig = steps.model.config.asking

    def ask(self, question: str, k: int) -> Answer:
        """The answer to a question, from the k best items found and all that is remembered.

        Raises:
            InputError: no question, one that is too long, or a k below 1.
        """
        question = " ".join(question.split())
        if not question:
            raise InputError('nothing is asked; give a question, such as "What is heard?"')
        if k < 1:
            raise InputError(f"k {k} must be at least 1; try k=8")
        key = self.perceiver.text_key(question)
        perception = of_perception(question)
        quoted = None if perception else quote(self.store.archive, key, question, self.config)
        if quoted is None and not self.supported(question):
            quoted = quote(self.store.archive, key, question, self.config) if perception else None
            if quoted is None:
                return NOTHING
        found = search(self.store.archive, key, question, k)
        if quoted is not None:
            first = [quoted.best, *quoted.older]
            known = {one.item.id for one in first}
            found = [*first, *(one for one in found if one.item.id not in known)][: max(k, len(first))]
        found = whole(self.store.archive, found)
        state, ledger, names = self.store.state(), self.store.ledger, self.store.names
        asked = Asked(question, found, join(state, ledger, names, [one.item for one in found]))
        return self.answered(asked) if quoted is None else self.quoted(asked, quoted)

    def supported(self, question: str) -> bool:
        """Whether the memory holds what the question names."""
        return supported(self.store.archive, question, self.perceiver.text_key, self.say, self.config.nearest)

    @torch.inference_mode()
    def say(self, groups: Sequence[Sequence[Item]]) -> list[str]:
        """What the model writes of each group of items by itself."""
        fused = self.steps.fuse(readable(self.steps.model, alone(self.steps.bank, groups)))
        return [caption.text for caption in self.steps.decode_each(fused, beams=1)]

    def answered(self, asked: Asked) -> Answer:
        """The model's own answer, where it is sure enough of it."""
        fused = self.steps.fuse(readable(self.steps.model, asked.joined.state))
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
        older = {one.item.id for one in quoted.older}
        best = quoted.best.item.id
        order = sorted(
            range(len(answer.sources)),
            key=lambda place: (answer.sources[place].id != best, answer.sources[place].id in older),
        )
        return replace(reordered(answer, order), confidence=quoted.covered)

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
            text=text, confidence=0.0, grounded=found.grounded, declined=False, words=words, sources=sources
        )
        order = sorted(range(len(sources)), key=lambda place: -sources[place].evidence)
        return reordered(answer, order)


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
    return replace(answer, words=words, sources=tuple(answer.sources[old] for old in order))
