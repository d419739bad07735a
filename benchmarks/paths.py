"""Questions of two and three hops over graphs (PathQuestion): walks that the question weighs, and controls.

    python -m benchmarks.paths --model runs/paths --write docs/benchmarks_paths.md

Notable: a text that is in the table once for each of its paths is one question; an interval is over entity and
relations, because rewordings of one question are right or wrong together. The test part is read once, by this.

q questions
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.errors import tells_errors
from mm_memgpt.evaluation.bootstrap import Score, bootstrap
from mm_memgpt.evaluation.markers import replace_sections
from mm_memgpt.knowledge.asked import Asked, batch_of
from mm_memgpt.knowledge.graph_reader import GraphReader, Walked, load_graph_reader
from mm_memgpt.knowledge.paths import PathReader, PathsConfig
from mm_memgpt.knowledge.word_pieces import split_words
from mm_memgpt.training.paths import GraphQuestion, PathsRecipe, QuestionExamples, part_of, questions_of
from mm_memgpt.training.recipe import read_recipe
from mm_memgpt.training.run import run
from mm_memgpt.training.skipped import Skipped
from mm_memgpt.training.task import Task

BATCH = 64
HEAD = ("| way to answer | questions | hits@1 | right relations | right walk |", "|---|---|---:|---:|---:|")

Right = tuple[bool, bool, bool]
"""Of a question, whether its answer is right, its walk's relations, and its walk, entity by entity."""
Way = Callable[[Sequence[GraphQuestion]], list[Right]]


def distinct(questions: Sequence[GraphQuestion]) -> list[GraphQuestion]:
    """The questions, each text of a graph once."""
    return list({(each.name, each.text): each for each in questions}.values())


def first_is_right(scores: np.ndarray, right: np.ndarray) -> bool:
    """Whether a right entity is above all wrong ones; a tie counts against it."""
    return bool(right.any() and scores[right].max() > scores[~right].max(initial=0))


def walks(reader: GraphReader, questions: Sequence[GraphQuestion]) -> list[Walked]:
    """The reader's walks from each question's entity."""
    hops, found = reader.model.shape.hops, []
    for begin in range(0, len(questions), BATCH):
        some = questions[begin : begin + BATCH]
        found += reader.read([Asked(each.words, each.graph, each.graph.around(each.entity, hops)) for each in some])
        print(f"{len(found)} of {len(questions)} questions", file=sys.stderr)
    return found


def by_walks(reader: GraphReader, paths: dict[tuple[str, str], set[tuple[int, ...]]]) -> Way:
    """The entity that the best walk ends at."""

    def way(questions: Sequence[GraphQuestion]) -> list[Right]:
        return [judged(each, one, paths) for each, one in zip(questions, walks(reader, questions), strict=True)]

    return way


def judged(question: GraphQuestion, walked: Walked, paths: dict[tuple[str, str], set[tuple[int, ...]]]) -> Right:
    """What of the best walk is right."""
    around = walked.asked.around
    hit = first_is_right(walked.weight, np.isin(around.entities, list(question.answers)))
    edges = walked.best(int(walked.weight.argmax()))
    numbers = [question.entity]
    for edge in edges:
        numbers += [int(around.relation[edge]), int(around.entities[around.tail[edge]])]
    known = paths[question.name, question.text]
    return hit, hit and tuple(numbers[1::2]) in {each[1::2] for each in known}, tuple(numbers) in known


def by_any_walk(hops: int) -> Way:
    """The entity at which most walks of the right number of hops end, whatever is asked."""

    def way(questions: Sequence[GraphQuestion]) -> list[Right]:
        found = []
        for each in questions:
            around = each.graph.around(each.entity, hops)
            mass = np.eye(1, len(around.entities))[0]
            for _ in each.relations:
                mass = np.bincount(around.tail, mass[around.head], minlength=len(mass))
            found.append((first_is_right(mass, np.isin(around.entities, list(each.answers))), False, False))
        return found

    return way


def by_last_relation(learned: Sequence[GraphQuestion]) -> Way:
    """The most frequent answer of the path's last relation in training; the relation is told."""
    counts: dict[str, Counter[str]] = {}
    for each in learned:
        answers = counts.setdefault(each.relations[-1], Counter())
        answers.update(each.graph.names[number] for number in each.answers)

    def way(questions: Sequence[GraphQuestion]) -> list[Right]:
        found = []
        for each in questions:
            common = counts.get(each.relations[-1], Counter()).most_common(1)
            hit = bool(common) and common[0][0] in {each.graph.names[number] for number in each.answers}
            found.append((hit, False, False))
        return found

    return way


class WithoutGraph(nn.Module):
    """The same encoder of questions, which must choose among all entities."""

    def __init__(self, shape: PathsConfig, entities: int) -> None:
        super().__init__()
        self.reader, self.head = PathReader(shape), nn.Linear(shape.width, entities)

    def forward(self, words: Tensor, mask: Tensor) -> Tensor:
        """Log-probabilities of the entities (b, entities)."""
        return self.head(functional.relu(self.reader.encode(words, mask)[2])).log_softmax(-1)


