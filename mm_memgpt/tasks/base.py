"""What a task is: which columns it reads, what it asks of a backbone, what it says of a row, and how right it was.

Notable: a task holds no weights; those are in `TaskModel`. What most tasks share is here, and a task of its own kind
(`retrieval`) replaces what differs.

b rows   t tokens   w width of the adapter   o outputs
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from mm_memgpt.backbones.base import Inputs, Processor
from mm_memgpt.datasets.fields import as_image, as_sound, as_text
from mm_memgpt.datasets.table import Row, Table, column
from mm_memgpt.evaluation.bootstrap import Score
from mm_memgpt.objectives.imitation import soft_loss
from mm_memgpt.types import Features, InputError

Batch = Mapping[str, Tensor]
"""What a processor made of rows, with their targets."""


class Example(NamedTuple):
    """A row as a task takes it."""

    inputs: Inputs
    target: Any = None
    """What is to be predicted; None where the row does not say."""
    place: str = ""
    """The file and line or row it came from."""
    further: Any = None
    """What a task keeps of the row beside it."""


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a task says of one row; str() gives the value."""

    value: Any
    """A label, a number, entities, an answer."""
    confidence: float | None = None
    """How sure it is, 0 to 1, of a task that can say."""
    details: dict[str, Any] = field(default_factory=dict)
    """What else there is to say, as JSON holds it."""

    def __str__(self) -> str:
        return str(self.value)


class Scores(NamedTuple):
    """How right predictions were."""

    values: dict[str, Score]
    """By name, with 95% intervals."""
    matrix: Any = None
    """(k, k) counts, rows what is right, of a task with labels."""
    per_class: Mapping[str, Mapping[str, float]] | None = None
    """Figures of each label."""


