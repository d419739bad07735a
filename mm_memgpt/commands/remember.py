"""`mm-memgpt remember`: photos, sounds, clips, documents and notes, kept in a memory in the order named.

Notable: what is kept is committed as it goes, so a stop at any moment loses nothing of it, and the same command goes on
from there; an input that cannot be used costs one line on standard error and the exit status, never the others.
"""

import sys
from argparse import Namespace
from itertools import chain
from typing import TYPE_CHECKING

from mm_memgpt.commands.errors import INTERRUPTED
from mm_memgpt.commands.memory_added import say
from mm_memgpt.commands.memory_place import ready
from mm_memgpt.commands.memory_progress import Progress
from mm_memgpt.interrupt import ending

if TYPE_CHECKING:
    from mm_memgpt.recollection.results import Added


def run(arguments: Namespace) -> int:
    """Adds the inputs; 1 if any of them failed, 130 after Ctrl-C, else 0.

    Raises:
        InputError: no such model, or a memory that cannot be had.
    """
    if not arguments.inputs and not arguments.note:
        arguments.refuse("the following arguments are required: INPUT or --note TEXT")
    progress = Progress()
    with progress.listening():
        added = add(arguments, progress)
    if progress.stopped:
        print(progress.last_word(arguments.memory), file=sys.stderr)
        return INTERRUPTED
    say(added, arguments)
    return 1 if added.errors else 0


def add(arguments: Namespace, progress: Progress) -> "Added":
    """Adds the inputs, and after them the notes; a memory that is not there is made, unless nothing named is."""
    with ending():
        from mm_memgpt.commands.inputs import MEMORABLE, STANDARD_INPUT, expand
        from mm_memgpt.recollection.results import Added
        from mm_memgpt.types import Text

    entries = expand(arguments.inputs, sys.stdin, MEMORABLE)
    total = None
    if STANDARD_INPUT in arguments.inputs:
        sys.stdin.reconfigure(errors="surrogateescape")  # file names are bytes
    else:  # a list being piped in may be endless; all else can be counted first
        entries = list(entries)
        total = len(entries) + len(arguments.note)
        errors = [entry.error for entry in entries if entry.error]
        if len(errors) == total:
            return Added(items=0, sources=(), errors=tuple(errors))
    named = (entry.error or entry.path for entry in entries)
    inputs = chain(named, (Text(note) for note in arguments.note))
    with ready(arguments).memory(arguments.memory) as memory, progress.bar(total):
        return memory.add(progress.over(inputs), arguments.at, arguments.source, progress.moved)
