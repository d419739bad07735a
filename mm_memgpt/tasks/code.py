"""Code from what it is to do: a line from an intent, a body from a signature, a program from a description.

Notable: its figures here are those of likeness, BLEU and exact match, because they run nothing; whether code works is
what `mm-memgpt evaluate code --run-code` says, and no recipe or saved model can ask for that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from torch import nn

from mm_memgpt.datasets.problems import ENDS, cut
from mm_memgpt.evaluation.code import code_scores
from mm_memgpt.tasks.base import Example, Prediction, Scores, without_target
from mm_memgpt.tasks.writing import WritingTask


class Code(WritingTask):
    """Code from a text. Options as `WritingTask`, and ends: where an answer is cut: none, body (of a function) or
    program (before what tries it out)."""

    name = "code"
    roles: ClassVar = {**WritingTask.roles, "label": "the code that is to be written"}
    OPTIONS: ClassVar = {**WritingTask.OPTIONS, "ends": "none"}
    together = "text"

    def __init__(
        self, columns: Mapping[str, str], labels: Sequence[str] = (), options: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(columns, labels, options)
        if self.options["ends"] not in ENDS:
            raise ValueError(f"ends {self.options['ends']!r} is unknown; known: {', '.join(ENDS)}")

    def predict(self, model: nn.Module, examples: Sequence[Example]) -> list[Prediction]:
        found = super().predict(model, examples)
        return [replace(each, value=cut(each.value, self.options["ends"])) for each in found]

    def score(self, predictions: Sequence[Prediction], examples: Sequence[Example]) -> Scores:
        """BLEU and exact match with the code that people wrote."""
        without_target(examples, "label")
        written = [prediction.value for prediction in predictions]
        return Scores(code_scores(written, [example.target for example in examples]))
