"""Questions about photos that only facts settle: answered with the facts in the memory, and without.

    python -m benchmarks.photo_facts linked=runs/knowing apart=runs/knowing_apart vectors=runs/knowing_vectors --write

Notable: the questions are the same for every model and every row, and some are about things that training had no fact
of; an answer is written, and must be the right one word for word; beside it stands which of the facts' ends the model
finds likeliest, which a model without facts can also say. Links follow from what the start, which was not trained for
this, says of each photo. Intervals are over photos, as several questions about one are right or wrong together.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from benchmarks.errors import tells_errors
from benchmarks.page import interval
from mm_memgpt.datasets.answers import score
from mm_memgpt.datasets.photo_facts import ASKED, THERE, PhotoQuestion
from mm_memgpt.datasets.pools import PARTS, Photo
from mm_memgpt.evaluation.bootstrap import Score, bootstrap
from mm_memgpt.evaluation.markers import replace_sections
from mm_memgpt.models.loading import find, read_model
from mm_memgpt.objectives.remembering import answer_logits, fused_of, memory_about, remembered
from mm_memgpt.training.bunches import Bunches
from mm_memgpt.training.items import Texts
from mm_memgpt.training.knowing import Knowing, facts_of
from mm_memgpt.training.library import Library
from mm_memgpt.training.recipe import Recipe, read_recipe

RECIPE = Path(__file__).parents[1] / "recipes" / "knowing.yaml"
EACH = 3
"""Questions that are drawn for a photo; the same again counts once."""

BATCH = 32
LONGEST_ANSWER = 12
"""Tokens of a written answer."""

NEW, KNOWN = "new things", "things of training"

Example = dict[str, Any]
Way = Callable[[Example], Example]


class About(NamedTuple):
    """A question, and the photo that it is about."""

    photo: Photo
    question: PhotoQuestion


class Asker:
    """A model of a folder, and what it needs to be asked."""

    def __init__(self, folder: str, given: argparse.Namespace) -> None:
        self.model, processor = read_model(find(folder))
        changes = [f"data.root={given.data}", f"remember.maps={given.maps}"]
        recipe: Recipe = read_recipe(given.recipe, changes)
        if self.model.fuser.entities is not None:
            recipe.knowledge.entities = given.entities
        recipe.knowledge.relations = self.model.config.fusion.relations
        recipe.fusion = self.model.config.fusion
        library = Library(self.model, recipe.data.root, given.maps)
        self.tokenizer = processor.tokenizer
        texts = Texts(self.tokenizer, self.model.begin(1).item(), recipe.longest)
        before, its_processor = read_model(find(recipe.start))
        self.knowing: Knowing = facts_of(recipe, library, texts, before, its_processor, given.part)
        self.bunch = Bunches(self.tokenizer.pad_token_id).bunch

    def questions(self, limit: int | None) -> list[About]:
        """The questions of the part, the same for every model."""
        found: dict[tuple, About] = {}
        for number, photo in enumerate(self.knowing.photos[:limit]):
            for new in (True, False):
                for draw in range(EACH):
                    generator = Random(f"photo facts {number} {new} {draw}")
                    question = self.knowing.known.ask(photo.facts, generator, new if new else None)
                    if question is not None and question.new == new:
                        found.setdefault(
                            (number, question.text, question.facts[question.about]), About(photo, question)
                        )
        return list(found.values())

    @torch.inference_mode()
    def right(self, asked: Sequence[About], way: Way, informed: bool) -> Iterator[tuple[bool, bool]]:
        """Of each question, whether the written answer is right, and whether the likeliest of its options is."""
        for begin in range(0, len(asked), BATCH):
            some = asked[begin : begin + BATCH]
            examples = [way(self.knowing.example(photo, question, Random(0), informed)) for photo, question in some]
            wanted = [question for _, question in some]
            yield from zip(self._written(examples, wanted), self._chosen(examples, wanted), strict=True)

    def _written(self, examples: Sequence[Example], wanted: Sequence[PhotoQuestion]) -> list[bool]:
        bunch = self.bunch(list(examples))
        fused = fused_of(self.model, remembered(self.model, bunch, self.model.bank), bunch)
        prompts = [self.knowing.texts.prompt(question.text) for question in wanted]
        text, real = (
            pad_sequence(rows, batch_first=True, padding_value=value, padding_side="left")  # (b, t)
            for rows, value in (
                (prompts, self.tokenizer.pad_token_id),
                ([torch.ones_like(ids) for ids in prompts], 0),
            )
        )
        about = memory_about(self.model, fused, torch.arange(len(prompts)))
        how = {"max_new_tokens": LONGEST_ANSWER, "num_beams": 1, "do_sample": False}
        written = self.model.generate(text, attention_mask=real, **about, **how)
        said = self.tokenizer.batch_decode(written[:, text.shape[1] :], skip_special_tokens=True)
        return [score(question.answer, each) for question, each in zip(wanted, said, strict=True)]

    def _chosen(self, examples: Sequence[Example], wanted: Sequence[PhotoQuestion]) -> list[bool]:
        texts = self.knowing.texts
        offered = [
            example | {"text": [texts(option, question.text) for option in question.options]}
            for example, question in zip(examples, wanted, strict=True)
        ]
        bunch = self.bunch(offered)
        fused = fused_of(self.model, remembered(self.model, bunch, self.model.bank), bunch)
        logits = answer_logits(self.model, fused, bunch)
        text, learned = (bunch[name][:, -logits.shape[1] :] for name in ("input_ids", "learned"))
        each = logits[:, :-1].float().log_softmax(-1).gather(-1, text[:, 1:, None])[..., 0]
        total = (each * learned[:, 1:]).sum(1).split([len(question.options) for question in wanted])
        return [
            question.options[int(scores.argmax())] == question.answer
            for question, scores in zip(wanted, total, strict=True)
        ]


def unlinked(example: Example) -> Example:
    """Without links between what is seen and what is known."""
    return example | {name: torch.zeros_like(example[name]) for name in ("relations", "entities") if name in example}


def unseen(example: Example) -> Example:
    """Without the photo; facts, and what they are linked to, stay."""
    n = len(example["items"]) - 1
    known = {"relations": lambda x: x[:n, :n], "entities": lambda x: x[:n]}
    return (
        example
        | {"items": example["items"][:n], "text": [text._replace(about=()) for text in example["text"]]}
        | {name: cut(example[name]) for name, cut in known.items() if name in example}
    )


WAYS: dict[str, tuple[Way, bool]] = {
    "knowledge on": (lambda example: example, True),
    "knowledge off": (lambda example: example, False),
    "facts without links": (unlinked, True),
    "facts without the photo": (unseen, True),
}
"""How a question is put, by name, and whether the facts are there."""


def measure(folder: str, given: argparse.Namespace) -> dict[str, list]:
    """By way, of each question whether the written and the chosen answer is right; and what the questions are."""
    asker = Asker(folder, given)
    asked = asker.questions(given.limit)
    found: dict[str, list] = {
        "questions": [[photo.row.number, question.kind, question.new] for photo, question in asked]
    }
    for name, (way, informed) in WAYS.items():
        if way is not unlinked or asker.knowing.relations or asker.knowing.vectors:
            found[name] = list(asker.right(asked, way, informed))
            print(f"{folder}, {name}: {np.mean(found[name], axis=0)}", file=sys.stderr, flush=True)
    return found


def share(found: dict[str, list], name: str, column: int, chosen: np.ndarray, beside: str | None = None) -> Score:
    """The share of right answers among chosen questions; with `beside`, by how much it is ahead of another way's."""
    right = np.array(found[name], float)[:, column]
    if beside is not None:
        right = right - np.array(found[beside], float)[:, column]
    photos = np.array([photo for photo, *_ in found["questions"]])[chosen]
    rows = np.array([[right[chosen][photos == photo].sum(), (photos == photo).sum()] for photo in np.unique(photos)])
    return bootstrap(rows, lambda sums: sums[:, :1] / np.maximum(sums[:, 1:], 1))[0]


