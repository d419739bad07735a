"""`mm-memgpt know`: facts, kept in a memory with who says them and when they hold.

Notable: what is kept is committed as it goes, and the same command goes on where it was stopped; a row that cannot be
used costs one line on standard error and the exit status, never the others.
"""

import sys
from argparse import Namespace
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mm_memgpt.commands.errors import INTERRUPTED
from mm_memgpt.commands.memory_added import say
from mm_memgpt.commands.memory_place import ready
from mm_memgpt.commands.memory_progress import Progress
from mm_memgpt.interrupt import ending

if TYPE_CHECKING:
    from mm_memgpt.recollection.results import Added
    from mm_memgpt.types import InputError

TOLD = 20
"""Rows that could not be used, and sources that are known, that are told one by one."""


def run(arguments: Namespace) -> int:
    """Adds the facts; 1 if any of them could not be used, 130 after Ctrl-C, else 0.

    Raises:
        InputError: no such model or file of names, or a memory that cannot be had.
    """
    if not arguments.files and not arguments.fact:
        arguments.refuse("the following arguments are required: FILE or --fact HEAD RELATION TAIL")
    if not arguments.fact and (arguments.since is not None or arguments.until is not None):
        arguments.refuse("--from and --until are of --fact; in a file, columns from and until say it")
    if arguments.split_at is not None and arguments.names is None:
        arguments.refuse("--split-at is of --names; give the file of names, too")
    progress = Progress()
    with progress.listening():
        added = add(arguments, progress)
    if progress.stopped:
        print(progress.last_word(arguments.memory), file=sys.stderr)
        return INTERRUPTED
    say(added, arguments, "fact", TOLD)
    return 1 if added.errors else 0


def add(arguments: Namespace, progress: Progress) -> "Added":
    """Adds the facts of the command line, and after them those of files; a memory that is not there is made, unless
    nothing named can be read."""
    from math import inf

    with ending():
        from mm_memgpt.recollection.results import Added
        from mm_memgpt.types import Fact

    since = -inf if arguments.since is None else arguments.since
    until = inf if arguments.until is None else arguments.until
    facts = [Fact(*fact, since, until) for fact in arguments.fact]
    where = chosen(arguments.where)
    errors = [error for file in arguments.files if (error := unreadable(file, where)) is not None]
    if not facts and len(errors) == len(arguments.files):
        return Added(items=0, sources=(), errors=tuple(errors))
    told = [*facts, *arguments.files]
    with ready(arguments).memory(arguments.memory) as memory, progress.bar(len(told)):
        return memory.knows(
            progress.over(told),
            arguments.source,
            names=arguments.names,
            where=where,
            on_progress=progress.moved,
            split_at=arguments.split_at,
        )


def chosen(where: Iterable[tuple[str, str]]) -> dict[str, list[str | int]]:
    """The values that are asked for, by column; what spells a whole number is asked for as one, too."""
    columns: dict[str, list[str | int]] = {}
    for column, value in where:
        is_number = value.removeprefix("-").isdecimal()
        columns.setdefault(column, []).extend([value, int(value)] if is_number else [value])
    return columns


def unreadable(path: str, where: Mapping[str, Any]) -> "InputError | None":
    """Why nothing at all can be read of a file; None where something can, or no row holds what is asked for."""
    from mm_memgpt.datasets.triples import read_triples
    from mm_memgpt.types import InputError

    try:
        next(read_triples(path, where=where), None)
    except InputError as error:
        return error
    return None
