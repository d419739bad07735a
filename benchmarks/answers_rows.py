"""Rows for "does this passage answer this question?", from WikiQA, XQuAD (English) and PubMedQA.

Notable: each right pair has a wrong passage from the same source, so a passage's style tells nothing: half of the rows
are right, in each source. `near` wrong passages are of the same page or article, which is harder; learned from are both
kinds. No question, and of XQuAD no article, lies in two parts.

    python benchmarks/answers_rows.py --data ../shared/data --output runs/answers_rows
"""

from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

SEED = 2026
PARAGRAPHS = 5
"""Paragraphs in a row that XQuAD takes of one article."""
XQUAD_PARTS = {"test": 0.3, "val": 0.1}
"""Share of its articles in each part; the others are learned from."""


class Right(NamedTuple):
    """A question and a passage that answers it."""

    question: str
    passage: str
    source: str
    near: tuple[str, ...]
    """Passages of the same page or article that do not answer it."""


def wikiqa(root: Path, part: str) -> Iterator[Right]:
    """Sentences of Wikipedia pages; validation takes every tenth question of the training part."""
    rows = pq.read_table(root / f"text/wikiqa/{'test' if part == 'test' else 'train'}.parquet").to_pylist()
    questions: dict[str, list[dict]] = {}
    for row in rows:
        questions.setdefault(row["question_id"], []).append(row)
    for number, found in enumerate(questions.values()):
        if part != "test" and (number % 10 == 0) != (part == "val"):
            continue
        wrong = tuple(row["sentence"] for row in found if row["label"] == 0)
        for row in found:
            if row["label"] == 1:
                yield Right(row["question"], row["sentence"], "wikiqa", wrong)


def xquad(root: Path, part: str) -> Iterator[Right]:
    """Paragraphs of Wikipedia articles; the parts differ in their articles."""
    rows = [row for row in pq.read_table(root / "text/xquad/all.parquet").to_pylist() if row["domain"] == "en"]
    paragraphs = list(dict.fromkeys(row["context"] for row in rows))
    article = {paragraph: number // PARAGRAPHS for number, paragraph in enumerate(paragraphs)}
    order = Random(SEED).sample(range(max(article.values()) + 1), k=max(article.values()) + 1)
    ends = [round(len(order) * share) for share in (XQUAD_PARTS["test"], sum(XQUAD_PARTS.values()))]
    chosen = {"test": order[: ends[0]], "val": order[ends[0] : ends[1]], "train": order[ends[1] :]}[part]
    for row in rows:
        number = article[row["context"]]
        if number in chosen:
            near = tuple(each for each in paragraphs if article[each] == number and each != row["context"])
            yield Right(row["question"], row["context"], "xquad", near)


def pubmedqa(root: Path, part: str) -> Iterator[Right]:
    """Abstracts of medical papers, without their conclusions; nothing else is near to one."""
    rows = pq.read_table(root / f"text/pubmedqa/{'test' if part == 'test' else 'train'}.parquet").to_pylist()
    for number, row in enumerate(rows):
        if part == "test" or (number % 10 == 0) == (part == "val"):
            yield Right(row["question"], " ".join(row["contexts"]), "pubmedqa", ())


SOURCES = {"wikiqa": wikiqa, "xquad": xquad, "pubmedqa": pubmedqa}


def rows_of(rights: Sequence[Right], near: bool, generator: Random) -> Iterator[dict[str, str]]:
    """Each right pair, and its question with a wrong passage: of the same page or article where `near`, else of any
    other question of the source. A pair that has no such wrong passage is left out."""
    for right in rights:
        others = [each.passage for each in rights if each.question != right.question]
        wrong = [each for each in (right.near if near else others) if each != right.passage]
        if wrong:
            said = {"question": right.question, "source": right.source, "near": "yes" if near else "no"}
            yield {**said, "passage": right.passage, "answers": "yes"}
            yield {**said, "passage": generator.choice(wrong), "answers": "no"}


def main() -> None:
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--output", type=Path, default=Path("runs/answers_rows"))
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    for part in ("train", "val", "test"):
        generator = Random(f"{SEED}:{part}")
        rights = {name: list(read(arguments.data, part)) for name, read in SOURCES.items()}
        kinds = {
            near: [row for each in rights.values() for row in rows_of(each, near, generator)] for near in (False, True)
        }
        files = {f"{part}": kinds[False], f"{part}_near": kinds[True]}
        if part != "test":  # learned from, and chosen by, together
            files = {part: kinds[False] + kinds[True]}
        for name, rows in files.items():
            pq.write_table(pa.Table.from_pylist(rows), arguments.output / f"{name}.parquet")
            counts = {source: sum(row["source"] == source for row in rows) for source in SOURCES}
            print(f"{name}: {len(rows)} rows, {counts}")


if __name__ == "__main__":
    main()
