"""What items leave in files, as keyed fingerprints of stretches of their bytes, and the search of files for them.

Notable: a search needs the fingerprints only, so an intent to forget can be resumed with proof and yet holds nothing of
what is forgotten; every offset of every file is looked at: the fingerprint of a window is a sum of products of its
8-byte lanes (multilinear hashing, Lemire and Kaser 2014, arXiv:1202.4961), which numpy makes for all offsets at once.

n items   p tokens per item   d width   k key width
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from secrets import randbits
from typing import BinaryIO

import numpy as np

from mm_memgpt.memory.item import Item

WINDOWS = (32, 16, 8)
"""Lengths of stretches in bytes; the longest that fits is taken, and what is shorter than all leaves no trace."""
SHORTEST = {"fact": 16}
"""By kind, what is too short to be told from chance: single words, such as "position", are the table's own too, and
eight digits are in some id."""
DISTINCT = 4
"""Different bytes that a stretch has at least: zeros are everywhere."""
MOST = 1024
"""Items whose bytes are searched for; of more, these many at even distances."""
READ = 2**22
"""Bytes of a file that are looked at together."""
TOGETHER = 32
"""Items that are looked at together."""
WORDS = frozenset({"name", "text", "fact"})
"""Kinds that may hold the same words."""
BITS = 20
"""Leading bits of a fingerprint that are looked up before the whole of it is."""


@dataclass(frozen=True)
class Traces:
    """Fingerprints by kind, under a key drawn for them alone."""

    key: int
    prints: dict[str, frozenset[tuple[int, int]]]
    """By kind, length of the window and fingerprint."""

    @classmethod
    def of(cls, items: Sequence[Item]) -> "Traces":
        """What these items leave."""
        key = randbits(64)
        prints: dict[str, set[tuple[int, int]]] = {}
        for item in items[:: -(-len(items) // MOST) or 1]:
            for kind, content in contents(item):
                for stretch in stretches(kind, content):
                    [print_] = _prints(stretch, len(stretch), key).tolist()
                    prints.setdefault(kind, set()).add((len(stretch), print_))
        return cls(key, {kind: frozenset(found) for kind, found in prints.items()})

    def search(self, files: Iterable[BinaryIO]) -> dict[str, frozenset[tuple[int, int]]]:
        """Those that are found in files, by kind."""
        found: set[tuple[int, int]] = set()
        for file in files:
            for content in pieces_of(file):
                found |= self.within(content)
        return self.by_kind(found)

    def within(self, content: bytes) -> set[tuple[int, int]]:
        """Those that are found in some bytes."""
        found: set[tuple[int, int]] = set()
        for length, (known, leading) in self._tables().items():
            if len(content) < length:
                continue
            prints = _prints(content, length, self.key)
            likely = prints[leading[prints >> np.uint64(64 - BITS)]]
            found |= {(length, print_) for print_ in likely[np.isin(likely, known)].tolist()}
        return found

    def by_kind(self, found: Iterable[tuple[int, int]]) -> dict[str, frozenset[tuple[int, int]]]:
        """What was found, by kind, kinds without a find too."""
        found = frozenset(found)
        return {kind: prints & found for kind, prints in self.prints.items()}

    def elsewhere(
        self, items: Iterable[Item], found: Mapping[str, frozenset[tuple[int, int]]] | None = None
    ) -> set[tuple[int, int]]:
        """Those that other items leave too, such as two sentences that begin alike, or two facts of one relation.

        Only `found` is looked for (all where None), and no further than until all of it is known to be shared: items
        may be very many.
        """
        sought = {kind: prints for kind, prints in (self.prints if found is None else found).items() if prints}
        kinds = {*sought, *(WORDS if WORDS & sought.keys() else ())}
        every = frozenset().union(*sought.values())
        items, shared = iter(items), set()
        while not every <= shared and (group := list(islice(items, TOGETHER))):
            parts = (content for item in group for kind, content in contents(item) if kind in kinds)
            shared |= self.within(bytes(max(WINDOWS)).join(parts))
        return shared

    def to_json(self) -> dict:
        """As JSON's own types."""
        return {"key": self.key, "prints": {kind: sorted(prints) for kind, prints in self.prints.items()}}

    @classmethod
    def from_json(cls, values: dict) -> "Traces":
        """What `to_json` gave."""
        return cls(values["key"], {kind: frozenset(map(tuple, prints)) for kind, prints in values["prints"].items()})

    def _tables(self) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """By length, the fingerprints and a table of their leading bits."""
        if not hasattr(self, "_kept"):
            kept, every = {}, {pair for prints in self.prints.values() for pair in prints}
            for length in {length for length, _ in every}:
                known = np.array(sorted(print_ for size, print_ in every if size == length), np.uint64)
                leading = np.zeros(2**BITS, bool)
                leading[known >> np.uint64(64 - BITS)] = True
                kept[length] = (known, leading)
            object.__setattr__(self, "_kept", kept)
        return self._kept


def contents(item: Item) -> Iterator[tuple[str, bytes]]:
    """What of an item lies in files, by kind; a slot of one item holds its tokens and its key as sums of float64."""
    yield "name", item.source.encode()
    yield "text", item.text.encode()
    for part in item.fact or ():
        if isinstance(part, str):
            yield "fact", part.encode()
    yield "tokens", np.ascontiguousarray(item.tokens).tobytes()
    yield "tokens", item.tokens.astype(np.float64).tobytes()
    yield "key", np.ascontiguousarray(item.key).tobytes()
    yield "key", item.key.astype(np.float64).tobytes()
    yield "preview", item.preview


def stretches(kind: str, content: bytes) -> Iterator[bytes]:
    """What of some bytes is looked for: both ends, and the middle; of a name its end, as many begin in one folder."""
    length = next((length for length in WINDOWS if length <= len(content)), 0)
    if length < SHORTEST.get(kind, min(WINDOWS)):
        return
    middle = (len(content) - length) // 2
    for start in {len(content) - length} if kind == "name" else {0, middle, len(content) - length}:
        stretch = content[start : start + length]
        if len({*stretch}) >= DISTINCT:
            yield stretch


def pieces_of(file: BinaryIO) -> Iterator[bytes]:
    """A file in pieces that overlap by as much as a window may reach over."""
    before = b""
    while piece := file.read(READ):
        yield before + piece
        before = (before + piece)[-max(WINDOWS) + 1 :]


def _prints(content: bytes, length: int, key: int) -> np.ndarray:
    """The fingerprints of the windows of one length at every offset."""
    factors = np.random.default_rng(key).integers(2**64, size=max(WINDOWS) // 8, dtype=np.uint64) | np.uint64(1)
    prints = np.empty(len(content) - length + 1, np.uint64)
    for shift in range(min(8, len(prints))):
        lanes = np.frombuffer(content, "<u8", count=(len(content) - shift) // 8, offset=shift)
        # a float64 of a half ends in 42 zero bits, and so would its product: its first bits go to its last
        lanes = lanes ^ (lanes >> np.uint64(21)) ^ (lanes >> np.uint64(42))
        of_shift = prints[shift::8]
        total = lanes[: len(of_shift)] * factors[0]
        for lane in range(1, length // 8):
            total += lanes[lane : lane + len(of_shift)] * factors[lane]
        of_shift[:] = total
    return prints
