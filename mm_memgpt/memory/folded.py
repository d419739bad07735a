"""The bank as the fold of an archive's rows, with the ledger of who lies where: what is added, taken out and replayed.

Notable: tokens and keys are half-precision numbers and sums are float64, so sums are exact (8,192 items to a slot
whatever their values, millions with values below 64) and taking an item out again leaves, to the bit, what would have
been there without it; merges that were decided stay decided.

n items   p tokens per item   s slots   d width   k key width
"""

from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np
import torch

from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.memory.fold import NOWHERE, choose, compare_anew, fold
from mm_memgpt.memory.item import Item, Stored
from mm_memgpt.memory.ledger import ROW, Ledger, packed
from mm_memgpt.memory.sources import Sources
from mm_memgpt.types import MIXED_SOURCE, MODALITIES, Features, MemoryState

CHUNK = 256
"""How many rows are folded at a time: tokens in float64 take room."""


class Folded:
    """A state of batch 1 with its ledger, the names of its sources, and how far in commit order it reaches."""

    def __init__(
        self,
        bank: MemoryBank,
        state: MemoryState | None = None,
        ledger: Ledger | None = None,
        names: Sources | None = None,
        reached: int = -1,
    ) -> None:
        self.bank = bank
        self.state = bank.empty(dtype=torch.float64) if state is None else state
        self.ledger = Ledger(bank.capacity) if ledger is None else ledger
        self.names = Sources() if names is None else names
        self.reached = reached

    def fold(self, rows: Iterable[Stored]) -> None:
        """Writes rows, in ascending order, all behind what has been reached.

        Raises:
            ValueError: an item that does not fit the bank, or whose numbers are impossible.
        """
        rows = iter(rows)
        while chunk := list(islice(rows, CHUNK)):
            self._fold(chunk)

    def _fold(self, rows: Sequence[Stored]) -> None:
        items = [row.item for row in rows]
        features = features_of(items, [self.names.number(item.source) for item in items])
        self.bank.geometry.check_state(self.state)
        self.bank.geometry.check_features(features, self.state)
        real = features.mask.any(-1)
        choice = choose(self.state, features, real, self.bank.geometry.ring)
        state = fold(self.state, features, real, choice)
        news = np.zeros(len(rows), ROW)
        news["id"] = packed(item.id for item in items)
        news["order"] = [row.order for row in rows]
        news["start"], news["end"] = features.time[0].T.numpy()
        news["source"] = features.source[0].numpy()
        newest = int(self.state.arrival.max())
        news["arrival"] = newest + real[0].cumsum(0).numpy()  # as the choice numbers them: real ones only
        self.ledger.append(news, choice.location[0].numpy(), self.state.items[0].numpy())
        self.state, self.reached = state, rows[-1].order

    def take_out(self, items: Sequence[Item]) -> tuple[int, ...]:
        """Subtracts items from their slots, and says which slots; items that lie in none change nothing."""
        rows = self.ledger.find(item.id for item in items)
        slots = np.where(rows >= 0, self.ledger.slots()[rows], NOWHERE) if len(self.ledger) else np.full(len(rows), -1)
        there = [(item, int(slot)) for item, slot in zip(items, slots, strict=True) if slot != NOWHERE]
        sums, count, key_sums = (tensor.clone() for tensor in (self.state.sums, self.state.count, self.state.key_sums))
        for item, slot in there:
            features = features_of([item], [0])
            sums[0, slot] -= features.tokens[0, 0].masked_fill(~features.mask[0, 0].unsqueeze(-1), 0)
            count[0, slot] -= features.mask[0, 0].long()
            key_sums[0, slot] -= features.key[0, 0]
        state = self.state._replace(sums=sums, count=count, key_sums=key_sums)
        ledger = self.ledger.without(rows[rows >= 0])
        touched = tuple(sorted({slot for _, slot in there}))
        self.state = described(state, ledger, touched, self.bank.geometry.ring)
        self._take(ledger)
        return touched

    def strike(self, ids: Iterable[str]) -> tuple[int, ...]:
        """Takes items out of the ledger alone, and says which slots; the state is due for `replay`."""
        rows = self.ledger.find(ids)
        rows = rows[rows >= 0]
        touched = np.unique(self.ledger.slots()[rows])
        self._take(self.ledger.without(rows))
        return tuple(int(slot) for slot in touched if slot != NOWHERE)

    def replay(self, rows: Iterable[Stored]) -> MemoryState:
        """The state that the ledger's items come to, each in the slot that the ledger says; others are passed over.

        Raises:
            ValueError: an item of the ledger is not among the rows.
        """
        slots, missing = self.ledger.slots(), np.ones(len(self.ledger), bool)
        sums, count, key_sums, modality = (
            torch.zeros(*tensor.shape, dtype=tensor.dtype)
            for tensor in (self.state.sums, self.state.count, self.state.key_sums, self.state.modality)
        )
        modality -= 1
        rows = iter(rows)
        while chunk := list(islice(rows, CHUNK)):
            found = self.ledger.find(row.item.id for row in chunk)
            missing[found[found >= 0]] = False
            at = np.where(found >= 0, slots[found], NOWHERE) if len(slots) else np.full(len(found), NOWHERE)
            kept = [row.item for row, slot in zip(chunk, at, strict=True) if slot != NOWHERE]
            if not kept:
                continue
            features, at = features_of(kept, [0] * len(kept)), torch.from_numpy(at[at != NOWHERE])
            tokens = features.tokens[0].masked_fill(~features.mask[0].unsqueeze(-1), 0)
            sums[0].index_add_(0, at, tokens)
            count[0].index_add_(0, at, features.mask[0].long())
            key_sums[0].index_add_(0, at, features.key[0])
            modality[0, at] = features.modality[0]
        if missing.any():
            raise ValueError(
                f"{missing.sum()} of {len(missing)} items of the ledger are not in the archive; fold it anew"
            )
        state = self.bank.empty(dtype=torch.float64)
        state = state._replace(sums=sums, count=count, key_sums=key_sums, modality=modality)
        return described(state, self.ledger, range(self.bank.capacity), self.bank.geometry.ring)

    def _take(self, ledger: Ledger) -> None:
        """Goes on with another ledger; a source without items loses its name, and numbers stay."""
        used = {*np.unique(ledger.rows["source"]).tolist()}
        self.names = Sources(name if number in used else nameless(number) for number, name in enumerate(self.names))
        self.ledger = ledger


