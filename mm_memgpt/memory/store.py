"""A memory that lasts: the archive, its fold into the bank, and forgetting.

Notable: the archive is the truth and the fold follows it, by commit order, so it does not matter who added what; a fold
has a lineage, and whoever finds another one beside the table goes on with that, so that all who use a memory come to
one state, to the bit.
"""

import os
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from uuid import uuid4

import numpy as np
import torch

from mm_memgpt.memory import forgetting
from mm_memgpt.memory.archive import Archive
from mm_memgpt.memory.archive_rows import Shape
from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.memory.beside import Beside
from mm_memgpt.memory.cache import Cache
from mm_memgpt.memory.folded import Folded, features_of
from mm_memgpt.memory.forgetting import Check, Intent, Probes, Receipt
from mm_memgpt.memory.item import Item
from mm_memgpt.memory.ledger import Ledger, packed
from mm_memgpt.memory.sources import Sources
from mm_memgpt.memory.traces import Traces
from mm_memgpt.memory.where import Where
from mm_memgpt.types import InputError, MemoryState

FOLD_EVERY = 256
"""Items after which `add` folds what has come: looking at the table costs more than an item does."""
SAVE_EVERY = 1024
"""Items after which the fold is saved at the earliest; later after an eighth more, so it stays constant per item."""


