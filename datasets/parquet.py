"""Parquet files as Samples: photos, sounds and clips in columns of encoded bytes, captions, text, timed words, classes.

Notable: making a reader reads only the footers, and the columns that rows are chosen by; a file's rows are loaded,
still encoded, at its first sample and in the process that asks for it, so a reader reaches a loader's worker processes
as a few paths; columns without a role are never read. A sound is decoded as a photo is, in the process that asks for
its row and each time anew: five seconds of ESC-10 take 9 ms of one core, and kept decoded they would take nine times
the memory (measured). A clip is not decoded here, for only who reads it knows how many of its frames are wanted.
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import accumulate, count
from os import PathLike
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import types

from mm_memgpt.datasets.files import open_file, reason
from mm_memgpt.datasets.photo import open_photo
from mm_memgpt.datasets.sound import as_sound
from mm_memgpt.types import InputError, Sample

FilePath = str | PathLike[str]


def _is_string(kind: pa.DataType) -> bool:
    kind = kind.value_type if types.is_dictionary(kind) else kind
    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def _is_strings(kind: pa.DataType) -> bool:
    is_list = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return _is_string(kind) or (is_list and _is_string(kind.value_type))


def _is_encoded(kind: pa.DataType) -> bool:
    if types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _is_encoded(kind.field("bytes").type)
    return types.is_binary(kind) or types.is_large_binary(kind)


def _is_list(kind: pa.DataType, of: Callable[[pa.DataType], bool]) -> bool:
    return (types.is_list(kind) or types.is_large_list(kind)) and of(kind.value_type)


class _Role(NamedTuple):
    """What a column can be to a Sample."""

    fits: Callable[[pa.DataType], bool]
    form: str
    """The type in words."""
    usual: tuple[str, ...] = ()
    """Names of such a column, beside the role's own."""


_ENCODED = "binary, or a struct with a binary field `bytes`"
_SECONDS = _Role(lambda kind: _is_list(kind, types.is_floating), "lists of seconds")

ROLES = {
    "image": _Role(_is_encoded, f"encoded photos: {_ENCODED}"),
    "captions": _Role(_is_strings, "strings or lists of strings"),
    "text": _Role(_is_string, "strings"),
    "label": _Role(types.is_integer, "integers"),
    "sound": _Role(_is_encoded, f"encoded sounds: {_ENCODED}", ("audio",)),
    "clip": _Role(_is_encoded, f"encoded clips: {_ENCODED}", ("video",)),
    "words": _Role(lambda kind: _is_list(kind, _is_string), "lists of strings"),
    "word_start": _SECONDS,
    "word_end": _SECONDS,
    "class_name": _Role(_is_string, "strings"),
    "digit": _Role(types.is_integer, "integers"),
}
"""Roles by name. A file has a sample's words only where it has their starts and ends too."""

CONTENT = ("image", "sound", "clip", "captions", "text")
"""The roles of which a file must fill one: the others say something about these."""

STRICT = ("image", "captions", "text")
"""Roles whose name a column bears only if it is meant; where it does not fit, the file is refused."""

TIMED = ("words", "word_start", "word_end")


class _File(NamedTuple):
    path: FilePath
    rows: Sequence[int]
    """Numbers of the rows that are taken, in order."""
    columns: dict[str, str]
    """Role to column."""


