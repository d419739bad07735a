"""What is explained: a model's confidence in what it says of one row, as a number of what it reads.

Notable: words are left out in place, by a token that says nothing, so that every other token, tag and answer stays
where it was.

b rows   n items   t tokens, or samples   w words of all texts   s segments of the sound
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from mm_memgpt.explain.evidence import blurred
from mm_memgpt.explain.text_words import token_words, word_spans
from mm_memgpt.tasks.base import Example, Prediction
from mm_memgpt.tasks.model import TaskModel

BATCH = 32
"""Items that are read at a time."""
SEGMENT = 0.25
"""Seconds of a segment of a sound, and more where it would be more than MOST_SEGMENTS."""
MOST_SEGMENTS = 32


class Question(NamedTuple):
    """Why does the model predict this of that row?"""

    model: TaskModel
    batch: Mapping[str, Tensor]
    """The row, as the processor made it: every tensor has one row."""
    prediction: Prediction
    spans: tuple[list[tuple[int, int]], list[tuple[int, int]]]
    """Begin and end of each word of text and of text_pair."""
    owner: Tensor | None
    """(n, t) the word of each token, -1 of a special one, of a row with texts."""
    edges: tuple[float, ...]
    """(s + 1) seconds at which the segments of the sound begin and the last one ends."""

    def value(self, **changed: Tensor) -> Tensor:
        """The confidence (b) of rows in which some tensors (b, ...) are others."""
        rows = max((len(tensor) for tensor in changed.values()), default=1)
        batch = {name: tensor.expand(rows, *tensor.shape[1:]) for name, tensor in self.batch.items()} | changed
        return self.model.task.confidence(self.model(batch), batch, [self.prediction] * rows).float()

    @torch.inference_mode()
    def values(self, name: str, changed: Tensor) -> Tensor:
        """As `value` of one tensor (b, ...), a few rows at a time and without gradients; on the CPU."""
        items = self.batch["input_ids"].shape[1] if "input_ids" in self.batch else 1
        return torch.cat([self.value(**{name: some}) for some in changed.split(max(1, BATCH // items))]).cpu()

    def nothing(self) -> dict[str, Tensor]:
        """The row with everything left out: words as the token that says nothing, a blurred photo, silence."""
        empty: dict[str, Tensor] = {}
        if self.owner is not None:
            blank = torch.full_like(self.batch["input_ids"], self.model.backbone.blank)
            empty["input_ids"] = torch.where(self.batch["part"] >= 0, blank, self.batch["input_ids"])
        if "pixel_values" in self.batch:
            empty["pixel_values"] = blurred(self.batch["pixel_values"])
        if "input_values" in self.batch:
            empty["input_values"] = torch.zeros_like(self.batch["input_values"])
        return empty

    def nothings(self) -> list[dict[str, Tensor]]:
        """The row with everything left out; of a row of two sides, with one side left out and then the other."""
        empty = self.nothing()
        if "side" not in self.batch:
            return [empty]
        found_by, sides = self.model.task.found_by, []
        for side in (0, 1):
            lacking = {}
            if "input_ids" in empty and (self.batch["part"] == side).any():
                here = self.batch["part"] == side
                lacking["input_ids"] = torch.where(here, empty["input_ids"], self.batch["input_ids"])
            for role, name in (("image", "pixel_values"), ("sound", "input_values")):
                if name in empty and (role in found_by) == bool(side):
                    lacking[name] = empty[name]
            sides.append(lacking)
        return sides

    def segments(self) -> Tensor:
        """The segment (n, t) that each sample of the sound is in."""
        _, n, t = self.batch["input_values"].shape
        step = self.edges[1] * self.model.backbone.processor.rate
        places = torch.arange(n * t, device=self.batch["input_values"].device)
        return (places / step).long().clamp_max(len(self.edges) - 2).view(n, t)


class Scores(NamedTuple):
    """What a method finds."""

    value: float
    """Confidence in the prediction."""
    baseline: float
    """Confidence in it with everything left out."""
    words: Tensor | None = None
    """(w)"""
    image: Tensor | None = None
    """(rows, columns) of cells."""
    sound: Tensor | None = None
    """(s)"""
    delta: float | None = None


def ask(model: TaskModel, example: Example) -> Question:
    """What the model says of a row, as a question."""
    inputs = example.inputs
    with torch.inference_mode():
        [prediction] = model.task.predict(model, [example])
    batch = model.prepare([inputs])
    spans = (word_spans(inputs.text or ""), word_spans(inputs.text_pair or ""))
    owner = None
    if "input_ids" in batch:
        owner = token_words(batch["part"][0].cpu(), batch["offsets"][0].cpu(), spans).to(batch["part"].device)
    edges = _edges(len(inputs.sound)) if "input_values" in batch else ()
    return Question(model, batch, prediction, spans, owner, edges)


def _edges(samples: int, rate: int = 16_000) -> tuple[float, ...]:
    seconds = samples / rate
    count = min(MOST_SEGMENTS, max(1, round(seconds / SEGMENT)))
    return tuple(seconds * number / count for number in range(count + 1))