class Choosing:
    """-log P(any of the answers)."""

    def __call__(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        logs = model(batch["words"], batch["mask"])
        return {"loss": -logs.masked_fill(~batch["answers"], -torch.inf).logsumexp(-1).mean()}


def questions_alone(examples: Sequence, shape: PathsConfig, entities: dict[str, int]) -> dict[str, Tensor]:
    """Questions with the entity's name in them, and answers (b, entities) True for an answer."""
    asked = [each._replace(words=tuple(split_words(question.text))) for question, each in examples]
    batch = batch_of(asked, shape.buckets)
    answers = torch.zeros(len(examples), len(entities), dtype=torch.bool)
    for row, (question, _) in enumerate(examples):
        answers[row, [entities[question.graph.names[number]] for number in question.answers]] = True
    return {"words": batch["words"], "mask": batch["mask"], "answers": answers}


def by_words(recipe: PathsRecipe, parts: dict[str, list[GraphQuestion]], epochs: float) -> Way:
    """The same encoder without a graph, trained on the same questions, by the one loop."""
    names = sorted({name for part in parts.values() for each in part for name in each.graph.names})
    entities = {name: number for number, name in enumerate(names)}
    model = WithoutGraph(recipe.model, len(entities))
    collate = partial(questions_alone, shape=recipe.model, entities=entities)
    output = f"{recipe.output}_without_graph"
    control = replace(recipe, output=output, optimiser=replace(recipe.optimiser, epochs=epochs))

    def build(skipped: Skipped) -> tuple[Task, QuestionExamples, QuestionExamples]:
        learned = QuestionExamples(parts["train"], epochs, recipe.seed, 1)
        val = QuestionExamples(parts["val"], 1, None, 1)
        return Task(model, Choosing(), None, collate, lambda output: None, given="answers"), learned, val

    run(control, build)
    model.eval()

    @torch.inference_mode()
    def way(questions: Sequence[GraphQuestion]) -> list[Right]:
        found = []
        for begin in range(0, len(questions), BATCH):
            some = questions[begin : begin + BATCH]
            batch = collate([(each, Asked((), each.graph, each.graph.around(each.entity, 1))) for each in some])
            scores = model(batch["words"], batch["mask"]).exp()
            for row, right in zip(scores.numpy(), batch["answers"].numpy(), strict=True):
                found.append((first_is_right(row, right), False, False))
        return found

    return way


def figures(questions: Sequence[GraphQuestion], right: Sequence[Right]) -> list[Score]:
    """Shares of what is right (3), with intervals over entity and relations."""
    groups: dict[tuple, np.ndarray] = {}
    for each, judged_as in zip(questions, right, strict=True):
        key = (each.name, each.entity, each.relations)
        groups[key] = groups.get(key, np.zeros(4)) + np.array([*judged_as, 1])
    return bootstrap(np.stack(list(groups.values())), lambda sums: sums[:, :3] / sums[:, 3:])


def table(questions: Sequence[GraphQuestion], ways: dict[str, list[Right]], walking: Sequence[str]) -> list[str]:
    """A row a way and set of questions."""
    sets = {"two hops": [2], "three hops": [3]}
    chosen = {name: [len(each.relations) in hops for each in questions] for name, hops in sets.items()}
    chosen |= {graph: [each.name == graph for each in questions] for graph in sorted({each.name for each in questions})}
    lines = list(HEAD)
    for way, right in ways.items():
        for name, taken in chosen.items():
            if name not in sets and way not in walking:
                continue
            some = [each for each, is_in in zip(questions, taken, strict=True) if is_in]
            scores = figures(some, [each for each, is_in in zip(right, taken, strict=True) if is_in])
            cells = [f"{value:.3f} ({low:.3f} to {high:.3f})" for value, low, high in scores]
            cells = cells if way in walking else [cells[0], "", ""]
            lines.append(f"| {way} | {name}, {len(some)} | {' | '.join(cells)} |")
    return lines


@tells_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="recipes/paths.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=C", help="change a value of the recipe")
    parser.add_argument("--model", action="append", default=[], metavar="NAME=DIR", help="a reader; may be repeated")
    parser.add_argument("--part", choices=("val", "test"), default="test")
    parser.add_argument("--epochs", type=float, default=30, help="of the control without a graph; default: 30")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="also put the table into this page")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    recipe = read_recipe(options.recipe, options.set, PathsRecipe)
    everything = questions_of(recipe)
    paths: dict[tuple[str, str], set[tuple[int, ...]]] = {}
    for each in everything:
        paths.setdefault((each.name, each.text), set()).add(each.path)
    parts = {name: [each for each in everything if part_of(each) == name] for name in ("train", "val", "test")}
    asked = distinct(parts[options.part])
    readers = dict(each.rpartition("=")[::2] for each in options.model or [f"walks={recipe.output}"])
    ways: dict[str, Way] = {
        name or folder: by_walks(load_graph_reader(folder), paths) for name, folder in readers.items()
    }
    walking = list(ways)
    ways["where most walks of so many hops end, whatever is asked"] = by_any_walk(recipe.model.hops)
    ways["the most frequent answer of the last relation, which is told"] = by_last_relation(parts["train"])
    if options.epochs > 0:
        ways["the same encoder, which must choose among all entities"] = by_words(recipe, parts, options.epochs)
    lines = table(asked, {name: way(asked) for name, way in ways.items()}, walking)
    print("\n".join(lines))
    print(f"{time.monotonic() - started:.0f} s", file=sys.stderr)
    if options.write is not None:
        replace_sections(options.write, {"paths": "\n".join(lines)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
