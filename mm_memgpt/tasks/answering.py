"""Answering in words: the answer to a question, written from passages.

Notable: of long passages only the sentences that fit the question best are read, in their own order, so passages may be
of any length; a model with a memory has them written into it, any other reads them ahead of the question. No answer is
a text of its own, which is learned like others.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from mm_memgpt.backbones.base import Inputs
from mm_memgpt.datasets.document import split
from mm_memgpt.datasets.fields import as_text, as_texts
from mm_memgpt.datasets.table import Row, Table, column
from mm_memgpt.evaluation.answers import answer_scores
from mm_memgpt.tasks.base import Example, Prediction, Scores, without_target
from mm_memgpt.tasks.lexical import BM25
from mm_memgpt.tasks.prompt import Prompt
from mm_memgpt.tasks.writing import WritingTask

NO_ANSWER = "no answer"
"""What is written where the passages do not say."""


class Answering(WritingTask):
    """The answer to a question. Options as `WritingTask`, and sentences: how many of the passages' are read.

    `text` is the question, `text_pair` the passages (a text, or a list of them), `label` the answers, any of which is
    right; none where the passages do not say.
    """

    name = "answering"
    inputs: ClassVar = ("text", "text_pair")
    best = "f1"
    OPTIONS: ClassVar = {**WritingTask.OPTIONS, "begin": "Answer:", "sentences": 8, "decoding": {"longest": 32}}

    def __init__(
        self, columns: Mapping[str, str], labels: Sequence[str] = (), options: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(columns, labels, options)
        if not isinstance(self.options["sentences"], int) or self.options["sentences"] < 1:
            raise ValueError(f"sentences {self.options['sentences']!r} must be at least 1; try sentences=8")

    @classmethod
    def learn(cls, columns: Mapping[str, str], table: Table, options: Mapping[str, Any] | None = None) -> "Answering":
        for role, name in columns.items():
            column(table, name, role)
        return cls(columns, (), options)

    def read(self, row: Row, place: str, table: Table) -> Inputs:
        asked, name = self.columns["text"], self.columns.get("text_pair")
        passages = None if name is None else "\n\n".join(as_texts(row[name], place, name))
        return Inputs(text=as_text(row[asked], place, asked), text_pair=passages)

    def target(self, row: Row, place: str) -> tuple[str, ...] | None:
        name = self.columns.get("label")
        if name is None or name not in row:
            return None
        given = row[name]
        if isinstance(given, (list, tuple)):
            given = [each for each in given if each != ""]
        return as_texts(given, place, name)

    def prompt(self, inputs: Inputs, memory: Sequence[str] = ()) -> Prompt:
        """The question behind what it is answered from, or with that in the memory."""
        kept = nearest(inputs.text, [*memory, *split(inputs.text_pair or "")], self.options["sentences"])
        question = f"Question: {inputs.text}\n"
        if self.options["remember"]:
            return Prompt(question, self.options["begin"], tuple(kept))
        return Prompt(" ".join([*kept, question]), self.options["begin"])

    def learned(self, target: Any) -> str:
        """Of several right answers the first."""
        return target[0] if target else NO_ANSWER

    def predict(self, model: Any, examples: Sequence[Example]) -> list[Prediction]:
        said = super().predict(model, examples)
        return [Prediction(value="" if each.value == NO_ANSWER else each.value, details=each.details) for each in said]

    def score(self, predictions: Sequence[Prediction], examples: Sequence[Example]) -> Scores:
        """Exact match and F1, as of answers that are pieces of a passage."""
        without_target(examples, "label")
        return Scores(answer_scores([each.value for each in predictions], [each.target for each in examples]))


def nearest(question: str, sentences: Sequence[str], count: int) -> list[str]:
    """The sentences that fit a question best by their words, in the order in which they stand."""
    if len(sentences) <= count:
        return list(sentences)
    order = np.argsort(-BM25(sentences)(question), kind="stable")
    return [sentences[place] for place in sorted(order[:count].tolist())]
