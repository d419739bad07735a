"""`mm-memgpt finetune`: a table and a backbone to a model of a task, by the one loop.

Notable: rows that cannot be used are named and passed over; validation is by the task's own figure, so the model that
is kept is the one that was most often right.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mm_memgpt.backbones.base import Inputs
from mm_memgpt.backbones.build import build as build_backbone
from mm_memgpt.backbones.low_rank import adapt, merge
from mm_memgpt.datasets.table import Table, check_ids, column, read_table
from mm_memgpt.tasks.base import Example, Prediction, Task
from mm_memgpt.tasks.model import TaskModel, create
from mm_memgpt.tasks.writing_model import WritingModel
from mm_memgpt.training.cut import say_cut, say_cut_written
from mm_memgpt.training.finetune_recipe import FinetuneRecipe
from mm_memgpt.training.rows import RowExamples, split
from mm_memgpt.training.run import run
from mm_memgpt.training.skipped import Skipped
from mm_memgpt.training.task import Task as TrainingTask
from mm_memgpt.training.teacher import taught_by
from mm_memgpt.training.transfer import with_transfer
from mm_memgpt.training.writers import writing_model
from mm_memgpt.types import InputError

SPARED = 0.1
"""Share of the training rows that validates where no others are given."""


def finetune(recipe: FinetuneRecipe, resume: bool = False, adapter: nn.Module | None = None) -> dict[str, float]:
    """Runs a recipe to its end and keeps the best model in its output folder; returns the last validation figures.

    Args:
        recipe: what is learned from what.
        resume: whether to go on from the last checkpoint.
        adapter: a module of your own in place of the recipe's, as `mm_memgpt.tasks.adapters` says.

    Raises:
        InputError: data, columns, a backbone or an output folder that cannot be used.
        ImportError: a package that only training needs is not installed; the message names the extra.
    """
    try:
        return run(recipe, lambda skipped: _built(recipe, skipped, adapter), resume)
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(str(error)) from None


def _built(
    recipe: FinetuneRecipe, skipped: Skipped, adapter: nn.Module | None
) -> tuple[TrainingTask, RowExamples, RowExamples]:
    table = read_table(recipe.train, split=recipe.split, where=recipe.where, encoding=recipe.encoding)
    task = recipe.kind.learn(recipe.columns, table, recipe.task_options)
    if recipe.id is not None:
        check_ids(table, recipe.id)
    table = task.view(table)
    train, val = _parts(recipe, task, table)
    val = val[0], _some(val[1], recipe.val_rows, recipe.seed)
    if val[0] is not table:
        _check_labels(task, val[0])
    if task.writes:
        model = writing_model(recipe, task, table, train)
        processor, adapted = model.processor, model.model
        say_cut_written(table, train, task, processor)
    else:
        model = _reading_model(recipe, task, adapter)
        processor, adapted = model.backbone.processor, model.backbone.modules_to_adapt
        say_cut(table, train, task, processor)
    if recipe.tuning == "lora":
        adapt(adapted, recipe.rank)
    batch = recipe.batch
    learned = RowExamples(*task.gather(table, train), task, recipe.epochs, recipe.seed, batch, skipped)
    validated = RowExamples(*task.gather(*val), task, 1, recipe.seed, batch, skipped)
    measured = RowExamples(*val, task, 1, recipe.seed, batch, skipped)

    def keep(output: Path) -> None:
        if recipe.tuning == "lora":
            merge(adapted)
        model.save(output)

    trained, objective, collate = model, task.objective, task.collate(processor)
    if recipe.teacher is not None:
        trained, objective, collate = taught_by(recipe.teacher, model, task, collate, learned)
        if recipe.teacher.transfer is not None:
            learned = with_transfer(recipe.teacher.transfer, objective, learned, val[0], recipe.precision)
    return (
        TrainingTask(
            trained,
            objective,
            None,
            collate,
            keep,
            given=task.given,
            measure=_measure(model, task, measured),
            best=task.best,
        ),
        learned,
        validated,
    )


def _reading_model(recipe: FinetuneRecipe, task: Task, adapter: nn.Module | None) -> TaskModel:
    """The backbone with a fresh adapter."""
    backbone = build_backbone(
        recipe.backbone,
        longest=recipe.longest,
        over=recipe.over,
        stride=recipe.stride,
        pretrained=recipe.pretrained,
        layers=recipe.layers,
    )
    given = {"text" if role == "text_pair" else role for role in task.inputs if role in recipe.columns}
    if odd := sorted(given - {*backbone.reads}):
        reads = " and ".join(backbone.reads)
        raise InputError(f"{recipe.backbone}: reads {reads}, no {odd[0]}; leave {odd[0]!r} out, or take nano")
    torch.manual_seed(recipe.seed)
    model = create(backbone, task, recipe.adapter if adapter is None else adapter)
    if recipe.tuning == "frozen":
        backbone.requires_grad_(False)
    return model


def _parts(recipe: FinetuneRecipe, task: Task, table: Table) -> tuple[Sequence[int], tuple[Table, Sequence[int]]]:
    """The rows of training, and table and rows of validation."""
    if recipe.val is None and recipe.val_split is None:
        groups = _groups(recipe, task, table)
        if (len(table) if groups is None else len({*groups})) < 2:
            what = "one row" if groups is None else "one group"
            raise InputError(f"{table.name}: {what}; give more, or rows of their own for validation: val")
        train, val = split(len(table), SPARED, recipe.seed, groups)
        return train, (table, val)
    other = task.view(read_table(recipe.val or recipe.train, split=recipe.val_split, encoding=recipe.encoding))
    for role, name in recipe.columns.items():
        column(other, name, role)
    return range(len(table)), (other, range(len(other)))


def _some(rows: Sequence[int], count: int | None, seed: int) -> Sequence[int]:
    """As many of the rows, by chance and in their order; all of them where there are no more, or None are asked for."""
    if count is None or count >= len(rows):
        return rows
    chosen = np.random.default_rng(seed).choice(len(rows), count, replace=False)
    return [rows[place] for place in sorted(chosen.tolist())]


def _check_labels(task: Task, table: Table) -> None:
    """Refuses validation rows with a label that the training rows had not, before the run rather than amid it."""
    for row in range(len(table)):
        place = table.place(row)
        try:
            target = task.target(table[row], place)
        except InputError:  # it is skipped when its turn comes
            continue
        if target is not None and task.is_unseen(Example(Inputs(), target)):
            known = ", ".join(task.labels[:10])
            raise InputError(f"{place}: label {target!r} was not in the training rows; they had {known}")


def _groups(recipe: FinetuneRecipe, task: Task, table: Table) -> list[str] | None:
    """Of each row what it shares with those that stay on its side; a broken row is alone."""
    name = recipe.group or task.columns.get(task.together or "")
    if name is None:
        return None
    column(table, name, "group")
    return [_cell(table, index, name) for index in range(len(table))]


def _cell(table: Table, index: int, name: str) -> str:
    try:
        return str(table[index][name])
    except InputError:
        return table.place(index)


def _measure(model: TaskModel | WritingModel, task: Task, rows: RowExamples) -> Callable[[], dict[str, float]]:
    """What measures the task's figures on validation rows, each of them once."""

    def measure() -> dict[str, float]:
        examples = [example for place in range(len(rows)) if _fits(model, task, example := rows[place])]
        if not examples:
            raise InputError(f"{rows.table.name}: every row is longer than the model holds; give shorter ones")
        training = model.training
        predictions = task.settle(predict_all(model.eval(), task, examples, rows.batch), examples)
        scores = task.score(predictions, examples)
        model.train(training)
        return {name: score.value for name, score in scores.values.items()}

    return measure


def _fits(model: TaskModel | WritingModel, task: Task, example: Example) -> bool:
    try:
        task.check(model, example)
    except InputError:
        return False
    return True


@torch.inference_mode()
def predict_all(
    model: TaskModel | WritingModel, task: Task, examples: Sequence[Example], batch: int = 32
) -> list[Prediction]:
    """What a model says of examples, in their order; those of like length are read together."""
    lengths: list[Any] = [task.length(example) for example in examples]
    order = sorted(range(len(examples)), key=lengths.__getitem__)
    found: dict[int, Prediction] = {}
    for begin in range(0, len(order), batch):
        places = order[begin : begin + batch]
        said = task.predict(model, [examples[place] for place in places])
        found |= dict(zip(places, said, strict=True))
    return [found[place] for place in range(len(examples))]
