"""A folder of photos, sounds and clips with captions in metadata.csv or metadata.jsonl, as Hugging Face has them.

Notable: the whole metadata is checked when the reader is made, each file's presence too, so that a mistake shows
before a training run and not in the middle of it; rows that name one file gather their captions in one Sample.
"""

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from io import TextIOWrapper
from os import PathLike
from pathlib import Path
from typing import Any

from mm_memgpt.datasets.files import open_file, reason
from mm_memgpt.datasets.photo_files import Entry, PhotoFiles
from mm_memgpt.types import InputError

Row = tuple[str, dict[str, Any]]
"""Where a row stands ("metadata.csv:3", lines count from 1), and its values by column."""

_CAPTIONS = re.compile(r"captions?|text|caption_\d+")
FILES = ("image", "sound", "clip")
ROLES = (*FILES, "captions")


class FolderReader(PhotoFiles):
    """The files that one or several folders' metadata names, as a sequence of Samples in the metadata's order.

    A file's path below the folder stands in `file_name`, captions in `caption`, `captions`, `text` and `caption_1`,
    `caption_2`, ...; in JSON lines each may be a list. Its ending says whether a file is a photo, a sound or a clip.
    `columns` maps "captions" to another column, and "image", "sound" or "clip" to the one that names the files, which
    are then all of that kind.

    Raises:
        InputError: no metadata, or a row of it that cannot be used; the message names the line. A broken photo
            raises only when it is asked for, and iteration can go on behind it.
    """

    def __init__(
        self, folders: str | PathLike[str] | Sequence[str | PathLike[str]], columns: Mapping[str, str] | None = None
    ) -> None:
        folders = [folders] if isinstance(folders, (str, PathLike)) else folders
        entries = [entry for folder in folders for entry in _files(Path(folder), columns or {})]
        super().__init__(entries, next((role for role in FILES if role in (columns or {})), None))


def _find_metadata(folder: Path) -> Path | None:
    """The folder's metadata file. Raises InputError where it has both kinds."""
    found = [folder / name for name in READ_ROWS if (folder / name).exists()]
    if len(found) > 1:
        raise InputError(f"{folder}: has both {' and '.join(READ_ROWS)}; keep one of them")
    return found[0] if found else None


def _files(folder: Path, named: Mapping[str, str]) -> list[Entry]:
    if len(several := [role for role in FILES if role in named]) > 1:
        raise InputError(f"{folder}: both {' and '.join(several)}; a row names one file, so name one column")
    column = next((named[role] for role in several), "file_name")
    if unknown := sorted(named.keys() - set(ROLES)):
        raise InputError(f"{folder}: no column of a folder can be {unknown[0]!r}; known: {', '.join(ROLES)}")
    metadata = _find_metadata(folder)
    if metadata is None:
        way_out = "add one with the columns file_name and caption"
        raise InputError(f"{folder}: no {' or '.join(READ_ROWS)} in this folder; {way_out}")
    gathered: dict[Path, list[str]] = {}
    for place, values in _rows(metadata):
        path = _file_path(folder, values, column, place)
        gathered.setdefault(path, []).extend(_captions(values, named.get("captions"), place))
    if not gathered:
        raise InputError(f"{metadata}: holds no row; add one for each file")
    return [(path, tuple(captions)) for path, captions in gathered.items()]


def _rows(metadata: Path) -> Iterator[Row]:
    with open_file(metadata) as file, TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
        try:
            for line, values in READ_ROWS[metadata.name](text):
                yield f"{metadata}:{line}", values
        except UnicodeDecodeError as error:
            raise InputError(f"{metadata}: not UTF-8 ({reason(error)}); save it as UTF-8") from None


def _csv_rows(text: TextIOWrapper) -> Iterator[tuple[int, dict[str, Any]]]:
    rows = csv.DictReader(text, strict=True)
    try:
        for values in rows:
            yield rows.line_num, values
    except csv.Error as error:
        way_out = "put quotes around captions, and double the quotes inside them"
        raise InputError(f"{text.name}:{rows.reader.line_num}: not CSV ({error}); {way_out}") from None


def _json_rows(text: TextIOWrapper) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, row in enumerate(text, start=1):
        if not row.strip():
            continue
        try:
            values = json.loads(row)
        except json.JSONDecodeError as error:
            raise InputError(f"{text.name}:{line}: not JSON ({error}); write one object a line") from None
        if not isinstance(values, dict):
            raise InputError(f"{text.name}:{line}: a {type(values).__name__}, not an object; write one object a line")
        yield line, values


READ_ROWS = {"metadata.csv": _csv_rows, "metadata.jsonl": _json_rows}
"""Metadata files by name, and what reads their rows."""


def _file_path(folder: Path, values: dict[str, Any], column: str, place: str) -> Path:
    if None in values:  # where csv.DictReader leaves what is beyond the last column
        raise InputError(f"{place}: more fields than columns; put quotes around captions that hold commas")
    name = values.get(column)
    if not isinstance(name, str) or not name:
        has = ", ".join(str(key) for key in values)
        raise InputError(f"{place}: no {column}; each row needs the file's path in that column; it has {has}")
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise InputError(f"{place}: {name!r} leads out of the folder; files must lie in it or below")
    path = folder / name
    if not path.is_file():
        raise InputError(f"{place}: no file {name!r} in the folder; add it, or take the row out")
    return path


def _captions(values: dict[str, Any], column: str | None, place: str) -> list[str]:
    """The captions of a row, in the order of its columns; empty ones are left out."""
    if column is not None and column not in values:
        raise InputError(f"{place}: no column {column!r} for captions; it has {', '.join(values)}")
    captions = []
    for name, value in values.items():
        if name == column or (column is None and _CAPTIONS.fullmatch(name)):
            captions += value if isinstance(value, list) else [value]
    if wrong := [caption for caption in captions if not isinstance(caption, str | None)]:
        raise InputError(f"{place}: {wrong[0]!r} is no caption; give a string or a list of strings")
    return [caption for caption in captions if caption and not caption.isspace()]
