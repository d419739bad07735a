"""Files opened for reading, with what can be wrong about them said in one line.

Notable: a folder, a pipe and an empty file are told from a broken one here, once, so that no reader has to.
"""

import os
import stat
from typing import BinaryIO

from mm_memgpt.types import InputError

EMPTY = "empty (0 bytes); copy or download it again"


def open_file(path: str | os.PathLike[str], name: str | None = None) -> BinaryIO:
    """Opens a file that holds something; `name` is what an error calls it, by default its path.

    Raises:
        InputError: missing, a folder, a pipe or device, empty, or not to be opened.
    """
    name = os.fspath(path) if name is None else name
    try:
        status = os.stat(path)
        if stat.S_ISREG(status.st_mode) and status.st_size > 0:
            return open(path, "rb")
    except FileNotFoundError:
        raise InputError(f"{name}: no such file; check the path") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise InputError(f"{name}: cannot be opened ({reason(error)}); check the path and who may read it") from None
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f"{name}: a folder, not a file; name the files in it")
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{name}: a pipe or device, not a file; save what it gives to a file first")
    raise InputError(f"{name}: {EMPTY}")


def reason(error: BaseException) -> str:
    """What an error of a library says, on one line."""
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(said.split()).rstrip(".")
