"""A file of any length through a reader: sentences come from it block by block, and no more than a segment is held.

Notable: memory does not grow with the file, neither that of the model nor that of the process.

t tokens of a segment
"""

from collections.abc import Iterable, Iterator
from os import PathLike
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerBase

from mm_memgpt.datasets.document import sentences
from mm_memgpt.models.long_text import LongTextState
from mm_memgpt.models.long_text_files import Reader


class Segment(NamedTuple):
    """The next tokens of a text."""

    ids: Tensor
    """(1, t) int64."""
    place: Tensor
    """(1, t) int64: number of the sentence of each in the text."""


class Passage(NamedTuple):
    """A segment that was read."""

    segment: Segment
    loss: Tensor
    """(t): minus the natural logarithm of each token's probability, given all before it."""
    state: LongTextState
    """What is known behind it."""


def read_file(reader: Reader, path: str | PathLike[str], state: LongTextState | None = None) -> Iterator[Passage]:
    """Reads a text file, segment by segment.

    Args:
        reader: a model and its tokenizer.
        path: plain text.
        state: of a text that the file goes on with; None begins.

    Raises:
        InputError: missing, empty, or no text; before the first segment.
    """
    return read_segments(reader, segments((each.text for each in sentences(path)), reader), state)


@torch.no_grad()
def read_segments(reader: Reader, parts: Iterable[Segment], state: LongTextState | None = None) -> Iterator[Passage]:
    """Reads segments; the arguments are those of `read_file`."""
    state = reader.model.begin() if state is None else state
    for part in parts:
        logits, state = reader.model.read(state, part.ids, part.place)
        yield Passage(part, cross_entropy(logits[0].float(), part.ids[0], reduction="none"), state)


def segments(texts: Iterable[str], reader: Reader) -> Iterator[Segment]:
    """Sentences as segments of the length that the model reads; the last may be shorter."""
    size, ids, place = reader.model.reads.segment, [], []
    for number, found in enumerate(tokens(texts, reader.tokenizer)):
        ids += found
        place += [number] * len(found)
        while len(ids) >= size:
            yield Segment(torch.tensor([ids[:size]]), torch.tensor([place[:size]]))
            del ids[:size], place[:size]
    if ids:
        yield Segment(torch.tensor([ids]), torch.tensor([place]))


def tokens(texts: Iterable[str], tokenizer: PreTrainedTokenizerBase) -> Iterator[list[int]]:
    """The tokens of each sentence, those behind the first with a space before them."""
    for number, text in enumerate(texts):
        yield tokenizer(text if number == 0 else f" {text}", add_special_tokens=False)["input_ids"]
