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
    """Labels by softmax. Options: loss, class_weights (balanced, or a weight a label), smoothing, label_names.

    A row may hold a label as it was in training or by its name; predictions and figures have the names.
    """

    name = "classification"
    roles: ClassVar = {"label": "what is predicted"}
    needs = ("label",)
    best = "accuracy"
    labelled = "label"
    OPTIONS: ClassVar = {"loss": "cross_entropy", "class_weights": None, "smoothing": 0.0, "label_names": {}}

    def __init__(
        self, columns: Mapping[str, str], labels: Sequence[str] = (), options: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(columns, labels, options)
        loss_of(self.options["loss"], None, self.options["smoothing"])

    @classmethod
    def learn(cls, columns: Mapping[str, str], table: Table, options: Mapping[str, Any] | None = None) -> Task:
        task = super().learn(columns, table, options)
        counts = learn_labels(table, columns["label"])
        names = _names(task.options["label_names"], counts, table.name)
        named: Counter = Counter()
        for label, count in counts.items():
            named[names.get(label, label)] += count
        weights = _weights(task.options, named)
        return cls(columns, tuple(named), {**task.options, "class_weights": weights, "label_names": names})

    @property
    def outputs(self) -> int:
        return len(self.labels)

    def target(self, row: Row, place: str) -> str | None:
        name = self.columns["label"]
        if row.get(name) is None:
            return None
        label = as_label(row[name], place, name)
        return self.options["label_names"].get(label, label)

    def is_unseen(self, example: Example) -> bool:
        return example.target not in self.labels

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


def _names(given: Mapping[Any, Any], counts: Counter, table: str) -> dict[str, str]:
    """Label to its name, of labels that the rows hold, or whose names they hold."""
    names = {
        as_label(key, "label_names", "a key"): as_label(name, "label_names", str(key)) for key, name in given.items()
    }
    if odd := [key for key, name in names.items() if key not in counts and name not in counts]:
        raise InputError(f"{table}: no row has the label {odd[0]!r} of label_names; they have {', '.join(counts)}")
    if len({*names.values()}) < len(names):
        raise InputError(f"label_names: two labels of one name, {Counter(names.values()).most_common(1)[0][0]!r}")
    return names


def _weights(options: Mapping[str, Any], counts: Counter) -> dict[str, float] | None:
    given = options["class_weights"]
    if given is None:
        return None
    if given == "balanced":
        return dict(zip(counts, balanced(list(counts.values())), strict=True))
    if not isinstance(given, Mapping):
        raise ValueError(f"class_weights {given!r} must be balanced, or a weight a label")
    names = {str(label): name for label, name in options["label_names"].items()}
    weights = {names.get(str(label), str(label)): float(weight) for label, weight in given.items()}
    if odd := sorted({*weights} ^ {*counts}):
        raise ValueError(
            f"class_weights and the labels differ in {odd[0]!r}; give a weight for each of {', '.join(counts)}"
        )
    return weights
