"""Do the words that an explanation names matter? What becomes of a classifier's confidence when they are deleted.

python benchmarks/explain_text.py --model runs/sst2 --data ../shared/data/text/sst2/test.parquet

Notable: a word is deleted from the text itself, which no method does, and each row is compared with itself under as
many words at random (mean of DRAWS draws), so the interval is of paired differences.
"""

from argparse import ArgumentParser
from collections.abc import Sequence

import numpy as np
import torch

from mm_memgpt.datasets.table import read_table
from mm_memgpt.evaluation.bootstrap import bootstrap
from mm_memgpt.explain.attribution import Word
from mm_memgpt.explain.text import METHODS, explain
from mm_memgpt.tasks.base import Example
from mm_memgpt.tasks.model import TaskModel, read_task_model

SHARE = 0.2
"""Of the words, at least one is deleted."""
DRAWS = 5


def drops(model: TaskModel, example: Example, method: str, draw: np.random.Generator) -> tuple[float, float]:
    """By how much the probability of what is predicted falls without the words scored highest, and without others."""
    found = explain(model, example, method)
    words = [word for word in found.texts[0].words if word.score is not None]
    count = max(1, round(SHARE * len(words)))
    best = sorted(words, key=lambda word: -word.score)[:count]
    chance = [[words[place] for place in draw.permutation(len(words))[:count]] for _ in range(DRAWS)]
    texts = [without(example.inputs.text, each) for each in (best, *chance)]
    said = model.task.predict(model, [Example(example.inputs._replace(text=text)) for text in texts])
    left = [each.details["probabilities"][found.prediction.value] for each in said]
    before = found.prediction.details["probabilities"][found.prediction.value]
    return before - left[0], before - float(np.mean(left[1:]))


def without(text: str, words: Sequence[Word]) -> str:
    """The text without the characters of some words."""
    gone = {place for word in words for place in range(word.begin, word.end)}
    return "".join(character for place, character in enumerate(text) if place not in gone)


def main() -> None:
    parser = ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model, table = read_task_model(arguments.model), read_table(arguments.data)
    rows = np.random.default_rng(arguments.seed).permutation(len(table))[: arguments.rows]
    examples = [model.task.example(table, int(row)) for row in rows]
    print(f"| method | without the top {SHARE:.0%} | without others | difference |\n| --- | --- | --- | --- |")
    for method in METHODS:
        draw = np.random.default_rng(arguments.seed)
        measured = np.array([drops(model, example, method, draw) for example in examples])
        with_difference = np.column_stack([measured, measured[:, 0] - measured[:, 1]])
        scores = bootstrap(with_difference, lambda sums: sums / len(examples))
        print(f"| {method} | " + " | ".join(f"{s.value:.3f} ({s.low:.3f} to {s.high:.3f})" for s in scores) + " |")


if __name__ == "__main__":
    main()
