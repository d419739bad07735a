"""What a run trains, feeds and keeps, whatever it learns."""

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.models.processor import MMMemGPTProcessor
from mm_memgpt.training.mixture import Examples
from mm_memgpt.training.recipe import Augment
from mm_memgpt.training.stream import Skip, Transform
from mm_memgpt.training.trainer import Objective
from mm_memgpt.types import Sample


class Task(NamedTuple):
    """What an objective trains, feeds and keeps."""

    model: nn.Module
    objective: Objective
    transform: Callable[[Augment | None], Transform] | None
    """Sample to model inputs: with an augmentation for training, None for validation. Of no use beside `examples`."""
    collate: Callable[[list[dict[str, Any]]], dict[str, Any]]
    keep: Callable[[Path], None]
    """Writes the result of the run into its folder."""
    given: str = "pixel_values"
    """A key that every batch has."""
    readers: Sequence[Sequence[Sample]] | None = None
    """The readers of the training sources, where the task has opened them itself."""
    examples: Callable[[Skip], tuple[Examples, Examples]] | None = None
    """The examples of training and validation, of a task that makes them itself; it is told of broken samples."""
    measure: Callable[[], dict[str, float]] | None = None
    """Further figures on validation, taken at each checkpoint."""
    best: str = "loss"
    """What chooses the checkpoint: the loss, which is to be low, or a figure of `measure`, which is to be high."""


def keeper(model: MMMemGPTForConditionalGeneration, processor: MMMemGPTProcessor) -> Callable[[Path], None]:
    """Writes model and processor into a folder, in fp16."""

    def keep(output: Path) -> None:
        copy.deepcopy(model).half().save_pretrained(output)
        processor.save_pretrained(output)

    return keep
