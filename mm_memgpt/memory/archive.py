"""The archive: every item of a memory, as rows of a LanceDB table in a folder or an object store. It is the truth.

Notable: what `add` returned from is committed; an item's place in commit order is the table's stable row number, so it
outlives deletes and compaction; writers take turns, readers never wait. Processes that use an archive are started
fresh (spawn), because the library's threads do not survive a fork.

n items   p tokens per item   d width   k key width
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from mm_memgpt.memory import archive_table
from mm_memgpt.memory.archive_purge import purge
from mm_memgpt.memory.archive_rows import Shape, to_items, to_rows
from mm_memgpt.memory.archive_search import Found, cosine, fuse
from mm_memgpt.memory.archive_turns import Turns, persist
from mm_memgpt.memory.item import Item, Stored
from mm_memgpt.memory.where import Where, among
from mm_memgpt.types import InputError

if TYPE_CHECKING:
    from lance import LanceDataset
    from lancedb.table import LanceTable

BATCH = 256
"""Items that are read at a time."""

NAMED = 10_000
"""Ids that one delete names; more are deleted in several commits."""

DEPTH = 4
"""Each list is this many times as long as the answer, so that an item that is well down in both can still come up."""


class Origin(NamedTuple):
    """What a memory holds of one source."""

    items: int
    modalities: tuple[str, ...]
    start: float
    end: float
    created: float
    """When its first item was added, in seconds of Unix time."""
    digest: str
    """Of its content as it was when added."""


class Archive:
    """The items of a memory; `Archive.open` gives one."""

    def __init__(self, address: str, table: "LanceTable", shape: Shape, fingerprint: str, turns: Turns | None) -> None:
        self.address, self.shape, self.fingerprint = address, shape, fingerprint
        self._table, self._turns = table, turns
        self._dataset: LanceDataset | None = None

    @classmethod
    def open(
        cls,
        address: str | os.PathLike,
        *,
        shape: Shape | None = None,
        fingerprint: str | None = None,
        create: bool = False,
        read_only: bool = False,
    ) -> "Archive":
        """The archive at a folder or an object store's address ("s3://bucket/trip"), with options from the environment.

        With `create` a new one is made where there is none; it needs shape and fingerprint. Otherwise they are what the
        caller relies on, and may be left out. Read-only, nothing is ever written.

        Raises:
            InputError: no memory there, something else there, another encoder's, of a newer version, or no permission.
        """
        address = os.fspath(address)
        if create and (shape is None or fingerprint is None):
            raise ValueError("an archive that may be new needs its shape and fingerprint")
        table = archive_table.find_table(address)  # before anything is written there, a lock included
        turns = None if read_only else archive_table.turns_at(address, create)
        if table is None and create and turns is not None:
            with turns.turn():
                table = archive_table.find_table(address) or archive_table.make_table(address, shape, fingerprint)
        if table is None:
            raise InputError(f"{address}: no memory there; mm-memgpt remember INPUT --memory {address} begins one")
        archive_table.migrate(address, table, read_only)
        shape, fingerprint = archive_table.check_table(address, table, shape, fingerprint)
        return cls(address, table, shape, fingerprint, turns)

    def __len__(self) -> int:
        return self._read(lambda: self._table.count_rows())

    @property
    def version(self) -> int:
        """The table's version: it grows with every commit."""
        return self._read(lambda: self._table.version)

    def add(self, items: Iterable[Item]) -> None:
        """Adds items in one commit: on return they are kept, and after an error none is. Those that are there are left.

        Raises:
            InputError: the memory cannot be written.
            ValueError: an item that does not fit this memory, or an id that comes twice.
        """
        items = list(items)
        if not items:
            return
        rows = to_rows(items, self.shape, self._table.schema)
        ids = [item.id for item in items]

        def commit() -> None:
            there = {item_id for _, item_id in self._places(Where(ids=tuple(ids)))}
            new = rows.filter(pa.array([item_id not in there for item_id in ids])) if there else rows
            if len(new):
                self._table.add(new)

        self._write(commit)

    def since(self, order: int = -1) -> Iterator[Stored]:
        """The items after a place in commit order, ascending, read some at a time."""
        places = self._read(lambda: self._all_places())
        places = np.sort(places[places > order])
        for begin in range(0, len(places), BATCH):
            yield from self._take(places[begin : begin + BATCH])

    def get(self, ids: Iterable[str]) -> list[Stored]:
        """The items with these ids, in commit order; ids that are not there are left out."""
        return self._take([place for place, _ in self.find(Where(ids=tuple(ids)))])

    def find(self, where: Where | None = None) -> list[tuple[int, str]]:
        """Place and id of the items that are meant, in commit order."""
        return self._read(lambda: self._places(where or Where()))

    def sources(self) -> dict[str, Origin]:
        """What is there of each source, in order of its first item."""
        names = ["source", "modality", "start", "end", "created", "digest"]
        rows = self._read(lambda: self._lance().to_table(columns=names, with_row_id=True))
        sums = [(name, "min") for name in ("start", "created", "_rowid")] + [("end", "max"), ("digest", "max")]
        table = rows.group_by("source").aggregate([*sums, ("modality", "distinct"), ([], "count_all")])
        return {
            row["source"]: Origin(
                items=row["count_all"],
                modalities=tuple(sorted(row["modality_distinct"])),
                start=row["start_min"],
                end=row["end_max"],
                created=row["created_min"],
                digest=row["digest_max"],
            )
            for row in table.sort_by("_rowid_min").to_pylist()
        }

    def search(
        self, key: np.ndarray | None = None, text: str | None = None, k: int = 10, where: Where | None = None
    ) -> list[Found]:
        """The k best items by key (k,), by words, or by both; fewer where there are fewer.

        Raises:
            ValueError: neither key nor text, or a key of another width.
        """
        if key is None and text is None:
            raise ValueError("give a key, a text, or both")
        if key is not None and np.shape(key) != (self.shape.key_width,):
            raise ValueError(f"key has shape {np.shape(key)}, where this memory has ({self.shape.key_width},)")
        condition, depth = (where or Where()).filter(), DEPTH * k
        near = [] if key is None else self._read(lambda: self._nearest(key, depth, condition))
        said = [] if text is None else self._read(lambda: self._saying(text, depth, condition))
        scores = dict(list(fuse(near, said).items())[:k])
        items = {stored.order: stored.item for stored in self._take(list(scores))}
        return [
            Found(
                items[place], place, score, None if key is None else cosine(key, items[place].key), place in set(said)
            )
            for place, score in scores.items()
            if place in items
        ]

    def delete(self, ids: Iterable[str]) -> None:
        """Deletes items; their bytes stay in the files until `purge`. Ids that are not there are left out.

        Raises:
            InputError: the memory cannot be written.
        """
        ids = list(ids)
        for begin in range(0, len(ids), NAMED):
            condition = among("id", ids[begin : begin + NAMED])
            self._write(lambda condition=condition: self._table.delete(condition))

    def purge(self) -> None:
        """Makes the bytes of what was deleted leave the files, and the indexes.

        Raises:
            InputError: the memory cannot be written.
        """
        self._write(lambda: purge(self._table))

    def turn(self) -> AbstractContextManager[None]:
        """Within it no other writer changes a memory in a folder; for several changes that belong together.

        Raises:
            InputError: opened read-only.
        """
        if self._turns is None:
            raise InputError(f"{self.address}: opened read-only; open it for writing")
        return self._turns.turn()

    def close(self) -> None:
        """Lets go of the table."""
        self._dataset = None

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _renew(self) -> None:
        self._table.checkout_latest()

    def _lance(self) -> "LanceDataset":
        return self._table.to_lance()

    def _read(self, read: Any) -> Any:
        """Reads the newest version; where a purge beside it took that away meanwhile, the one after."""
        for last in (False, False, False, True):
            try:
                self._renew()
                return read()
            except (OSError, RuntimeError, ValueError) as error:  # none of its own for a file that went away
                if last or "not found" not in str(error).lower():
                    raise InputError(
                        f"{self.address}: cannot be read ({archive_table.first_line(error)}); is it still there?"
                    ) from error
        raise AssertionError("the last attempt returns or raises")

    def _write(self, commit: Any) -> None:
        with self.turn():
            try:
                self._renew()
                persist(commit, self._renew)
            except InputError:
                raise
            except (OSError, RuntimeError, ValueError) as error:  # as lancedb puts it
                raise InputError(
                    f"{self.address}: cannot be written ({archive_table.first_line(error)}); "
                    "see that there is room and that you may write there, then try again"
                ) from error

    def _all_places(self) -> np.ndarray:
        return self._lance().to_table(columns=[], with_row_id=True)["_rowid"].to_numpy().astype(np.int64)

    def _places(self, where: Where) -> list[tuple[int, str]]:
        rows = self._lance().to_table(columns=["id"], filter=where.filter(), with_row_id=True).sort_by("_rowid")
        return list(zip(rows["_rowid"].to_pylist(), rows["id"].to_pylist(), strict=True))

    def _take(self, places: Sequence[int] | np.ndarray) -> list[Stored]:
        """The items at these places, in commit order; those that went away meanwhile are left out."""
        if not len(places):
            return []
        return to_items(
            self._read(lambda: self._table.take_row_ids([int(place) for place in places]).with_row_id().to_arrow()),
            self.shape,
        )

    def _nearest(self, key: np.ndarray, depth: int, condition: str | None) -> list[int]:
        query = self._table.search(np.asarray(key, np.float16), vector_column_name="key").distance_type("cosine")
        return self._run(query, depth, condition, "_distance")

    def _saying(self, text: str, depth: int, condition: str | None) -> list[int]:
        from lancedb.query import MatchQuery

        return self._run(self._table.search(MatchQuery(text, "text")), depth, condition, "_score")

    def _run(self, query: Any, depth: int, condition: str | None, score: str) -> list[int]:
        query = query if condition is None else query.where(condition, prefilter=True)
        rows = query.select(["id", score]).with_row_id(True).limit(depth).to_arrow()
        rows = rows.sort_by([(score, "ascending" if score == "_distance" else "descending"), ("_rowid", "descending")])
        return rows["_rowid"].to_pylist()
