"""`mm-memgpt memory reencode`: a memory that another encoder wrote, perceived anew from the files it came from."""

from argparse import Namespace

from mm_memgpt.commands.memory_added import say
from mm_memgpt.commands.memory_place import place_of, ready
from mm_memgpt.commands.memory_progress import Progress


def run(arguments: Namespace) -> int:
    """Perceives all of it anew; 1 if anything could not be, else 0.

    Raises:
        InputError: no such model, no memory there, or one that may not be written.
    """
    arguments.memory, progress = place_of(arguments), Progress()
    with progress.bar(None):
        added = ready(arguments).reencode(arguments.memory, progress.moved)
    say(added, arguments)
    return 1 if added.errors else 0
