"""CoNLL files: a word a line, its tag in the last column, a blank line between sentences.

Notable: a row is a sentence; columns are parted by tabs, or else by spaces, never by other white space, for in some
languages that is a word's; every line must have as many as the file's first, or a missing tag would pass unseen.
"""

import re
from collections.abc import Iterator

from mm_memgpt.datasets.lines import LONGEST, TOO_LONG, Line, Lines
from mm_memgpt.datasets.table_base import Row
from mm_memgpt.datasets.table_text import Record, TextTable
from mm_memgpt.types import InputError

_SPACES = re.compile(" +")
_DOCUMENT = "-DOCSTART-"


class ConllTable(TextTable):
    """The sentences of a file, with the columns tokens and tags, lists of strings.

    Raises:
        InputError: missing, empty, no text, or a first line that cannot be read or has no tag.
    """

    columns = ("tokens", "tags")
    width: int | None = None
    """Columns in the file: known from its first line, by reading it once."""

    def _records(self, lines: Lines) -> Iterator[Record]:
        sentence: Record | None = None
        line = lines.after(None)
        while line is not None:
            begins = lines.text(line)
            if lines.is_blank(line) or begins.startswith(_DOCUMENT):
                if sentence is not None:
                    yield sentence
                sentence = None
            else:
                if self.width is None and line.data is not None:
                    self.width = self._width(line)
                first = sentence or Record(line.number, line.start, line.end)
                is_long = line.data is None or line.end - first.start > LONGEST
                sentence = first._replace(end=line.end, problem=TOO_LONG if is_long else None)
            line = lines.after(line)
        if sentence is not None:
            yield sentence

    def _width(self, line: Line) -> int:
        place = f"{self.name}:{line.number}"
        width = len(_cells(self.encoding.decode(line.data, place)))
        if width < 2:
            raise InputError(f"{place}: one column, no tag; write a word and its tag, with a tab between them")
        return width

    def _row(self, text: str, number: int) -> Row:
        words, tags = [], []
        for line, cells in enumerate(map(_cells, text.removesuffix("\n").split("\n")), start=number):
            if len(cells) != self.width:
                due = f"the file's first has {self.width}"
                raise InputError(f"{self.name}:{line}: has {len(cells)} columns, {due}; give each word its tag")
            if not cells[0] or not cells[-1]:
                missing = "tag" if cells[0] else "word"
                raise InputError(f"{self.name}:{line}: an empty {missing}; write it, or leave the line out")
            words.append(cells[0])
            tags.append(cells[-1])
        return {"tokens": words, "tags": tags}


def _cells(line: str) -> list[str]:
    line = line.rstrip("\r\n")
    return line.split("\t") if "\t" in line else _SPACES.split(line.strip(" "))
