"""What lies around an entity of a graph, as far as a walk of some hops can see it, and never more than so many edges.

Notable: an entity with more edges than fit keeps some of each relation, the first of each in the order of the file, so
that one relation to 100,000 others hides none of the rest; the same edges are kept each time, and how many were left
out is told.

e edges   n entities
"""

from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

import numpy as np

from mm_memgpt.datasets.entity_names import name_of
from mm_memgpt.datasets.triples import Triple
from mm_memgpt.knowledge.graph import KnowledgeGraph
from mm_memgpt.knowledge.linking import Linker
from mm_memgpt.knowledge.reading import build_graph


class Surroundings(NamedTuple):
    """The edges that walks from one entity may take; entities are numbered anew, the start is 0."""

    entities: np.ndarray
    """(n,) their numbers in the graph."""
    head: np.ndarray
    """(e,) places in `entities`."""
    relation: np.ndarray
    """(e,) numbers of relations; those that are walked backwards follow after all others."""
    tail: np.ndarray
    """(e,) places in `entities`."""
    cut: int
    """Edges that did not fit."""


class WalkGraph:
    """A graph with each entity's edges at hand; a triple that is there twice counts once, whenever it holds.

    Args:
        knowledge: the entities, relations and triples.
        inverses: whether edges are also walked backwards.
    """

    def __init__(self, knowledge: KnowledgeGraph, inverses: bool = True) -> None:
        self.knowledge, self.inverses = knowledge, inverses
        self.names = [names[0] for names in knowledge.entity_names]
        self.relations = [
            id if name == name_of(id) else name  # an identifier says what a relation belongs to
            for id, name in zip(knowledge.relations, knowledge.relation_names, strict=True)
        ]
        triples = knowledge.triples[np.sort(np.unique(knowledge.triples, axis=0, return_index=True)[1])]
        if inverses:
            backwards = triples[:, ::-1] + np.array([0, len(self.relations), 0])
            triples = np.concatenate([triples, backwards])
        triples = triples[np.argsort(triples[:, 0], kind="stable")]
        self.relation, self.tail = triples[:, 1], triples[:, 2]
        self.begin = np.searchsorted(triples[:, 0], np.arange(len(self.names) + 1))

    @classmethod
    def of_triples(cls, triples: Iterable[tuple[str, str, str]], inverses: bool = True) -> "WalkGraph":
        """The graph of heads, relations and tails by name."""
        return cls(build_graph(Triple(*each) for each in triples)[0], inverses)

    @cached_property
    def linker(self) -> Linker:
        """Finds the names of its entities in questions, function words too."""
        return Linker(self.knowledge, ignored=())

    def degree(self, entity: int) -> int:
        """How many edges leave an entity."""
        return int(self.begin[entity + 1] - self.begin[entity])

    def around(self, entity: int, hops: int, most: int = 20_000, each: int = 2_000) -> Surroundings:
        """The edges of walks of at most so many hops from an entity, nearest first.

        Args:
            entity: where walks start.
            hops: how far they go.
            most: edges in all.
            each: edges of one entity.
        """
        place = {entity: 0}
        heads, edges, cut, frontier = [], [], 0, [entity]
        for _ in range(hops):
            reached: list[int] = []
            for one in frontier:
                kept = self._edges(one, min(each, most))
                most -= len(kept)
                cut += self.degree(one) - len(kept)
                heads.append(np.full(len(kept), place[one]))
                edges.append(kept)
                for other in self.tail[kept].tolist():
                    if other not in place:
                        place[other] = len(place)
                        reached.append(other)
            frontier = reached
        taken = np.concatenate(edges)
        tails = np.array([place[other] for other in self.tail[taken].tolist()], dtype=np.int64)
        return Surroundings(np.array(list(place)), np.concatenate(heads), self.relation[taken], tails, cut)

    def _edges(self, entity: int, most: int) -> np.ndarray:
        """Places of an entity's edges; where they are too many, the first of each relation, the second of each, ..."""
        edges = np.arange(self.begin[entity], self.begin[entity + 1])
        if len(edges) <= most:
            return edges
        by_relation = np.argsort(self.relation[edges], kind="stable")
        ordered = self.relation[edges][by_relation]
        rank = np.arange(len(edges)) - np.searchsorted(ordered, ordered)
        return np.sort(edges[by_relation][np.argsort(rank, kind="stable")[:most]])
