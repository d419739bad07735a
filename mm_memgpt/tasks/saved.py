"""Folders that finetune wrote, whatever task they hold."""

from os import PathLike
from pathlib import Path

from torch import nn

from mm_memgpt.tasks.folder import read_said
from mm_memgpt.tasks.known import TASKS
from mm_memgpt.tasks.model import TaskModel, read_task_model
from mm_memgpt.tasks.writing_model import WritingModel, read_written


def read_saved(folder: str | PathLike, adapter: nn.Module | None = None) -> TaskModel | WritingModel:
    """The model of a folder, in evaluation mode on the CPU; one that writes has no adapter.

    Raises:
        InputError: no such folder, or one that is not whole.
    """
    kind = TASKS.get(read_said(Path(folder)).get("task"))
    if kind is not None and kind.writes:
        return read_written(Path(folder))
    return read_task_model(folder, adapter)
