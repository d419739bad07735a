"""What is said of a clip as it goes, as lines of text, JSON or CSV: its moments, and at the end the summary."""

import csv
import json
from collections.abc import Callable
from typing import Any, NamedTuple, TextIO

from mm_memgpt.commands.output import as_json
from mm_memgpt.types import Caption, InputError


class Row(NamedTuple):
    """One line."""

    kind: str
    """moment, summary, answer or error."""
    start: float
    """Seconds on the clip's clock."""
    end: float
    """Seconds."""
    said: Caption | InputError


Write = Callable[[Row], None]


def text_rows(stream: TextIO) -> Write:
    """`[h:mm:ss] sentence` a moment, last `in all: sentence`, `answer: words`; errors are on standard error alone."""
    heads = {"summary": "in all:", "answer": "answer:"}

    def write(row: Row) -> None:
        if row.kind != "error":
            print(heads.get(row.kind, f"[{clock(row.start)}]"), row.said, file=stream)

    return write


def json_rows(stream: TextIO) -> Write:
    """An object a line: `{kind, start, end, caption, confidence, words: [{word, logprob}]}` or `{kind, start, end,
    error}`."""

    def write(row: Row) -> None:
        said: dict[str, Any] = as_json(row.said)
        values = {"kind": row.kind, "start": round(row.start, 3), "end": round(row.end, 3), **said}
        print(json.dumps(values, ensure_ascii=False), file=stream)

    return write


def csv_rows(stream: TextIO) -> Write:
    """Columns kind, start, end, caption, confidence and error, with a header."""
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(["kind", "start", "end", "caption", "confidence", "error"])

    def write(row: Row) -> None:
        said = as_json(row.said)
        last = [said.get(name, "") for name in ("caption", "confidence", "error")]
        rows.writerow([row.kind, round(row.start, 3), round(row.end, 3), *last])

    return write


FORMATS = {"text": text_rows, "json": json_rows, "csv": csv_rows}


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