def table(models: dict[str, dict[str, list]]) -> list[str]:
    """A row for each model, way and kind of thing."""
    lines = [
        "| model | way | of | questions | written | chosen | on ahead of it, written |",
        "|---|---|---|---:|---:|---:|---:|",
    ]
    for model, found in models.items():
        is_new = np.array([new for *_, new in found["questions"]])
        for name in WAYS:
            for title, chosen in ((NEW, is_new), (KNOWN, ~is_new)):
                if name in found and chosen.any():
                    ahead = "" if name == "knowledge on" else interval(share(found, "knowledge on", 0, chosen, name))
                    both = [interval(share(found, name, column, chosen)) for column in (0, 1)]
                    lines.append(f"| {model} | {name} | {title} | {chosen.sum()} | {' | '.join(both)} | {ahead} |")
    return lines


def kinds(models: dict[str, dict[str, list]]) -> list[str]:
    """By kind of question, of the first model."""
    found = next(iter(models.values()))
    lines = ["| question | of | questions | knowledge on | knowledge off |", "|---|---|---:|---:|---:|"]
    kind, is_new = (np.array([row[place] for row in found["questions"]]) for place in (1, 2))
    for name in (*ASKED, THERE):
        for title, of in ((NEW, is_new), (KNOWN, ~is_new)):
            chosen = (kind == name) & of
            if chosen.any():
                cells = [interval(share(found, way, 0, chosen)) for way in ("knowledge on", "knowledge off")]
                lines.append(f"| {name} | {title} | {chosen.sum()} | {' | '.join(cells)} |")
    return lines


@tells_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="+", metavar="NAME=FOLDER", help="what a row is called, and its model")
    parser.add_argument("--recipe", type=Path, default=RECIPE, help="of the training")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the data's folder")
    parser.add_argument("--part", choices=PARTS[1:], default="val", help="whose photos; default: %(default)s")
    parser.add_argument("--limit", type=int, help="photos; all unless given")
    parser.add_argument("--maps", type=Path, default=Path("runs/maps"), help="what the trunk made of photos")
    parser.add_argument("--entities", default="runs/entities_wn18rr", help="vectors, for models that read them")
    parser.add_argument("--json", type=Path, help="keeps what is measured; what is there is not measured again")
    parser.add_argument("--write", action="store_true", help="put the tables into the page")
    parser.add_argument("--page", type=Path, default=Path("docs/benchmarks_photo_facts.md"))
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    kept = given.json is not None and given.json.is_file()
    models = json.loads(given.json.read_text(encoding="utf-8")) if kept else {}
    for each in given.models:
        name, _, folder = each.partition("=")
        if name not in models:
            models[name] = measure(folder or name, given)
        if given.json is not None:
            given.json.write_text(json.dumps(models) + "\n", encoding="utf-8")
    lines = ["\n".join(rows) for rows in (table(models), kinds(models))]
    print("\n\n".join(lines))
    if given.write:
        replace_sections(given.page, {"photo-facts": lines[0], "photo-facts-kinds": lines[1]})
    return 0


if __name__ == "__main__":
    sys.exit(main())
