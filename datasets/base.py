"""What a reader is, and the one function that finds the reader for a file or folder.

Notable: readers are sequences, because a resumable training stream asks for any sample at any time; a sample that is
broken raises only when it is asked for.
"""

from collections.abc import Iterator, Sequence
from glob import glob, has_magic
from os import PathLike
from pathlib import Path
from typing import Protocol

from mm_memgpt.datasets.folder import FolderReader
from mm_memgpt.datasets.parquet import ParquetReader
from mm_memgpt.types import InputError, Sample


class Reader(Protocol):
    """A sequence of Samples that can be sent to another process."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Sample]:
        """All samples in order; after the InputError of a broken one, the iterator goes on with the next."""

    def __getitem__(self, index: int) -> Sample:
        """One sample. Raises InputError, which names the sample, where it is broken."""

    def texts(self) -> Iterator[str]:
        """All captions and texts, without opening a photo."""


FOLDER = "folder"
READERS = {".parquet": ParquetReader, FOLDER: FolderReader}
"""Readers by the ending of the files they read; each takes paths, and the columns to take for a role."""


def read(
    source: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    image: str | None = None,
    captions: str | None = None,
    text: str | None = None,
    label: str | None = None,
) -> Reader:
    """The reader of a .parquet file, a folder with metadata.csv or metadata.jsonl, a pattern, or a list of these.

    Args:
        source: a pattern stands for what it matches, sorted; all must be of one kind.
        image, captions, text, label: the column to take for each, where it is not the one of that name.

    Raises:
        InputError: nothing there, several kinds, an unknown kind, or what the reader finds wrong.
    """
    paths = _paths(source)
    kinds = {FOLDER if path.is_dir() else path.suffix.lower(): path for path in paths}
    if unknown := sorted(kinds.keys() - READERS.keys()):
        known = f"{' or '.join(READERS)} with metadata.csv or metadata.jsonl"
        raise InputError(f"{kinds[unknown[0]]}: no reader for {unknown[0] or 'a name without ending'}; give a {known}")
    if len(kinds) > 1:
        raise InputError(f"{source}: both {' and '.join(map(str, kinds.values()))}; read one kind at a time")
    named = {"image": image, "captions": captions, "text": text, "label": label}
    return READERS[kinds.popitem()[0]](paths, {role: column for role, column in named.items() if column is not None})


def _paths(source: str | PathLike[str] | Sequence[str | PathLike[str]]) -> list[Path]:
    if not isinstance(source, (str, PathLike)):
        if paths := [path for one in source for path in _paths(one)]:
            return paths
        raise InputError("an empty list of data files; give at least one")
    path = Path(source)
    if path.exists():
        return [path]
    if not has_magic(str(path)):
        raise InputError(f"{path}: no such file or folder; check the path")
    if paths := [Path(match) for match in sorted(glob(str(path), recursive=True))]:
        return paths
    raise InputError(f"{path}: no file matches this pattern; check it")
