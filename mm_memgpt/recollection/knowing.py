"""Telling a memory facts: said as sentences, perceived many at a time, and committed as it goes.

Notable: all facts of a call are told at one moment; the same fact of the same source is kept once, so a call that was
cut short is made again and goes on from there, and what two sources say stays with one when the other is forgotten.
"""

import time as clock
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from mm_memgpt.knowledge.saying import sentence_of
from mm_memgpt.memory.archive import Archive
from mm_memgpt.memory.archive_rows import to_facts
from mm_memgpt.memory.item import Item
from mm_memgpt.memory.store import Store
from mm_memgpt.recollection.adding import EVERY, Progress
from mm_memgpt.recollection.perceiving import Perceiver
from mm_memgpt.recollection.results import Added
from mm_memgpt.recollection.telling import Told
from mm_memgpt.types import Fact, InputError

BATCH = 1024
"""Facts of a commit, at most."""

READ = 64
"""Sentences that are perceived together: those of about one length, so that little is padding."""


class Knowing:
    """One call of `Memory.knows`: what is known already, and what waits to be committed."""

    def __init__(self, store: Store, perceiver: Perceiver, time: float, on_progress: Progress | None) -> None:
        self.store, self.perceiver, self.time, self.on_progress = store, perceiver, time, on_progress
        self.known = _keys(store.archive)
        self.pending: list[Told] = []
        self.committed, self.last = 0, clock.monotonic()
        self.sources: dict[str, None] = {}
        self.again: Counter[str] = Counter()

    def run(self, facts: Iterable[Told | InputError]) -> Added:
        """Adds each; what was committed stays, whatever stops it."""
        errors = []
        for told in facts:
            if isinstance(told, InputError):
                errors.append(told)
            elif (key := _key(told.source, told.fact)) in self.known:
                self.again[told.source] += 1
            else:
                self.known.add(key)
                self.pending.append(told)
                if len(self.pending) % READ == 0 and (len(self.pending) >= BATCH or self.is_due()):
                    self.commit()
        self.commit()
        skipped = tuple(
            (source, f"{count:,} fact{'s are' if count > 1 else ' is'} there already; nothing was added twice")
            for source, count in self.again.items()
        )
        return Added(items=self.committed, sources=tuple(self.sources), skipped=skipped, errors=tuple(errors))

    def is_due(self) -> bool:
        return clock.monotonic() - self.last > EVERY

    def commit(self) -> None:
        """Perceives and commits what waits."""
        if not self.pending:
            return
        self.store.add(self.items(self.pending))
        self.committed += len(self.pending)
        self.sources |= dict.fromkeys(told.source for told in self.pending)
        if self.on_progress is not None:
            self.on_progress(self.pending[-1].source, self.committed, None)
        self.pending, self.last = [], clock.monotonic()

    def items(self, facts: Sequence[Told]) -> list[Item]:
        """An item for each fact, in their order."""
        texts = [sentence_of(told.fact) for told in facts]
        by_length = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        made: dict[int, Item] = {}
        for begin in range(0, len(by_length), READ):
            places = by_length[begin : begin + READ]
            made |= zip(places, self.perceiver.read([texts[place] for place in places]), strict=True)
        return [
            replace(made[place], source=told.source, start=self.time, end=self.time, fact=told.fact)
            for place, told in enumerate(facts)
        ]


def _keys(archive: Archive) -> set[tuple]:
    rows = archive.facts()
    return {_key(source, fact) for source, fact in zip(rows["source"].to_pylist(), to_facts(rows), strict=True)}


def _key(source: str, fact: Fact) -> tuple:
    """What makes a fact the same: what it is called is no part of it."""
    return source, fact.head, fact.relation, fact.tail, fact.since, fact.until
