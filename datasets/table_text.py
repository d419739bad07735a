"""Tables in text files, of which only where each row stands is kept: a row is read from the file when it is asked for.

Notable: opening is one pass over the file, in blocks; three numbers a row are all that is held and all that is sent to
another process, so neither the file's size nor one endless line costs memory.
"""

import os
from abc import abstractmethod
from array import array
from collections.abc import Iterator
from os import PathLike, fspath
from pathlib import Path
from typing import IO, NamedTuple

from mm_memgpt.datasets.files import open_file, reason
from mm_memgpt.datasets.lines import TOO_LONG, Lines, find_encoding
from mm_memgpt.datasets.table_base import Row, Table
from mm_memgpt.types import InputError


class Record(NamedTuple):
    """Where a row stands in its file."""

    number: int
    """Its first line."""
    start: int
    end: int
    """In bytes."""
    problem: str | None = None
    """What is wrong, where that is known without reading it."""


class TextTable(Table):
    """The records of a text file; a format says where they end, in `_records`, and what they hold, in `_row`.

    Raises:
        InputError: missing, empty, or in an encoding that is not known.
    """

    def __init__(self, path: str | PathLike[str], encoding: str | None = None) -> None:
        self.path, self.name, self.folder = Path(path), fspath(path), Path(path).parent
        self.numbers, self.starts, self.ends = array("q"), array("q"), array("q")
        self.problems: dict[int, str] = {}
        with open_file(path) as file:
            self.encoding, self.stamp = find_encoding(file, encoding, self.name), _stamp(file)
            for record in self._records(Lines(file, self.encoding)):
                self.numbers.append(record.number)
                self.starts.append(record.start)
                self.ends.append(record.end)
                if record.problem is not None:
                    self.problems[record.number] = record.problem
        if not self.numbers:
            raise InputError(f"{self.name}: holds no line of text; leave it out")

    def _records(self, lines: Lines) -> Iterator[Record]:
        """A line each, unless a format has it otherwise; blank lines are passed by."""
        line = lines.after(None)
        while line is not None:
            if not lines.is_blank(line):
                yield Record(line.number, line.start, line.end, TOO_LONG if line.data is None else None)
            line = lines.after(line)

    @abstractmethod
    def _row(self, text: str, number: int) -> Row:
        """What a record that begins at a line holds. Raises InputError where it is broken."""

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> Row:
        return self._row(self._text(index), self.numbers[index])

    def place(self, index: int) -> str:
        return f"{self.name}:{self.numbers[index]}"

    def _text(self, index: int) -> str:
        """A record as it stands in the file. Raises InputError where it cannot be read."""
        if problem := self.problems.get(self.numbers[index]):
            raise InputError(f"{self.place(index)}: {problem}")
        start, end = self.starts[index], self.ends[index]
        try:
            with open(self.path, "rb", buffering=0) as file:
                stamp = _stamp(file)
                file.seek(start)
                data = file.read(end - start)
        except OSError as error:
            raise InputError(f"{self.place(index)}: cannot be read ({reason(error)}); check the file") from None
        if stamp != self.stamp:
            raise InputError(f"{self.name}: has changed since it was opened; read the table again")
        return self.encoding.decode(data, self.place(index))


def _stamp(file: IO[bytes]) -> tuple[int, int]:
    """What tells a file from a later one of its name: its size, and when it was written."""
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns
