"""Rows for "what will one like next?": made users who like one or two kinds of BBC articles.

Notable: the users are made, the articles are not. One likes all articles of one's categories and none of the others':
what is told from a history is its categories, no finer taste. Each article is what as many users like next as any other
of its part, so that none is the safe bet; none lies in two parts.

    python benchmarks/recommendation_rows.py --data ../shared/data --output runs/recommendation_rows
"""

import re
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

SEED = 2026
PARTS = ("test", "val", "train")
"""In this order articles are taken: one whose title or sentence was there before is left out."""
FEWEST, MOST = 3, 8
"""Items of a history."""
ONE_TASTE = 0.5
"""Share of the users who like one category; the others like two."""

_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'(])")
"""Between two sentences."""


class Size(NamedTuple):
    """How many rows a part has."""

    users: int
    """That like an article next, of each."""
    wrong: int
    """Articles beside it that the user does not like."""


SIZES = {"train": Size(users=1, wrong=4), "val": Size(users=1, wrong=0), "test": Size(users=3, wrong=79)}
"""Where no row is wrong, as of validation, each user ranks all articles of the part, which takes far less reading."""


class Article(NamedTuple):
    """An article, as the model reads it: its title and a sentence of its summary."""

    text: str
    category: str


def articles(root: Path) -> dict[str, list[Article]]:
    """Of each part its articles, each of them once."""
    seen: set[str] = set()
    found: dict[str, list[Article]] = {}
    for part in PARTS:
        found[part] = []
        for row in pq.read_table(root / f"text/bbc_summary/{part}.parquet").to_pylist():
            title = " ".join(row["title"].split())
            sentence = _END.split(" ".join(row["summary"].split()))[0]
            if seen.isdisjoint((title, sentence)):
                found[part].append(Article(f"{title}. {sentence}", row["category"]))
            seen |= {title, sentence}
    return found


def rows_of(some: Sequence[Article], size: Size, generator: Random) -> Iterator[dict[str, Any]]:
    """Of each user a row with the article that is liked next, and rows with articles that are not liked."""
    categories = sorted({article.category for article in some})
    for following in some * size.users:
        tastes = [following.category]
        if generator.random() >= ONE_TASTE:
            tastes.append(generator.choice([each for each in categories if each not in tastes]))
        liked = _history([each for each in some if each.category in tastes and each != following], tastes, generator)
        wrong = generator.sample([each for each in some if each.category not in tastes], size.wrong)
        said = {"liked": [each.text for each in liked], "tastes": tastes}
        yield {**said, "article": following.text, "category": following.category, "label": 1}
        for each in wrong:
            yield {**said, "article": each.text, "category": each.category, "label": 0}


def _history(pool: Sequence[Article], tastes: Sequence[str], generator: Random) -> list[Article]:
    """Some articles of those that a user likes, one of each taste at least."""
    first = [generator.choice([each for each in pool if each.category == taste]) for taste in tastes]
    others = [each for each in pool if each not in first]
    history = first + generator.sample(others, generator.randint(FEWEST, MOST) - len(first))
    generator.shuffle(history)
    return history


def main() -> None:
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--output", type=Path, default=Path("runs/recommendation_rows"))
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    found = articles(arguments.data)
    for part, size in SIZES.items():
        rows = list(rows_of(found[part], size, Random(f"{SEED}:{part}")))
        pq.write_table(pa.Table.from_pylist(rows), arguments.output / f"{part}.parquet")
        users = len(found[part]) * size.users
        print(f"{part}: {len(found[part])} articles, {users} users, {size.wrong} wrong articles each, {len(rows)} rows")


if __name__ == "__main__":
    main()
