"""The facts of a memory, to be listed and to be walked as a graph.

Notable: read from the archive alone, without a model, and at one version of it, so what was forgotten is in none of it.
"""

from collections.abc import Sequence
from datetime import date
from functools import cached_property

from mm_memgpt.datasets.entity_names import Name
from mm_memgpt.datasets.triples import Triple, instant
from mm_memgpt.knowledge.graph import KnowledgeGraph
from mm_memgpt.knowledge.reading import build_graph
from mm_memgpt.memory.archive import Archive
from mm_memgpt.memory.archive_rows import to_facts
from mm_memgpt.recollection.linking import LinkedFacts
from mm_memgpt.recollection.results import KnownFact
from mm_memgpt.types import InputError

Time = float | str | date
"""Seconds in Unix time, a date, or a text that says one: "1990", "1990-10-03"."""


class Known:
    """The facts of an archive, in commit order."""

    def __init__(self, archive: Archive) -> None:
        self.version = archive.version  # of before they are read: what comes in between is read again
        rows = archive.facts()
        columns = (rows[name].to_pylist() for name in ("source", "id", "start"))
        self.facts = [
            KnownFact(fact=fact, source=source, id=id, time=time)
            for fact, source, id, time in zip(to_facts(rows), *columns, strict=True)
        ]

    def about(self, name: str | None, at: Time | None, most: int | None) -> list[KnownFact]:
        """The facts, at most so many, that hold at a time and whose head or tail bears a name.

        Raises:
            InputError: no entity of that name, a time that is none, or a `most` below 1.
        """
        if most is not None and most < 1:
            raise InputError(f"most {most} must be at least 1; try most=1000")
        found = self._at(at)
        if name is not None:
            ids = {self.whole.entities[number] for number in self.whole.find(name)}
            found = [each for each in found if each.fact.head in ids or each.fact.tail in ids]
        return found[:most]

    def graph(self, at: Time | None) -> KnowledgeGraph:
        """The facts that hold at a time; one that several sources say is there once, as the first says it.

        Raises:
            InputError: a time that is none.
        """
        return self.whole if at is None else graph_of(self._at(at))

    @cached_property
    def whole(self) -> KnowledgeGraph:
        """The graph of all facts."""
        return graph_of(self.facts)

    @cached_property
    def linked(self) -> LinkedFacts | None:
        """The facts, linked by name; None where there are none."""
        return LinkedFacts(self.facts, self.whole) if self.facts else None

    def _at(self, at: Time | None) -> list[KnownFact]:
        if at is None:
            return self.facts
        when = second(at)
        return [each for each in self.facts if each.fact.holds(when)]


def second(at: Time) -> float:
    """A time as a second in Unix time.

    Raises:
        InputError: it is none.
    """
    found = instant(at, "facts", "at")
    if found is None:  # "" or nan, which a file may have where nothing is said
        raise InputError(f"facts: {at!r} in at is no time; write 1999, 1999-12-31 or 1999-12-31T23:59:00")
    return found


def graph_of(known: Sequence[KnownFact]) -> KnowledgeGraph:
    """Facts as a graph, with their times, sources and names."""
    facts = [each.fact for each in known]
    triples = (Triple(*each.fact[:5], source=each.source) for each in known)
    called = [(fact.head, fact.head_name) for fact in facts] + [(fact.tail, fact.tail_name) for fact in facts]
    called += [(fact.relation, fact.relation_name) for fact in facts]
    return build_graph(triples, (Name(id, name) for id, name in called if name))[0]
