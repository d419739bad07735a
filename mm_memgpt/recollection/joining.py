"""What was found joins a detached copy of the bank, and can be left out of it again, source by source.

Notable: a found item gets a slot of its own behind the bank's, where it has none there, so nothing merges for it; to
leave it out is to drop its slot and to take its share out of the slot that it had merged into, which is exact.

n rows   s slots   p tokens per item   d width   k key width
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from mm_memgpt.explain.slots import keeping
from mm_memgpt.knowledge.linking import BY_NAME, IN_COMMON
from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.memory.folded import features_of
from mm_memgpt.memory.item import Item
from mm_memgpt.memory.ledger import Ledger
from mm_memgpt.types import MemoryState


class Joined(NamedTuple):
    """A state of batch 1 with what was found in slots of its own."""

    state: MemoryState
    """The bank's used slots, and behind them what was found."""
    own: tuple[int, ...]
    """The slot of each found item."""
    share: tuple[int | None, ...]
    """The bank's slot that holds each among others; None where it has its own there, or is no longer in any."""
    relations: Tensor | None = None
    """(1, s, s): further edges between the slots, as facts give them; None where the model is given none."""


def join(state: MemoryState, ledger: Ledger, names: Iterable[str], items: Sequence[Item]) -> Joined:
    """A copy of the used slots of `state`, batch 1, and the items behind them; `state` stays as it is.

    Args:
        state: the bank's.
        ledger: which item lies in which of its slots.
        names: of its sources, by number.
        items: what was found.
    """
    used = (state.items[0] > 0).nonzero()[:, 0].tolist()
    place = {slot: number for number, slot in enumerate(used)}
    own, share, new = [], [], []
    for item in items:
        slot = place.get(ledger.slot_of(item.id))
        alone = slot is not None and int(state.items[0, used[slot]]) == 1
        own.append(slot if alone else len(used) + len(new))
        share.append(None if alone else slot)
        if not alone:
            new.append(item)
    kept = MemoryState(*(field[:, used] for field in state[:-1]), state.similarity[:, used][:, :, used])
    numbers = {name: number for number, name in enumerate(names)}
    sources = [numbers.get(item.source, len(numbers)) for item in new]
    return Joined(_extended(kept, new, sources) if new else kept, tuple(own), tuple(share))


def related_by(joined: Joined, items: Sequence[Item], pairs: Iterable[tuple[int, int]]) -> Tensor:
    """Pairs of places of found items as edges between the slots that these have of their own, both ways: (1, s, s)."""
    slots = joined.state.items.shape[1]
    relations = torch.zeros(1, slots, slots)
    for one, other in pairs:
        weight = BY_NAME if None in (items[one].fact, items[other].fact) else IN_COMMON
        relations[0, joined.own[one], joined.own[other]] = relations[0, joined.own[other], joined.own[one]] = weight
    return relations


def _extended(state: MemoryState, items: Sequence[Item], sources: Sequence[int]) -> MemoryState:
    """The state with a slot more for each item; they count as the newest, in order of their times."""
    features = features_of(items, sources)
    dtype, count = state.sums.dtype, len(items)
    newest = int(state.arrival.max()) if state.arrival.numel() else -1
    order = torch.tensor(sorted(range(count), key=lambda n: (items[n].start, n))).argsort()
    more = {
        "sums": features.tokens.to(dtype).masked_fill(~features.mask.unsqueeze(-1), 0),
        "count": features.mask.long(),
        "key_sums": features.key.to(dtype),
        "items": torch.ones(1, count, dtype=torch.int64),
        "time": features.time,
        "modality": features.modality,
        "source": features.source,
        "arrival": (newest + 1 + order).unsqueeze(0),
    }
    size = state.items.shape[1] + count
    similarity = state.sums.new_full((1, size, size), -torch.inf)
    fields = {name: torch.cat([getattr(state, name), field], dim=1) for name, field in more.items()}
    return MemoryState(**fields, similarity=similarity)


def without(
    joined: Joined, items: Sequence[Item], groups: Sequence[Sequence[int] | None], blank: MemoryState
) -> MemoryState:
    """The state once for each group of found items, without them (n groups, s).

    Args:
        joined: what they joined.
        items: what was found.
        groups: places among the items; None leaves out all that there is.
        blank: the bank's empty memory, which says what a slot looks like that is not there.
    """
    state, rows, slots = joined.state, len(groups), joined.state.items.shape[1]
    keep = torch.ones(rows, slots, dtype=torch.bool)
    rest = {name: getattr(state, name).expand(rows, *[-1] * (getattr(state, name).ndim - 1)).clone() for name in SHARED}
    for row, group in enumerate(groups):
        if group is None:
            keep[row] = False
        for number in group or ():
            keep[row, joined.own[number]] = False
            if (slot := joined.share[number]) is not None:
                _take_out(rest, row, slot, items[number])
    keep &= rest["items"] > 0
    return keeping(state._replace(**rest), keep, _sized(blank, slots))


SHARED = ("sums", "count", "key_sums", "items")
"""What an item has a share in."""


def _take_out(rest: dict[str, Tensor], row: int, slot: int, item: Item) -> None:
    mask = torch.from_numpy(item.mask.copy())
    tokens = torch.from_numpy(item.tokens.copy()).to(rest["sums"].dtype)
    rest["sums"][row, slot] -= tokens.masked_fill(~mask.unsqueeze(-1), 0)
    rest["count"][row, slot] -= mask.long()
    rest["key_sums"][row, slot] -= torch.from_numpy(item.key.copy()).to(rest["key_sums"].dtype)
    rest["items"][row, slot] -= 1


def _sized(blank: MemoryState, slots: int) -> MemoryState:
    """An empty state with so many slots."""
    fields = [field[:, :1].expand(-1, slots, *field.shape[2:]) for field in blank[:-1]]
    return MemoryState(*fields, blank.similarity[:, :1, :1].expand(-1, slots, slots))


def alone(bank: MemoryBank, groups: Sequence[Sequence[Item]]) -> MemoryState:
    """A memory for each group of items that holds nothing else (n groups)."""
    longest = max(len(group) for group in groups)
    rows = [features_of(group, [0] * len(group)) for group in groups]

    def filled(name: str) -> Tensor:
        parts = [getattr(row, name) for row in rows]
        return torch.cat(
            [
                torch.cat([part, part.new_zeros(1, longest - part.shape[1], *part.shape[2:])], dim=1)
                if part.shape[1] < longest
                else part
                for part in parts
            ]
        )

    features = rows[0]._replace(**{name: filled(name) for name in rows[0]._fields})
    return bank.write(bank.empty(len(groups), dtype=torch.float64), features)
