"""How many questions about memories of many items are answered right, by kind, and what fusion is worth there.

    python -m benchmarks.questions runs/remember                                 one model, and its memory emptied
    python -m benchmarks.questions runs/remember runs/no-graph runs/no-cross     and others, trained without a part

Notable: the questions are the same for every model, one a scene; half are about combinations that training has seen,
half about those that it never asked for; what is measured is kept and never measured again; beside each figure stands
how often the most common answer is right, and the one that training's questions in the same wording have most often.
Beside the first model each other one is compared question by question, which chance in the drawing of questions touches
less than two figures side by side.

b scenes   t tokens of the longest question
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from benchmarks.features import digest
from mm_memgpt.datasets.answers import score
from mm_memgpt.datasets.pools import PARTS, read_pools
from mm_memgpt.datasets.question_table import make_questions, shares
from mm_memgpt.datasets.questions import KINDS, Question, ask
from mm_memgpt.evaluation.bootstrap import bootstrap
from mm_memgpt.models.loading import find, read_model
from mm_memgpt.objectives.remembering import perceived
from mm_memgpt.training.bunches import memory_of
from mm_memgpt.training.items import Item, Texts
from mm_memgpt.training.library import Library
from mm_memgpt.training.memories import Memories, maps_of
from mm_memgpt.training.mixture import Mixture
from mm_memgpt.types import InputError

BATCH = 16
LONGEST_ANSWER = 8
"""Tokens of a written answer; the answers have one to three words."""

COMBINATIONS = {"seen": False, "held out": True}
MEMORIES = {"whole": False, "emptied": True}
EARLIER = 10
"""Training's questions that the wording is known from, for each that is asked."""


class Asked(NamedTuple):
    """A question about a memory."""

    question: Question
    items: list[Item]


class Answerer:
    """A model of a folder, and what it needs to be asked about scenes."""

    def __init__(self, folder: str, given: argparse.Namespace) -> None:
        self.model, self.processor = read_model(find(folder))
        self.tokenizer = self.processor.tokenizer
        library = Library(self.model, str(given.data), given.maps)
        pools = read_pools(given.data, given.part, given.folds)
        texts = Texts(self.tokenizer, self.model.begin(1).item(), longest=self.model.config.vocab_size)
        mirrored = self.model.config.image.mirrored
        self.memories = Memories(
            pools, maps_of(pools, library), [], texts, Mixture(), 1, training=False, mirrored=mirrored
        )

    def asked(self, limit: int, held_out: bool) -> Iterator[Asked]:
        """The first `limit` questions, each about a scene of its own; the same for every model."""

        def each() -> Iterator[Asked]:
            for number in count():
                generator = Random(f"questions {held_out} {number}")
                scene = self.memories.scene(generator)
                if (question := ask(scene, generator, held_out)) is not None:
                    yield Asked(question, self.memories.items(scene, generator))

        return islice(each(), limit)

    @torch.inference_mode()
    def answers(self, asked: Sequence[Asked], emptied: bool) -> list[str]:
        """What the model answers to b questions, greedily."""
        pad = self.tokenizer.pad_token_id
        features = perceived(self.model, memory_of([each.items for each in asked], pad))
        if emptied:
            features = features._replace(mask=torch.zeros_like(features.mask))
        memory, mask = self.model.read(self.model.write(features))
        prompts = [self.memories.texts.prompt(each.question.text) for each in asked]
        text, real = (
            pad_sequence(rows, batch_first=True, padding_value=value, padding_side="left")  # (b, t)
            for rows, value in ((prompts, pad), ([torch.ones_like(ids) for ids in prompts], 0))
        )
        how = {"max_new_tokens": LONGEST_ANSWER, "num_beams": 1, "do_sample": False}
        written = self.model.generate(text, attention_mask=real, memory=memory, memory_mask=mask, **how)
        return self.tokenizer.batch_decode(written[:, text.shape[1] :], skip_special_tokens=True)


def measure(folder: str, given: argparse.Namespace) -> dict[str, Any]:
    """Of each combination and memory the share of right answers by kind, as [value, low, high, questions]."""
    answerer, found = Answerer(folder, given), {}
    for name, held_out in COMBINATIONS.items():
        right: dict[str, list[tuple[str, bool]]] = {memory: [] for memory in MEMORIES}
        questions = answerer.asked(given.limit, held_out)
        while batch := list(islice(questions, BATCH)):
            for memory, emptied in MEMORIES.items():
                for each, written in zip(batch, answerer.answers(batch, emptied), strict=True):
                    right[memory].append((each.question.kind, score(each.question.answer, written)))
        found[name] = {memory: by_kind(answers) for memory, answers in right.items()}
        found[name]["answers"] = right["whole"]
        questions = [each.question for each in answerer.asked(given.limit, held_out)]
        earlier = make_questions(read_pools(given.data, "train"), EARLIER * given.limit, "earlier")
        found[name]["blind"] = {row.kind: [row.majority, row.wording] for row in shares(questions, earlier)}
    return found


