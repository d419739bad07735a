"""What a user names on the command line as inputs in order: files, folders, globs, addresses, lists on standard input.

Notable: nothing named is passed over in silence; what cannot be found becomes an entry with its error, in its place.
"""

import os
from collections.abc import Iterable, Iterator
from glob import glob, has_magic
from pathlib import Path
from typing import NamedTuple

from mm_memgpt.datasets.clip_source import is_live
from mm_memgpt.datasets.document import DOCUMENT_SUFFIXES
from mm_memgpt.kinds import SUFFIXES
from mm_memgpt.types import InputError

STANDARD_INPUT = "-"


class Wanted(NamedTuple):
    """What is looked for in folders."""

    suffixes: frozenset[str]
    """Endings of its files, in lower case."""
    one: str
    """What an error calls one of them."""
    some: str
    """What an error calls several."""


PHOTOS = Wanted(SUFFIXES["photo"], "photo", "photos")
EVERYTHING = Wanted(frozenset().union(*SUFFIXES.values()), "photo, sound or clip", "some")
MEMORABLE = Wanted(EVERYTHING.suffixes | DOCUMENT_SUFFIXES, "photo, sound, clip or text", "some")


class Entry(NamedTuple):
    """A file's path as the user would write it, or what the user named and why it gives nothing."""

    path: str
    error: InputError | None = None


def expand(names: Iterable[str], standard_input: Iterable[str], wanted: Wanted = PHOTOS) -> Iterator[Entry]:
    """The files that `names` stand for, in order; "-" stands for the names on standard input, one a line.

    A folder stands for what is wanted of the files in it and below it, sorted, hidden ones left out; a pattern that the
    shell did not expand, for what it matches.
    """
    for name in names:
        if name == STANDARD_INPUT:
            listed = (line.rstrip("\r\n") for line in standard_input)
            entries = _expand_all((line for line in listed if line), wanted)
            yield from _or_error(entries, name, f"standard input names no {wanted.one}")
        else:
            yield from _expand(name, wanted)


def _expand_all(names: Iterable[str], wanted: Wanted) -> Iterator[Entry]:
    for name in names:
        yield from _expand(name, wanted)


def _expand(name: str, wanted: Wanted) -> Iterator[Entry]:
    if os.path.isdir(name):
        nothing = f"no {wanted.one} in this folder; name one that holds {wanted.some}"
        yield from _or_error(_files_below(name, wanted.suffixes), name, nothing)
    elif os.path.lexists(name) or (wanted is not PHOTOS and is_live(name)):
        yield Entry(name)
    elif has_magic(name):
        matches = sorted(glob(name, recursive=True))
        yield from _or_error(_expand_all(matches, wanted), name, "no file matches this pattern; check it")
    else:
        yield Entry(name, InputError(f"{name}: no such file or folder; check the path"))


def _or_error(entries: Iterator[Entry], name: str, message: str) -> Iterator[Entry]:
    entry = None
    for entry in entries:
        yield entry
    if entry is None:
        yield Entry(name, InputError(f"{name}: {message}"))


def _files_below(folder: str, suffixes: frozenset[str]) -> Iterator[Entry]:
    try:
        found = sorted(os.scandir(folder), key=lambda item: item.name)
    except OSError as error:
        yield Entry(folder, InputError(f"{folder}: cannot be opened ({error.strerror}); check who may read it"))
        return
    for item in found:
        if item.name.startswith("."):
            continue
        if item.is_dir(follow_symlinks=False):
            yield from _files_below(item.path, suffixes)
        elif Path(item.name).suffix.lower() in suffixes:
            yield Entry(item.path)
