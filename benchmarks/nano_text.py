"""How well a model of ours continues books, articles and talk: bits a byte, alone and with what came before.

    python -m benchmarks.nano_text nano                        the shipped weights
    python -m benchmarks.nano_text runs/rehearse nano --write  and others, passage by passage beside the first; the page

Notable: the same passages for every model, drawn from validation files, each cut at a number of characters; what came
before is either not there, or in the memory as sentences, or the beginning of the text; a model's figure is the sum of
its log-probabilities over the bytes of the passages, so that tokenizers may differ.

n passages
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
import torch

from mm_memgpt.evaluation.bootstrap import Score, bootstrap
from mm_memgpt.evaluation.markers import replace_sections
from mm_memgpt.tasks.prompt import Prompt
from mm_memgpt.tasks.writing_model import WritingModel, read_writer
from mm_memgpt.training.corpus import read_documents
from mm_memgpt.training.passages import Prose
from mm_memgpt.types import InputError
from mm_memgpt.words import untokenised

TEXTS = {
    "books": ("text/books/val.parquet", "text"),
    "articles": ("text/bbc_summary/val.parquet", "article"),
    "encyclopaedia": ("text/wikitext2_valtest/valid.parquet", "text"),
    "talk": ("text/dailydialog/dev.parquet", "turns"),
}
"""File and column; nothing of the encyclopaedia was ever learned from."""

READ = 800
"""Characters that a text begins with, where what came before is read."""

WAYS = {
    "alone": lambda before: Prompt(),
    "remembered": lambda before: Prompt(memory=tuple(before)),
    "read before": lambda before: Prompt(" ".join(before)[-READ:]),
}

BEFORE = 12
"""Sentences that came before, at most; without one a passage is not taken."""

LETTERS = 400
"""Characters of a passage, at most: whole sentences, at least one."""

BATCH = 8


class Passage(NamedTuple):
    """A passage and the sentences before it."""

    before: list[str]
    text: str


def passages(data: Path, name: str, count: int) -> Iterator[Passage]:
    """So many passages of a text, the same each time."""
    file, column = TEXTS[name]
    prose, generator = Prose(read_documents([str(data / file)], column, _raise)), Random(f"nano_text {name}")
    while count > 0:
        sentences, place = prose.draw(generator)
        if place == 0:
            continue
        taken = [untokenised(sentences[place])]
        for sentence in sentences[place + 1 :]:
            if len(" ".join([*taken, sentence])) > LETTERS:
                break
            taken.append(untokenised(sentence))
        yield Passage([untokenised(each) for each in sentences[max(0, place - BEFORE) : place]], " ".join(taken))
        count -= 1


def bits(model: WritingModel, chosen: Sequence[Passage], way: str) -> np.ndarray:
    """The bits (n) that each passage costs, its end not counted."""
    found = []
    for begin in range(0, len(chosen), BATCH):
        some = chosen[begin : begin + BATCH]
        likely = model.score([WAYS[way](each.before) for each in some], [each.text for each in some])
        found += [-each[:-1].sum().item() / np.log(2) for each in likely]
    return np.array(found)


def each_byte(costs: np.ndarray, lengths: np.ndarray) -> Score:
    """Bits a byte, with the interval over passages."""
    return bootstrap(np.stack([costs, lengths], axis=1), lambda sums: sums[:, :1] / sums[:, 1:])[0]


def rows(names: Sequence[str], data: Path, count: int, tell: Callable[[str], None]) -> Iterator[str]:
    """The table, line by line; a model that cannot be read is told and left out."""
    first: dict[str, dict[str, np.ndarray]] = {}
    yield "| model | text | " + " | ".join(WAYS) + " |"
    yield "|---" * (2 + len(WAYS)) + "|"
    for name in names:
        try:
            model = read_writer(name, "cpu")
            for text in TEXTS:
                chosen = list(passages(data, text, count))
                lengths = np.array([len(each.text.encode()) for each in chosen], dtype=float)
                costs = {way: bits(model, chosen, way) for way in WAYS}
                yield _row(name, text, costs, lengths)
                against = first.setdefault(text, costs)
                if against is not costs:
                    less = {way: costs[way] - against[way] for way in WAYS}
                    yield _row(f"{name} less {names[0]}", text, less, lengths)
        except InputError as error:
            tell(f"error: {error}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="+", help="folders of models of ours, or nano")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the data's folder")
    parser.add_argument("--limit", type=int, default=200, help="passages of each text; default: 200")
    parser.add_argument("--write", action="store_true", help="put the table into the page")
    parser.add_argument("--page", type=Path, default=Path("docs/benchmarks_writing.md"), help="default: %(default)s")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    told, wrong = [], []
    for line in rows(given.models, given.data, given.limit, wrong.append):
        told.append(line)
        print(line, flush=True)
    for line in wrong:
        print(line, file=sys.stderr)
    if given.write and not wrong:
        replace_sections(given.page, {"nano_text": "\n".join(told)})
    return 1 if wrong else 0


def _row(name: str, text: str, costs: dict[str, np.ndarray], lengths: np.ndarray) -> str:
    cells = ["{:.3f} ({:.3f} to {:.3f})".format(*each_byte(each, lengths)) for each in costs.values()]
    return f"| {name} | {text} | {' | '.join(cells)} |"


def _raise(error: InputError) -> None:
    raise error


if __name__ == "__main__":
    sys.exit(main())
