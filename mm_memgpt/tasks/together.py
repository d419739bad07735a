"""A batch of questions that look for what is right among all that the batch holds.

Notable: what several rows find stands in it once, so a row never counts its own right answer as wrong.

b rows   c different things to be found
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from mm_memgpt.backbones.base import Inputs, Processor
from mm_memgpt.tasks.base import Example
from mm_memgpt.tasks.sides import prefixed

if TYPE_CHECKING:
    from mm_memgpt.tasks.retrieval import Retrieval


class Trained(NamedTuple):
    """What training knows of a row beside its pair."""

    asked: str
    found: str
    """What is asked and what is to be found, by what tells them apart."""
    rights: frozenset[str]
    """All that is right for its question."""
    wrongs: tuple[tuple[str, Inputs], ...]
    """Hard negatives: what tells them apart, and as the backbone reads them."""


class Together:
    """Examples to a batch: both sides as the processor makes them, what is right, and what counts as wrong."""

    def __init__(self, task: "Retrieval", processor: Processor) -> None:
        self.task, self.processor = task, processor

    def __call__(self, examples: Sequence[Example]) -> dict[str, Any]:
        found = {example.further.found: self.task.found(example.inputs) for example in examples}
        for example in examples:
            found |= dict(example.further.wrongs)
        places = {name: place for place, name in enumerate(found)}
        right = [places[example.further.found] for example in examples]
        counts = torch.ones(len(examples), len(found), dtype=torch.bool)
        for row, example in enumerate(examples):
            over = example.further.rights | self.task.passed_over(example.further.asked)
            counts[row, [places[name] for name in over if name in places]] = False
        asked = [self.task.asked(example.inputs) for example in examples]
        return {
            **prefixed(self.task.side(self.processor, asked, "asked"), "asked"),
            **prefixed(self.task.side(self.processor, list(found.values()), "found"), "found"),
            "labels": torch.tensor(right),
            "counts": counts,
        }
