"""Tables that are no file of columns: rows at hand, lines of text, and a table without what is to be predicted."""

from collections.abc import Collection, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from mm_memgpt.datasets.table_base import Row, Table
from mm_memgpt.datasets.table_text import TextTable


class GivenTable(Table):
    """Rows at hand; relative paths in them start where the process runs.

    Args:
        rows: column to value; what one lacks is None.
        columns: names of the columns.
        places: what an error calls each row.
    """

    name = "input"

    def __init__(self, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], places: Sequence[str]) -> None:
        self.rows, self.columns, self.places, self.folder = rows, tuple(columns), places, Path()

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Row:
        return dict.fromkeys(self.columns) | self.rows[index]

    def place(self, index: int) -> str:
        return self.places[index]


class LinesTable(TextTable):
    """The lines of a text file as the one column `column`; blank lines are passed by.

    Raises:
        InputError: missing, empty, or no text.
    """

    def __init__(self, path: str | PathLike[str], column: str, encoding: str | None = None) -> None:
        self.columns = (column,)
        super().__init__(path, encoding)

    def _row(self, text: str, number: int) -> Row:
        return {self.columns[0]: text.rstrip("\r\n")}


class WithoutColumns(Table):
    """A table without some of its columns."""

    def __init__(self, table: Table, hidden: Collection[str]) -> None:
        self.table, self.hidden, self.name, self.folder = table, hidden, table.name, table.folder
        self.columns = tuple(name for name in table.columns if name not in hidden)

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, index: int) -> Row:
        return {name: value for name, value in self.table[index].items() if name not in self.hidden}

    def place(self, index: int) -> str:
        return self.table.place(index)
