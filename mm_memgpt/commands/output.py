"""Results as lines of text, JSON or CSV, each written out at once, so that what is done is never lost.

Notable: a path need not be text (file names are bytes); text and CSV give its bytes back as they were, JSON escapes
what is not UTF-8.
"""

import csv
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, TextIO

from mm_memgpt.types import Caption, InputError


class Abstained(NamedTuple):
    """A caption that is held back, because the model is not sure enough of it."""

    reason: str
    """One line, which begins with the path."""
    confidence: float


Result = Caption | Abstained | InputError
"""What comes of one path."""

Write = Callable[[str, Result], None]
"""Writes the result of one path."""


def text_rows(stream: TextIO) -> Write:
    """`path: caption` a line; failures, and captions held back, are on standard error alone."""

    def write(path: str, result: Result) -> None:
        if isinstance(result, Caption):
            print(f"{path}: {result.text}", file=stream)

    return write


def json_rows(stream: TextIO) -> Write:
    """An object a line: `{path, caption, confidence, words: [{word, logprob}]}`, `{path, abstained, confidence}` or
    `{path, error}`."""

    def write(path: str, result: Result) -> None:
        print(json.dumps({"path": path, **as_json(result)}, ensure_ascii=False), file=stream)

    return write


def as_json(result: Result) -> dict[str, Any]:
    """A result as JSON holds it."""
    if isinstance(result, Caption):
        words = [{"word": word.word, "logprob": round(word.logprob, 6)} for word in result.words]
        return {"caption": result.text, "confidence": round(result.confidence, 6), "words": words}
    if isinstance(result, Abstained):
        return {"abstained": result.reason, "confidence": round(result.confidence, 6)}
    return {"error": str(result)}


def csv_rows(stream: TextIO) -> Write:
    """Columns path, caption, confidence, error and abstained, with a header."""
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(["path", "caption", "confidence", "error", "abstained"])

    def write(path: str, result: Result) -> None:
        if isinstance(result, Caption):
            rows.writerow([path, result.text, round(result.confidence, 6), "", ""])
        elif isinstance(result, Abstained):
            rows.writerow([path, "", round(result.confidence, 6), "", result.reason])
        else:
            rows.writerow([path, "", "", str(result), ""])

    return write


FORMATS = {"text": text_rows, "json": json_rows, "csv": csv_rows}

Formats = Mapping[str, Callable[[TextIO], Callable[..., None]]]
"""By name, what writes a row to a stream."""


@contextmanager
def results(form: str, output: str | None, formats: Formats = FORMATS) -> Iterator[Callable[..., None]]:
    """Writes results in the format `form` of `formats` to the file `output`, or to standard output where it is None."""
    errors = "backslashreplace" if form == "json" else "surrogateescape"
    if output is None:
        sys.stdout.reconfigure(encoding="utf-8", errors=errors)
        yield _at_once(formats[form](sys.stdout), sys.stdout)
    else:
        with open(output, "w", encoding="utf-8", errors=errors, newline="") as stream:
            yield _at_once(formats[form](stream), stream)


def _at_once(write: Callable[..., None], stream: TextIO) -> Callable[..., None]:
    def write_and_flush(*row: Any) -> None:
        write(*row)
        stream.flush()

    return write_and_flush
