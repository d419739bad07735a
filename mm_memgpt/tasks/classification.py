"""Classification: one of several labels for a text, photo or sound, or for several of these together.

b rows   o labels
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from mm_memgpt.datasets.fields import as_label
from mm_memgpt.datasets.table import Row, Table
from mm_memgpt.evaluation.classification import classification_scores, confusion, per_class
from mm_memgpt.objectives.labels import balanced, loss_of
from mm_memgpt.tasks.base import Example, Prediction, Scores, Task, softmax, without_target
from mm_memgpt.tasks.labels import learn_labels
from mm_memgpt.types import InputError


class Classification(Task):
    """Labels by softmax. Options: loss, class_weights (balanced, or a weight a label), smoothing."""

    name = "classification"
    roles: ClassVar = {"label": "what is predicted"}
    needs = ("label",)
    best = "accuracy"
    OPTIONS: ClassVar = {"loss": "cross_entropy", "class_weights": None, "smoothing": 0.0}

    def __init__(
        self, columns: Mapping[str, str], labels: Sequence[str] = (), options: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(columns, labels, options)
        loss_of(self.options["loss"], None, self.options["smoothing"])

    @classmethod
    def learn(cls, columns: Mapping[str, str], table: Table, options: Mapping[str, Any] | None = None) -> Task:
        task = super().learn(columns, table, options)
        counts = learn_labels(table, columns["label"])
        return cls(columns, tuple(counts), {**task.options, "class_weights": _weights(task.options, counts)})

    @property
    def outputs(self) -> int:
        return len(self.labels)

    def target(self, row: Row, place: str) -> str | None:
        name = self.columns["label"]
        return as_label(row[name], place, name) if row.get(name) is not None else None

    def targets(self, examples: Sequence[Example], batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        without_target(examples, "label")
        for example in examples:
            if example.target not in self.labels:
                known = ", ".join(self.labels[:10])
                raise InputError(
                    f"{example.place}: label {example.target!r} was not in the training rows; they had {known}"
                )
        return {"labels": torch.tensor([self.labels.index(example.target) for example in examples])}

    def loss(self, outputs: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        given = self.options["class_weights"]
        weights = None if given is None else outputs.new_tensor([given[label] for label in self.labels]).float()
        return loss_of(self.options["loss"], weights, self.options["smoothing"])(outputs, batch["labels"])

    def decode(self, outputs: Tensor, batch: Mapping[str, Tensor], examples: Sequence[Example]) -> list[Prediction]:
        predictions = []
        for row in softmax(outputs).tolist():
            place = max(range(len(row)), key=row.__getitem__)
            each = {label: round(p, 6) for label, p in zip(self.labels, row, strict=True)}
            predictions.append(
                Prediction(value=self.labels[place], confidence=row[place], details={"probabilities": each})
            )
        return predictions

    def confidence(self, outputs: Tensor, batch: Mapping[str, Tensor], predictions: Sequence[Prediction]) -> Tensor:
        places = torch.tensor([self.labels.index(each.value) for each in predictions], device=outputs.device)
        return outputs.float().log_softmax(-1).gather(1, places.unsqueeze(1)).squeeze(1)

    def score(self, predictions: Sequence[Prediction], examples: Sequence[Example]) -> Scores:
        truth, predicted = [example.target for example in examples], [each.value for each in predictions]
        labels = [*self.labels, *sorted({*truth} - {*self.labels})]
        return Scores(
            classification_scores(truth, predicted, labels),
            confusion(truth, predicted, labels),
            per_class(truth, predicted, labels),
        )


def _weights(options: Mapping[str, Any], counts: Counter) -> dict[str, float] | None:
    given = options["class_weights"]
    if given is None:
        return None
    if given == "balanced":
        return dict(zip(counts, balanced(list(counts.values())), strict=True))
    if not isinstance(given, Mapping):
        raise ValueError(f"class_weights {given!r} must be balanced, or a weight a label")
    weights = {str(label): float(weight) for label, weight in given.items()}
    if odd := sorted({*weights} ^ {*counts}):
        raise ValueError(
            f"class_weights and the labels differ in {odd[0]!r}; give a weight for each of {', '.join(counts)}"
        )
    return weights
