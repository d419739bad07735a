"""What a reader of answers is worth beside answering without reading: token F1 on questions with and without answers.

    python -m benchmarks.answers_span runs/subjqa --train train.parquet --test test.parquet

Notable: the constant answer is the best one for the training questions, no answer among them; the most similar
sentence is that of the passage whose key is nearest to the question's. All are asked the same questions, so each is
compared with the reader question by question.

q questions
"""

import argparse
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from mm_memgpt.backbones.base import Backbone, Inputs
from mm_memgpt.backbones.build import build
from mm_memgpt.datasets.table import read_table
from mm_memgpt.evaluation.answers import exact_match, token_f1
from mm_memgpt.evaluation.bootstrap import bootstrap
from mm_memgpt.tasks.base import Example, Task
from mm_memgpt.tasks.model import read_task_model
from mm_memgpt.training.finetune import predict_all
from mm_memgpt.types import InputError

CONSTANTS = 50
"""Answers, the most frequent ones of training, among which the best constant one is found."""

READER = "the reader"

_END = re.compile(r"(?<=[.!?])\s*(?=[A-Z\"'(])|\n+")
"""Between two sentences; in reviews the space is often missing."""


def sentences(passage: str) -> list[str]:
    """A passage cut into sentences."""
    return [each.strip() for each in _END.split(passage) if each.strip()] or [passage]


def best_constant(gold: Sequence[Sequence[str]]) -> str:
    """The answer, or "" for none, with the highest token F1 if it is given to every question."""
    frequent = [
        answer for answer, _ in Counter(answer for answers in gold for answer in answers).most_common(CONSTANTS)
    ]
    return max(["", *frequent], key=lambda answer: sum(token_f1(answer, answers) for answers in gold))


@torch.inference_mode()
def keys(backbone: Backbone, texts: Sequence[str], batch: int = 64) -> torch.Tensor:
    """Keys (q, k) of texts, those of like length read together."""
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    found: dict[int, torch.Tensor] = {}
    for begin in range(0, len(order), batch):
        places = order[begin : begin + batch]
        read = backbone(backbone.processor([Inputs(text=texts[place]) for place in places])).key[:, 0]
        found |= dict(zip(places, read, strict=True))
    return torch.stack([found[place] for place in range(len(texts))])


def most_similar(backbone: Backbone, examples: Sequence[Example]) -> list[str]:
    """Of each passage the sentence that is most like the question."""
    cut = [sentences(example.inputs.text_pair) for example in examples]
    texts = list(dict.fromkeys([*(each for some in cut for each in some), *(one.inputs.text for one in examples)]))
    key = dict(zip(texts, keys(backbone, texts), strict=True))
    return [
        max(some, key=lambda each: float(key[each] @ key[example.inputs.text]))
        for some, example in zip(cut, examples, strict=True)
    ]


def report(predicted: Mapping[str, Sequence[str]], gold: Sequence[Sequence[str]]) -> tuple[str, dict]:
    """A table of F1 and exact match, with how far READER is ahead and that lead's 95% interval; and its figures."""
    f1 = {
        name: np.array([token_f1(*pair) for pair in zip(said, gold, strict=True)]) for name, said in predicted.items()
    }
    lines = ["| answers | token F1 | exact match | the reader is ahead by |", "|---|---|---|---|"]
    figures = {}
    for name, said in predicted.items():
        score, lead = _mean(f1[name]), _mean(f1[READER] - f1[name])
        exact = float(np.mean([exact_match(*pair) for pair in zip(said, gold, strict=True)]))
        figures[name] = {"f1": score, "exact_match": exact, "lead": lead}
        ahead = "" if name == READER else f"{lead[0]:+.3f} ({lead[1]:+.3f} to {lead[2]:+.3f})"
        lines.append(f"| {name} | {score[0]:.3f} ({score[1]:.3f} to {score[2]:.3f}) | {exact:.3f} | {ahead} |")
    return "\n".join(lines), figures


def _mean(values: np.ndarray) -> list[float]:
    return list(bootstrap(values[:, None], lambda totals: totals / len(values))[0])


def usable(task: Task, source: str) -> list[Example]:
    """The rows of a file that can be used."""
    table, examples = read_table(source), []
    for index in range(len(table)):
        try:
            examples.append(task.example(table, index))
        except InputError as error:
            print(error)
    return examples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="folder that finetune wrote, of task span")
    parser.add_argument("--train", required=True, help="the constant answer is chosen on these rows")
    parser.add_argument("--test", required=True, help="rows that all are asked")
    parser.add_argument("--keys", default="minilm", help="backbone whose keys tell what is similar")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    given = parser.parse_args()
    model = read_task_model(given.model)
    constant = best_constant([example.target.texts for example in usable(model.task, given.train)])
    examples = usable(model.task, given.test)
    predicted = {
        READER: [each.value for each in predict_all(model, model.task, examples)],
        f"always {constant!r}" if constant else "always no answer": [constant] * len(examples),
        "the most similar sentence": most_similar(build(given.keys).eval(), examples),
    }
    table, figures = report(predicted, [example.target.texts for example in examples])
    print(json.dumps(figures) if given.json else table)


if __name__ == "__main__":
    main()
