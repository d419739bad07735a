"""What a task's model says of rows, as lines of text, JSON or CSV.

Notable: text is one line a row, whatever was in it: a control character, which could drive the terminal, is shown as an
escape. JSON and CSV have the value as it is.
"""

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass
from typing import Any, NamedTuple, TextIO

from mm_memgpt.commands.output import Formats
from mm_memgpt.tasks.base import Prediction
from mm_memgpt.types import InputError


class Said(NamedTuple):
    """What came of a row."""

    place: str
    """Where it stands: file and line."""
    result: Prediction | InputError
    id: str | None = None
    """What the row calls itself, of a table that has a column for that."""
    explanation: Any = None
    """What in the row speaks for it, where asked for."""


Write = Callable[[Said], None]


def text_rows(stream: TextIO) -> Write:
    """`place: value` a line, or `id: value`; failures are on standard error alone."""

    def write(said: Said) -> None:
        if isinstance(said.result, Prediction):
            print(f"{printable(said.id or said.place)}: {printable(spoken(said.result.value))}", file=stream)
            if said.explanation is not None:
                print(said.explanation, file=stream)

    return write


def json_rows(stream: TextIO) -> Write:
    """An object a line: `{place, id, prediction, confidence, ...}` or `{place, id, error}`; id where there is one."""

    def write(said: Said) -> None:
        print(json.dumps(as_json(said), ensure_ascii=False), file=stream)

    return write


def csv_rows(stream: TextIO) -> Write:
    """Columns place, id, prediction, confidence and error, with a header; what is no text or number is JSON."""
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(["place", "id", "prediction", "confidence", "error"])

    def write(said: Said) -> None:
        if isinstance(said.result, InputError):
            rows.writerow([said.place, said.id, "", "", str(said.result)])
            return
        value = plain(said.result.value)
        value = value if isinstance(value, (str, int, float)) else json.dumps(value, ensure_ascii=False)
        rows.writerow([said.place, said.id, value, said.result.confidence, ""])

    return write


FORMATS: Formats = {"text": text_rows, "json": json_rows, "csv": csv_rows}


def as_json(said: Said) -> dict[str, Any]:
    """A row as JSON holds it."""
    row: dict[str, Any] = {"place": said.place} | ({} if said.id is None else {"id": said.id})
    if isinstance(said.result, InputError):
        return row | {"error": str(said.result)}
    row["prediction"] = plain(said.result.value)
    if said.result.confidence is not None:
        row["confidence"] = round(said.result.confidence, 6)
    row |= plain(said.result.details)
    return row if said.explanation is None else row | {"explanation": said.explanation}


def plain(value: Any) -> Any:
    """A value of a task as JSON holds it: what has fields becomes an object."""
    if is_dataclass(value):
        return plain(asdict(value))
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, (list, tuple)) else value


def spoken(value: Any) -> str:
    """A value of a task as a person reads it."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (list, tuple)) and not hasattr(value, "_asdict"):
        return ", ".join(map(spoken, value))
    return str(value)


def printable(text: str) -> str:
    """The text in one line, with escapes for what is no printable character."""
    words = " ".join(text.split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in words)