class ParquetReader:
    """The rows of one or several files, as a sequence of Samples; rows count from 0 in each file.

    With `where`, of these only the rows whose column holds the value, or one of the values, given for it; for
    `{"fold": [1, 2], "speaker": "theo"}` both must hold. Each role of `ROLES` is filled from the column of its own or
    a usual name where there is one, or from the one that `columns` maps it to: `ParquetReader("pairs.parquet",
    {"text": "en"})`. Where a column does not fit its name and was not asked for, it is passed over (a `label` that
    holds no integers), unless its role is one of `STRICT`.

    Raises:
        InputError: a file is missing, empty, broken, has no column to read or none to choose rows by, or no row is
            chosen. One broken row raises only when it is asked for, and iteration can go on behind it.
    """

    def __init__(
        self,
        paths: FilePath | Sequence[FilePath],
        columns: Mapping[str, str] | None = None,
        where: Mapping[str, Any] | None = None,
    ) -> None:
        paths = [paths] if isinstance(paths, (str, PathLike)) else paths
        self.files = [_footer(path, columns or {}) for path in paths]
        if where:
            self.files = [_chosen(file, where) for file in self.files]
        self.ends = list(accumulate(len(file.rows) for file in self.files))
        if self.ends[-1] == 0:
            given = ", ".join(f"{column}: {value!r}" for column, value in where.items())
            raise InputError(f"{paths[0]}: no row is chosen by where {given}; give values that its rows hold")
        self.tables: dict[int, pa.Table] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "tables": {}}

    def __len__(self) -> int:
        return self.ends[-1]

    def __iter__(self) -> Iterator[Sample]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, index: int) -> Sample:
        source, values = self._row(range(len(self))[index])
        photo, sound = (_encoded(values, role, source) for role in ("image", "sound"))
        return replace(
            _described(source, values),
            image=None if photo is None else open_photo(photo, source),
            sound=None if sound is None else as_sound(sound, name=source),
            clip=_encoded(values, "clip", source),
        )

    def values(self, *columns: str) -> Iterator[dict[str, Any]]:
        """These columns of all its rows in order, whatever they are to a Sample: to choose rows by what they hold.

        Nothing else is read, and no more than a thousand rows are held at a time.

        Raises:
            InputError: a file has no such column.
        """
        for file in self.files:
            yield from _rows(file, columns)

    def _row(self, index: int) -> tuple[str, dict[str, Any]]:
        """Where a row stands, and its values by role."""
        number = bisect_right(self.ends, index)
        file, table = self.files[number], self._table(number)
        row = file.rows[index - self.ends[number]]
        source = f"{file.path}:{row}"
        try:
            return source, {role: table[column][row].as_py() for role, column in file.columns.items()}
        except UnicodeDecodeError as error:
            raise not_utf_8(source, error) from None

    def texts(self) -> Iterator[str]:
        """All captions and texts, row by row. No photo is read, and no more than a thousand rows are held at a time."""
        for file in self.files:
            wanted = [file.columns[role] for role in ("captions", "text") if role in file.columns]
            for row in _rows(file, wanted) if wanted else ():
                for column in wanted:
                    yield from _strings(row[column])

    def _table(self, number: int) -> pa.Table:
        if number not in self.tables:
            with open_parquet(self.files[number].path) as opened:
                columns = list(self.files[number].columns.values())
                # no threads: a forked worker process has none of its parent's
                self.tables[number] = opened.read(columns=columns, use_threads=False)
        return self.tables[number]


@contextmanager
def open_parquet(path: FilePath) -> Iterator[pq.ParquetFile]:
    """A file, open; what goes wrong while it is read says so in one line too.

    Raises:
        InputError: missing, empty, no Parquet file, cut short, broken, or with text that is not UTF-8.
    """
    with open_file(path) as file:
        try:
            with pq.ParquetFile(file) as parquet:
                yield parquet
        except (pa.ArrowException, OSError) as error:
            problem = f"not a Parquet file, or one cut short or broken ({reason(error)})"
            raise InputError(f"{path}: {problem}; copy or download it again") from None
        except UnicodeDecodeError as error:
            raise not_utf_8(path, error) from None


def _chosen(file: _File, where: Mapping[str, Any]) -> _File:
    """The file with those of its rows that hold one of the values in each column."""
    wanted = {column: value if isinstance(value, (list, tuple)) else [value] for column, value in where.items()}
    rows = zip(file.rows, _rows(file, list(wanted)), strict=True)
    return file._replace(
        rows=array("q", (row for row, values in rows if all(values[column] in wanted[column] for column in wanted)))
    )


