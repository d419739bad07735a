"""`mm-memgpt translate`: text files, sentence by sentence, into another language.

Notable: a document of any length is read as it is translated, a few sentences at a time; a sentence longer than the
model can read is translated in pieces, and that is said.
"""

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TextIO

from mm_memgpt.commands.errors import error_line
from mm_memgpt.commands.inputs import STANDARD_INPUT
from mm_memgpt.commands.output import results
from mm_memgpt.datasets.document import sentences, split
from mm_memgpt.task_pipeline import TaskPipeline, load_task
from mm_memgpt.tasks.translation import Translation
from mm_memgpt.translations import Piece, in_pieces, translated
from mm_memgpt.types import InputError


def run(arguments: Namespace) -> int:
    """Translates the inputs; 1 if any failed, else 0."""
    given = [*arguments.inputs, *(() if arguments.text is None else ("--text",))]
    if not given:
        arguments.refuse("give FILE or --text")
    model = load_task(arguments.model, arguments.device)
    into = language_of(model, arguments)
    changed = {"beams": arguments.beams, "longest": arguments.longest}
    model.task.decoding = replace(model.task.decoding, **{k: v for k, v in changed.items() if v is not None})
    failed = False
    with results(arguments.format, arguments.output, FORMATS) as write:
        for name in given:
            try:
                for piece, result in translated(model, pieces(model, name, arguments.text, into), into):
                    if isinstance(result, InputError):
                        raise result
                    write(piece, result, into)
            except InputError as error:
                failed = True
                print(error_line(error), file=sys.stderr)
    return 1 if failed else 0


def language_of(model: TaskPipeline, arguments: Namespace) -> str:
    """The language to write.

    Raises:
        InputError: the model translates nothing, or not into that.
    """
    if not isinstance(model.task, Translation):
        raise InputError(f"{arguments.model}: holds a model of {model.task.name}; give one of translation")
    known = model.task.labels
    if arguments.into is None and len(known) == 1:
        return known[0]
    if arguments.into not in known:
        said = "--into names no language" if arguments.into is None else f"language {arguments.into!r} is unknown"
        raise InputError(f"{said}; {arguments.model} writes {', '.join(known)}: --into {known[0]}")
    return arguments.into


def pieces(model: TaskPipeline, name: str, text: str | None, into: str) -> Iterator[Piece]:
    """The sentences of an input, those that are too long in parts, which is said."""
    last = ""
    for piece in in_pieces(model, _sentences(name, text), into):
        if piece.of > 1 and piece.place != last:
            most = model.model.processor.longest
            line = f"is longer than the {most} tokens that are read at a time; it is translated in {piece.of} pieces"
            print(f"{piece.place} {line}", file=sys.stderr)
        last = piece.place
        yield piece


def _sentences(name: str, text: str | None) -> Iterator[tuple[str, str]]:
    """Place and text of each sentence."""
    return ((f"{name}: sentence {number}", each) for number, each in enumerate(_texts(name, text), start=1))


def _texts(name: str, text: str | None) -> Iterator[str]:
    if name == "--text":
        yield from split(text)
    elif name == STANDARD_INPUT:
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
        for line in sys.stdin:
            yield from split(line)
    else:
        yield from (sentence.text for sentence in sentences(name))


def text_rows(stream: TextIO) -> Callable[[Piece, str, str], None]:
    """A translation a line."""
    return lambda piece, text, into: print(text, file=stream)


def json_rows(stream: TextIO) -> Callable[[Piece, str, str], None]:
    """An object a line: `{place, source, translation, into}`."""

    def write(piece: Piece, text: str, into: str) -> None:
        said = {"place": piece.place, "source": piece.text, "translation": text, "into": into}
        print(json.dumps(said, ensure_ascii=False), file=stream)

    return write


FORMATS = {"text": text_rows, "json": json_rows}
