"""What a table is: rows of named cells, each with the place in its file that an error can name.

Notable: a broken row raises only when it is asked for, and the rows behind it still come, because one bad line among
many thousands is usual; a table is sent to a loader's worker processes, so what it has loaded stays behind.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from mm_memgpt.types import InputError

Row = Mapping[str, Any]
"""Column to value, as the file has it."""


class Table(Sequence[Row]):
    """The rows of one source."""

    name: str
    """The file, or whatever else the rows came from."""
    columns: tuple[str, ...]
    folder: Path | None = None
    """Where relative paths in its cells start."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int) -> Row:
        """One row. Raises InputError, which names its place, where it is broken."""

    @abstractmethod
    def place(self, index: int) -> str:
        """Where a row stands: "reviews.csv:17" is a line of a text file, counted from 1 with the header, or a row of a
        Parquet file, counted from 0."""

    def __iter__(self) -> Iterator[Row]:
        """All rows in order; after the InputError of a broken one, the iterator goes on with the next."""
        return map(self.__getitem__, range(len(self)))


def column(table: Table, name: str, role: str) -> str:
    """The name of a column that is there. Raises InputError, which names those that are, likely ones first."""
    if name in table.columns:
        return name
    near = get_close_matches(name, table.columns, n=3)
    has = ", ".join([*near, *(one for one in table.columns if one not in near)])
    raise InputError(f"{table.name}: no column {name!r} for {role}; it has {has}")


def check_ids(table: Table, name: str) -> None:
    """Checks that no two rows have the same value in a column; broken rows and empty cells are passed over.

    Raises:
        InputError: two have; it names both places.
    """
    column(table, name, "id")
    seen: dict[Any, int] = {}
    for index in range(len(table)):
        try:
            value = table[index][name]
        except InputError:
            continue
        if value is None or value == "":
            continue
        if (first := seen.setdefault(str(value), index)) != index:
            way_out = "give each row its own, or leave one out"
            raise InputError(f"{table.place(index)}: {name} {value!r} is also at {table.place(first)}; {way_out}")
