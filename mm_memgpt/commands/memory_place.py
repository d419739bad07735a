"""Which memory a command is about, opened by the model that is asked for."""

import sys
from argparse import Namespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mm_memgpt.recollection.memory import Memory


def place_of(arguments: Namespace) -> str:
    """The DIR of `memory info` and its like, which may be written as --memory DIR, too; without one, or with two, the
    command line is wrong."""
    named = [each for each in (arguments.place, arguments.memory) if each is not None]
    if len(named) != 1:
        arguments.refuse("give the memory once: DIR" if named else "the following arguments are required: DIR")
    return named[0]


def opened(arguments: Namespace, read_only: bool = True) -> "Memory":
    """The memory `arguments.memory`, which must be there.

    Raises:
        InputError: no such model, no memory there, or one that this model cannot read.
    """
    from mm_memgpt.pipeline import load

    return load(arguments.model, arguments.device).memory(arguments.memory, read_only=read_only, create=False)


def speak(form: str) -> None:
    """Makes standard output take any path: file names are bytes."""
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace" if form == "json" else "surrogateescape")
