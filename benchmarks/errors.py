"""What goes wrong in a benchmark, told as the program tells it: one line, and an exit status."""

import functools
import sys
from collections.abc import Callable, Sequence

from mm_memgpt.types import InputError

Main = Callable[[Sequence[str] | None], int]


def tells_errors(main: Main) -> Main:
    """A command line whose `InputError`, or package that is not installed, is one line on standard error and the exit
    status 1."""

    @functools.wraps(main)
    def told(arguments: Sequence[str] | None = None) -> int:
        try:
            return main(arguments)
        except (InputError, ImportError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 1

    return told
