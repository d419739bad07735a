"""Parquet files as Samples: photos in a column of encoded bytes, captions, text, class numbers.

Notable: making a reader reads only the footers; a file's rows are loaded, photos still encoded, at its first sample and
in the process that asks for it, so a reader reaches a loader's worker processes as a few paths; columns without a role
are never read.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from os import PathLike
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import types

from mm_memgpt.datasets.files import open_file, reason
from mm_memgpt.datasets.photo import open_photo
from mm_memgpt.types import InputError, Sample

FilePath = str | PathLike[str]


def _is_string(kind: pa.DataType) -> bool:
    kind = kind.value_type if types.is_dictionary(kind) else kind
    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def _is_strings(kind: pa.DataType) -> bool:
    is_list = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return _is_string(kind) or (is_list and _is_string(kind.value_type))


def _is_photo(kind: pa.DataType) -> bool:
    if types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _is_photo(kind.field("bytes").type)
    return types.is_binary(kind) or types.is_large_binary(kind)


ROLES = {
    "image": (_is_photo, "encoded photos: binary, or a struct with a binary field `bytes`"),
    "captions": (_is_strings, "strings or lists of strings"),
    "text": (_is_string, "strings"),
    "label": (types.is_integer, "integers"),
}
"""What a column can be to a Sample: a test of its type, and the type in words."""


class _File(NamedTuple):
    path: FilePath
    rows: int
    columns: dict[str, str]
    """Role to column."""


class ParquetReader:
    """The rows of one or several files, as a sequence of Samples; rows count from 0 in each file.

    Each role of `ROLES` is filled from the column of its own name where there is one, or from the one that `columns`
    maps it to: `ParquetReader("pairs.parquet", {"text": "en"})`. A `label` that holds no integers is left out.

    Raises:
        InputError: a file is missing, empty, broken, or has no column to read. One broken row raises only when it is
            asked for, and iteration can go on behind it.
    """

    def __init__(self, paths: FilePath | Sequence[FilePath], columns: Mapping[str, str] | None = None) -> None:
        paths = [paths] if isinstance(paths, (str, PathLike)) else paths
        self.files = [_footer(path, columns or {}) for path in paths]
        self.ends = list(accumulate(file.rows for file in self.files))
        self.tables: dict[int, pa.Table] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "tables": {}}

    def __len__(self) -> int:
        return self.ends[-1]

    def __iter__(self) -> Iterator[Sample]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, index: int) -> Sample:
        index = range(len(self))[index]
        number = bisect_right(self.ends, index)
        file, table = self.files[number], self._table(number)
        row = index - self.ends[number] + file.rows
        source = f"{file.path}:{row}"
        try:
            values = {role: table[column][row].as_py() for role, column in file.columns.items()}
        except UnicodeDecodeError as error:
            raise _not_utf_8(source, error) from None
        return Sample(
            source=source,
            image=open_photo(_encoded(values["image"], source), source) if "image" in values else None,
            captions=_strings(values.get("captions")),
            text=values.get("text"),
            label=values.get("label"),
        )

    def texts(self) -> Iterator[str]:
        """All captions and texts, row by row. No photo is read, and no more than a thousand rows are held at a time."""
        for file in self.files:
            wanted = [file.columns[role] for role in ("captions", "text") if role in file.columns]
            with _opened(file.path) as opened:
                for batch in opened.iter_batches(batch_size=1000, columns=wanted) if wanted else ():
                    for row in batch.to_pylist():
                        for column in wanted:
                            yield from _strings(row[column])

    def _table(self, number: int) -> pa.Table:
        if number not in self.tables:
            with _opened(self.files[number].path) as opened:
                columns = list(self.files[number].columns.values())
                # no threads: a forked worker process has none of its parent's
                self.tables[number] = opened.read(columns=columns, use_threads=False)
        return self.tables[number]


@contextmanager
def _opened(path: FilePath) -> Iterator[pq.ParquetFile]:
    with open_file(path) as file:
        try:
            with pq.ParquetFile(file) as parquet:
                yield parquet
        except (pa.ArrowException, OSError) as error:
            problem = f"not a Parquet file, or one cut short or broken ({reason(error)})"
            raise InputError(f"{path}: {problem}; copy or download it again") from None
        except UnicodeDecodeError as error:
            raise _not_utf_8(path, error) from None


def _not_utf_8(place: FilePath, error: UnicodeDecodeError) -> InputError:
    return InputError(f"{place}: text is not UTF-8 ({reason(error)}); write the file again with its text decoded")


def _footer(path: FilePath, named: Mapping[str, str]) -> _File:
    with _opened(path) as opened:
        rows, schema = opened.metadata.num_rows, opened.schema_arrow
    if rows == 0:
        raise InputError(f"{path}: holds no row; leave it out")
    return _File(path, rows, _roles(schema, named, path))


def _roles(schema: pa.Schema, named: Mapping[str, str], path: FilePath) -> dict[str, str]:
    """Role to column, for the roles that the file fills."""
    if unknown := sorted(named.keys() - ROLES.keys()):
        raise InputError(f"{path}: no column can be {unknown[0]!r}; known: {', '.join(ROLES)}")
    columns = {}
    for role, (fits, form) in ROLES.items():
        column = named.get(role, role)
        if column not in schema.names:
            if role in named:
                raise InputError(f"{path}: no column {column!r} for {role}; it has {', '.join(schema.names)}")
        elif fits(schema.field(column).type):
            columns[role] = column
        elif role in named or role != "label":
            kind = schema.field(column).type
            raise InputError(f"{path}: column {column!r} holds {kind}; {role} must be {form}; name another column")
    if columns.keys() <= {"label"}:
        has = ", ".join(schema.names)
        raise InputError(f"{path}: no column image, captions or text; it has {has}: name one of these for it")
    return columns


def _encoded(value: Any, source: str) -> bytes:
    data = value["bytes"] if isinstance(value, dict) else value
    if data is None:
        raise InputError(f"{source}: no photo in this row; leave the row out, or store the photo's bytes in it")
    return data


def _strings(value: str | list[str | None] | None) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    return tuple(text for text in values if text is not None)
