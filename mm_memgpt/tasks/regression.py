"""Regression: a number for a text, photo or sound, or for several of these together.

Notable: it is learned as deviations from the training rows' mean in their standard deviations, and said in the
column's own unit.

b rows
"""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar

import torch
from torch import Tensor

from mm_memgpt.datasets.fields import as_number
from mm_memgpt.datasets.table import Row, Table
from mm_memgpt.evaluation.regression import regression_scores
from mm_memgpt.objectives.labels import mean_squared_error
from mm_memgpt.tasks.base import Batch, Example, Prediction, Scores, Task, without_target
from mm_memgpt.types import InputError


class Regression(Task):
    """A number by mean squared error. Options, learned from the training rows: mean and deviation."""

    name = "regression"
    roles: ClassVar = {"label": "what is predicted"}
    needs = ("label",)
    best = "r2"
    labelled = "label"
    outputs = 1
    OPTIONS: ClassVar = {"mean": 0.0, "deviation": 1.0}

    @classmethod
    def learn(cls, columns: Mapping[str, str], table: Table, options: Mapping[str, Any] | None = None) -> Task:
        super().learn(columns, table, options)
        name, numbers = columns["label"], []
        for index in range(len(table)):
            with suppress(InputError):
                numbers.append(as_number(table[index][name], table.place(index), name))
        if len(set(numbers)) < 2:
            raise InputError(f"{table.name}: column {name!r} holds no two different numbers; nothing can be learned")
        mean = math.fsum(numbers) / len(numbers)
        deviation = math.sqrt(math.fsum((number - mean) ** 2 for number in numbers) / len(numbers))
        return cls(columns, (), {**(options or {}), "mean": mean, "deviation": deviation})

    def target(self, row: Row, place: str) -> float | None:
        name = self.columns["label"]
        return as_number(row[name], place, name) if row.get(name) is not None else None

    def targets(self, examples: Sequence[Example], batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        without_target(examples, "label")
        mean, deviation = self.options["mean"], self.options["deviation"]
        return {"labels": torch.tensor([(example.target - mean) / deviation for example in examples])}

    def loss(self, outputs: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        return mean_squared_error(outputs.squeeze(1), batch["labels"])

    def translated(self, answers: Tensor, other: Task) -> Tensor:
        number = answers.float() * other.options["deviation"] + other.options["mean"]
        return (number - self.options["mean"]) / self.options["deviation"]

    def imitation(self, answers: Tensor, taught: Tensor, batch: Batch, read: Batch, temperature: float) -> Tensor:
        """The squared error; a number has no temperature."""
        return mean_squared_error(answers, taught)

    def decode(self, outputs: Tensor, batch: Mapping[str, Tensor], examples: Sequence[Example]) -> list[Prediction]:
        mean, deviation = self.options["mean"], self.options["deviation"]
        return [Prediction(value=mean + deviation * number) for number in outputs.squeeze(1).tolist()]

    def confidence(self, outputs: Tensor, batch: Mapping[str, Tensor], predictions: Sequence[Prediction]) -> Tensor:
        return outputs.float().squeeze(1) * self.options["deviation"]

    def score(self, predictions: Sequence[Prediction], examples: Sequence[Example]) -> Scores:
        truth, predicted = [example.target for example in examples], [each.value for each in predictions]
        return Scores(regression_scores(truth, predicted))
