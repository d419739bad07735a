"""The fold of items into slots: first choose a slot for each item, then put them all there at once.

Notable: the choice reads keys only, so it runs without gradients on small tensors, and what is large, the tokens,
moves once a write however many items it holds; what does not happen in a row of the batch happens there to a spare
slot that nobody reads, so no row waits for another.

b batch   n items   p tokens per item   s slots   r ring   d width   k key width
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor
from torch.nn.functional import normalize, pad

from mm_memgpt.types import MIXED_SOURCE, Features, MemoryState

NOWHERE = -1
"""The location of an empty slot and of padding."""


class Choice(NamedTuple):
    """Where everything ends, and what the choosing had to keep up to date on its way."""

    location: Tensor
    """(b, s + n) int64: the slot in which each old slot and each item ends, or NOWHERE."""
    key_sums: Tensor
    """(b, s, k): as in MemoryState, without gradients."""
    modality: Tensor
    """(b, s): as in MemoryState."""
    arrival: Tensor
    """(b, s): as in MemoryState."""
    similarity: Tensor
    """(b, s, s): as in MemoryState."""


@torch.no_grad()
def choose(state: MemoryState, features: Features, real: Tensor, ring: int) -> Choice:
    """Chooses a slot for each item, in order; items where `real` (b, n) is False are skipped."""
    table = _Table(state, features.key.shape[1], ring)
    keys = features.key.to(state.key_sums.dtype).masked_fill(~real.unsqueeze(-1), 0)
    for item in range(features.key.shape[1]):
        table.insert(item, real[:, item], keys[:, item], features.modality[:, item])
    return table.choice()


@torch.no_grad()
def compare_anew(state: MemoryState, slots: Iterable[int], ring: int) -> Tensor:
    """The similarity (b, s, s) with the rows and columns of these slots computed anew, to the bit as writing does."""
    table = _Table(state, 0, ring)
    for slot in slots:
        if slot >= ring:  # nothing merges in the ring
            table.compare(torch.full_like(table.rows, slot))
    return table.choice().similarity


class _Table:
    """A working copy of what the choice reads: s slots, and as slot s a spare place for what leaves the ring."""

    def __init__(self, state: MemoryState, items: int, ring: int) -> None:
        batch, self.spare = state.items.shape
        self.ring = ring
        self.rows = torch.arange(batch, device=state.items.device)
        self.slots = torch.arange(self.spare + 1, device=state.items.device)
        self.keys = pad(state.key_sums, (0, 0, 0, 1))  # (b, s + 1, k)
        self.units = normalize(self.keys, dim=-1)
        self.modality = pad(state.modality, (0, 1), value=-1)
        self.arrival = pad(state.arrival, (0, 1), value=-1)
        self.similarity = pad(state.similarity, (0, 1, 0, 1), value=-torch.inf)  # (b, s + 1, s + 1)
        self.location = pad(self.slots[:-1].where(state.items > 0, NOWHERE), (0, items), value=NOWHERE)  # (b, s + n)

    def insert(self, item: int, real: Tensor, key: Tensor, modality: Tensor) -> None:
        """Puts an item (b) into the ring's oldest slot, whose content moves to the pool, where a pair may merge for it.

        An empty slot has arrival -1 and so counts as the oldest. Of equals the lowest index is taken: argmax and
        argmin return the first.
        """
        rows, spare = self.rows, self.spare
        arrival = self.arrival[:, :spare].amax(-1) + 1
        oldest = self.arrival[:, : self.ring].argmin(-1)
        leaves = real & (self.arrival[rows, oldest] >= 0)
        self._move(oldest.where(leaves, spare), torch.full_like(oldest, spare))

        free = self.arrival[:, self.ring : spare] < 0
        merges = leaves & ~free.any(-1)
        kept, gone = (slot.where(merges, spare) for slot in self._most_similar())
        self._merge(kept, gone, merges)
        place = gone.where(merges, (self.ring + free.int().argmax(-1)).where(leaves, spare))
        self._move(torch.full_like(place, spare), place)
        self.compare(kept)
        self.compare(place)

        slot = oldest.where(real, spare)
        self.keys[rows, slot], self.units[rows, slot] = key, normalize(key, dim=-1)
        self.modality[rows, slot], self.arrival[rows, slot] = modality, arrival
        self.location[:, spare + item] = oldest.where(real, NOWHERE)

    def choice(self) -> Choice:
        """What has been chosen. Clones, so that no state keeps the working copy alive."""
        fields = (self.keys, self.modality, self.arrival, self.similarity[..., :-1])
        return Choice(self.location, *(field[:, :-1].clone() for field in fields))

    def compare(self, slot: Tensor) -> None:
        """Brings row and column of `slot` (b) up to date.

        Products and their sum, not a matrix product: its rounding depends on the batch, and near ties would with it.
        """
        cosine = (self.units * self.units[self.rows, slot].unsqueeze(1)).sum(-1)  # (b, s + 1)
        alike = (self.modality == self.modality[self.rows, slot].unsqueeze(1)) & (self.modality >= 0)
        may_merge = alike & (self.slots >= self.ring) & (self.slots != slot.unsqueeze(1))
        cosine = cosine.masked_fill(~may_merge, -torch.inf)
        self.similarity[self.rows, slot] = cosine
        self.similarity[self.rows, :, slot] = cosine

    def _move(self, slot: Tensor, to: Tensor) -> None:
        """Copies the content of `slot` (b) over that of `to` (b)."""
        for field in (self.keys, self.units, self.modality, self.arrival):
            field[self.rows, to] = field[self.rows, slot]
        self._relocate(slot, to)

    def _merge(self, kept: Tensor, gone: Tensor, merges: Tensor) -> None:
        """Adds the content of `gone` (b) to `kept` (b) in the rows where `merges` (b)."""
        rows = self.rows
        key = self.keys[rows, kept] + self.keys[rows, gone].masked_fill(~merges.unsqueeze(-1), 0)
        self.keys[rows, kept], self.units[rows, kept] = key, normalize(key, dim=-1)
        self.arrival[rows, kept] = torch.maximum(self.arrival[rows, kept], self.arrival[rows, gone])
        self._relocate(gone, kept)

    def _relocate(self, slot: Tensor, to: Tensor) -> None:
        """What ended in `slot` (b) now ends in `to` (b)."""
        self.location = torch.where(self.location == slot.unsqueeze(-1), to.unsqueeze(-1), self.location)

    def _most_similar(self) -> tuple[Tensor, Tensor]:
        """The most similar pair (b), (b) of the pool and the item in the spare slot; the first is the lower."""
        self.compare(torch.full_like(self.rows, self.spare))
        pairs = self.similarity[:, self.ring : self.spare, self.ring :]  # (b, s - r, s - r + 1)
        pair = rearrange(pairs, "b i j -> b (i j)").argmax(-1)
        return self.ring + pair // pairs.shape[2], self.ring + pair % pairs.shape[2]


def fold(state: MemoryState, features: Features, real: Tensor, choice: Choice) -> MemoryState:
    """Puts every used slot and every real item where `choice` says, in one pass over the tokens."""
    members = _Members(state, real, choice.location)
    dtype = state.sums.dtype
    tokens = features.tokens.to(dtype).masked_fill(~features.mask.unsqueeze(-1), 0)
    key_sums = members.total(state.key_sums, features.key.to(dtype))
    start, end = (members.extreme(state.time[..., i], features.time[..., i], how) for i, how in enumerate(BOUNDS))
    lowest, highest = (members.extreme(state.source, features.source, how) for how in BOUNDS)
    items = members.total(state.items, real.long())
    return MemoryState(
        sums=members.total(state.sums, tokens),
        count=members.total(state.count, features.mask.long()),
        # the chooser's values, that two writes may choose as one does to the bit, with the gradients of this sum
        key_sums=choice.key_sums + (key_sums - key_sums.detach()),
        items=items,
        time=torch.stack((start, end), dim=-1),
        modality=choice.modality,
        source=lowest.where((lowest == highest) & (items > 0), MIXED_SOURCE),
        arrival=choice.arrival,
        similarity=choice.similarity,
    )


BOUNDS = ("amin", "amax")
"""The reductions that give the lower and the upper end."""


class _Members:
    """Used slots and real items, with the slot where each ends: what sums and bounds run over."""

    def __init__(self, state: MemoryState, real: Tensor, location: Tensor) -> None:
        self.batch, self.slots = state.items.shape
        first = self.slots * torch.arange(self.batch, device=location.device).unsqueeze(-1)
        old, new = (first + location).split((self.slots, real.shape[1]), dim=1)
        self.used, self.real = ((state.items > 0).flatten().nonzero()[:, 0], real.flatten().nonzero()[:, 0])
        self.to_of_used, self.to_of_real = old.flatten()[self.used], new.flatten()[self.real]

    def total(self, old: Tensor, new: Tensor) -> Tensor:
        """The sum (b, s, ...) in each slot of the slots' (b, s, ...) and the items' (b, n, ...)."""
        total = old.new_zeros(self.batch * self.slots, *old.shape[2:])
        total.index_add_(0, self.to_of_used, old.flatten(0, 1).index_select(0, self.used))
        total.index_add_(0, self.to_of_real, new.flatten(0, 1).index_select(0, self.real))
        return total.unflatten(0, (self.batch, self.slots))

    def extreme(self, old: Tensor, new: Tensor, how: str) -> Tensor:
        """The least or the greatest (b, s) in each slot of the slots' (b, s) and the items' (b, n); 0 where empty."""
        values = torch.cat((old.flatten()[self.used], new.flatten()[self.real]))
        to = torch.cat((self.to_of_used, self.to_of_real))
        extreme = old.new_zeros(self.batch * self.slots)
        return extreme.scatter_reduce(0, to, values, how, include_self=False).unflatten(0, (self.batch, self.slots))
