"""WikiQA: which sentence answers the question? Words in common, an untrained encoder and trained models, side by side.

    python benchmarks/wikiqa.py --data ../shared/data --model runs/wikiqa --model runs/wikiqa_pair

Notable: measured over the test questions that have a right sentence, as WikiQA's measure does; a model's gain over the
untrained encoder is that of the same questions, so its interval is a paired one.

q questions
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mm_memgpt.backbones.build import build
from mm_memgpt.datasets.table import Table, read_table
from mm_memgpt.evaluation.bootstrap import bootstrap
from mm_memgpt.evaluation.ranking import rank_of_first, ranking_scores
from mm_memgpt.tasks.lexical import BM25
from mm_memgpt.tasks.model import TaskModel, create, read_task_model
from mm_memgpt.tasks.pair import probability_of_right
from mm_memgpt.tasks.retrieval import Retrieval
from mm_memgpt.training.finetune import predict_all

COLUMNS = {"text": "question", "text_pair": "sentence", "label": "label"}


def questions(table: Table) -> list[list[int]]:
    """Rows of each question that has a right sentence."""
    rows: dict[str, list[int]] = {}
    for number, row in enumerate(table):
        rows.setdefault(row["question"], []).append(number)
    return [each for each in rows.values() if any(table[number]["label"] for number in each)]


def by_words(table: Table, asked: Sequence[Sequence[int]]) -> list[np.ndarray]:
    """BM25 of each question's sentences; how rare a word is, is told by all of the sentences."""
    search = BM25([row["sentence"] for row in table])
    return [search(table[rows[0]]["question"])[list(rows)] for rows in asked]


def by_model(model: TaskModel, table: Table, asked: Sequence[Sequence[int]]) -> list[np.ndarray]:
    """A model's scores of each question's sentences."""
    rows = [row for each in asked for row in each]
    said = predict_all(model, model.task, [model.task.example(table, row) for row in rows])
    right = None if isinstance(model.task, Retrieval) else model.task.right
    scores = {
        row: each.value if right is None else probability_of_right(each, right)
        for row, each in zip(rows, said, strict=True)
    }
    return [np.array([scores[row] for row in each]) for each in asked]


def ranks(table: Table, asked: Sequence[Sequence[int]], scores: Sequence[np.ndarray]) -> np.ndarray:
    """(q) the rank of each question's first right sentence."""
    right = [np.array([bool(table[row]["label"]) for row in rows]) for rows in asked]
    return np.array([rank_of_first(*each) for each in zip(scores, right, strict=True)])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--part", default="test", help="test, or train to try things out")
    parser.add_argument("--model", type=Path, action="append", default=[], help="a folder that finetune wrote")
    parser.add_argument("--output", type=Path, help="where the figures go as JSON")
    options = parser.parse_args(arguments)
    table = read_table(str(options.data / "text" / "wikiqa" / f"{options.part}.parquet"))
    asked = questions(table)
    found = {"BM25": ranks(table, asked, by_words(table, asked))}
    untrained = create(build("minilm", longest=64), Retrieval(COLUMNS)).eval()
    for name, model in {"MiniLM, untrained": untrained, **{str(path): path for path in options.model}}.items():
        started = time.monotonic()
        model = read_task_model(model) if isinstance(model, Path) else model
        found[name] = ranks(table, asked, by_model(model, table, asked))
        print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    figures = {}
    for name, each in found.items():
        scores = ranking_scores(each.tolist())
        gain = bootstrap((1 / each - 1 / found["MiniLM, untrained"])[:, None], lambda totals: totals / len(asked))[0]
        figures[name] = {"mrr": scores["mrr"], "hits@1": scores["hits@1"], "hits@3": scores["hits@3"], "gain": gain}
        mrr, first, third = scores["mrr"], scores["hits@1"], scores["hits@3"]
        print(
            f"{name:24} mrr {mrr.value:.3f} ({mrr.low:.3f} to {mrr.high:.3f})  hits@1 {first.value:.3f}  hits@3 "
            f"{third.value:.3f}  gain {gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"
        )
    if options.output is not None:
        options.output.write_text(json.dumps({"questions": len(asked), **figures}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
