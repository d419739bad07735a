"""The archive: every item of a memory, as rows of a LanceDB table in a folder or an object store. It is the truth.

Notable: what `add` returned from is committed; an item's place in commit order is the table's stable row number, so it
outlives deletes and compaction; writers take turns, readers never wait. Processes that use an archive are started
afresh (spawn), because the library's threads do not survive a fork.

k key width
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from mm_memgpt.memory import archive_table, archive_upkeep
from mm_memgpt.memory.archive_around import around as around_words
from mm_memgpt.memory.archive_file import read_file, write_file
from mm_memgpt.memory.archive_rows import FACT_FIELDS, Shape, columns, to_items, to_rows
from mm_memgpt.memory.archive_search import Found, cosine, fuse, nearest, saying
from mm_memgpt.memory.archive_turns import Turns
from mm_memgpt.memory.archive_view import View
from mm_memgpt.memory.item import Item, Stored
from mm_memgpt.memory.where import Where, among
from mm_memgpt.types import InputError

if TYPE_CHECKING:
    from lancedb.table import LanceTable

BATCH = 256
"""Items that are read at a time."""

NAMED = 10_000
"""Ids that one delete names; more are deleted in several commits."""

EVERY = 64
"""Commits between two times of upkeep."""

DEPTH = 4
"""Of two lists each is this many times as long as the answer: an item well down in both can still come up."""


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

    def __init__(self, address: str, table: "LanceTable", turns: Turns | None) -> None:
        self.address = address
        self.shape, self.fingerprint = archive_table.described(table)
        self._columns = columns(self.shape, self.fingerprint, archive_table.VERSION)
        self._view = View(address, table, turns)
        self._ids: set[str] = set()
        self._known = (-1, -1)  # newest place and version up to which _ids holds all ids

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
            ValueError: create without shape or fingerprint, or with read_only.
        """
        if create and (shape is None or fingerprint is None or read_only):
            raise ValueError("to create an archive, give shape and fingerprint, and open it for writing")
        address = os.fspath(address)
        table = archive_table.find_table(address)  # before anything is written there, a lock included
        if table is None and not create:
            raise InputError(f"{address}: no memory there; mm-memgpt remember INPUT --memory {address} begins one")
        turns = None if read_only else archive_table.turns_at(address)
        if table is None:
            with turns.turn():
                table = archive_table.find_table(address)  # another may have made it meanwhile
                if table is None:
                    schema = columns(shape, fingerprint, archive_table.VERSION)
                    table = archive_table.make_table(address, schema)
        archive_table.migrate(address, table, turns)
        archive_table.check_table(address, table, shape, fingerprint)
        return cls(address, table, turns)

    @classmethod
    def bring(cls, path: str | os.PathLike, address: str | os.PathLike) -> "Archive":
        """Makes an archive of a file that `export` wrote, where there is none.

        Raises:
            InputError: the file is damaged or none of ours, or there is a memory or something else at the address.
        """
        address, rows = os.fspath(address), read_file(path, BATCH)
        archive_table.find_table(address)  # what is no place for a memory is refused before anything is written there
        turns = archive_table.turns_at(address)
        with turns.turn():
            archive_table.make_table(address, rows.schema, rows)
        archive = cls.open(address)
        archive.optimize()
        return archive

    def __len__(self) -> int:
        return self._view.read(lambda table: table.count_rows())

    @property
    def version(self) -> int:
        """The table's version; it grows with every commit."""
        return self._view.read(lambda table: table.version)

    def add(self, items: Iterable[Item]) -> None:
        """Adds items in one commit: on return they are kept, and after an error none is or all are.

        An item that is there already is left as it is, so after an error the same may be tried again.

        Raises:
            InputError: the memory cannot be written.
            ValueError: an item that does not fit this memory, or an id that comes twice.
        """
        items = list(items)
        if not items:
            return
        rows = to_rows(items, self.shape, self._columns)
        ids = [item.id for item in items]

        def commit(table: "LanceTable") -> None:
            there = self._there(table, ids)
            new = rows.filter(pa.array([item_id not in there for item_id in ids])) if there else rows
            if len(new):
                table.add(new)
            self._ids.update(ids)

        with self.turn():
            self._view.write(commit)
            if self.version % EVERY == 0 or len(rows) >= archive_upkeep.FULL:
                self.optimize()

    def since(self, order: int = -1) -> Iterator[Stored]:
        """The items after a place in commit order, ascending, read some at a time."""
        places = self._view.places()
        places = places[places > order]
        for begin in range(0, len(places), BATCH):
            yield from self._take(places[begin : begin + BATCH])

    def get(self, ids: Iterable[str]) -> list[Stored]:
        """The items with these ids, in commit order; ids that are not there are left out."""
        return self._take([place for place, _ in self.find(Where(ids=tuple(ids)))])

    def find(self, where: Where | None = None) -> list[tuple[int, str]]:
        """Place and id of the items that are meant, in commit order."""
        rows = self._view.find(where or Where())
        return list(zip(rows["_rowid"].to_pylist(), rows["id"].to_pylist(), strict=True))

    def facts(self) -> pa.Table:
        """Columns id, source, start and those of facts, of all facts in commit order."""
        return self._view.find(Where(facts=True), ["source", "start", *(field.name for field in FACT_FIELDS)])

    def sources(self) -> dict[str, Origin]:
        """What is there of each source, in order of its first item."""
        names = ["source", "modality", "start", "end", "created", "digest"]
        rows = self._view.read(lambda table: table.to_lance().to_table(columns=names, with_row_id=True))
        least, most = ("start", "created", "_rowid"), ("end", "digest")
        sums = [*((name, "min") for name in least), *((name, "max") for name in most), ("modality", "distinct")]
        table = rows.group_by("source").aggregate([*sums, ([], "count_all")])
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
        self,
        key: np.ndarray | None = None,
        text: str | None = None,
        k: int = 10,
        where: Where | None = None,
        around: bool = False,
    ) -> list[Found]:
        """The k best items by key (k,), by words, or by both, fused; fewer where there are fewer.

        With `around`, an item is found by the words of its neighbours too, as `archive_around` counts them.

        Raises:
            ValueError: neither key nor text, a key of another width, or k below 1.
        """
        if key is None and text is None:
            raise ValueError("give a key, a text, or both")
        if key is not None and np.shape(key) != (self.shape.key_width,):
            raise ValueError(f"key has shape {np.shape(key)}, where this memory has ({self.shape.key_width},)")
        if k < 1:
            raise ValueError(f"k is {k}; ask for 1 or more")
        condition, both = (where or Where()).condition(), key is not None and text is not None
        depth, names = (DEPTH * k, []) if both else (k, self._columns.names)  # one list is the answer
        near = None if key is None else self._view.read(lambda table: nearest(table, key, depth, condition, names))
        by_key = [] if near is None else near["_rowid"].to_pylist()
        if text is not None and around:
            said, by_text = None, around_words(self._view, text, depth, where or Where())
        else:
            said = None if text is None else self._view.read(lambda table: saying(table, text, depth, condition, names))
            by_text = [] if said is None else said["_rowid"].to_pylist()
        scores = dict(list(fuse(by_key, by_text).items())[:k])
        alone = None if both else near if text is None else said
        found = self._take(scores) if alone is None else to_items(alone, self.shape)
        items = {stored.order: stored.item for stored in found}
        return [
            Found(
                item=items[place],
                order=place,
                score=score,
                cosine=None if key is None else cosine(key, items[place].key),
                by_text=place in by_text,
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
        with self.turn():
            for begin in range(0, len(ids), NAMED):
                condition = among("id", ids[begin : begin + NAMED])
                self._view.write(lambda table, condition=condition: table.delete(condition))

    def purge(self) -> None:
        """Makes the bytes of what was deleted leave the files, and the indexes.

        Raises:
            InputError: the memory cannot be written.
        """
        alone = archive_table.folder_of(self.address) is not None
        self._view.write(lambda table: archive_upkeep.purge(table, alone))

    def optimize(self) -> None:
        """Keeps reading fast: few files, indexes up to date. `add` does it by itself from time to time.

        Raises:
            InputError: the memory cannot be written.
        """
        self._view.write(archive_upkeep.optimize)

    def export(self, path: str | os.PathLike) -> None:
        """Writes all items to one portable file, from which `bring` makes an archive; what is deleted is not in it.

        Raises:
            InputError: the file cannot be written.
        """
        places, schema = self._view.places(), self._columns
        groups = (places[begin : begin + BATCH] for begin in range(0, len(places), BATCH))
        write_file(path, schema, (self._view.take(group).select(schema.names).cast(schema) for group in groups))

    def turn(self) -> AbstractContextManager[None]:
        """Within it no other writer changes a memory in a folder: for changes that belong together.

        Raises:
            InputError: opened read-only.
        """
        return self._view.turn()

    def close(self) -> None:
        """Lets go of the table; what was added is kept already."""
        self._view.close()

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self, places: Iterable[int]) -> list[Stored]:
        places = list(places)
        return to_items(self._view.take(places), self.shape) if places else []

    def _there(self, table: "LanceTable", ids: list[str]) -> set[str]:
        """Which of these ids the table has: all its ids are known here, so that a commit does not read them again."""
        place, version = self._known
        if table.version != version:
            version, places = table.version, self._view.places()
            new = places[places > place]
            if len(new):
                rows = self._view.find(Where()) if place < 0 else self._view.take(new, ["id"])
                self._ids.update(rows["id"].to_pylist())
            self._known = (int(places[-1]) if len(places) else place, version)
        perhaps = self._ids.intersection(ids)  # some may have been deleted since
        return {item_id for _, item_id in self.find(Where(ids=tuple(perhaps)))} if perhaps else set()