def nameless(number: int) -> str:
    """What stands in the table of sources for one that was forgotten."""
    return f"\0{number}"


def features_of(items: Sequence[Item], sources: Sequence[int]) -> Features:
    """Items as one row of features in float64, which holds half-precision numbers as they are."""
    return Features(
        tokens=torch.from_numpy(np.stack([item.tokens for item in items])).double().unsqueeze(0),
        mask=torch.from_numpy(np.stack([item.mask for item in items])).unsqueeze(0),
        key=torch.from_numpy(np.stack([item.key for item in items])).double().unsqueeze(0),
        time=torch.tensor([[(item.start, item.end) for item in items]], dtype=torch.float64),
        modality=torch.tensor([[MODALITIES.index(item.modality) for item in items]]),
        source=torch.tensor([list(sources)]),
    )


def described(state: MemoryState, ledger: Ledger, slots: Iterable[int], ring: int) -> MemoryState:
    """The state with all that follows from members brought up to date in these slots; one without members is zeroed."""
    slots = list(slots)
    fields = {name: getattr(state, name).clone() for name in state._fields if name != "similarity"}
    for slot, span in zip(slots, ledger.spans(slots), strict=True):
        fields["items"][0, slot] = span.items
        fields["arrival"][0, slot] = span.arrival
        fields["source"][0, slot] = MIXED_SOURCE if span.source is None else span.source
        if span.items:
            fields["time"][0, slot] = torch.tensor([span.start, span.end], dtype=torch.float64)
        else:
            fields["modality"][0, slot] = -1
            for name in ("sums", "count", "key_sums", "time"):
                fields[name][0, slot] = 0
    state = MemoryState(**fields, similarity=state.similarity)
    return state._replace(similarity=compare_anew(state, slots, ring))
