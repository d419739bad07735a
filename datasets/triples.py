"""Facts as triples of head, relation and tail: from TSV and CSV files, Parquet files and N-Triples.

    for triple in read_triples("facts.tsv"):
        triple.head, triple.relation, triple.tail, triple.since, triple.until, triple.source

Notable: a file is read from its beginning to its end and never held, so a dump of any size can be read; a row that is
broken comes as an InputError in its place, with its line, and those behind it still come.
"""

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from itertools import count
from os import PathLike, fspath
from pathlib import Path
from typing import Any, NamedTuple

from mm_memgpt.datasets.files import open_file
from mm_memgpt.datasets.lines import TOO_LONG, Lines, find_encoding
from mm_memgpt.datasets.parquet import open_parquet
from mm_memgpt.types import InputError

FilePath = str | PathLike[str]

PARTS = ("head", "relation", "tail")
COLUMNS = (*PARTS, "since", "until", "source")
"""What a row can say; from, "from" being a word of Python's, is called `since`."""

USUAL = {"from": "since", "subject": "head", "predicate": "relation", "object": "tail"}
"""Other names of these columns."""

TAB = "\t"

KNOWN = ".tsv, .txt or .csv, .parquet, or .nt (N-Triples)"


class Triple(NamedTuple):
    """A fact."""

    head: str
    relation: str
    tail: str
    since: float | None = None
    """Second in Unix time from which on it holds; None: always."""
    until: float | None = None
    """Second at which it holds no longer."""
    source: str | None = None
    """Who says so."""
    place: str = ""
    """File and line, or row of a Parquet file, counted from 0."""
    literal: bool = False
    """Whether the tail is a value instead of an entity, as N-Triples has them; then `tail` is what it says."""
    language: str | None = None
    """Of a literal text."""


def read_triples(
    path: FilePath, *, where: Mapping[str, Any] | None = None, encoding: str | None = None
) -> Iterator[Triple | InputError]:
    """The triples of a file in their order, and what is wrong with each broken row.

    TSV and CSV files may begin with a header that names head, relation, tail and, if there are, from, until and source;
    without one, rows have three cells. Blank lines, and lines that begin with "#", are passed by.

    Args:
        path: a file of KNOWN.
        where: column to the value, or list of values, that a row must hold in it; the others are left out.
        encoding: of a text file that is neither UTF-8 nor marked as UTF-16.

    Raises:
        InputError: missing, empty, of another kind, or without the columns.
        ImportError: rdflib, which reads N-Triples, is not installed; the message names the extra.
    """
    kind = Path(path).suffix.lower()
    if kind not in READERS:
        raise InputError(f"{path}: no triples are read from {kind or 'a name without ending'}; give {KNOWN}")
    if where and kind == ".nt":
        raise InputError(f"{path}: N-Triples have no columns to choose by; leave out where")
    if encoding is not None and kind == ".parquet":
        raise InputError(f"{path}: takes no encoding, as it is no text file; leave it out")
    return READERS[kind](path, where or {}, encoding)


def _text(path: FilePath, where: Mapping[str, Any], encoding: str | None) -> Iterator[Triple | InputError]:
    """Rows of cells; a first row that names head, relation and tail is a header."""
    name, mark = fspath(path), "," if Path(path).suffix.lower() == ".csv" else TAB
    columns: tuple[str, ...] = ()
    for place, line in text_lines(path, encoding):
        cells = line if isinstance(line, InputError) else _cells(line, mark, place)
        if isinstance(cells, InputError):
            yield cells
            continue
        if not columns:
            header = _header(cells, name)
            columns = header or PARTS
            _check_where(where, columns, name)
            if header:
                continue
        if len(cells) != len(columns):
            way_out = f"part them by {'tabs' if mark == TAB else 'commas'}, or name all in a first line"
            has = f"{', '.join(columns)} are {len(columns)}"
            yield InputError(f"{place}: has {len(cells)} cells, but {has}; {way_out}")
            continue
        row = dict(zip(columns, cells, strict=True))
        if _is_chosen(row, where):
            yield _triple(row, place)


def _cells(line: str, mark: str, place: str) -> list[str] | InputError:
    """What stands between tabs, or between commas, where quotes may hold some; or what is wrong with it."""
    if mark == TAB:
        return [cell.strip() for cell in line.split(TAB)]
    try:
        [cells] = csv.reader([line], strict=True, skipinitialspace=True)
    except csv.Error as error:
        return InputError(f"{place}: not CSV ({error}); put quotes around cells, and double those inside")
    return [cell.strip() for cell in cells]


def _header(cells: Sequence[str], name: str) -> tuple[str, ...] | None:
    """The columns that a first row names; None where it is a triple.

    Raises:
        InputError: it names one twice.
    """
    columns = tuple(USUAL.get(cell.casefold(), cell.casefold()) for cell in cells)
    if not {*PARTS} <= {*columns}:
        return None
    if twice := [each for number, each in enumerate(columns) if each in columns[:number]]:
        raise InputError(f"{name}: column {twice[0]!r} is in the header twice; rename one")
    return columns


def _parquet(path: FilePath, where: Mapping[str, Any], encoding: None) -> Iterator[Triple | InputError]:
    """Rows of the columns head, relation, tail and what else is known of them."""
    name = fspath(path)
    with open_parquet(path) as opened:
        names = opened.schema_arrow.names
        columns = {USUAL.get(each.casefold(), each.casefold()): each for each in names}
        if missing := [each for each in PARTS if each not in columns]:
            raise InputError(f"{name}: no column {missing[0]!r}; it has {', '.join(names)}: rename one")
        _check_where(where, names, name)
        taken = {role: columns[role] for role in COLUMNS if role in columns}
        number = count()
        for batch in opened.iter_batches(batch_size=10_000, columns=list({*taken.values(), *where})):
            for values, row in zip(batch.to_pylist(), number, strict=False):
                if _is_chosen(values, where):
                    yield _triple({role: values[column] for role, column in taken.items()}, f"{name}:{row}")