class Task:
    """The part that tasks share: one reading of a row, an output layer on the adapter, a loss of its outputs.

    Args:
        columns: role to the column that plays it.
        labels: what can be predicted, of a task with labels.
        options: further settings, of `OPTIONS`.
    """

    name: ClassVar[str]
    roles: ClassVar[dict[str, str]] = {}
    """Roles beside the inputs, by what the recipe calls them, and what each is for."""
    inputs: ClassVar[tuple[str, ...]] = ("text", "text_pair", "image", "sound")
    """Kinds of input that it can read."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Roles that a recipe must name."""
    best: ClassVar[str]
    """The figure that chooses a checkpoint."""
    together: ClassVar[str | None] = None
    """A role whose equal values stay on one side when validation rows are spared, unless the recipe says."""
    OPTIONS: ClassVar[dict[str, Any]] = {}
    """Names of further settings, with their defaults."""
    DEFAULTS: ClassVar[dict[str, Any]] = {}
    """How it reads texts over the limit where a recipe does not say: over and stride."""
    given: ClassVar[str] = "labels"
    """A key that every batch has."""
    writes: ClassVar[bool] = False
    """Whether it writes texts: its model is a `WritingModel`."""
    explained: ClassVar[bool] = True
    """Whether it can be told what in an input speaks for what is predicted."""
    labelled: ClassVar[str | None] = None
    """A role in which what it predicts could stand as what is right, so that a teacher can label rows."""
    of_tokens: ClassVar[bool] = False
    """Whether it says something of each token, not of the whole."""

    def __init__(
        self, columns: Mapping[str, str], labels: Sequence[str] = (), options: Mapping[str, Any] | None = None
    ) -> None:
        self.columns, self.labels = dict(columns), tuple(labels)
        self.options = {**self.OPTIONS, **(options or {})}
        if unknown := sorted(self.options.keys() - self.OPTIONS.keys()):
            known = ", ".join(self.OPTIONS) or "none"
            raise ValueError(f"task {self.name} has no option {unknown[0]!r}; known: {known}")
        for role in self.columns:
            if role not in (*self.inputs, *self.roles, "id"):
                raise ValueError(
                    f"task {self.name} takes no {role!r}; it takes {', '.join((*self.inputs, *self.roles))}"
                )
        for role in self.needs:
            if role not in self.columns:
                raise ValueError(f"task {self.name} needs the key {role!r}: the name of a column")
        if not any(role in self.columns for role in self.inputs):
            raise ValueError(f"task {self.name} reads nothing; name a column: {', '.join(self.inputs)}")

    @classmethod
    def learn(cls, columns: Mapping[str, str], table: Table, options: Mapping[str, Any] | None = None) -> "Task":
        """The task with what it must know of its training rows beforehand: their labels.

        Raises:
            InputError: a column that is not there, or rows that cannot be learned from.
            ValueError: columns or options that the task has no use for.
        """
        for role, name in columns.items():
            column(table, name, role)
        return cls(columns, (), options)

    def view(self, table: Table) -> Table:
        """The table as the task reads it, if that is another than it stands."""
        return table

    @property
    def outputs(self) -> int:
        """o, numbers that the output layer gives."""
        raise NotImplementedError

    def head(self, width: int) -> nn.Module:
        """The output layer on an adapter of `width`."""
        return nn.Linear(width, self.outputs)

    def example(self, table: Table, index: int) -> Example:
        """A row as the task takes it, with its target where the columns for that are there.

        Raises:
            InputError: a cell that cannot be used; the message names its place.
        """
        row, place = table[index], table.place(index)
        return Example(self.read(row, place, table), self.target(row, place), place)

    def read(self, row: Row, place: str, table: Table) -> Inputs:
        """The inputs of a row."""
        found: dict[str, Any] = {}
        for role, name in self.columns.items():
            if role in ("text", "text_pair"):
                found[role] = as_text(row[name], place, name)
            elif role == "image":
                found[role] = as_image(row[name], place, name, table.folder)
            elif role == "sound":
                found[role] = as_sound(row[name], place, name, table.folder)
        return Inputs(**found)

    def target(self, row: Row, place: str) -> Any:
        """What is right for a row; None where it does not say."""
        return None

    def is_unseen(self, example: Example) -> bool:
        """Whether what is right for an example is a label that the training rows had not."""
        return False

    def size(self, table: Table, index: int) -> int:
        """About how long a row is, in characters, to put those of like length together; 0 of one that is broken."""
        try:
            row = table[index]
        except InputError:
            return 0
        return sum(len(str(row[name])) for role, name in self.columns.items() if role in ("text", "text_pair"))

    def length(self, example: Example) -> int:
        """The same of an example."""
        return len(example.inputs.text or "") + len(example.inputs.text_pair or "")

    def collate(self, processor: Processor) -> "Callable[[Sequence[Example]], dict[str, Any]]":
        """What makes a batch of examples; it reaches a loader's worker processes."""
        return Collate(self, processor)

    def targets(self, examples: Sequence[Example], batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The targets of a batch as tensors; `batch` is what the processor made of the inputs."""
        raise NotImplementedError

    def gather(self, table: Table, rows: Sequence[int]) -> tuple[Table, Sequence[int]]:
        """What is learned from, of some rows of a table: another table, if several rows make one example.

        Raises:
            InputError: nothing can be learned from them.
        """
        return table, rows

    def apart(self, inputs: Inputs) -> list[Inputs]:
        """A row's inputs as the backbone reads them, each by itself: all together, but of some tasks."""
        return [inputs]

    def prepare(self, processor: Processor, inputs: Sequence[Inputs]) -> dict[str, Tensor]:
        """A batch of inputs, as `forward` takes it."""
        return processor(inputs)

    def forward(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """The outputs (b, o) of a model, or (b, t, o)."""
        adapted = model.read(batch)
        return model.head(adapted.tokens if self.of_tokens else adapted.pooled)

    def loss(self, outputs: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """The loss of outputs (b, o), or (b, t, o), on their targets."""
        raise NotImplementedError

    def answers(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Any:
        """What a model says of a batch, as `loss` takes it."""
        return model(batch)

    def objective(self, model: nn.Module, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """The loss of a model on a batch, as the training loop takes it."""
        return {"loss": self.loss(self.answers(model, batch), batch)}

    def translated(self, answers: Any, other: "Task") -> Any:
        """What a model of another task of this kind says, as this one's say it.

        Raises:
            InputError: it has other labels.
        """
        if {*self.labels} != {*other.labels}:
            theirs, own = (", ".join(labels[:10]) for labels in (other.labels, self.labels))
            raise InputError(f"teaches the labels {theirs}, and the rows have {own}; train the teacher on those")
        if self.labels == other.labels:
            return answers
        return answers[..., [other.labels.index(label) for label in self.labels]]

    def imitation(self, answers: Any, taught: Any, batch: Batch, read: Batch, temperature: float) -> Tensor:
        """The loss of what a student says, by what its teacher says of the same rows: temperature^2 * KL.

        Args:
            answers: the student's, to which alone gradients flow.
            taught: the teacher's, `translated`.
            batch: what the student read.
            read: what the teacher read, with a tokenizer of its own.
            temperature: softens both.
        """
        return soft_loss(answers, taught, temperature)

    def imitated_keys(self, answers: Any, features: Sequence[Features]) -> list[Tensor]:
        """The keys (b, k) of what a model read, by its answers or its backbone's features."""
        return [pooled_key(each) for each in features]

    def predict(self, model: nn.Module, examples: Sequence[Example]) -> list[Prediction]:
        """What a model says of a few examples, in one batch."""
        batch = model.prepare([example.inputs for example in examples])
        return self.decode(model(batch).float().cpu(), {k: v.cpu() for k, v in batch.items()}, examples)

    def decode(self, outputs: Tensor, batch: Mapping[str, Tensor], examples: Sequence[Example]) -> list[Prediction]:
        """What outputs say of each example."""
        raise NotImplementedError

    def confidence(self, outputs: Tensor, batch: Mapping[str, Tensor], predictions: Sequence[Prediction]) -> Tensor:
        """(b) a number, differentiable in the outputs, that is high where they say what `predictions` say: what is
        explained."""
        raise NotImplementedError

    def check(self, model: nn.Module, example: Example) -> None:
        """Raises InputError where the model cannot take the example, whatever it is read with."""

    def settle(self, predictions: Sequence[Prediction], examples: Sequence[Example]) -> list[Prediction]:
        """Chooses what is chosen on validation rows after learning, such as a threshold; the predictions with that."""
        return list(predictions)

    def score(self, predictions: Sequence[Prediction], examples: Sequence[Example]) -> Scores:
        """How right predictions were of examples that have targets."""
        raise NotImplementedError

    def saved(self) -> dict[str, Any]:
        """All that makes the task again: `TASKS[name](**saved)`."""
        return {"columns": self.columns, "labels": list(self.labels), "options": self.options}


class Collate:
    """Examples to a batch: what the processor makes of their inputs, and their targets."""

    def __init__(self, task: Task, processor: Processor) -> None:
        self.task, self.processor = task, processor

    def __call__(self, examples: Sequence[Example]) -> dict[str, Any]:
        batch = self.processor([example.inputs for example in examples])
        return batch | self.task.targets(examples, batch)


def flat(values: Tensor) -> Tensor:
    """What a processor says of tokens (b, n, t, ...), as the model's outputs have them: (b, n * t, ...)."""
    return values.flatten(1, 2)


def pooled_key(features: Features) -> Tensor:
    """The mean key (b, k) of the real items of each row."""
    real = features.mask.any(-1, keepdim=True)
    return (features.key * real).sum(1) / real.sum(1).clamp_min(1)


def without_target(examples: Sequence[Example], role: str) -> None:
    """Refuses an example without a target.

    Raises:
        InputError: it lacks one.
    """
    for example in examples:
        if example.target is None:
            raise InputError(f"{example.place}: says not what is right; name the column for {role}")


def softmax(outputs: Tensor) -> Tensor:
    """Probabilities (b, o) of outputs (b, o)."""
    return torch.softmax(outputs.float(), dim=-1)