class Store:
    """A memory at an address; `Store.open` gives one. Its methods may be called from several threads."""

    def __init__(self, archive: Archive, bank: MemoryBank, *, read_only: bool) -> None:
        self.archive, self.bank, self.read_only = archive, bank, read_only
        self.files = Beside(archive.address)
        self.cache = Cache(self.files, bank)
        self.resumed: Receipt | None = None
        """Of a forgetting that had been interrupted, and was completed when this was opened."""
        self._lock = threading.RLock()
        self._folded: Folded | None = None
        self._lineage, self._seen, self._added = "", (), 0
        self._saved: tuple[str, int, int] | None = None  # lineage, reach and items of the saved fold

    @classmethod
    def open(
        cls,
        address: str | os.PathLike,
        *,
        bank: MemoryBank,
        fingerprint: str,
        create: bool = False,
        read_only: bool = False,
    ) -> "Store":
        """The memory at a folder or an object store's address; with `create` a new one where there is none.

        A forgetting that was interrupted is completed first. Read-only, nothing is ever written: what was to be
        forgotten is left out of the fold.

        Raises:
            InputError: what `Archive.open` raises, or something that was to be forgotten still remains.
        """
        size = bank.geometry
        archive = Archive.open(
            address,
            shape=Shape(size.tokens, size.width, size.key_width),
            fingerprint=fingerprint,
            create=create,
            read_only=read_only,
        )
        store = cls(archive, bank, read_only=read_only)
        if not read_only and Intent.read(store.files) is not None:
            with store._lock, archive.turn():
                store.resumed = store._resume()
        return store

    def state(self) -> MemoryState:
        """The bank's state, batch 1, with float64 sums, after all that is in the archive now. Nobody writes into it."""
        with self._lock:
            return self._fold().state

    @property
    def names(self) -> Sources:
        """The names of the numbers in `state().source`."""
        with self._lock:
            return self._fold().names

    @property
    def ledger(self) -> Ledger:
        """Which item lies in which slot."""
        with self._lock:
            return self._fold().ledger

    def add(self, items: Iterable[Item]) -> None:
        """Adds items in one commit: on return they are kept.

        Raises:
            ValueError: an item that does not fit, or whose numbers are impossible.
            InputError: the memory cannot be written.
        """
        items = list(items)
        if not items:
            return
        self.bank.geometry.check_features(features_of(items, [0] * len(items)), self.bank.empty(dtype=torch.float64))
        self.archive.add(items)
        with self._lock:
            self._added += len(items)
            if self._added >= FOLD_EVERY:
                items, saved = len(self._fold().ledger), self._saved[2] if self._saved is not None else 0
                if items - saved >= max(SAVE_EVERY, saved // 8):
                    self._save_if_possible()

    def forget(self, ids: Iterable[str], *, source_name: str, rebuild: bool = False) -> Receipt:
        """Forgets items: row, index, share in the bank, and bytes; and looks for them everywhere before and after.

        Every remaining slot is, to the bit, what replaying the recorded assignment without them makes; with `rebuild`
        the bank is folded anew from what remains. Interrupted anywhere, it is completed at the next opening.

        Raises:
            InputError: none of them is there, the memory cannot be written, or something of them remains.
        """
        began = time.perf_counter()
        if self.read_only:
            raise InputError(f"{self.archive.address}: opened read-only; open it for writing to forget something")
        with self._lock, self.archive.turn():
            try:
                self._resume()
                self._fold()
                self._save()
                items = [row.item for row in self.archive.get(ids)]
                if not items:
                    raise InputError(f"{source_name}: not in {self.archive.address}; its timeline says what is")
                intent, probes = self._intend(items, rebuild), Probes(self.archive, items)
                intent.write(self.files)
                self.archive.delete(intent.ids)
                if rebuild:
                    self._folded = self._anew()
                else:
                    self._folded.take_out(items)
                self._lineage = intent.lineage
                return self._complete(intent, source_name, probes, began)
            except BaseException:
                self._folded = None  # it may be half done: what lies beside the table says how far it came
                raise

    def verify(self) -> list[Check]:
        """Whether fold, ledger and archive agree, each slot being recomputed from its items. Reads everything."""
        with self._lock:
            folded = self._fold()
            agree = self._agrees(folded)
            checks = [Check("ledger", agree, f"{len(folded.ledger)} items, {len(self.archive)} in the archive")]
            differ = differing(folded.state, folded.replay(self.archive.since())) if agree else ["ledger"]
            held = int((folded.state.items > 0).sum())
            checks.append(Check("slots", not differ, f"{held} slots; {', '.join(differ) or 'nothing'} differs"))
            intent = Intent.read(self.files)
            checks.append(Check("intent", intent is None, f"{len(intent.ids) if intent else 0} items being forgotten"))
            return checks

    def rebuild(self) -> None:
        """Folds the archive anew.

        Raises:
            InputError: the memory cannot be written.
        """
        if self.read_only:
            raise InputError(f"{self.archive.address}: opened read-only; open it for writing to rebuild it")
        with self._lock, self.archive.turn():
            self._resume()
            self._adopt(self._anew(), uuid4().hex)
            self._write()

    def close(self) -> None:
        """Saves the fold and lets go of the table."""
        with self._lock:
            if not self.read_only and (self._added or self._folded is not None):
                self._save_if_possible()
            self._folded = None
            self.archive.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # the fold

    def _fold(self) -> Folded:
        """The fold of all there is now: another's, where another wrote one that this one does not follow from."""
        stamps = self._stamps()
        if self._folded is None or stamps != self._seen:
            self._look()
            self._seen = stamps  # of before it looked: a change in between is seen the next time
        self._folded.fold(self.archive.since(self._folded.reached))
        self._added = 0
        return self._folded

    def _stamps(self) -> tuple:
        return self.cache.stamp(), self.files.stamp(forgetting.NAME)

    def _look(self) -> None:
        """Goes on with the saved fold, where it is of another lineage, or with one made anew, where there is none.

        The intent is read first: the fold that is saved when there is an intent knows all that is to be forgotten.
        """
        intent, cached = Intent.read(self.files), self.cache.load()
        self._saved = (cached.lineage, cached.folded.reached, len(cached.folded.ledger)) if cached else None
        if cached is None:
            if self._folded is None or intent is not None:
                self._adopt(self._anew(intent.ids if intent is not None else ()), uuid4().hex)
        elif intent is not None and cached.lineage != intent.lineage:
            if self._folded is None or self._lineage != intent.lineage:
                self._adopt(self._without(cached.folded, intent), intent.lineage)
        elif self._folded is None or self._lineage != cached.lineage:
            stale = intent is None and not self._agrees(cached.folded)
            self._adopt(*((self._anew(), uuid4().hex) if stale else (cached.folded, cached.lineage)))

    def _adopt(self, folded: Folded, lineage: str) -> None:
        self._folded, self._lineage = folded, lineage

    def _agrees(self, folded: Folded) -> bool:
        """Whether the rows up to where the fold reaches are those that it was made of."""
        rows = [row for row in self.archive.find() if row[0] <= folded.reached]
        known = folded.ledger.rows
        return [order for order, _ in rows] == known["order"].tolist() and np.array_equal(
            packed(item for _, item in rows), known["id"]
        )

    def _anew(self, gone: Iterable[str] = ()) -> Folded:
        """The fold of the archive, without some items."""
        folded, gone = Folded(self.bank), set(gone)
        folded.fold(row for row in self.archive.since() if row.item.id not in gone)
        last = (order for order, _ in self.archive.find(Where(ids=tuple(gone))))
        folded.reached = max([folded.reached, *last])
        return folded

    def _without(self, folded: Folded, intent: Intent) -> Folded:
        """A fold without what is to be forgotten, whose rows may be gone already: the others are replayed."""
        if not intent.rebuild:
            folded.strike(intent.ids)
            with suppress(ValueError):  # rows that the ledger knows are gone
                folded.state = folded.replay(self.archive.since())
                return folded
        return self._anew(intent.ids)

    # the file

    def _save_if_possible(self) -> None:
        """Saves the fold, unless someone is forgetting, or there is no room: it is only a cache."""
        with suppress(InputError), self.archive.turn():
            if Intent.read(self.files) is None:
                self._fold()
                self._save()

    def _save(self) -> None:
        """Writes the fold, in one's turn and just brought up to date, where what is there is not the same."""
        if self._saved is None or self._saved[:2] != (self._lineage, self._folded.reached):
            self._write()

    def _write(self) -> None:
        self.cache.save(self._folded, self._lineage)
        self._saved = self._lineage, self._folded.reached, len(self._folded.ledger)
        self._seen = self._stamps()

    # forgetting

    def _intend(self, items: list[Item], rebuild: bool) -> Intent:
        """What is about to be forgotten, with what the files hold of it now.

        Raises:
            InputError: the files seem to hold nothing of it, so that nothing could be shown by searching them.
        """
        traces = Traces.of(items)
        found = traces.search(self.files.files())
        if traces.prints and not any(found.values()):
            raise InputError(
                f"{self.archive.address}: its files show nothing of what is in them, so a search of them proves nothing"
            )
        slots = {self._folded.ledger.slot_of(item.id) for item in items} - {None}
        return Intent(
            ids=tuple(item.id for item in items),
            lineage=uuid4().hex,
            rebuild=rebuild,
            slots=tuple(sorted(slots)),
            traces=traces,
            before={kind: len(prints) for kind, prints in found.items()},
        )

    def _complete(self, intent: Intent, source: str, probes: Probes | None, began: float) -> Receipt:
        """Saves the fold without what is forgotten, purges and verifies; the intent goes last."""
        self._write()
        self.archive.purge()
        checks = self._search(intent, probes)
        if failed := [check for check in checks if not check.passed]:
            what = "; ".join(f"{check.name}: {check.figure}" for check in failed)
            raise InputError(
                f"{self.archive.address}: something remains ({what}); open the memory again to resume forgetting"
            )
        self.files.remove(forgetting.NAME)
        self._seen = self._stamps()
        items = self._folded.state.items[0].tolist()
        return Receipt(
            source=source,
            items=len(intent.ids),
            slots=intent.slots,
            emptied=() if intent.rebuild else tuple(slot for slot in intent.slots if not items[slot]),
            rebuilt=intent.rebuild,
            checks=tuple(checks),
            seconds=time.perf_counter() - began,
        )

    def _search(self, intent: Intent, probes: Probes | None) -> list[Check]:
        """Every place where something could remain."""
        cached = self.cache.load()
        return [
            forgetting.rows_left(self.archive, intent.ids),
            *(probes.checks() if probes is not None else ()),
            forgetting.fold_left("ledger", self._folded, intent.ids),
            forgetting.fold_left("cache", cached.folded if cached is not None else None, intent.ids),
            *forgetting.bytes_left(self.archive, self.files, intent),
        ]

    def _resume(self) -> Receipt | None:
        """Completes a forgetting that was interrupted, in one's turn."""
        began, intent = time.perf_counter(), Intent.read(self.files)
        if intent is None:
            return None
        self._folded = None
        self._fold()  # without what is to be forgotten
        self.archive.delete(intent.ids)
        return self._complete(intent, "", None, began)


def differing(one: MemoryState, other: MemoryState) -> list[str]:
    """The fields whose bits differ."""
    return [
        name
        for name, tensor in one._asdict().items()
        if tensor.contiguous().numpy().tobytes() != getattr(other, name).contiguous().numpy().tobytes()
    ]