def _rows(file: _File, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """These columns of the rows that are taken."""
    taken = set(file.rows) if isinstance(file.rows, array) else file.rows
    with open_parquet(file.path) as opened:
        if missing := [column for column in columns if column not in opened.schema_arrow.names]:
            has = ", ".join(opened.schema_arrow.names)
            raise InputError(f"{file.path}: no column {missing[0]!r}; it has {has}")
        number = count()
        for batch in opened.iter_batches(batch_size=1000, columns=list(columns)):
            yield from (values for values in batch.to_pylist() if next(number) in taken)


def not_utf_8(place: FilePath, error: UnicodeDecodeError) -> InputError:
    """What is wrong with a text, as an error that names its place."""
    return InputError(f"{place}: text is not UTF-8 ({reason(error)}); write the file again with its text decoded")


def _footer(path: FilePath, named: Mapping[str, str]) -> _File:
    with open_parquet(path) as opened:
        rows, schema = opened.metadata.num_rows, opened.schema_arrow
    if rows == 0:
        raise InputError(f"{path}: holds no row; leave it out")
    return _File(path, range(rows), _roles(schema, named, path))


def _roles(schema: pa.Schema, named: Mapping[str, str], path: FilePath) -> dict[str, str]:
    """Role to column, for the roles that the file fills."""
    if unknown := sorted(named.keys() - ROLES.keys()):
        raise InputError(f"{path}: no column can be {unknown[0]!r}; known: {', '.join(ROLES)}")
    columns = {}
    for role, (fits, form, usual) in ROLES.items():
        names = (named[role],) if role in named else (role, *usual)
        column = next((name for name in names if name in schema.names), None)
        if column is None:
            if role in named:
                raise InputError(f"{path}: no column {named[role]!r} for {role}; it has {', '.join(schema.names)}")
        elif fits(schema.field(column).type):
            columns[role] = column
        elif role in named or role in STRICT:
            kind = schema.field(column).type
            raise InputError(f"{path}: column {column!r} holds {kind}; {role} must be {form}; name another column")
    if lacking := [role for role in TIMED if role not in columns]:
        if meant := [role for role in TIMED if role in named]:
            raise InputError(f"{path}: {meant[0]} without {lacking[0]}; name a column for each of {', '.join(TIMED)}")
        columns = {role: column for role, column in columns.items() if role not in TIMED}
    if not columns.keys() & set(CONTENT):
        has = ", ".join(schema.names)
        raise InputError(
            f"{path}: no column image, sound, clip, captions or text; it has {has}: name one of these for it"
        )
    return columns


def _described(source: str, values: Mapping[str, Any]) -> Sample:
    """A sample's light half. Raises InputError where its words and their times do not pair."""
    words, starts, ends = (values.get(role) or () for role in TIMED)
    if not len(words) == len(starts) == len(ends):
        counts = f"{len(words)} words, {len(starts)} starts and {len(ends)} ends"
        raise InputError(f"{source}: {counts}; give one start and one end a word")
    return Sample(
        source=source,
        captions=_strings(values.get("captions")),
        text=values.get("text"),
        label=values.get("label"),
        words=tuple(zip(words, starts, ends, strict=True)),
        class_name=values.get("class_name"),
        digit=values.get("digit"),
    )


def _encoded(values: Mapping[str, Any], role: str, source: str) -> bytes | None:
    """The bytes of a role, None where the file does not fill it. Raises InputError where this row has none."""
    if role not in values:
        return None
    data = values[role]["bytes"] if isinstance(values[role], dict) else values[role]
    if data is None:
        what = "photo" if role == "image" else role
        raise InputError(f"{source}: no {what} in this row; leave the row out, or store the {what}'s bytes in it")
    return data


def _strings(value: str | list[str | None] | None) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    return tuple(text for text in values if text is not None)
