"""Tables made of tables: several files as one, and the rows whose columns hold a value.

Notable: a row that is broken cannot be chosen by what it holds, so it stays, and says what is wrong when it is asked
for: rows never vanish in silence. A cell of text holds a number where it spells it: CSV knows only text.
"""

from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from mm_memgpt.datasets.table_base import Row, Table, column
from mm_memgpt.types import InputError


class JoinedTable(Table):
    """The rows of several tables, one after another.

    Raises:
        InputError: their columns differ.
    """

    def __init__(self, tables: Sequence[Table]) -> None:
        self.tables = list(tables)
        first = self.tables[0]
        for table in self.tables[1:]:
            if set(table.columns) != set(first.columns):
                has, others = ", ".join(table.columns), ", ".join(first.columns)
                raise InputError(f"{table.name}: has {has}, but {first.name} has {others}; read them one at a time")
        self.name, self.columns = first.name, first.columns
        same = all(table.folder == first.folder for table in self.tables)
        self.folder = first.folder if same else None
        self.ends = list(accumulate(map(len, self.tables)))

    def __len__(self) -> int:
        return self.ends[-1]

    def __getitem__(self, index: int) -> Row:
        table, row = self._find(index)
        return table[row]

    def place(self, index: int) -> str:
        table, row = self._find(index)
        return table.place(row)

    def _find(self, index: int) -> tuple[Table, int]:
        index = range(len(self))[index]
        number = bisect_right(self.ends, index)
        table = self.tables[number]
        return table, index - self.ends[number] + len(table)


class ChosenTable(Table):
    """The rows of a table whose columns hold the value, or one of the values, given for each.

    Raises:
        InputError: no such column, or no row holds them.
    """

    def __init__(self, table: Table, where: Mapping[str, Any]) -> None:
        wanted = {column(table, name, "where"): _allowed(value) for name, value in where.items()}
        self.table, self.name, self.columns, self.folder = table, table.name, table.columns, table.folder
        self.rows, found = array("q"), False
        for index in range(len(table)):
            try:
                row = table[index]
                if not all(row[name] in values for name, values in wanted.items()):
                    continue
                found = True
            except InputError:
                pass
            self.rows.append(index)
        if not found:
            given = ", ".join(f"{name}: {value!r}" for name, value in where.items())
            raise InputError(f"{table.name}: no row is chosen by where {given}; give values that its rows hold")

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Row:
        return self.table[self.rows[index]]

    def place(self, index: int) -> str:
        return self.table.place(self.rows[index])


def _allowed(value: Any) -> list[Any]:
    """The values that are wanted, and numbers as text too."""
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    return values + [str(one) for one in values if isinstance(one, (int, float)) and not isinstance(one, bool)]
