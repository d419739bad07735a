"""Proof that something was forgotten: what is looked for before and after, the intent to forget, and the receipt.

Notable: everything is looked for before anything is removed, so a search that finds nothing afterwards is known to be
one that finds; what other items hold too, such as a photo kept under two names, may stay, because it is theirs.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np

from mm_memgpt.memory.archive import Archive
from mm_memgpt.memory.beside import Beside
from mm_memgpt.memory.folded import Folded, nameless
from mm_memgpt.memory.item import Item
from mm_memgpt.memory.traces import Traces
from mm_memgpt.memory.where import Where

NAME = "intent"
"""The file that says what is being forgotten."""

PROBES = 8
"""Items whose key and text are searched for; of more, these many at even distances."""
DEPTH = 10
"""Results of each such search that are looked through."""
NAMED = 1000
"""Ids that one question to the table names."""


class Check(NamedTuple):
    """One place that was searched."""

    name: str
    passed: bool
    figure: str
    """What was found, and what the same search found before."""


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What was forgotten, and how it was made sure of."""

    source: str
    """What was to be forgotten; empty where an interrupted forgetting was resumed, which knows ids only."""
    items: int
    slots: tuple[int, ...]
    """Slots of the bank that held some of it. Merges that were decided before stay, unless `rebuilt`."""
    emptied: tuple[int, ...]
    """Those of them that hold nothing now."""
    rebuilt: bool
    """Whether the bank was folded anew from what remains."""
    checks: tuple[Check, ...]
    seconds: float

    def to_json(self) -> str:
        """One object."""
        return json.dumps(asdict(self) | {"checks": [check._asdict() for check in self.checks]})


@dataclass(frozen=True, kw_only=True)
class Intent:
    """What is being forgotten: opaque ids, and fingerprints under a key of their own. It is there until all is done."""

    ids: tuple[str, ...]
    lineage: str
    """Of the fold from which they are gone."""
    rebuild: bool
    slots: tuple[int, ...]
    traces: Traces
    before: dict[str, int]
    """By kind, how many of the traces were found in the files before."""

    def write(self, files: Beside) -> None:
        """Writes it down.

        Raises:
            InputError: it cannot be written.
        """
        values = vars(self) | {"traces": self.traces.to_json()}
        files.write(NAME, json.dumps(values).encode())

    @classmethod
    def read(cls, files: Beside) -> "Intent | None":
        """The one that is written down, if there is one."""
        content = files.read(NAME)
        if content is None:
            return None
        values = json.loads(content)
        return cls(
            ids=tuple(values["ids"]),
            lineage=values["lineage"],
            rebuild=values["rebuild"],
            slots=tuple(values["slots"]),
            traces=Traces.from_json(values["traces"]),
            before=values["before"],
        )


class Probes:
    """Searches that find some of the items while they are there."""

    def __init__(self, archive: Archive, items: Sequence[Item]) -> None:
        self.archive = archive
        self.ids = {item.id for item in items}
        worded = [item for item in items if item.text]
        self.keys = [item.key for item in spread(items)]
        self.texts = [item.text for item in spread(worded)]
        self.before = self._found()

    def checks(self) -> list[Check]:
        """The same searches again."""
        return [
            Check(name, now == 0, f"{now} of {asked} searches found some of it ({before} before)")
            for name, asked, now, before in zip(
                ("vector search", "text search"),
                (len(self.keys), len(self.texts)),
                self._found(),
                self.before,
                strict=True,
            )
        ]

    def _found(self) -> tuple[int, int]:
        """How many searches by key and by words find some of the items."""
        by_key = [self.archive.search(key=key, k=DEPTH) for key in self.keys]
        by_text = [self.archive.search(text=text, k=DEPTH) for text in self.texts]
        return tuple(sum(any(hit.item.id in self.ids for hit in hits) for hits in lists) for lists in (by_key, by_text))


def spread(items: Sequence[Item]) -> Sequence[Item]:
    """At most PROBES of them, at even distances."""
    return items[:: -(-len(items) // PROBES) or 1]


def rows_left(archive: Archive, ids: Sequence[str]) -> Check:
    """Whether the table holds some of the items."""
    parts = [ids[begin : begin + NAMED] for begin in range(0, len(ids), NAMED)]
    left = sum(len(archive.find(Where(ids=tuple(part)))) for part in parts)
    return Check("table", left == 0, f"{left} of {len(ids)} rows are there")


def fold_left(name: str, folded: Folded | None, ids: Sequence[str]) -> Check:
    """Whether a fold holds some of the items."""
    if folded is None:
        return Check(name, False, "cannot be read")
    left = int((folded.ledger.find(ids) >= 0).sum())
    used = {*np.unique(folded.ledger.rows["source"]).tolist()}
    names = sum(name != nameless(number) for number, name in enumerate(folded.names) if number not in used)
    return Check(name, left == names == 0, f"{left} of {len(ids)} items, {names} names without items")


def bytes_left(archive: Archive, files: Beside, intent: Intent) -> list[Check]:
    """By kind, whether some file at the address holds bytes of the items that no other item holds."""
    found = intent.traces.search(files.files())
    shared: set[tuple[int, int]] = set()
    if any(found.values()):
        shared = intent.traces.elsewhere((row.item for row in archive.since()), found)
    return [
        Check(
            f"bytes of {kind}",
            not prints - shared,
            f"{len(prints - shared)} of {len(intent.traces.prints[kind])} stretches ({intent.before[kind]} before)"
            + (f", {len(prints & shared)} that items which stay hold too" if prints & shared else ""),
        )
        for kind, prints in found.items()
    ]
