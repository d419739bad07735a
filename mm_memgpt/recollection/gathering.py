"""What the facts of a memory add to what was found for a question: those that join it, and the one that answers.

Notable: what a photo or sound shows is what the model writes of it alone and unasked, so it is linked to facts as a
note is, by the names of things; how far that is right is how far the facts fit.
"""

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from mm_memgpt.config import AskingConfig
from mm_memgpt.memory.archive import Archive
from mm_memgpt.memory.archive_search import Found
from mm_memgpt.memory.item import Item
from mm_memgpt.memory.where import Where
from mm_memgpt.recollection.evidence import groups_of
from mm_memgpt.recollection.fact_answers import Seen, fitting
from mm_memgpt.recollection.linking import LinkedFacts, related
from mm_memgpt.recollection.support import Say, near
from mm_memgpt.recollection.wanted import HEARD, SEEN, cues, of_perception, position


class Told(NamedTuple):
    """A fact that answers."""

    found: list[Found]
    """The item that says it, and behind it what led there."""
    covered: float
    """Share of what the question names that they say."""


class Gathering:
    """The facts of a memory, as they come to what is asked of it.

    Args:
        facts: linked by name.
        archive: holds them, and all else.
        say: gives what the model writes of photos and sounds.
    """

    def __init__(self, facts: LinkedFacts, archive: Archive, say: Say) -> None:
        self.facts, self.archive, self.say = facts, archive, say

    def join(
        self, question: str, items: Sequence[Item], at: float | None = None
    ) -> tuple[list[Item], dict[tuple[int, int], str]]:
        """What was found and behind it the facts around it, and which of these are related.

        Returns:
            Items, and by the places of two of them, the smaller first, the name that both have.
        """
        entities: list[tuple[int, ...]] = [()] * len(items)
        groups = groups_of(items)
        for group, seen in zip(groups, self.seen([[items[place] for place in group] for group in groups]), strict=True):
            for place in group:
                entities[place] = seen.entities
        around = self.facts.around([*self.facts.entities(question), *chain(*entities)], question, at)
        there = {self.facts.triples.get(item.id) for item in items}
        order = {self.facts.ids[number]: place for place, number in enumerate(around) if number not in there}
        more = sorted((row.item for row in self.archive.get(order)), key=lambda item: order[item.id])
        items, entities = [*items, *more], [*entities, *map(self.facts.ends, more)]
        pairs = related(entities, [place for place, item in enumerate(items) if item.fact is not None])
        return items, {pair: self.facts.graph.name(entity) for pair, entity in pairs.items()}

    def answer(
        self, question: str, key: np.ndarray, items: Sequence[Item], config: AskingConfig, at: float | None = None
    ) -> Told | None:
        """The fact that answers a question, where what was found leads to one, or the question itself does."""
        if not self.facts.asked_for(question, at).any():  # before the model is asked what photos show
            return None
        perceived = of_perception(question)
        groups = self._perceived(question, key, config.nearest) if perceived else []
        if position(question) is None:
            groups += [[items[place] for place in group] for group in groups_of(items) if items[group[0]].fact is None]
        seen = self.seen(groups)
        found = fitting(question, self.facts, seen, least=config.covered, perceived=perceived, at=at)
        if found is None:
            return None
        leading = () if found.place is None else seen[found.place].items
        ids = {id: place for place, id in enumerate([self.facts.ids[found.triple], *(item.id for item in leading)])}
        rows = sorted(self.archive.get(ids), key=lambda row: ids[row.item.id])
        if len(rows) < len(ids):  # forgotten since
            return None
        return Told([Found(row.item, row.order, 0.0, None, False) for row in rows], found.covered)

    def seen(self, groups: Sequence[Sequence[Item]]) -> list[Seen]:
        """Groups of items that are nearly the same, or one sound, with what each says and names."""
        members = [tuple(sorted(group, key=lambda item: item.start)) for group in groups]
        silent = [group for group in members if not group[0].text]
        said = iter(self.say(silent) if silent else ())
        texts = [group[0].text or next(said) for group in members]
        return [
            Seen(group, text, self.facts.entities(text) if group[0].fact is None else self.facts.ends(group[0]))
            for group, text in zip(members, texts, strict=True)
        ]

    def _perceived(self, question: str, key: np.ndarray, nearest: int) -> list[list[Item]]:
        """The photos and sounds nearest to a question, those alone that it can mean; the one whose place it says."""
        asked, place = cues(question), position(question)
        meant = [kind for kind, by in (("image", SEEN), ("audio", HEARD)) if asked & by]
        if place is None:
            return [group for group in near(self.archive, key, nearest).values() if group[0].modality in meant]
        return [group for kind in meant for group in self._at(place, kind)]

    def _at(self, place: int, kind: str) -> list[list[Item]]:
        """The photo, or the pieces of the sound, that came at a place; none where there are fewer."""
        if kind == "image":
            ids = [id for _, id in self.archive.find(Where(modality=kind))]
            chosen = ids[place:][:1]
        else:
            sources = [name for name, origin in self.archive.sources().items() if kind in origin.modalities]
            chosen = [id for _, id in self.archive.find(Where(modality=kind, source=tuple(sources[place:][:1])))]
        items = [row.item for row in self.archive.get(chosen)]
        return [items] if items else []
