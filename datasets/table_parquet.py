"""Parquet files as tables, with all their columns as they are; photos and sounds stay encoded.

Notable: opening reads only the footer; a column is loaded when a cell of it is first asked for, so what no task uses,
the photos beside a text for one, is never read, and what is loaded stays behind when the table goes to another process.
"""

from collections.abc import Iterator, Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import pyarrow as pa

from mm_memgpt.datasets.parquet import not_utf_8, open_parquet
from mm_memgpt.datasets.table_base import Row, Table
from mm_memgpt.types import InputError


class ParquetTable(Table):
    """The rows of a file.

    Raises:
        InputError: missing, empty, broken, without rows, or with two columns of a name.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path, self.name, self.folder = Path(path), fspath(path), Path(path).parent
        with open_parquet(path) as opened:
            self.length, self.columns = opened.metadata.num_rows, tuple(opened.schema_arrow.names)
        if self.length == 0:
            raise InputError(f"{self.name}: holds no row; leave it out")
        if twice := [name for number, name in enumerate(self.columns) if name in self.columns[:number]]:
            raise InputError(f"{self.name}: column {twice[0]!r} is there twice; rename one")
        self.loaded: dict[str, pa.ChunkedArray] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "loaded": {}}

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Row:
        return _Cells(self, range(self.length)[index])

    def place(self, index: int) -> str:
        return f"{self.name}:{range(self.length)[index]}"

    def cell(self, name: str, index: int) -> Any:
        """One cell. Raises InputError where its text is not UTF-8 or the file is broken there."""
        if name not in self.columns:
            raise KeyError(name)
        if name not in self.loaded:
            with open_parquet(self.path) as opened:
                # no threads: a forked worker process has none of its parent's
                self.loaded[name] = opened.read(columns=[name], use_threads=False)[name]
        try:
            return self.loaded[name][index].as_py()
        except UnicodeDecodeError as error:
            raise not_utf_8(self.place(index), error) from None


class _Cells(Mapping[str, Any]):
    """A row whose cells are read when they are asked for."""

    def __init__(self, table: ParquetTable, index: int) -> None:
        self.table, self.index = table, index

    def __getitem__(self, name: str) -> Any:
        return self.table.cell(name, self.index)

    def __iter__(self) -> Iterator[str]:
        return iter(self.table.columns)

    def __len__(self) -> int:
        return len(self.table.columns)

    def __repr__(self) -> str:
        return repr(dict(self))

    def __reduce__(self) -> tuple[type, tuple[dict[str, Any]]]:
        return dict, (dict(self),)
