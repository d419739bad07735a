"""Which memory a command is about, opened by the model that is asked for, or read without one.

Notable: a memory of an older version is given today's columns by whatever command meets it first, in one commit.
"""

import sys
from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from mm_memgpt.interrupt import ending

if TYPE_CHECKING:
    from mm_memgpt.memory.archive import Archive
    from mm_memgpt.pipeline import Pipeline
    from mm_memgpt.recollection.memory import Memory

Opened = TypeVar("Opened")


def place_of(arguments: Namespace) -> str:
    """The DIR of `memory info` and its like, which may be written as --memory DIR, too; without one, or with two, the
    command line is wrong."""
    named = [each for each in (arguments.place, arguments.memory) if each is not None]
    if len(named) != 1:
        arguments.refuse("give the memory once: DIR" if named else "the following arguments are required: DIR")
    return named[0]


def ready(arguments: Namespace) -> "Pipeline":
    """The model that is asked for, after importing what a memory needs; Ctrl-C ends the process at once meanwhile.

    Raises:
        InputError: no such model, or lancedb is not installed.
    """
    with ending():
        from mm_memgpt.memory.archive_table import import_lancedb
        from mm_memgpt.pipeline import load

        import_lancedb()
        return load(arguments.model, arguments.device)


def opened(arguments: Namespace, read_only: bool = True) -> "Memory":
    """The memory `arguments.memory`, which must be there.

    Raises:
        InputError: no such model, no memory there, or one that this model cannot read.
    """
    pipeline = ready(arguments)
    return of_today(arguments.memory, lambda: pipeline.memory(arguments.memory, read_only=read_only, create=False))


def archived(address: str) -> "Archive":
    """What a memory holds, to be read without a model.

    Raises:
        InputError: no memory there, or an older one that may not be written.
    """
    from mm_memgpt.memory.archive import Archive

    return of_today(address, lambda: Archive.open(address, read_only=True))


def of_today(address: str, opening: Callable[[], Opened]) -> Opened:
    """What `opening` gives; a memory of an older version is opened for writing first.

    Raises:
        InputError: as `opening`, or an older memory may not be written.
    """
    from mm_memgpt.memory.archive import Archive
    from mm_memgpt.memory.archive_table import OlderMemory

    try:
        return opening()
    except OlderMemory:
        Archive.open(address).close()
        return opening()


def speak(form: str) -> None:
    """Makes standard output take any path: file names are bytes."""
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace" if form == "json" else "surrogateescape")
