"""Which item lies in which slot: the recorded assignment, which says what a slot becomes when an item is taken out.

Notable: it lies on the host and grows with the items, 64 bytes each, in one array; merging moves a whole slot, so an
item points at the head of the group it moves with, and a write costs its own items and the slots, however long the
ledger is.

n items   s slots
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from mm_memgpt.memory.fold import NOWHERE

ROW = np.dtype(
    [
        ("id", "S16"),
        ("order", "i8"),
        ("start", "f8"),
        ("end", "f8"),
        ("source", "i8"),
        ("arrival", "i8"),
        ("parent", "i8"),
    ]
)
"""What is kept of an item: enough to say span, source and arrival of a slot that loses some of its items."""

INDEX_SLACK = 1024
"""How many rows may follow the sorted part before it is sorted anew."""


class Span(NamedTuple):
    """What a slot's items come to, as a MemoryState says it; of a slot without items `items` is 0."""

    items: int
    start: float
    end: float
    source: int | None
    arrival: int


class Ledger:
    """The rows of all items in the order in which they were folded; those of padding lie in no slot."""

    def __init__(self, slots: int) -> None:
        self._rows = np.zeros(0, ROW)
        self._count = 0
        self._heads = np.full(slots, NOWHERE, np.int64)  # the row at the root of a slot's group
        self._sorted = np.zeros(0, np.int64)

    def __len__(self) -> int:
        return self._count

    @property
    def rows(self) -> np.ndarray:
        """The rows (n) of ROW; nobody writes into them."""
        return self._rows[: self._count]

    def append(self, rows: np.ndarray, location: np.ndarray, sizes: np.ndarray) -> None:
        """Adds rows (n) of items and moves slots, where `location` (s + n) says each old slot and each item ends.

        `sizes` (s) are the items of the old slots: the head of a merged group is that of its largest part, so the way
        from an item to its head grows with the logarithm of the group.
        """
        first, slots = self._count, len(self._heads)
        self._reserve(len(rows))
        self._rows[first : first + len(rows)] = rows
        parents = self._rows["parent"]
        parents[first : first + len(rows)] = np.arange(first, first + len(rows))
        self._count += len(rows)
        parts = np.concatenate((self._heads, np.arange(first, self._count)))
        heads = np.full(slots, NOWHERE, np.int64)
        weight = np.concatenate((sizes, np.ones(len(rows), np.int64)))
        for part in np.argsort(-weight, kind="stable"):
            if (slot := location[part]) == NOWHERE:
                continue
            if heads[slot] == NOWHERE:
                heads[slot] = parts[part]
            else:
                parents[parts[part]] = heads[slot]
        self._heads = heads

    def slots(self) -> np.ndarray:
        """The slot of each row (n), NOWHERE for padding."""
        parents = self.rows["parent"]
        roots = parents
        while not np.array_equal(further := parents[roots], roots):
            roots = further
        at = np.full(self._count, NOWHERE, np.int64)
        used = np.flatnonzero(self._heads != NOWHERE)
        at[self._heads[used]] = used
        return at[roots]

    def find(self, ids: Iterable[str]) -> np.ndarray:
        """The row of each id, -1 where there is none."""
        wanted = packed(ids)
        if self._count - len(self._sorted) > INDEX_SLACK + len(self._sorted) // 4:
            self._sorted = np.argsort(self.rows["id"], kind="stable")
        found = np.full(len(wanted), -1, np.int64)
        if len(self._sorted):
            known = self.rows["id"][: len(self._sorted)]
            place = np.searchsorted(known, wanted, sorter=self._sorted).clip(max=len(self._sorted) - 1)
            row = self._sorted[place]
            found = np.where(known[row] == wanted, row, found)
        tail = self.rows["id"][len(self._sorted) :]
        if len(tail) and (found < 0).any():
            order = np.argsort(tail, kind="stable")
            row = order[np.searchsorted(tail, wanted, sorter=order).clip(max=len(tail) - 1)]
            found = np.where((found < 0) & (tail[row] == wanted), row + len(self._sorted), found)
        return found

    def slot_of(self, item: str) -> int | None:
        """The slot in which an item lies now; None for one that is unknown, forgotten or padding."""
        [row] = self.find([item])
        if row < 0:
            return None
        while (parent := self._rows["parent"][row]) != row:
            row = parent
        slots = np.flatnonzero(self._heads == row)
        return int(slots[0]) if len(slots) else None

    def members(self, slot: int) -> list[str]:
        """The ids of the items in a slot, in the order in which they came."""
        return unpacked(self.rows["id"][self.slots() == slot])

    def ids(self) -> list[str]:
        """The ids of all items, in the order in which they came."""
        return unpacked(self.rows["id"])

    def without(self, rows: np.ndarray) -> "Ledger":
        """A ledger without these rows; all else stays where it is."""
        keep = np.ones(self._count, bool)
        keep[rows] = False
        return Ledger.of(self.rows[keep], self.slots()[keep], len(self._heads))

    @staticmethod
    def of(rows: np.ndarray, slots: np.ndarray, capacity: int) -> "Ledger":
        """A ledger of rows (n) and the slot of each: `Ledger.of(ledger.rows, ledger.slots(), s)` is the same again."""
        ledger = Ledger(capacity)
        ledger._rows, ledger._count = rows.copy(), len(rows)
        ledger._rows["parent"] = np.arange(len(rows))
        placed = np.flatnonzero(slots != NOWHERE)
        used, first = np.unique(slots[placed], return_index=True)
        ledger._heads[used] = placed[first]
        ledger._rows["parent"][placed] = ledger._heads[slots[placed]]
        return ledger

    def spans(self, slots: Sequence[int]) -> list[Span]:
        """What the items of each of these slots come to."""
        where = self.slots()
        spans = []
        for slot in slots:
            rows = self.rows[where == slot]
            sources = np.unique(rows["source"])
            spans.append(
                Span(
                    items=len(rows),
                    start=float(rows["start"].min(initial=np.inf)),
                    end=float(rows["end"].max(initial=-np.inf)),
                    source=int(sources[0]) if len(sources) == 1 else None,
                    arrival=int(rows["arrival"].max(initial=-1)),
                )
            )
        return spans

    def _reserve(self, more: int) -> None:
        """Doubles the room where it does not do, so that adding stays constant per item."""
        if self._count + more > len(self._rows):
            room = np.zeros(max(2 * len(self._rows), self._count + more, 64), ROW)
            room[: self._count] = self.rows
            self._rows = room


def packed(ids: Iterable[str]) -> np.ndarray:
    """Ids, 32 hexadecimal digits each, as 16 bytes each.

    Raises:
        ValueError: an id that is something else.
    """
    ids = list(ids)
    if odd := next((item for item in ids if len(item) != 32), None):
        raise ValueError(f"id {odd!r} is not 32 hexadecimal digits; give uuid4().hex")
    return np.frombuffer(bytes.fromhex("".join(ids)), "S16")


def unpacked(ids: np.ndarray) -> list[str]:
    """What `packed` packed."""
    digits = np.ascontiguousarray(ids).tobytes().hex()
    return [digits[at : at + 32] for at in range(0, len(digits), 32)]
