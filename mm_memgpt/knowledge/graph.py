"""A graph of entities: who stands in which relation to whom, both ways, by numbers.

    graph = read_graph("facts.tsv", names="names.tsv")
    for number in graph.neighbours(graph.find("Paris")[0], most=20).triples:
        print(graph.says(number))

Notable: it never changes, and what is asked of it is bounded: of an entity with 100,000 neighbours as many are drawn as
are wanted, always the same ones, and how many were left out is told. Cycles are gone round once.

n entities   m relations   t triples
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import NamedTuple

import numpy as np

from mm_memgpt.types import InputError

ALWAYS = (-np.inf, np.inf)
"""Validity of a triple that says nothing of it."""


class Neighbours(NamedTuple):
    """What stands around an entity."""

    triples: np.ndarray
    """Numbers of triples that it is head or tail of, in order."""
    left_out: int
    """How many more there are."""


class Subgraph(NamedTuple):
    """What stands around some entities."""

    entities: np.ndarray
    """Their numbers, nearest first."""
    steps: np.ndarray
    """How many triples lie between each and the nearest it was reached from."""
    triples: np.ndarray
    """Numbers of the triples that were followed, in order."""
    left_out: int
    """How many triples at its entities were not followed."""


@dataclass(frozen=True, eq=False)
class KnowledgeGraph:
    """Triples as arrays that cannot be written to; `mm_memgpt.knowledge.reading` makes one of files."""

    entities: tuple[str, ...]
    """(n) identifiers."""
    relations: tuple[str, ...]
    """(m) identifiers."""
    entity_names: tuple[tuple[str, ...], ...]
    """(n) what each is called, the usual name first; at least one."""
    relation_names: tuple[str, ...]
    """(m)."""
    descriptions: tuple[str, ...]
    """(n) what else was said of each; "" where nothing was."""
    triples: np.ndarray
    """(t, 3) int64: head, relation, tail."""
    valid: np.ndarray
    """(t, 2) float64: Unix times from which on and until which each holds; ALWAYS where it is not said."""
    sources: np.ndarray
    """(t) object: who says so; None where it is not said."""

    def __post_init__(self) -> None:
        for array in (self.triples, self.valid, self.sources):
            array.flags.writeable = False

    @classmethod
    def of_names(
        cls,
        entities: tuple[str, ...],
        relations: tuple[str, ...],
        *,
        entity_names: tuple[tuple[str, ...], ...],
        relation_names: tuple[str, ...],
        descriptions: tuple[str, ...] = (),
    ) -> "KnowledgeGraph":
        """A graph without triples, where only what is called how is to be known."""
        none = np.empty((0, 3), np.int64), np.empty((0, 2)), np.empty(0, object)
        described = descriptions or ("",) * len(entities)
        return cls(entities, relations, entity_names, relation_names, described, *none)

    def __len__(self) -> int:
        return len(self.triples)

    def __reduce__(self) -> tuple:
        return KnowledgeGraph, tuple(getattr(self, name) for name in self.__dataclass_fields__)

    @cached_property
    def outward(self) -> tuple[np.ndarray, np.ndarray]:
        """Begins (n + 1) and numbers (t) of the triples of each head: of i, numbers[begins[i]:begins[i + 1]]."""
        return _rows(self.triples[:, 0], len(self.entities))

    @cached_property
    def inward(self) -> tuple[np.ndarray, np.ndarray]:
        """The same of each tail."""
        return _rows(self.triples[:, 2], len(self.entities))

    def degree(self, entity: int) -> int:
        """How many triples an entity is in."""
        return len(self._at(entity))

    def neighbours(self, entity: int, most: int | None = None, among: np.ndarray | None = None) -> Neighbours:
        """The triples that an entity is head or tail of; of more than `most`, some drawn by its number alone.

        Args:
            entity: its number.
            most: triples, at most; all where None.
            among: (t) bool, True for triples that count; all where None.
        """
        found = self._at(entity)
        if among is not None:
            found = found[among[found]]
        if most is None or len(found) <= most:
            return Neighbours(found, 0)
        drawn = np.random.default_rng(entity).choice(len(found), most, replace=False, shuffle=False)
        return Neighbours(np.sort(found[drawn]), len(found) - most)

    def around(self, entities: Iterable[int], hops: int = 2, most: int = 1000, fan: int = 100) -> Subgraph:
        """The subgraph within some steps of entities, either way along a triple.

        Args:
            entities: where it begins.
            hops: steps.
            most: entities it has at most; those it begins with are always in it.
            fan: triples of an entity that are followed at most.
        """
        steps = dict.fromkeys(map(int, entities), 0)
        kept: dict[int, None] = {}
        edge, left_out = list(steps), 0
        for step in range(1, hops + 1):
            reached: list[int] = []
            for entity in edge:
                near = self.neighbours(entity, fan)
                left_out += near.left_out
                for number in near.triples.tolist():
                    ends = self.triples[number, [0, 2]].tolist()
                    new = [end for end in ends if end not in steps]
                    if new and len(steps) >= most:
                        left_out += 1
                        continue
                    steps.update(dict.fromkeys(new, step))
                    reached += new
                    kept[number] = None
            edge = reached
        numbers = np.array(sorted(kept), dtype=np.int64)
        return Subgraph(np.fromiter(steps, np.int64), np.fromiter(steps.values(), np.int64), numbers, left_out)

    def find(self, name: str) -> tuple[int, ...]:
        """Numbers of all entities of an identifier or a name, whatever its case; several may share one.

        Raises:
            InputError: none has it; the message names those that come near.
        """
        found = self._by_name.get(_folded(name), ())
        if not found:
            raise _unknown("entity", name, self._by_name)
        return found

    def relation(self, name: str) -> int:
        """The number of a relation of an identifier or a name.

        Raises:
            InputError: none or several have it; the message names them, or those that come near.
        """
        found = self._relation_by_name.get(_folded(name), ())
        if not found:
            raise _unknown("relation", name, self._relation_by_name)
        if len(found) > 1:
            several = ", ".join(self.relations[each] for each in found)
            raise InputError(f"relation {name!r} is {len(found)}: {several}; give one by its identifier")
        return found[0]

    def name(self, entity: int) -> str:
        """What an entity is usually called."""
        return self.entity_names[entity][0]

    def says(self, triple: int) -> tuple[str, str, str]:
        """A triple by names."""
        head, relation, tail = self.triples[triple].tolist()
        return self.name(head), self.relation_names[relation], self.name(tail)

    def _at(self, entity: int) -> np.ndarray:
        """Numbers of the triples of an entity, in order, a self loop once."""
        if not 0 <= entity < len(self.entities):
            raise IndexError(f"entity {entity} of {len(self.entities)}: numbers are 0 to {len(self.entities) - 1}")
        (begin, numbers), (begin_in, numbers_in) = self.outward, self.inward
        out = numbers[begin[entity] : begin[entity + 1]]
        return np.union1d(out, numbers_in[begin_in[entity] : begin_in[entity + 1]])

    @cached_property
    def _by_name(self) -> dict[str, tuple[int, ...]]:
        return _index([[id, *names] for id, names in zip(self.entities, self.entity_names, strict=True)])

    @cached_property
    def _relation_by_name(self) -> dict[str, tuple[int, ...]]:
        return _index([[id, name] for id, name in zip(self.relations, self.relation_names, strict=True)])


def _rows(ends: np.ndarray, entities: int) -> tuple[np.ndarray, np.ndarray]:
    """Triples by the entity at one of their ends, as compressed sparse rows."""
    begins = np.zeros(entities + 1, np.int64)
    np.cumsum(np.bincount(ends, minlength=entities), out=begins[1:])
    return begins, np.argsort(ends, kind="stable")


def _index(names: Sequence[Sequence[str]]) -> dict[str, tuple[int, ...]]:
    """Numbers by what they are called."""
    found: dict[str, dict[int, None]] = {}
    for number, each in enumerate(names):
        for name in each:
            found.setdefault(_folded(name), {})[number] = None
    return {name: tuple(numbers) for name, numbers in found.items()}


def _folded(name: str) -> str:
    return " ".join(name.casefold().split())


def _unknown(what: str, name: str, known: Iterable[str]) -> InputError:
    near = get_close_matches(_folded(name), known, n=3)
    hint = f"did you mean {', '.join(near)}?" if near else "none comes near; check the spelling and the file of names"
    return InputError(f"no {what} {name!r}; {hint}")
