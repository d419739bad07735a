"""Asking a graph: from a question in words to its answers, each with the walk that leads there.

    reader = load_graph_reader("runs/paths")
    for answer in reader.ask("what is the gender of charlemagne 's spouse ?", graph):
        print(answer.answer, answer.score, *answer.path)

Notable: where a name is that of several entities, or several names are in the question, each is tried, and told is the
one from which the question's best walk has most weight.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from mm_memgpt.config import build
from mm_memgpt.knowledge.asked import Asked, batch_of
from mm_memgpt.knowledge.entity_mentions import Mention, mentions, without
from mm_memgpt.knowledge.paths import PathReader, PathsConfig, best_walk, best_weights
from mm_memgpt.knowledge.surroundings import WalkGraph
from mm_memgpt.knowledge.word_pieces import split_words
from mm_memgpt.types import InputError

WEIGHTS, ABOUT = "model.safetensors", "graph_reader.json"
TRIED = 16
"""Entities that are tried for one question, at most."""


class Step(NamedTuple):
    """An edge of a walk."""

    head: str
    relation: str
    tail: str
    weight: float
    """Of the relation at this hop, 0 to 1."""
    backwards: bool = False
    """Whether the triple is walked from its tail to its head."""


class GraphAnswer(NamedTuple):
    """An entity that answers a question."""

    answer: str
    score: float
    """The weight of its best walk, 0 to 1: the product of the steps' and that of so many hops."""
    path: tuple[Step, ...]
    """The best walk."""
    share: float = 0.0
    """Of the mass of all walks, what ends there."""
    cut: int = 0
    """Edges around the question's entity that were too many to be looked at."""


@dataclass(frozen=True)
class Walked:
    """A question's walks in one graph, as arrays."""

    asked: Asked
    reading: tuple[np.ndarray, np.ndarray]
    """(h, r) weights of the relations at each hop, and (h,) of walks of 1, 2, ... hops."""
    attention: np.ndarray
    """(h, t) of each hop on the question's words."""
    relation: np.ndarray
    """(e,) the relations' places in it, of the edges around the entity."""
    share: np.ndarray
    """(n,) of the mass that ends at each entity around it."""

    @cached_property
    def weight(self) -> np.ndarray:
        """(n,) of the best walk to each entity."""
        around = self.asked.around
        return best_weights(*self.reading, around.head, self.relation, around.tail, len(around.entities))

    def best(self, end: int) -> list[int]:
        """The edges of the best walk to an entity."""
        around = self.asked.around
        return best_walk(*self.reading, around.head, self.relation, around.tail, end)

    def answer(self, end: int) -> GraphAnswer:
        """An entity around the question's as an answer."""
        edges = self.best(end)
        path = tuple(self._step(hop, edge) for hop, edge in enumerate(edges))
        around = self.asked.around
        name = self.asked.graph.names[around.entities[end]]
        return GraphAnswer(name, float(self.weight[end]), path, float(self.share[end]), around.cut)

    def _step(self, hop: int, edge: int) -> Step:
        """An edge as the triple that it is."""
        graph, around = self.asked.graph, self.asked.around
        number = int(around.relation[edge])
        backwards, own = divmod(number, len(graph.relations))
        ends = [graph.names[around.entities[place[edge]]] for place in (around.head, around.tail)]
        head, tail = reversed(ends) if backwards else ends
        weight = float(self.reading[0][hop, self.relation[edge]])
        return Step(head, graph.knowledge.relation_names[own], tail, weight, bool(backwards))

    def answers(self, top: int) -> list[GraphAnswer]:
        """The entities whose best walks have most weight, of equal ones those with more mass."""
        order = np.lexsort([-self.share, -self.weight])[:top]
        return [self.answer(int(end)) for end in order if self.weight[end] > 0]


