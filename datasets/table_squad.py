"""JSON files as tables: question sets nested as SQuAD has them, versions 1.1 and 2, or a plain list of objects.

Notable: each question is a row, named by its id, which can be searched for where a line cannot; a broken one costs
itself alone. The document is read whole, here and once more in each process that the table is sent to.
"""

from collections.abc import Iterator
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from mm_memgpt.datasets.files import open_file
from mm_memgpt.datasets.lines import find_encoding
from mm_memgpt.datasets.table_base import Row, Table
from mm_memgpt.datasets.table_json import parse
from mm_memgpt.types import InputError

COLUMNS = ("id", "title", "context", "question", "answers", "answer_starts", "is_impossible")
"""Columns of a question set; `answers` are strings, `answer_starts` where each begins in the context, in characters."""

LARGEST = 2**30
"""Bytes of a document: SQuAD's own have 45 MB."""

Found = tuple[str, Row | str]
"""Where a row stands, and what it holds, or what is wrong with it."""


class JsonTable(Table):
    """The questions or objects of a document.

    Raises:
        InputError: missing, empty, too large, not JSON, or neither a question set nor a list of objects.
    """

    def __init__(self, path: str | PathLike[str], encoding: str | None = None) -> None:
        self.path, self.name, self.folder = Path(path), fspath(path), Path(path).parent
        self.given = encoding
        self._found: list[Found] | None = None
        self.length = len(self._rows())
        rows = [row for _, row in self._rows() if isinstance(row, dict)]
        self.columns = tuple(dict.fromkeys(name for row in rows for name in row))
        if not self.columns:
            place, problem = next(iter(self._rows()), (self.name, "holds no row; leave it out"))
            raise InputError(f"{place}: {problem or 'an object without columns; give it some'}")

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_found": None}

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Row:
        place, row = self._rows()[index]
        if isinstance(row, str):
            raise InputError(f"{place}: {row}")
        return dict.fromkeys(self.columns) | row

    def place(self, index: int) -> str:
        return self._rows()[index][0]

    def _rows(self) -> list[Found]:
        if self._found is None:
            document = self._document()
            if isinstance(document, list):
                self._found = [_object(f"{self.name}:{number}", value) for number, value in enumerate(document)]
            elif isinstance(document, dict) and isinstance(document.get("data"), list):
                self._found = list(_questions(self.name, document["data"]))
            else:
                known = 'a list of objects, or {"data": [...]} as SQuAD has it'
                raise InputError(f"{self.name}: neither questions nor rows; give {known}, or JSON lines as .jsonl")
        return self._found

    def _document(self) -> Any:
        with open_file(self.path, self.name) as file:
            encoding = find_encoding(file, self.given, self.name)
            file.seek(encoding.mark)
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise InputError(f"{self.name}: larger than {LARGEST // 2**30} GB; write it as JSON lines, .jsonl")
        return parse(encoding.decode(data, self.name), self.name)


def _object(place: str, value: Any) -> Found:
    return place, value if isinstance(value, dict) else f"a {type(value).__name__}, not an object; write one a row"


def _questions(name: str, articles: list[Any]) -> Iterator[Found]:
    """The rows of a question set, in order."""
    for number, article in enumerate(articles):
        place = f"{name}: article {number}"
        if not isinstance(article, dict) or not isinstance(article.get("paragraphs"), list):
            yield place, "no list of paragraphs; give it one, as SQuAD has it"
            continue
        for paragraph in article["paragraphs"]:
            if not isinstance(paragraph, dict) or not isinstance(paragraph.get("qas"), list):
                yield place, "a paragraph without qas; give it a list of questions, as SQuAD has it"
                continue
            for question in paragraph["qas"]:
                yield _question(name, place, article.get("title"), paragraph.get("context"), question)


def _question(name: str, place: str, title: Any, context: Any, question: Any) -> Found:
    if not isinstance(question, dict) or not isinstance(question.get("question"), str):
        return place, "a question without text; write it as question"
    key = question.get("id")
    place = f"{place}, {question['question']!r}" if key is None else f"{name}:{key}"
    if not isinstance(context, str):
        return place, "its paragraph has no context; write the passage as context"
    answers = question.get("answers") or []
    if not isinstance(answers, list) or not all(_is_answer(one) for one in answers):
        return place, "an answer is not text and answer_start; give each both, as SQuAD has it"
    texts, starts = [one["text"] for one in answers], [one["answer_start"] for one in answers]
    impossible = bool(question.get("is_impossible", not answers))
    values = (key, title, context, question["question"], texts, starts, impossible)
    return place, dict(zip(COLUMNS, values, strict=True))


def _is_answer(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("text"), str) and isinstance(value.get("answer_start"), int)
