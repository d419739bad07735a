"""A view of a memory's table: reads of its newest version, and commits to it in turn.

Notable: a reader never waits and takes no lock; where a purge beside it took away files it was about to read, it reads
the version after. A commit that another's came before is made again.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mm_memgpt.memory.archive_table import first_line, unwritable
from mm_memgpt.memory.archive_turns import Turns, persist
from mm_memgpt.memory.where import Where
from mm_memgpt.types import InputError

if TYPE_CHECKING:
    from lancedb.table import LanceTable

READS = 6
"""Times a read is begun whose files a purge takes away."""

Result = TypeVar("Result")


class View:
    """The table at an address, for reading and, with turns, for writing."""

    def __init__(self, address: str, table: "LanceTable", turns: Turns | None) -> None:
        self.address, self._table, self._turns = address, table, turns

    @property
    def table(self) -> "LanceTable":
        """The table, at the version that was read last.

        Raises:
            ValueError: it is closed.
        """
        if self._table is None:
            raise ValueError(f"{self.address}: closed; open it again")
        return self._table

    def close(self) -> None:
        """Lets go of the table."""
        self._table = None

    def turn(self) -> AbstractContextManager[None]:
        """Within it no other writer changes a memory in a folder.

        Raises:
            InputError: opened read-only.
        """
        if self._turns is None:
            raise InputError(f"{self.address}: opened read-only; open it for writing")
        return self._turns.turn()

    def read(self, read: Callable[["LanceTable"], Result]) -> Result:
        """What `read` makes of the table's newest version.

        Raises:
            InputError: it cannot be read.
        """
        table = self.table
        for attempt in range(READS):
            try:
                table.checkout_latest()
                return read(table)
            except (OSError, RuntimeError, ValueError) as error:  # it has none of its own for a file that is gone
                if attempt == READS - 1 or "not found" not in str(error).lower():
                    raise InputError(
                        f"{self.address}: cannot be read ({first_line(error)}); is it still there, and whole?"
                    ) from error
                time.sleep(0.01 * 2**attempt)
        raise AssertionError("the last attempt returns or raises")

    def write(self, commit: Callable[["LanceTable"], None]) -> None:
        """Commits to the table's newest version, in turn.

        Raises:
            InputError: it cannot be written.
        """
        table = self.table
        try:
            with self.turn():
                table.checkout_latest()
                persist(lambda: commit(table), table.checkout_latest)
        except InputError:
            raise
        except (OSError, RuntimeError, ValueError) as error:  # as lancedb puts it
            raise unwritable(self.address, error) from error

    def places(self) -> np.ndarray:
        """(n,) int64: the places of all items, ascending."""
        rows = self.read(lambda table: table.to_lance().to_table(columns=[], with_row_id=True))
        return np.sort(rows["_rowid"].to_numpy().astype(np.int64))

    def find(self, where: Where, columns: Sequence[str] = ()) -> pa.Table:
        """`_rowid`, `id` and other columns of the items that are meant, in commit order."""
        condition, names = where.condition(ids=False), ["id", *columns]
        rows = self.read(lambda table: table.to_lance().to_table(columns=names, filter=condition, with_row_id=True))
        if where.ids is not None:  # thousands of them are found faster here than by a filter that names them
            rows = rows.filter(pc.is_in(rows["id"], pa.array(where.ids, pa.string())))
        return rows.sort_by("_rowid")

    def take(self, places: Sequence[int], columns: Sequence[str] | None = None) -> pa.Table:
        """The rows at these places with their `_rowid`, in commit order; those that went away are left out."""
        places = [int(place) for place in places]

        def read(table: "LanceTable") -> pa.Table:
            rows = table.take_row_ids(places).with_row_id()
            return (rows if columns is None else rows.select(list(columns))).to_arrow()

        return self.read(read).sort_by("_rowid")
