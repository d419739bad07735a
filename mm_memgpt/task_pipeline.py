"""The facade of tasks: from a table of your own to a model that predicts, is measured and explains itself.

    reader = mm_memgpt.finetune(task="classification", backbone="nano", train="reviews.csv", text="review",
                                label="stars", output="runs/reviews")
    reader.predict("I would buy it again.").value

Notable: one bad input costs itself alone: `predict_each`, `predict_table` and `measure` say what is wrong with it and
go on; `predict` raises it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice, tee
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn

from mm_memgpt.backbones.base import Inputs
from mm_memgpt.backbones.tokens import left_out
from mm_memgpt.config import build
from mm_memgpt.datasets.fields import as_image, as_sound, as_text
from mm_memgpt.datasets.table import Table, column, read_table
from mm_memgpt.datasets.table_given import GivenTable, WithoutColumns
from mm_memgpt.models.device import choose_device
from mm_memgpt.tasks.base import Example, Prediction, Scores, Task, without_target
from mm_memgpt.tasks.model import TaskModel
from mm_memgpt.tasks.recommendation import Recommendation
from mm_memgpt.tasks.retrieval import Ranked, Retrieval
from mm_memgpt.tasks.saved import read_saved
from mm_memgpt.tasks.writing_model import WritingModel
from mm_memgpt.training.finetune import finetune as run_finetune
from mm_memgpt.training.finetune import predict_all
from mm_memgpt.training.finetune_recipe import FinetuneRecipe
from mm_memgpt.types import InputError

if TYPE_CHECKING:
    from mm_memgpt.explain.text import Attribution

Given = str | Mapping[str, Any]
"""An input: a text (or the path of a photo or sound, for a task that reads these alone), or a value a role: {"text":
..., "text_pair": ...}, {"image": a path or a PIL image}."""


class Measured(NamedTuple):
    """What a table of known answers says of a model."""

    scores: Scores
    examples: list[Example]
    predictions: list[Prediction]
    """One an example."""
    skipped: list[InputError]
    """What was wrong with rows that could not be used."""
    unseen: Counter
    """Labels that the training rows had not, which no prediction can get right, and how many rows have each."""


def load_task(folder: str | PathLike, device: str | None = None, adapter: nn.Module | None = None) -> "TaskPipeline":
    """The model that `finetune` wrote into a folder.

    Args:
        folder: where it lies.
        device: "cpu", "cuda", "cuda:1", ...; None takes a GPU where there is one.
        adapter: the module of your own that it was trained with.

    Raises:
        InputError: no such folder or device, or a folder that is not whole.
    """
    chosen = choose_device(device)
    return TaskPipeline(read_saved(folder, adapter).to(chosen))


def finetune(*, resume: bool = False, adapter: Any = None, **keys: Any) -> "TaskPipeline":
    """Learns a task from a table, and returns the best model, which lies in the folder `output`.

    Args:
        resume: whether to go on from the last checkpoint.
        adapter: a module of your own, or a recipe's {"kind": "mlp"}.
        keys: what a recipe holds: task, backbone, train, text, label, output, and any other field of FinetuneRecipe.

    Raises:
        InputError: unknown keys or values, or data, a backbone or an output folder that cannot be used.
        ImportError: a package that only training needs is not installed; the message names the extra.
    """
    own = adapter if isinstance(adapter, nn.Module) else None
    if adapter is not None and own is None:
        keys["adapter"] = adapter
    keys = {key: fspath(value) if isinstance(value, PathLike) else value for key, value in keys.items()}
    try:
        recipe = build(FinetuneRecipe, keys)
    except ValueError as error:
        raise InputError(str(error)) from None
    run_finetune(recipe, resume, own)
    return load_task(recipe.output, adapter=own)


class TaskPipeline:
    """A task's model, ready to use."""

    def __init__(self, model: TaskModel | WritingModel) -> None:
        self.model = model

    @property
    def task(self) -> Task:
        """The task, with the columns and labels that it was trained with."""
        return self.model.task

    @property
    def reads(self) -> tuple[str, ...]:
        """Roles of what the model reads: text, text_pair, image, sound."""
        return tuple(role for role in self.task.inputs if role in self.task.columns)

    def save(self, folder: str | PathLike) -> None:
        """Writes the model into a folder, from which `load_task` reads it."""
        self.model.save(folder)

    def predict(self, inputs: Given | Sequence[Given], batch: int = 32) -> Prediction | list[Prediction]:
        """What the model says of an input; for a list of them, a list.

        Args:
            inputs: what is read.
            batch: inputs read at a time.

        Raises:
            InputError: the first input that cannot be used; `predict_each` goes on after it.
        """
        several = isinstance(inputs, (list, tuple))
        predictions = []
        for _, result in self.predict_each(inputs if several else [inputs], batch):
            if isinstance(result, InputError):
                raise result
            predictions.append(result)
        return predictions if several else predictions[0]

    def predict_each(self, inputs: Iterable[Given], batch: int = 32) -> Iterator[tuple[Given, Prediction | InputError]]:
        """Each input with what the model says of it, or with why it says nothing, in the order given.

        Raises:
            InputError: `batch` below 1.
        """
        shown, given = tee(inputs)
        placed = ((f"input {number}", each) for number, each in enumerate(given, start=1))
        results = self.predict_placed(placed, batch)
        return ((one, result) for one, (_, result) in zip(shown, results, strict=True))

    def predict_placed(
        self, placed: Iterable[tuple[str, Given]], batch: int = 32
    ) -> Iterator[tuple[str, Prediction | InputError]]:
        """As `predict_each`, of inputs with a place each, which is what an error calls it."""
        return self._each(((place, partial(self.example, each, place)) for place, each in placed), batch)

    def predict_table(self, table: Table, batch: int = 32) -> Iterator[tuple[str, Prediction | InputError]]:
        """Each row's place with what the model says of it, or with why it says nothing, in their order.

        Raises:
            InputError: a column that is read is not there, or `batch` is below 1.
        """
        table = self.task.view(table)
        for role in self.reads:
            column(table, self.task.columns[role], role)
        asked = WithoutColumns(table, {name for role, name in self.task.columns.items() if role in self.task.roles})
        rows = range(len(table))
        return self._each(((table.place(row), partial(self.task.example, asked, row)) for row in rows), batch)

    def evaluate(self, source: str | PathLike | Table, batch: int = 32) -> Scores:
        """How right the model is on a table with known answers; rows that cannot be used are left out.

        Raises:
            InputError: a table or column that is not there, or no row that can be used.
        """
        return self.measure(source, batch).scores

    def measure(self, source: str | PathLike | Table, batch: int = 32) -> Measured:
        """As `evaluate`, with all that it rests on."""
        table = self.task.view(source if isinstance(source, Table) else read_table(source))
        needed = (*self.reads, *self.task.needs)
        for role in dict.fromkeys(needed):
            column(table, self.task.columns[role], role)
        said = next((role for role in self.task.needs if role in self.task.roles), "label")
        examples, skipped = [], []
        for row in range(len(table)):
            try:
                example = self.task.example(table, row)
                without_target([example], said)
            except InputError as error:
                skipped.append(error)
                continue
            try:
                self.task.check(self.model, example)
                examples.append(example)
            except InputError as error:
                skipped.append(InputError(f"{table.place(row)}: {error}"))
        if not examples:
            raise InputError(f"{table.name}: no row can be used; the first: {skipped[0]}")
        predictions = predict_all(self.model, self.task, examples, batch)
        predictions = [self._noted(*pair) for pair in zip(predictions, examples, strict=True)]
        unseen = Counter(example.target for example in examples if self.task.is_unseen(example))
        return Measured(self.task.score(predictions, examples), examples, predictions, skipped, unseen)

    @torch.inference_mode()
    def rank(self, asked: Any, candidates: Sequence[Any], top: int | None = 10) -> list[Ranked]:
        """The candidates that fit best what is asked, the best first: of a model of retrieval or recommendation.

        Args:
            asked: a text, or a photo or sound or the path of one, as the model is asked; for recommendation a list
                of the texts that were liked, oldest first, none of which is recommended again.
            candidates: what may be found, likewise.
            top: how many; all where None.

        Returns:
            Each with its place among the candidates, from 0, and its cosine.

        Raises:
            InputError: a model of another task, or an input that cannot be used.
        """
        task = self.task
        if isinstance(task, Recommendation):
            return task.recommend(self.model, [asked] if isinstance(asked, str) else asked, candidates, top)
        if not isinstance(task, Retrieval):
            raise InputError(f"a model of {task.name} ranks nothing; take one of retrieval or recommendation")
        wanted = side_of(asked, task.asked_by[0], "what is asked")
        found = [side_of(each, task.found_by[0], f"candidate {place}") for place, each in enumerate(candidates)]
        return task.rank(self.model, wanted, found, top)

    def explain(self, given: Given | Example, method: str = "integrated_gradients") -> "Attribution":
        """What in an input speaks for what the model says of it, and what against.

        Args:
            given: as `predict` takes it, or a row of a table as `task.example` gives it.
            method: integrated_gradients or occlusion.

        Raises:
            InputError: an input that cannot be used, or an unknown method.
            ImportError: the package that integrated gradients needs is not installed; the message names the extra.
        """
        if not self.task.explained:
            raise InputError(f"what a model of {self.task.name} says is not explained word by word")
        from mm_memgpt.explain.text import explain

        example = given if isinstance(given, Example) else self.example(given)
        return explain(self.model, example, method)

    def example(self, given: Given, place: str = "input") -> Example:
        """An input as the task takes it.

        Raises:
            InputError: it cannot be used; the message begins with its place.
        """
        if isinstance(given, InputError):
            raise given
        row = given if isinstance(given, Mapping) else {self.reads[0]: given}
        if odd := [str(role) for role in row if role not in self.reads]:
            raise InputError(f"{place}: {odd[0]!r} is not read; this model reads {' and '.join(self.reads)}")
        if lacking := [role for role in self.reads if row.get(role) is None]:
            as_mapping = ", ".join(f'"{role}": ...' for role in self.reads)
            raise InputError(f"{place}: {lacking[0]} is not given; give {{{as_mapping}}}")
        columns = self.task.columns
        table = GivenTable([{columns[role]: value for role, value in row.items()}], list(columns.values()), [place])
        return self.task.example(table, 0)

    def _each(
        self, placed: Iterable[tuple[str, Callable[[], Example]]], batch: int
    ) -> Iterator[tuple[str, Prediction | InputError]]:
        if batch < 1:
            raise InputError(f"batch {batch} must be at least 1; try batch=32")
        return self._in_batches(iter(placed), batch)

    def _in_batches(
        self, placed: Iterator[tuple[str, Callable[[], Example]]], batch: int
    ) -> Iterator[tuple[str, Prediction | InputError]]:
        while group := list(islice(placed, batch)):
            made = [_made(make) for _, make in group]
            said = iter(self._predict([one for one in made if isinstance(one, Example)]))
            for (place, _), one in zip(group, made, strict=True):
                result = next(said) if isinstance(one, Example) else one
                own = isinstance(one, Example) and isinstance(result, InputError)  # the model's, which knows no place
                yield place, InputError(f"{place}: {result}") if own else result

    @torch.inference_mode()
    def _predict(self, examples: list[Example]) -> list[Prediction | InputError]:
        """What is said of examples; where one of them cannot be read, each is read by itself."""
        if not examples:
            return []
        try:
            said = self.task.predict(self.model, examples)
        except InputError as error:
            return [error] if len(examples) == 1 else [self._predict([each])[0] for each in examples]
        return [self._noted(*pair) for pair in zip(said, examples, strict=True)]

    def _noted(self, prediction: Prediction, example: Example) -> Prediction:
        """The prediction, with how many tokens were left out to come to it, where any were."""
        tokens = sum(left_out(self.model.backbone.processor, each) for each in self.task.apart(example.inputs))
        return replace(prediction, details={**prediction.details, "left_out": tokens}) if tokens else prediction


def side_of(given: Any, role: str, place: str) -> Inputs:
    """One side of a retrieval: a text, or a photo or sound as itself or as a path.

    Raises:
        InputError: it cannot be used.
    """
    if role == "image":
        return Inputs(image=as_image(given, place, role, Path()))
    if role == "sound":
        return Inputs(sound=as_sound(given, place, role, Path()))
    return Inputs(**{role: as_text(given, place, role)})


def _made(make: Callable[[], Example]) -> Example | InputError:
    try:
        return make()
    except InputError as error:
        return error
