"""Files of triples and names to a graph, with a word on all that was odd about them.

Notable: a triple that comes twice is kept once; one that leads back to its own head is kept, and counted; a name that
N-Triples give (rdfs:label and the like) is no triple, but what the entity is called.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike, fspath
from typing import Any, NamedTuple

import numpy as np

from mm_memgpt.datasets.entity_names import Name, name_of, read_names
from mm_memgpt.datasets.triples import Triple, read_triples
from mm_memgpt.knowledge.graph import ALWAYS, KnowledgeGraph
from mm_memgpt.types import InputError

LABELS = {
    "http://www.w3.org/2000/01/rdf-schema#label",
    "http://www.w3.org/2004/02/skos/core#prefLabel",
    "http://www.w3.org/2004/02/skos/core#altLabel",
    "http://xmlns.com/foaf/0.1/name",
    "http://schema.org/name",
    "https://schema.org/name",
}
"""Relations whose literals are names."""

FilePath = str | PathLike[str]


class Report(NamedTuple):
    """What was odd."""

    duplicates: int
    """Triples that came again."""
    self_loops: int
    """Triples from an entity to itself, which are kept."""
    unnamed: int
    """Names of what is in no triple."""
    broken: int
    """Rows that could not be used."""

    def __str__(self) -> str:
        told = {
            "triples came again": self.duplicates,
            "triples from an entity to itself": self.self_loops,
            "names of what is in no triple": self.unnamed,
            "broken rows left out": self.broken,
        }
        return "; ".join(f"{count:,} {what}" for what, count in told.items() if count) or "nothing odd"


def read_graph(
    paths: FilePath | Sequence[FilePath],
    names: FilePath | None = None,
    *,
    where: Mapping[str, Any] | None = None,
    split_at: str | None = None,
    skip: Callable[[InputError], None] | None = None,
) -> tuple[KnowledgeGraph, Report]:
    """The graph of files of triples.

    Args:
        paths: a file, or several.
        names: a file of id and text.
        where: column to the value, or values, that a row must hold.
        split_at: what parts a name from its description.
        skip: told of each broken row, in whose place none comes; without it, the first raises.

    Raises:
        InputError: a file that cannot be read, a broken row where there is no `skip`, or no triple at all.
        ImportError: rdflib, which reads N-Triples, is not installed; the message names the extra.
    """
    paths = [paths] if isinstance(paths, (str, PathLike)) else paths
    broken = 0

    def usable(rows: Iterable[Any]) -> Iterable[Any]:
        nonlocal broken
        for row in rows:
            if not isinstance(row, InputError):
                yield row
            elif skip is None:
                raise row
            else:
                broken += 1
                skip(row)

    triples = (triple for path in paths for triple in usable(read_triples(path, where=where)))
    given = usable(read_names(names, split_at=split_at)) if names is not None else ()
    graph, report = build_graph(triples, given)
    if not len(graph):
        raise InputError(
            f"{', '.join(map(fspath, paths))}: holds no triple that can be used; add some, or leave it out"
        )
    return graph, report._replace(broken=broken)


def build_graph(triples: Iterable[Triple], names: Iterable[Name] = ()) -> tuple[KnowledgeGraph, Report]:
    """The graph of triples, numbered in the order in which they come."""
    entities: dict[str, int] = {}
    relations: dict[str, int] = {}
    seen: dict[tuple, str | None] = {}
    called: dict[str, dict[str, int]] = {}
    literals: dict[str, str] = {}
    duplicates = 0
    for triple in triples:
        if is_label(triple):
            call(called, triple)
            continue
        if triple.literal:
            literals[tail_id(triple)] = triple.tail
        head, tail = (entities.setdefault(id, len(entities)) for id in (triple.head, tail_id(triple)))
        since, until = (given if given is not None else ever for given, ever in zip(triple[3:5], ALWAYS, strict=True))
        key = (head, relations.setdefault(triple.relation, len(relations)), tail, since, until)
        duplicates += key in seen
        seen.setdefault(key, triple.source)
    described: dict[str, str] = {}
    for name in names:
        called.setdefault(name.id, {})[name.text] = 0
        described.setdefault(name.id, name.description)
    unnamed = sum(id not in entities and id not in relations for id in called)
    rows = np.array([key[:3] for key in seen], np.int64).reshape(-1, 3)
    graph = KnowledgeGraph(
        entities=tuple(entities),
        relations=tuple(relations),
        entity_names=tuple(tuple(called.get(id, ())) or (literals.get(id) or name_of(id),) for id in entities),
        relation_names=tuple(next(iter(called.get(id, ())), None) or name_of(id) for id in relations),
        descriptions=tuple(described.get(id, "") for id in entities),
        triples=rows,
        valid=np.array([key[3:] for key in seen], np.float64).reshape(-1, 2),
        sources=np.array([*seen.values(), None], object)[:-1],
    )
    return graph, Report(duplicates, int((rows[:, 0] == rows[:, 2]).sum()), unnamed, 0)


def numbered(triples: Iterable[Triple], graph: KnowledgeGraph) -> np.ndarray:
    """(t, 3) triples of a graph by its numbers, in their order; those that only give a name are left out."""
    entities, relations = ({id: number for number, id in enumerate(ids)} for ids in (graph.entities, graph.relations))
    rows = [
        (entities[triple.head], relations[triple.relation], entities[tail_id(triple)])
        for triple in triples
        if not is_label(triple)
    ]
    return np.array(rows, np.int64).reshape(-1, 3)


def is_label(triple: Triple) -> bool:
    """Whether a triple says what an entity is called."""
    return triple.literal and triple.relation in LABELS


def tail_id(triple: Triple) -> str:
    """The tail's identifier; that of a literal has quotes, so that it is none of an entity."""
    if not triple.literal:
        return triple.tail
    return f'"{triple.tail}"' + (f"@{triple.language}" if triple.language else "")


def call(called: dict[str, dict[str, int]], triple: Triple) -> None:
    """Takes note of a label, by identifier, in `called`: one in English, or in no language, comes before the others."""
    is_foreign = triple.language is not None and not triple.language.lower().startswith("en")
    names = called.setdefault(triple.head, {})
    names[triple.tail] = min(is_foreign, names.get(triple.tail, 1))
    called[triple.head] = dict(sorted(names.items(), key=lambda item: item[1]))