def _n_triples(path: FilePath, where: Mapping[str, Any], encoding: str | None) -> Iterator[Triple | InputError]:
    """A statement a line: <head> <relation> <tail> ., where a tail may be a literal and "_:" begins a blank node."""
    try:
        from rdflib import Literal
        from rdflib.exceptions import ParserError
        from rdflib.plugins.parsers.ntriples import W3CNTriplesParser
    except ImportError as error:
        raise ImportError('N-Triples need rdflib: pip install "mm-memgpt[knowledge]"') from error
    found: list[tuple] = []
    parser = W3CNTriplesParser(_Sink(found), bnode_context=_Labels())
    for place, line in text_lines(path, encoding):
        if isinstance(line, InputError):
            yield line
            continue
        parser.line = line.strip()
        try:
            parser.parseline()
        except (ParserError, ValueError, OverflowError) as error:
            said = " ".join(str(error).split())
            said = said if len(said) <= 80 else f"{said[:77]}..."
            yield InputError(f'{place}: no N-Triples statement ({said}); write <head> <relation> <tail> . or "text"')
            continue
        for head, relation, tail in found:
            literal = isinstance(tail, Literal)
            language = tail.language if literal else None
            yield Triple(str(head), str(relation), str(tail), place=place, literal=literal, language=language)
        found.clear()


class _Sink(NamedTuple):
    """What rdflib's parser tells of statements."""

    found: list[tuple]

    def triple(self, *statement: Any) -> None:
        self.found.append(statement)


class _Labels(dict):
    """Blank nodes as the file calls them, so that none has to be remembered."""

    def get(self, label: str, default: Any = None) -> str:
        return f"_:{label}"


READERS: dict[str, Callable[[FilePath, Mapping[str, Any], str | None], Iterator[Triple | InputError]]] = {
    ".tsv": _text,
    ".txt": _text,
    ".csv": _text,
    ".parquet": _parquet,
    ".nt": _n_triples,
}
"""Readers by a file's ending."""


def text_lines(path: FilePath, encoding: str | None = None) -> Iterator[tuple[str, str | InputError]]:
    """Place and text, without its break, of each line that is neither blank nor begins with "#".

    Raises:
        InputError: missing, empty, or in an encoding that is not known.
    """
    name = fspath(path)
    with open_file(path) as file:
        lines = Lines(file, find_encoding(file, encoding, name))
        line = lines.after(None)
        while line is not None:
            place = f"{name}:{line.number}"
            if line.data is None:
                yield place, InputError(f"{place}: {TOO_LONG}")
            elif not lines.is_blank(line):
                try:
                    text = lines.encoding.decode(line.data, place).rstrip("\r\n")
                except InputError as error:
                    yield place, error
                else:
                    if not text.lstrip().startswith("#"):
                        yield place, text
            line = lines.after(line)


def _triple(row: Mapping[str, Any], place: str) -> Triple | InputError:
    """A row as a triple, or what is wrong with it."""
    try:
        head, relation, tail = (_part(row[name], place, name) for name in PARTS)
        since, until = (instant(row.get(name), place, name) for name in ("since", "until"))
        if since is not None and until is not None and until <= since:
            raise InputError(f"{place}: holds until {row['until']}, not after {row['since']}; give the later time last")
        source = row.get("source")
        return Triple(head, relation, tail, since, until, None if source in (None, "") else str(source), place)
    except InputError as error:
        return error


def _part(value: Any, place: str, name: str) -> str:
    text = "" if value is None or value != value else str(value).strip()
    if not text:
        raise InputError(f"{place}: no {name}; fill it in, or leave the row out")
    return text


def instant(value: Any, place: str, name: str) -> float | None:
    """A year, a date, a time of ISO 8601 or seconds in Unix time; without a zone they are UTC's. A year or a day is the
    moment that it begins.

    Raises:
        InputError: it is none of them; the message begins with the place and says where there it stands.
    """
    if value is None or value == "" or value != value:
        return None
    if isinstance(value, str):
        text = value.strip()
        if len(text) <= 4 and text.isdecimal():
            text = f"{text:0>4}-01-01"
        elif len(text) == 7 and text[4] == "-":
            text = f"{text}-01"
        with suppress(ValueError):
            value = datetime.fromisoformat(text)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if isinstance(value, datetime):
        with suppress(OverflowError, ValueError):
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    with suppress(TypeError, ValueError, OverflowError):
        if math.isfinite(second := float(value)):
            return second
    raise InputError(
        f"{place}: {str(value)[:40]!r} in {name} is no time; write 1999, 1999-12-31 or 1999-12-31T23:59:00"
    )


def _check_where(where: Mapping[str, Any], columns: Sequence[str], name: str) -> None:
    if missing := [each for each in where if each not in columns]:
        raise InputError(f"{name}: no column {missing[0]!r} for where; it has {', '.join(columns)}")


def _is_chosen(row: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    """Whether a row holds what it must; text holds a number that it spells."""
    for name, wanted in where.items():
        values = list(wanted) if isinstance(wanted, (list, tuple)) else [wanted]
        if row[name] not in values and row[name] not in [str(value) for value in values]:
            return False
    return True
