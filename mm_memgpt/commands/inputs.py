"""What a user names on the command line, as photos in order: files, folders, globs, and lists on standard input.

Notable: nothing named is passed over in silence; what cannot be found becomes an entry with its error, in its place.
"""

import os
from collections.abc import Iterable, Iterator
from glob import glob, has_magic
from pathlib import Path
from typing import NamedTuple

from mm_memgpt.datasets.photo import PHOTO_SUFFIXES
from mm_memgpt.types import InputError

STANDARD_INPUT = "-"


class Entry(NamedTuple):
    """A photo's path as the user would write it, or what the user named and why it gives no photo."""

    path: str
    error: InputError | None = None


def expand(names: Iterable[str], standard_input: Iterable[str]) -> Iterator[Entry]:
    """The photos that `names` stand for, in order; "-" stands for the names on standard input, one a line.

    A folder stands for the photos in it and below it, sorted, hidden ones left out; a pattern that the shell did not
    expand, for what it matches.
    """
    for name in names:
        if name == STANDARD_INPUT:
            listed = (line.rstrip("\r\n") for line in standard_input)
            yield from _or_error(_expand_all(line for line in listed if line), name, "standard input names no photo")
        else:
            yield from _expand(name)


def _expand_all(names: Iterable[str]) -> Iterator[Entry]:
    for name in names:
        yield from _expand(name)


def _expand(name: str) -> Iterator[Entry]:
    if os.path.isdir(name):
        yield from _or_error(_photos_below(name), name, "no photo in this folder; name one that holds photos")
    elif os.path.lexists(name):
        yield Entry(name)
    elif has_magic(name):
        matches = sorted(glob(name, recursive=True))
        yield from _or_error(_expand_all(matches), name, "no file matches this pattern; check it")
    else:
        yield Entry(name, InputError(f"{name}: no such file or folder; check the path"))


def _or_error(entries: Iterator[Entry], name: str, message: str) -> Iterator[Entry]:
    entry = None
    for entry in entries:
        yield entry
    if entry is None:
        yield Entry(name, InputError(f"{name}: {message}"))


def _photos_below(folder: str) -> Iterator[Entry]:
    try:
        found = sorted(os.scandir(folder), key=lambda item: item.name)
    except OSError as error:
        yield Entry(folder, InputError(f"{folder}: cannot be opened ({error.strerror}); check who may read it"))
        return
    for item in found:
        if item.name.startswith("."):
            continue
        if item.is_dir(follow_symlinks=False):
            yield from _photos_below(item.path)
        elif Path(item.name).suffix.lower() in PHOTO_SUFFIXES:
            yield Entry(item.path)
