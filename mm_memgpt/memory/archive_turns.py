"""Writers take turns: one at a time in a folder, in the order in which they came.

Notable: a writer queues at the door before it waits for the room, so one that writes without pause cannot pass one that
waits; the locks are the system's, so a killed writer leaves none behind. An object store has no locks: there the table
finds conflicts when it commits, and the commit is made again.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from filelock import FileLock

from mm_memgpt.types import InputError

ATTEMPTS = 40
"""Times a commit is made that meets others' commits, with a longer wait each time (up to a second)."""

Result = TypeVar("Result")


class Turns:
    """The turns of one folder; with no folder only the threads of one archive take turns."""

    def __init__(self, folder: Path | None) -> None:
        self._threads = threading.RLock()
        self._depth = 0
        self._door, self._room = (
            (FileLock(folder / ".door", thread_local=False), FileLock(folder / ".room", thread_local=False))
            if folder is not None
            else (None, None)
        )

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Within it nobody else writes to the folder; it may be entered again within itself."""
        with self._threads:
            self._depth += 1
            try:
                if self._depth == 1 and self._room is not None:
                    with self._door.acquire(poll_interval=0.005):
                        self._room.acquire(poll_interval=0.002)
                yield
            finally:
                self._depth -= 1
                if self._depth == 0 and self._room is not None:
                    self._room.release()


def persist(commit: Callable[[], Result], renew: Callable[[], None]) -> Result:
    """Commits, and where another's commit came between renews the view of the table and commits again."""
    for attempt in range(ATTEMPTS):
        try:
            return commit()
        except Exception as error:  # the table has no exception of its own for a conflict
            if not conflicts(error) or attempt == ATTEMPTS - 1:
                raise
            time.sleep(random.uniform(0, min(1.0, 0.02 * 2**attempt)))
            renew()
    raise AssertionError("the last attempt returns or raises")


def conflicts(error: Exception) -> bool:
    """Whether another's commit came between, so that the same again may succeed."""
    return "conflict" in str(error).lower() and not isinstance(error, InputError)
