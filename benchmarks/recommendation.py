"""What will one like next? Chance, what is popular, the mean of an untrained encoder's keys and trained models.

    python benchmarks/recommendation.py --rows runs/recommendation_rows --model runs/recommendation

Notable: each user ranks the article that is liked next among those that are not liked. All articles of the test part
are new, so none is popular, and what ties stands before the right one: at "most popular" the right one is last. Users
who like the same article next are drawn together, so intervals are over articles; a gain over the untrained mean is
that of the same users, so its interval is a paired one.

u users   c candidates of each   a articles that are liked next   w width of keys
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from mm_memgpt.backbones.base import Inputs
from mm_memgpt.backbones.build import build
from mm_memgpt.datasets.table import Table, read_table
from mm_memgpt.evaluation.bootstrap import Score, bootstrap
from mm_memgpt.evaluation.ranking import rank_of_first
from mm_memgpt.tasks.model import TaskModel, create, read_task_model
from mm_memgpt.tasks.recommendation import Recommendation

COLUMNS = {"text": "liked", "text_pair": "article", "label": "label"}
UNTRAINED = "mean of untrained MiniLM keys"
LONGEST = 32
"""Tokens of an article that the untrained encoder reads, as the recipe's does."""
DEPTHS = (1, 5, 10)
DIGITS = 6
"""Of scores; those that agree in them tie."""


class User(NamedTuple):
    """Who is asked."""

    liked: tuple[str, ...]
    candidates: list[str]
    right: np.ndarray
    """(c) True for what is liked next."""

    @property
    def following(self) -> str:
        """What is liked next."""
        return self.candidates[int(self.right.argmax())]


def users(table: Table) -> list[User]:
    """The users of a table, each with the candidates of all rows that have the same history."""
    found: dict[tuple[str, ...], list[tuple[str, bool]]] = {}
    for row in table:
        found.setdefault(tuple(row["liked"]), []).append((row["article"], bool(row["label"])))
    return [
        User(liked, [text for text, _ in rows], np.array([right for _, right in rows])) for liked, rows in found.items()
    ]


def by_popularity(asked: Sequence[User], learned: Table) -> list[np.ndarray]:
    """How many users of the training rows liked a candidate, before or next."""
    liked = {(tuple(row["liked"]), text) for row in learned for text in row["liked"]}
    liked |= {(tuple(row["liked"]), row["article"]) for row in learned if row["label"]}
    counts = Counter(text for _, text in liked)
    return [np.array([counts[text] for text in user.candidates]) for user in asked]


@torch.inference_mode()
def by_model(model: TaskModel, asked: Sequence[User]) -> list[np.ndarray]:
    """Cosines of each user's history and candidates."""
    histories = [Inputs(text="\n".join(user.liked[-model.task.options["history"] :])) for user in asked]
    texts = list(dict.fromkeys(text for user in asked for text in user.candidates))
    keys = model.task.keys_of(model, histories, "asked", batch=len(histories))  # (u, w): so each article is read once
    articles = dict(
        zip(texts, model.task.keys_of(model, [Inputs(text_pair=text) for text in texts], "found"), strict=True)
    )
    return [
        np.round(torch.stack([articles[text] for text in user.candidates]) @ key, DIGITS).numpy()
        for user, key in zip(asked, keys, strict=True)
    ]


def ranks(asked: Sequence[User], scores: Sequence[np.ndarray]) -> np.ndarray:
    """(u) the rank of what each user likes next."""
    return np.array([rank_of_first(each, user.right) for user, each in zip(asked, scores, strict=True)])


def over_articles(asked: Sequence[User], values: np.ndarray) -> list[Score]:
    """The means of values (u, m), with intervals over the articles that are liked next."""
    places = {text: place for place, text in enumerate(dict.fromkeys(user.following for user in asked))}
    totals = np.zeros((len(places), values.shape[1] + 1))  # (a, m + 1): sums, and of how many users
    np.add.at(totals, [places[user.following] for user in asked], np.column_stack([values, np.ones(len(values))]))
    return bootstrap(totals, lambda drawn: drawn[:, :-1] / drawn[:, -1:])


def report(asked: Sequence[User], found: dict[str, np.ndarray]) -> tuple[str, dict[str, dict[str, Score]]]:
    """A table of ways by their ranks (u), and its figures."""
    lines = [
        "| way | MRR (95 % interval) | hits@1 | hits@5 | hits@10 | gain in MRR over the untrained mean |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    figures = {}
    for name, each in found.items():
        gain = 1 / each - 1 / found[UNTRAINED]
        columns = [1 / each, *(each <= depth for depth in DEPTHS), gain]
        names = ["mrr", *(f"hits@{depth}" for depth in DEPTHS), "gain"]
        said = figures[name] = dict(zip(names, over_articles(asked, np.column_stack(columns)), strict=True))
        mrr, gained = said["mrr"], said["gain"]
        hits = " | ".join(f"{said[f'hits@{depth}'].value:.3f}" for depth in DEPTHS)
        beside = "" if name == UNTRAINED else f"{gained.value:+.3f} ({gained.low:+.3f} to {gained.high:+.3f})"
        lines.append(f"| {name} | {mrr.value:.3f} ({mrr.low:.3f} to {mrr.high:.3f}) | {hits} | {beside} |")
    return "\n".join(lines), figures


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=Path, default=Path("runs/recommendation_rows"))
    parser.add_argument("--part", default="test", help="test, or val to try things out")
    parser.add_argument("--model", type=Path, action="append", default=[], help="a folder that finetune wrote")
    parser.add_argument("--output", type=Path, help="where the figures go as JSON")
    options = parser.parse_args(arguments)
    asked = users(read_table(str(options.rows / f"{options.part}.parquet")))
    generator = np.random.default_rng(0)
    found = {
        "random": ranks(asked, [generator.random(len(user.candidates)) for user in asked]),
        "most popular": ranks(asked, by_popularity(asked, read_table(str(options.rows / "train.parquet")))),
    }
    untrained = create(build("minilm", longest=LONGEST), Recommendation(COLUMNS)).eval()
    for name, model in {UNTRAINED: untrained, **{str(path): path for path in options.model}}.items():
        started = time.process_time()
        model = read_task_model(model) if isinstance(model, Path) else model
        found[name] = ranks(asked, by_model(model, asked))
        print(f"{name}: {time.process_time() - started:.0f} core-seconds", file=sys.stderr)
    text, figures = report(asked, found)
    articles = {user.following for user in asked}
    print(
        f"{len(asked)} users, {len(asked[0].candidates)} candidates each, {len(articles)} articles liked next\n\n{text}"
    )
    if options.output is not None:
        options.output.write_text(json.dumps({"users": len(asked), **figures}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