def by_kind(answers: Sequence[tuple[str, float]]) -> dict[str, list[float]]:
    """The share of right ones of all and of each kind, with its 95% interval, and of how many; "alike" is the mean of
    the kinds' shares, whatever the number of questions of each."""
    kinds = np.array([kind for kind, _ in answers])
    right = np.array([float(each) for _, each in answers])
    is_kind = np.stack([kinds == kind for kind in KINDS if kind in kinds], axis=1).astype(float)  # (n, kinds)
    width, usual = is_kind.shape[1], is_kind.T @ right / is_kind.sum(0)

    def shares(sums: np.ndarray) -> np.ndarray:  # of resamples: right ones by kind, questions by kind
        rights, asked = sums[:, :width], sums[:, width:]
        by = np.where(asked > 0, rights / np.maximum(asked, 1), usual)  # a small kind may not have been drawn
        return np.column_stack([rights.sum(1) / asked.sum(1), by.mean(1), by])

    values = bootstrap(np.column_stack([is_kind * right[:, None], is_kind]), shares)
    counts = [len(answers), len(answers), *is_kind.sum(0).astype(int).tolist()]
    names = ["all", "alike", *(kind for kind in KINDS if kind in kinds)]
    return {name: [*value, count] for name, value, count in zip(names, values, counts, strict=True)}


def lead(found: dict[str, Any], other: dict[str, Any]) -> dict[str, list[float]]:
    """By kind, by how much the first model is right more often than another about the same questions, with the 95%
    interval over questions; "alike" is the mean over kinds."""
    paired = [
        (kind, float(right) - float(theirs))
        for (kind, right), (_, theirs) in zip(found["answers"], other["answers"], strict=True)
    ]
    return {kind: row[:3] for kind, row in by_kind(paired).items()}


def leads(names: Sequence[str], models: Sequence[dict[str, Any]]) -> str:
    """By how much the first model is ahead of each other one, in Markdown, a line a kind and model."""
    lines = [f"| {names[0]} ahead of | kind | {' | '.join(COMBINATIONS)} |", "|---|---|" + "---|" * len(COMBINATIONS)]
    for name, other in zip(names[1:], models[1:], strict=True):
        by = {each: lead(models[0][each], other[each]) for each in COMBINATIONS}
        for kind in ("all", "alike", *KINDS):
            cells = ["{:.3f} ({:.3f} to {:.3f})".format(*row[kind]) if kind in row else "" for row in by.values()]
            lines.append(f"| {name} | {kind} | {' | '.join(cells)} |")
    return "\n".join(lines)


def table(name: str, found: dict[str, Any]) -> str:
    """A model's figures in Markdown, a line a kind."""
    head = ["kind"] + [
        f"{each}{what}" for each in COMBINATIONS for what in ("", ", emptied", ", majority", ", wording")
    ]
    lines = [f"## {name}", "", f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for kind in ("all", "alike", *KINDS):
        cells = [kind]
        for each in COMBINATIONS:
            if kind not in found[each]["whole"]:
                cells += [""] * 4
                continue
            value, low, high, questions = found[each]["whole"][kind]
            cells.append(f"{value:.3f} ({low:.3f} to {high:.3f}) of {questions}")
            cells.append(f"{found[each]['emptied'][kind][0]:.3f}")
            cells += [f"{blind:.3f}" for blind in found[each]["blind"].get(kind, ())] or ["", ""]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def figures(folder: str, given: argparse.Namespace) -> dict[str, Any]:
    """A model's figures, from the output folder where these weights have been asked as many questions before."""
    weights = digest(find(folder) / "model.safetensors")
    folds = "" if given.folds is None else "-folds" + "".join(map(str, sorted(given.folds)))
    file = given.output / f"{weights}-{given.part}{folds}-{given.limit}.json"
    if not file.exists():
        found = measure(folder, given)
        given.output.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        unfinished.replace(file)
    return json.loads(file.read_text(encoding="utf-8"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="+", help="folders of models that hear and read")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the data's folder")
    parser.add_argument(
        "--part", choices=PARTS[1:], default="val", help="whose photos, sounds and notes are asked about"
    )
    parser.add_argument(
        "--folds", nargs="+", type=int, help="of ESC-10, that training did not hear; default: the part's"
    )
    parser.add_argument("--limit", type=int, default=1000, help="questions of each combination; default: 1000")
    parser.add_argument("--maps", type=Path, default=Path("runs/maps"), help="what trunks made of photos and sounds")
    parser.add_argument("--output", type=Path, default=Path("runs/questions"), help="figures")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    status, measured = 0, {}
    for folder in given.models:
        try:
            measured[folder] = figures(folder, given)
            print(table(folder, measured[folder]), flush=True)
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            status = 1
    if len(measured) > 1:
        print("", leads(list(measured), list(measured.values())), sep="\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
