"""Sentences into another language by a model of translation, as they come.

Notable: a few are translated at a time, so a document of any length is translated as it is read; a sentence longer than
the model can read is translated in pieces, and whoever calls may say so.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from mm_memgpt.task_pipeline import TaskPipeline
from mm_memgpt.tasks.translation import tag
from mm_memgpt.types import InputError


class Piece(NamedTuple):
    """A sentence to translate, or a part of one that is too long."""

    place: str
    """What an error calls the sentence."""
    text: str
    of: int = 1
    """In how many pieces its sentence is translated."""


def in_pieces(model: TaskPipeline, sentences: Iterable[tuple[str, str]], into: str) -> Iterator[Piece]:
    """Sentences, each with its place, those that are too long in parts."""
    for place, text in sentences:
        parts = fitting(model, text, into)
        yield from (Piece(place, part, len(parts)) for part in parts)


def fitting(model: TaskPipeline, text: str, into: str) -> list[str]:
    """The text in as many parts as the model can read, cut between words near the middle."""
    processor = model.model.processor
    if processor.read(f"{tag(into)} {text}") <= processor.longest or " " not in text:
        return [text]
    place = text.rfind(" ", 0, len(text) // 2 + 1)
    place = text.find(" ") if place < 0 else place
    return [
        part for half in (text[:place].strip(), text[place:].strip()) if half for part in fitting(model, half, into)
    ]


def translated(
    model: TaskPipeline, pieces: Iterable[Piece], into: str, batch: int = 16
) -> Iterator[tuple[Piece, str | InputError]]:
    """Each piece with its translation, or with why it has none."""
    role = {"language": into} if "language" in model.reads else {}
    rest = iter(pieces)
    while some := list(islice(rest, batch)):
        given = ((piece.place, {"text": piece.text, **role}) for piece in some)
        for piece, (_, result) in zip(some, model.predict_placed(given, batch), strict=True):
            yield piece, result if isinstance(result, InputError) else result.value
