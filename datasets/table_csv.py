"""CSV and TSV files with a header: in CSV a quoted cell may hold commas, quotes and line breaks, in TSV a quote is a
character like any other, as in GLUE's files.

Notable: where a quote is opened and never closed, or closed amid a cell, the row that opened it is broken, and the next
line begins a new one: Python's csv would take the rest of the file for that cell. What that module reads strictly
comes out the same here, but for a lone carriage return, which is no line break.
"""

import csv
import re
from collections.abc import Iterator
from os import PathLike

from mm_memgpt.datasets.lines import LONGEST, TOO_LONG, Line, Lines
from mm_memgpt.datasets.table_base import Row
from mm_memgpt.datasets.table_text import Record, TextTable
from mm_memgpt.types import InputError

_QUOTED = r'[^"]*+(?:""[^"]*+)*+'
_CELL = rf'(?:"{_QUOTED}"(?=[,\r\n]|\Z)|[^",\r\n][^,\r\n]*+|)'
_CELLS = re.compile(rf"{_CELL}(?:,{_CELL})*+")
_REST = re.compile(_QUOTED)
_OPEN = re.compile(rf'"{_QUOTED}\Z')

UNCLOSED = "a quote opens here and is not closed; close it, and double the quotes inside a cell"


class CsvTable(TextTable):
    """The rows of a file with commas.

    Raises:
        InputError: missing, empty, no text, a header alone, or one that names a column twice.
    """

    way_out = "put quotes around cells that hold commas"

    def __init__(self, path: str | PathLike[str], encoding: str | None = None) -> None:
        super().__init__(path, encoding)
        self.columns = self._header()
        del self.numbers[0], self.starts[0], self.ends[0]
        if not self.numbers:
            raise InputError(f"{self.name}: holds a header and no row; add rows, or leave it out")

    def _header(self) -> tuple[str, ...]:
        columns = self._cells(self._text(0), self.numbers[0])
        if twice := [name for number, name in enumerate(columns) if name in columns[:number]]:
            raise InputError(f"{self.name}: column {twice[0]!r} is in the header twice; rename one")
        if len(columns) == 1 and (mark := re.search(r"[;\t,]", columns[0])):
            raise InputError(
                f"{self.name}: its header is one column, {columns[0]!r}; if {mark[0]!r} parts the cells, "
                "save it as .csv with commas, or as .tsv with tabs"
            )
        return tuple(columns)

    def _row(self, text: str, number: int) -> Row:
        cells = self._cells(text, number)
        if len(cells) != len(self.columns):
            header = f"the header has {len(self.columns)} ({', '.join(self.columns)})"
            raise InputError(f"{self.name}:{number}: has {len(cells)} cells, {header}; {self.way_out}")
        return dict(zip(self.columns, cells, strict=True))

    def _cells(self, text: str, number: int) -> list[str]:
        if len(text) > csv.field_size_limit():  # one for the whole process, 131,072 unless set
            csv.field_size_limit(LONGEST)
        try:
            [cells] = csv.reader([text], strict=True)
        except csv.Error as error:
            place = f"{self.name}:{number}"
            if str(error).startswith("new-line"):
                raise InputError(f"{place}: a carriage return outside quotes; save the file with line feeds") from None
            way_out = "put quotes around cells, and double the quotes inside them"
            raise InputError(f"{place}: not CSV ({error}); {way_out}") from None
        return cells

    def _records(self, lines: Lines) -> Iterator[Record]:
        line = lines.after(None)
        while line is not None:
            last, problem = line, TOO_LONG if line.data is None else None
            if line.data is not None and b'"' in line.data:
                last, problem = _end(lines, line)
            if not lines.is_blank(line):
                yield Record(line.number, line.start, last.end, problem)
            line = lines.after(last)


class TsvTable(CsvTable):
    """The rows of a file with tabs; errors as CsvTable has them."""

    way_out = "take out the tabs inside its cells, or add those that lack"
    _records = TextTable._records

    def _cells(self, text: str, number: int) -> list[str]:
        return text.rstrip("\r\n").split("\t")


def _end(lines: Lines, first: Line) -> tuple[Line, str | None]:
    """The last line of the record that a line begins, or that line itself and what is wrong with it."""
    last, inside = first, _ends_inside(lines.text(first), False)
    while inside:
        line = lines.after(last)
        if line is None or line.end - first.start > LONGEST:
            return first, UNCLOSED
        last, inside = line, _ends_inside(lines.text(line), True)
        if inside is None:
            return first, UNCLOSED
    return last, None


def _ends_inside(text: str, inside: bool) -> bool | None:
    """Whether a line ends inside a quoted cell, if it begins so or not; None where a quote closes amid a cell."""
    if inside:
        close = _REST.match(text).end()
        if close == len(text):
            return True
        text = text[close + 1 :]
        if text[:1] not in ("", ",", "\r", "\n"):
            return None
        text = text[1:] if text[:1] == "," else text
    rest = text[_CELLS.match(text).end() :]
    if not rest.strip("\r\n"):
        return False
    return True if _OPEN.match(rest) else None
