"""Graphs from a table of triples: columns head, relation and tail, and perhaps one that says whose graph a triple is.

Notable: an entity is its name here, so two of one name are one; a broken row is told and passed over.
"""

from collections.abc import Callable
from os import PathLike

import numpy as np

from mm_memgpt.datasets.table import column, read_table
from mm_memgpt.knowledge.surroundings import Graph
from mm_memgpt.types import InputError

COLUMNS = ("head", "relation", "tail")


def read_graphs(
    path: str | PathLike[str],
    inverses: bool = True,
    graphs: str | None = None,
    skip: Callable[[InputError], None] | None = None,
) -> dict[str, Graph]:
    """The graphs of a table by the value in its column `graphs`, or its one graph under the name "".

    Args:
        path: a CSV, TSV, JSONL or Parquet file with a header.
        inverses: whether edges are also walked backwards.
        graphs: the column that says whose graph a triple is.
        skip: told of each broken row; without it, a broken one raises.

    Raises:
        InputError: missing, of an unknown kind, without these columns, or without a triple that can be used.
    """
    table = read_table(path)
    for name in (*COLUMNS, *([graphs] if graphs is not None else [])):
        column(table, name, "triples")
    found: dict[str, list[tuple[str, str, str]]] = {}
    for number in range(len(table)):
        try:
            row = table[number]
            cells = tuple(str(row[name] or "").strip() for name in COLUMNS)
            if not all(cells):
                empty = COLUMNS[[bool(cell) for cell in cells].index(False)]
                raise InputError(f"{table.place(number)}: {empty} is empty; a triple is a head, a relation and a tail")
        except InputError as error:
            if skip is None:
                raise
            skip(error)
            continue
        found.setdefault("" if graphs is None else str(row[graphs]), []).append(cells)
    if not found:
        raise InputError(f"{path}: no triple that can be used; a triple is a head, a relation and a tail")
    return {name: graph_of(triples, inverses) for name, triples in found.items()}


def graph_of(triples: list[tuple[str, str, str]], inverses: bool = True) -> Graph:
    """The graph of triples of names."""
    entities: dict[str, int] = {}
    relations: dict[str, int] = {}
    numbers = np.array(
        [
            (
                entities.setdefault(head, len(entities)),
                relations.setdefault(relation, len(relations)),
                entities.setdefault(tail, len(entities)),
            )
            for head, relation, tail in triples
        ],
        dtype=np.int64,
    ).reshape(-1, 3)
    return Graph(*numbers.T, list(entities), list(relations), inverses)
