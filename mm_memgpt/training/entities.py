"""Vectors of entities, learned by the one loop from the triples of a graph.

Notable: an example is a head and a relation with all of their tails, and both ways of a triple are asked, the way back
by the relation's reciprocal; the filtered rank on both sides is what chooses the checkpoint.

b queries   k tails of all of them
"""

from collections.abc import Callable
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mm_memgpt.datasets.entity_names import read_names
from mm_memgpt.datasets.triples import Triple, read_triples
from mm_memgpt.evaluation.filtered_ranking import Queries, filtered_ranks, filtered_scores, queries_of
from mm_memgpt.knowledge.embeddings import MODELS, EntityModel
from mm_memgpt.knowledge.entity_embeddings import EntityEmbeddings
from mm_memgpt.knowledge.graph import KnowledgeGraph
from mm_memgpt.knowledge.reading import build_graph, numbered
from mm_memgpt.training.entities_recipe import EntitiesRecipe
from mm_memgpt.training.run import run
from mm_memgpt.training.stream import Shuffled, Skip
from mm_memgpt.training.task import Task
from mm_memgpt.types import InputError

PARTS = ("train", "val", "test")


class Splits(NamedTuple):
    """The triples of a recipe."""

    graph: KnowledgeGraph
    """Of all parts, so that every entity has a vector."""
    parts: dict[str, np.ndarray]
    """(t, 3) of each part that there is."""

    def queries(self, *parts: str) -> Queries:
        """What parts ask, of both sides; what all of them ask where none is named."""
        chosen = [self.parts[part] for part in parts or self.parts]
        return queries_of(np.concatenate(chosen), len(self.graph.relations))


def read_splits(recipe: EntitiesRecipe, skip: Skip) -> Splits:
    """Reads all triples of a recipe, and the names.

    Raises:
        InputError: a file that cannot be read, or a part without a triple.
    """
    sources = {part: getattr(recipe, part) for part in PARTS if getattr(recipe, part) is not None}
    parts: dict[str, list[Triple]] = {}
    for part, source in sources.items():
        parts[part] = [row for row in read_triples(source.path, where=source.where) if _is_usable(row, skip)]
        if not parts[part]:
            raise InputError(f"{source.path}: no triple for {part}; give values of `where` that its rows hold")
    names = () if recipe.names is None else read_names(recipe.names, split_at=recipe.split_at)
    graph, _ = build_graph(chain(*parts.values()), (name for name in names if _is_usable(name, skip)))
    return Splits(graph, {part: numbered(triples, graph) for part, triples in parts.items()})


def _is_usable(row: Any, skip: Skip) -> bool:
    if isinstance(row, InputError):
        skip(row)
        return False
    return True


class QueryExamples(Shuffled):
    """Queries with their tails, for all epochs in a row.

    Args:
        queries: what is learned.
        epochs: passes; a part of one is cut off.
        seed: of the order; that of the queries where None.
    """

    def __init__(self, queries: Queries, epochs: float = 1, seed: int | None = None) -> None:
        self.queries = queries
        super().__init__(len(queries), epochs, seed)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row, queries = self.place(index), self.queries
        return {"head": queries.head[row], "relation": queries.relation[row], "tails": queries.of(row)}


def collate(examples: list[dict[str, Any]]) -> dict[str, Tensor]:
    """Queries to head and relation (b), tail and owner, the row that it belongs to (k)."""
    counts = [len(example["tails"]) for example in examples]
    return {
        "head": torch.tensor([int(example["head"]) for example in examples]),
        "relation": torch.tensor([int(example["relation"]) for example in examples]),
        "tail": torch.from_numpy(np.concatenate([example["tails"] for example in examples])),
        "owner": torch.repeat_interleave(torch.arange(len(examples)), torch.tensor(counts)),
    }


def spread_evenly(queries: Queries, most: int) -> Queries:
    """At most so many of the queries, from all over them."""
    if len(queries) <= most:
        return queries
    rows = np.arange(most) * len(queries) // most
    tails = [queries.of(row) for row in rows]
    begins = np.cumsum([0, *map(len, tails)])
    return Queries(queries.head[rows], queries.relation[rows], begins, np.concatenate(tails))


def train(recipe: EntitiesRecipe, resume: bool = False) -> dict[str, float]:
    """Runs a recipe to its end, keeps the best vectors in its folder, and returns the last validation figures.

    Raises:
        InputError: bad data, or an output folder that holds another run.
        ImportError: a package that only training needs is not installed; the message names the extra.
    """

    def build(skip: Skip) -> tuple[Task, QueryExamples, QueryExamples]:
        splits = read_splits(recipe, skip)
        graph, settings = splits.graph, recipe.optimiser
        model = MODELS[recipe.model](len(graph.entities), len(graph.relations), recipe.width, recipe.spread)
        asked = spread_evenly(splits.queries("val"), recipe.val_queries)
        task = Task(
            model,
            recipe.objective,
            None,
            collate,
            EntityEmbeddings(recipe.model, model, graph).save,
            given="head",
            measure=_measure(model, asked, splits.queries()),
            best="mrr",
        )
        learned = QueryExamples(splits.queries("train"), settings.epochs, recipe.seed)
        return task, learned, QueryExamples(asked)

    return run(recipe, build, resume)


def _measure(model: EntityModel, asked: Queries, known: Queries) -> Callable[[], dict[str, float]]:
    """What ranks the tails that are asked, among the entities that are not known to be right."""

    def measure() -> dict[str, float]:
        ranks = filtered_ranks(model.score_all_tails, asked, known)
        return {name: score.value for name, score in filtered_scores(ranks).items()}

    return measure
