"""Errors a user can do something about, as one line on standard error. Anything else is a bug, and traces back."""

import errno
import os
import sys
from collections.abc import Sequence

PROGRAM = "mm-memgpt"

INTERRUPTED = 130
"""The exit status after Ctrl-C: 128 and the signal's number, as a shell reports it."""
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def error_line(error: object) -> str:
    """The one line that says what went wrong."""
    return f"{PROGRAM}: error: {' '.join(str(error).split())}"


def tell_errors(errors: Sequence[object], most: int | None = None) -> None:
    """Errors on standard error, a line each; of more than `most`, how many there are; all where None."""
    for error in errors[:most]:
        print(error_line(error), file=sys.stderr)
    if most is not None and len(errors) > most:
        print(f"{PROGRAM}: {len(errors) - most:,} more were left out likewise", file=sys.stderr)


def status_of(error: BaseException, interrupted: bool = False) -> int:
    """The exit status for an error that ended a command, after saying on standard error what it was.

    128 + signal number where a signal ended it (2 Ctrl-C, 13 a closed pipe), as a shell reports it, and 1 otherwise.

    Args:
        error: what was raised.
        interrupted: whether Ctrl-C came before; a failure of a library's own is then what it made of that.

    Raises:
        BaseException: `error` itself, where it is none a user can do something about.
    """
    if isinstance(error, KeyboardInterrupt) or (interrupted and isinstance(error, ImportError)):
        return INTERRUPTED
    from mm_memgpt.types import InputError

    if isinstance(error, OSError):
        _give_up_standard_output()
    if isinstance(error, BrokenPipeError):
        return 141
    if isinstance(error, OSError) and error.errno is not None:
        place = error.filename or ("output" if error.errno in DISK_FULL else "input or output")
        message = f"{place}: {os.strerror(error.errno)}"
    elif isinstance(error, InputError) or (isinstance(error, ImportError) and "mm-memgpt[" in str(error)):
        message = str(error)
    elif interrupted:
        return INTERRUPTED
    else:
        raise error
    print(error_line(message), file=sys.stderr)
    return 1


def _give_up_standard_output() -> None:
    """Sends what standard output cannot write nowhere, for Python would try once more when it exits, and complain."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
