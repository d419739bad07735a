"""Summaries of BBC news: first sentences, random ones, those that the document itself says matter, and learned ones.

    mm-memgpt finetune recipes/summaries.yaml
    python -m benchmarks.summaries --data ../shared/data --model runs/summaries --page docs/benchmarks_writing.md

Notable: each row but lead-3 may have as many words as the summaries of the training rows usually have, so that length
decides nothing; how far the last row is ahead of another is measured on the same articles, so its interval is a paired
one. A backbone reads an article once, however many rows weigh it.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import numpy as np
import torch
from torch import Tensor

from mm_memgpt.datasets.document import placed
from mm_memgpt.datasets.table import read_table
from mm_memgpt.evaluation.bootstrap import Score
from mm_memgpt.evaluation.markers import replace_sections
from mm_memgpt.evaluation.rouge import KINDS, mean, rouge_each
from mm_memgpt.summaries import Summarizer, load_summarizer
from mm_memgpt.tasks.salience import Central
from mm_memgpt.tasks.summary import Length
from mm_memgpt.types import Text
from mm_memgpt.words import words

LEAD = 3

HEADS = {
    "like the others (cosine)": ("central",),
    "words that come often": ("frequency",),
    "both, as shipped": ("central", "frequency"),
}
"""What counts in rows without anything learned."""


def leading(article: str, share: float | None = None) -> str:
    """The first three sentences, or as many as a share of the words."""
    said = [sentence.text for sentence in placed(article)]
    places = range(LEAD) if share is None else filled(said, range(len(said)), share)
    return " ".join(said[place] for place in places if place < len(said))


def at_random(article: str, share: float, draw: Random) -> str:
    """Sentences drawn at random, up to a share of the words, in their order."""
    said = [sentence.text for sentence in placed(article)]
    return " ".join(said[place] for place in filled(said, draw.sample(range(len(said)), len(said)), share))


def filled(said: Sequence[str], order: Sequence[int], share: float) -> list[int]:
    """Places of the sentences that are taken in an order, by the rule of `choose`, up to a share of all words."""
    sizes = [len(words(sentence)) for sentence in said]
    room, taken, total = share * sum(sizes), [], 0
    for place in order:
        if total < room and (not taken or total + sizes[place] / 2 <= room):
            taken.append(place)
            total += sizes[place]
    return sorted(taken)


class ReadOnce:
    """A task's vectors of sentences, each batch of which is read once."""

    def __init__(self, vectors: Callable) -> None:
        self.vectors, self.found = vectors, {}

    def __call__(self, model: torch.nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        name = batch["input_ids"].numpy().tobytes()
        if name not in self.found:
            self.found[name] = self.vectors(model, batch)
        return self.found[name]


def chosen(summarizer: Summarizer, articles: Sequence[str], share: float) -> list[str]:
    """A model's summaries."""
    started = time.monotonic()
    found = [summarizer(Text(article), Length(share=share)) for article in articles]
    check_sources(articles, found)
    print(f"{1000 * (time.monotonic() - started) / len(articles):.0f} ms an article", file=sys.stderr)
    return [summary.text for summary in found]


def check_sources(articles: Sequence[str], summaries: Sequence) -> None:
    """Each sentence's source must stand where it says.

    Raises:
        ValueError: it does not.
    """
    for article, summary in zip(articles, summaries, strict=True):
        for sentence in summary.sentences:
            [source] = sentence.sources
            if " ".join(article[source.start : source.end].split()) != sentence.text:
                raise ValueError(f"{source.place} does not hold {sentence.text!r}")


def rows(articles: Sequence[str], share: float, backbones: Sequence[str], model: Path) -> dict[str, list[str]]:
    """What each row of the table writes of the articles."""
    draw = Random(2026)
    found = {
        f"lead-{LEAD}": [leading(article) for article in articles],
        "the first sentences": [leading(article, share) for article in articles],
        "random sentences": [at_random(article, share, draw) for article in articles],
    }
    for backbone in backbones:
        summarizer = load_summarizer(backbone, "cpu")
        task = summarizer.model.task
        task.vectors = ReadOnce(task.vectors)
        for name, counts in HEADS.items():
            summarizer.model.head = Central(counts)
            found[f"{backbone}: {name}"] = chosen(summarizer, articles, share)
    return found | {"learned": chosen(load_summarizer(model, "cpu"), articles, share)}


def table(each: dict[str, dict[str, np.ndarray]]) -> str:
    """The figures of each row, and how far the last is ahead of it."""
    *_, best = each
    lines = [
        "| summary | ROUGE-1 | ROUGE-2 | ROUGE-L | learned leads by, ROUGE-1 | ROUGE-2 | ROUGE-L |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, values in each.items():
        ahead = ["", "", ""] if name == best else [said(mean(each[best][kind] - values[kind]), "+") for kind in KINDS]
        lines.append(f"| {' | '.join([name, *(said(mean(values[kind])) for kind in KINDS), *ahead])} |")
    return "\n".join(lines)


def said(score: Score, sign: str = "") -> str:
    """A figure with its 95% interval."""
    return f"{score.value:{sign}.3f} ({score.low:{sign}.3f} to {score.high:{sign}.3f})"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--part", default="test", help="test, or val to try things out")
    parser.add_argument("--model", type=Path, required=True, help="the folder that finetune wrote")
    parser.add_argument("--backbone", action="append", help="of the rows without anything learned; default: nano")
    parser.add_argument("--rows", type=int, help="only so many articles, to try things out")
    parser.add_argument("--page", type=Path, help="the page whose section 'summaries' is written anew")
    parser.add_argument("--output", type=Path, help="where the figures of each article go as JSON")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    part = read_table(str(options.data / "text" / "bbc_summary" / f"{options.part}.parquet"))
    news = [part[row] for row in range(len(part) if options.rows is None else options.rows)]
    share = json.loads((options.model / "task.json").read_text(encoding="utf-8"))["options"]["share"]
    written = rows([each["article"] for each in news], share, options.backbone or ["nano"], options.model)
    references = [each["summary"] for each in news]
    each = {name: rouge_each(texts, references) for name, texts in written.items()}
    made = table(each)
    print(made)
    if options.output is not None:
        figures = {name: {kind: values[kind].tolist() for kind in KINDS} for name, values in each.items()}
        options.output.write_text(json.dumps(figures) + "\n", encoding="utf-8")
    if options.page is not None:
        replace_sections(options.page, {"summaries": f"{made}\n\n{len(news)} articles of {options.part}."})


if __name__ == "__main__":
    main()
