"""A reader of graph questions, learned by the one loop from questions with answers.

Notable: which part a question is for is a stable hash of the entity and the relations of its path, so rewordings of one
question, and its other paths to the same answers, are never on two sides.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mm_memgpt.config import require
from mm_memgpt.datasets.table import column, read_table
from mm_memgpt.knowledge.asked import Asked, batch_of, relation_rows
from mm_memgpt.knowledge.entity_mentions import without
from mm_memgpt.knowledge.graph_reader import save_graph_reader
from mm_memgpt.knowledge.paths import PathReader, PathsConfig
from mm_memgpt.knowledge.reading import read_graph
from mm_memgpt.knowledge.surroundings import Surroundings, WalkGraph
from mm_memgpt.objectives.walking import Walking
from mm_memgpt.training.recipe import Optimiser
from mm_memgpt.training.run import run
from mm_memgpt.training.skipped import Skipped
from mm_memgpt.training.stream import Shuffled, Skip
from mm_memgpt.training.task import Task
from mm_memgpt.types import InputError

PARTS = {"train": range(8), "val": range(8, 9), "test": range(9, 10)}
"""Tenths of the questions."""


@dataclass(kw_only=True)
class PathsRecipe:
    """One run."""

    questions: str
    """Table of questions: columns question, answers (a list of names) and path (entity, relation, entity, ...)."""
    graph: str
    """Table of triples: columns head, relation, tail."""
    output: str
    """Folder for checkpoints, logs and the result."""
    graphs: str | None = None
    """Column, of both tables, that says which of several graphs a row is about."""
    model: PathsConfig = field(default_factory=PathsConfig)
    """Shape of the reader."""
    optimiser: Optimiser = field(default_factory=lambda: Optimiser(epochs=20, batch=64, rate=2e-3))
    """How the weights move."""
    paths: float = 0.0
    """Weight of the loss on known paths; 0 learns from answers alone."""
    checkpoints: int = 4
    """How often the run is evaluated and saved; the best is kept."""
    seed: int = 2026
    """Seed of the weights and of the order."""
    workers: int = 0
    """Processes that make the examples."""

    def __post_init__(self) -> None:
        require(self.paths >= 0, f"paths {self.paths} must be at least 0; try paths=1")
        require(self.checkpoints >= 1, f"checkpoints {self.checkpoints} must be at least 1")
        require(self.workers >= 0, f"workers {self.workers} must be at least 0; try workers=0")


class GraphQuestion(NamedTuple):
    """A question with what is right."""

    place: str
    """Where it stands."""
    text: str
    graph: WalkGraph
    name: str
    """Of the graph."""
    entity: int
    """Where its path starts."""
    answers: frozenset[int]
    path: tuple[int, ...]
    """Entity, relation, entity, ... by number."""

    @property
    def words(self) -> tuple[str, ...]:
        """Its words, with one for the entity."""
        return without(self.text, self.graph.names[self.entity])

    @property
    def relations(self) -> tuple[str, ...]:
        """The names of the relations on its path."""
        return tuple(self.graph.relations[number] for number in self.path[1::2])


def part_of(question: GraphQuestion) -> str:
    """The part a question is for, by its entity and the relations of its path."""
    said = "\t".join([question.graph.knowledge.entities[question.entity], *question.relations])
    tenth = int.from_bytes(sha256(said.encode()).digest()[:8], "big") % 10
    return next(name for name, tenths in PARTS.items() if tenth in tenths)


def read_graphs(
    path: str | Path, graphs: str | None, names: Iterable[str], inverses: bool, skip: Skip | None = None
) -> dict[str, WalkGraph]:
    """The graphs of a table by the value in its column `graphs`, or its one graph under the name "".

    Raises:
        InputError: no such table, or no triple of a graph that can be used.
    """
    if graphs is None:
        return {"": WalkGraph(read_graph(path, skip=skip)[0], inverses)}
    return {name: WalkGraph(read_graph(path, where={graphs: name}, skip=skip)[0], inverses) for name in names}


def graph_names(path: str | Path, graphs: str | None) -> list[str]:
    """The graphs that the questions of a table name, sorted."""
    if graphs is None:
        return [""]
    table = read_table(path)
    column(table, graphs, "the graph of a question")
    return sorted({str(table[number][graphs]) for number in range(len(table))})


def read_questions(
    path: str | Path, graphs: Mapping[str, WalkGraph], graph_column: str | None, skip: Skip | None = None
) -> list[GraphQuestion]:
    """The questions of a table that can be asked of their graphs.

    Args:
        path: the table.
        graphs: by name.
        graph_column: the column that names the graph, where there are several.
        skip: told of each that cannot be asked; without it, such a one raises.

    Raises:
        InputError: no such table or columns, or none that can be asked.
    """
    table = read_table(path)
    for name in ("question", "answers", "path", *([graph_column] if graph_column is not None else [])):
        column(table, name, "questions")
    numbers = {
        name: tuple({id: number for number, id in enumerate(ids)} for ids in (graph.entities, graph.relations))
        for name, graph in ((name, graph.knowledge) for name, graph in graphs.items())
    }
    found = []
    for number in range(len(table)):
        try:
            row, place = table[number], table.place(number)
            name = "" if graph_column is None else str(row[graph_column])
            if name not in graphs:
                raise InputError(f"{place}: no graph {name!r}; known: {', '.join(graphs)}")
            known = numbers[name]
            path_numbers = tuple(_number(known[at % 2], each, place) for at, each in enumerate(row["path"]))
            if len(path_numbers) < 3 or len(path_numbers) % 2 == 0:
                raise InputError(f"{place}: a path is entity, relation, entity, ..., got {len(path_numbers)} names")
            answers = frozenset(known[0][each] for each in row["answers"] if each in known[0]) | {path_numbers[-1]}
        except InputError as error:
            if skip is None:
                raise
            skip(error)
            continue
        found.append(GraphQuestion(place, row["question"], graphs[name], name, path_numbers[0], answers, path_numbers))
    if not found:
        raise InputError(f"{path}: no question that can be asked of the graph; see what was said of its rows")
    return found


def questions_of(recipe: PathsRecipe, skip: Skip | None = None) -> list[GraphQuestion]:
    """All questions of a recipe, with their graphs."""
    names = graph_names(recipe.questions, recipe.graphs)
    graphs = read_graphs(recipe.graph, recipe.graphs, names, recipe.model.inverses, skip)
    return read_questions(recipe.questions, graphs, recipe.graphs, skip)


def _number(known: Mapping[str, int], name: str, place: str) -> int:
    if name not in known:
        raise InputError(f"{place}: {name!r} of its path is not in the graph; add its triples, or leave the row out")
    return known[name]


class QuestionExamples(Shuffled):
    """The questions of all epochs in a row, each epoch in another order."""

    def __init__(self, questions: Sequence[GraphQuestion], epochs: float, seed: int | None, hops: int) -> None:
        self.questions, self.hops = list(questions), hops
        self.known: dict[tuple[str, int], Surroundings] = {}
        super().__init__(len(self.questions), epochs, seed)

    def __getitem__(self, index: int) -> tuple[GraphQuestion, Asked]:
        question = self.questions[self.place(index)]
        place = (question.name, question.entity)
        if place not in self.known:
            self.known[place] = question.graph.around(question.entity, self.hops)
        return question, Asked(question.words, question.graph, self.known[place])


def collate(examples: Sequence[tuple[GraphQuestion, Asked]], config: PathsConfig) -> dict[str, Tensor]:
    """What `batch_of` makes, with answers (n,) True for an answer, and path (b, h) relations, -1 behind the last."""
    asked = [each for _, each in examples]
    rows = relation_rows(asked)
    paths = torch.full((len(asked), config.hops), -1)
    for number, (question, _) in enumerate(examples):
        known = [rows[name] for name in question.relations]
        if len(known) <= config.hops:
            paths[number, : len(known)] = torch.tensor(known)
    answers = [np.isin(each.around.entities, list(question.answers)) for question, each in examples]
    return batch_of(asked, config.buckets) | {"answers": torch.from_numpy(np.concatenate(answers)), "path": paths}


def train(recipe: PathsRecipe, resume: bool = False) -> dict[str, float]:
    """Runs a recipe to its end, keeps the best reader in its folder, and returns the last validation figures.

    Raises:
        InputError: bad data, or an output folder that holds another run.
        ImportError: a package that only training needs is not installed; the message names the extra.
    """

    def build(skipped: Skipped) -> tuple[Task, Any, Any]:
        config = recipe.model
        questions = questions_of(recipe, skipped)
        parts = {name: [each for each in questions if part_of(each) == name] for name in ("train", "val")}
        for name, found in parts.items():
            if not found:
                raise InputError(f"{recipe.questions}: no question falls to {name}; give more paths")
        learned = QuestionExamples(parts["train"], recipe.optimiser.epochs, recipe.seed, config.hops)
        val = QuestionExamples(parts["val"], 1, None, config.hops)
        model = PathReader(config)
        task = Task(
            model,
            Walking(recipe.paths),
            None,
            partial(collate, config=config),
            partial(save_graph_reader, model),
            given="answers",
        )
        return task, learned, val

    return run(recipe, build, resume)