class GraphReader:
    """A trained reader, and how it is asked."""

    def __init__(self, model: PathReader) -> None:
        self.model = model.eval()

    def ask(self, question: str, graph: WalkGraph, entity: str | None = None, top: int = 5) -> list[GraphAnswer]:
        """The answers to a question by the weight of their best walks, highest first.

        Args:
            question: names an entity of the graph.
            graph: what is walked; of inverses as the model was trained.
            entity: its name, where the question calls it otherwise, or names several.
            top: answers at most.

        Raises:
            InputError: no entity of the graph is named, none that has an edge, or no walk leads anywhere.
        """
        found = self.walked(question, graph, entity).answers(top)
        if not found:
            raise InputError(f"{question!r}: no walk over the graph fits it; ask otherwise, or name its entity")
        return found

    def walked(self, question: str, graph: WalkGraph, entity: str | None = None) -> Walked:
        """As `ask`, all walks from the entity that the question fits best."""
        if graph.inverses != self.model.shape.inverses:
            raise InputError(
                f"the graph has inverses={graph.inverses}, the model {self.model.shape.inverses}; give its"
            )
        named = question_mentions(question, graph, entity)
        pairs = [(mention.words, number) for mention in named for number in mention.entities][:TRIED]
        asked = [Asked(words, graph, graph.around(number, self.model.shape.hops)) for words, number in pairs]
        some = [each for each in asked if len(each.around.head)]
        if not some:
            name = graph.names[pairs[0][1]]
            raise InputError(f"{name}: has no edge in the graph, so nothing can be asked about it; ask about another")
        return max(self.read(some, alike=True), key=lambda walked: walked.weight.max())

    @torch.inference_mode()
    def read(self, asked: Sequence[Asked], alike: bool = False) -> list[Walked]:
        """The walks of several questions, each of an entity with edges.

        Args:
            asked: the questions.
            alike: whether the weights of all are of the same relations, so that they can be compared.
        """
        batch = batch_of(asked, self.model.shape.buckets)
        if alike:
            batch["present"] = batch["present"].any(0, keepdim=True).expand_as(batch["present"])
        reading, sent = self.model.walk(batch)
        share, question, owner = sent.at(batch["owner"]), batch["question"], batch["owner"]
        return [
            Walked(
                each,
                (reading.weights[row].double().numpy(), reading.length[row].double().numpy()),
                reading.attention[row].numpy(),
                batch["relation"][question == row].numpy(),
                share[owner == row].numpy(),
            )
            for row, each in enumerate(asked)
        ]


def question_mentions(question: str, graph: WalkGraph, entity: str | None = None) -> list[Mention]:
    """The entities that a question may be about.

    Raises:
        InputError: it has no words, or names none, or `entity` is none.
    """
    if not split_words(question):
        raise InputError("the question has no words; ask for something")
    if entity is None:
        found = mentions(question, graph.linker, graph.names)
        if not found:
            raise InputError(f"{question!r} names no entity of the graph; write its name as it is there, or give it")
        return found
    numbers = graph.knowledge.find(entity)
    return [Mention(numbers, without(question, entity))]


def save_graph_reader(model: PathReader, folder: str | PathLike[str]) -> None:
    """Writes a reader into a folder."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ABOUT).write_text(json.dumps(asdict(model.shape), indent=2) + "\n", encoding="utf-8")
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / WEIGHTS)


def load_graph_reader(folder: str | PathLike[str]) -> GraphReader:
    """The reader that `save_graph_reader` wrote, in evaluation mode on the CPU.

    Raises:
        InputError: the folder lacks a file, or its files do not fit together.
    """
    folder = Path(folder)
    try:
        config = build(PathsConfig, json.loads((folder / ABOUT).read_text(encoding="utf-8")))
        model = PathReader(config)
        model.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        why = " ".join(str(error).split())[:200]
        raise InputError(
            f"{folder}: no reader of graphs ({why}); give a folder that recipes/paths.yaml wrote"
        ) from None
    return GraphReader(model)
