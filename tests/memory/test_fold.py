"""The batched fold is the plain rule, item by item and row by row, written here with lists and loops."""

import math
from dataclasses import dataclass, field

import pytest
import torch

from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.types import MIXED_SOURCE, Features, MemoryState

S, R, P, D, K = 8, 3, 3, 2, 4


@dataclass
class Slot:
    """A slot as it would be written on paper: the items it holds, in any order."""

    items: list[int]
    modality: int
    key_sum: list[float]
    arrival: int


def cosine(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True)) / (math.hypot(*one) * math.hypot(*other))


@dataclass
class PlainBank:
    """Ring and pool as lists of slots; None is an empty one."""

    ring: list[Slot | None] = field(default_factory=lambda: [None] * R)
    pool: list[Slot] = field(default_factory=list)
    written: int = 0

    def write(self, index: int, modality: int, key: list[float]) -> None:
        place = self.written % R
        if self.ring[place] is not None:
            self.receive(self.ring[place])
        self.ring[place] = Slot([index], modality, key, self.written)
        self.written += 1

    def receive(self, newcomer: Slot) -> None:
        slots = [*self.pool, newcomer]
        if len(slots) <= S - R:
            self.pool = slots
            return
        pairs = [
            (-cosine(slots[i].key_sum, slots[j].key_sum), i, j)
            for i in range(len(slots))
            for j in range(i + 1, len(slots))
            if slots[i].modality == slots[j].modality
        ]
        _, i, j = min(pairs)
        one, other = slots[i], slots[j]
        key_sum = [a + b for a, b in zip(one.key_sum, other.key_sum, strict=True)]
        slots[i] = Slot(one.items + other.items, one.modality, key_sum, max(one.arrival, other.arrival))
        slots[j] = newcomer
        self.pool = slots[:-1]

    def slots(self) -> list[Slot | None]:
        return [*self.ring, *self.pool, *[None] * (S - R - len(self.pool))]


def plain(features: Features, row: int) -> list[Slot | None]:
    bank = PlainBank()
    for index in range(features.key.shape[1]):
        if any(features.mask[row, index].tolist()):
            bank.write(index, int(features.modality[row, index]), features.key[row, index].tolist())
    return bank.slots()


def assert_holds(state: MemoryState, row: int, number: int, slot: Slot | None, features: Features) -> None:
    """That slot `number` of the state is what the plain slot's items come to."""
    items = slot.items if slot else []
    tokens, mask = features.tokens[row, items], features.mask[row, items]
    times, sources = features.time[row, items].tolist(), {*features.source[row, items].tolist()}
    torch.testing.assert_close(state.sums[row, number], (tokens * mask.unsqueeze(-1)).sum(0))
    torch.testing.assert_close(state.key_sums[row, number], features.key[row, items].sum(0))
    assert state.count[row, number].tolist() == mask.sum(0).tolist()
    assert state.items[row, number] == len(items)
    assert state.time[row, number].tolist() == [
        min((start for start, _ in times), default=0),
        max((end for _, end in times), default=0),
    ]
    assert state.modality[row, number] == (slot.modality if slot else -1)
    assert state.source[row, number] == (sources.pop() if len(sources) == 1 else MIXED_SOURCE)
    assert state.arrival[row, number] == (slot.arrival if slot else -1)


@pytest.mark.parametrize(("seed", "items"), [(0, 2), (1, 7), (2, 15), (3, 60), (4, 60), (5, 60)])
def test_every_slot_is_what_the_plain_rule_makes_of_the_stream(stream, seed, items):
    bank = MemoryBank(slots=S, ring=R, tokens=P, width=D, key_width=K)
    features = stream(3, items, P, D, K, seed=seed, dtype=torch.float64, padding=0.3)
    state = bank.write(bank.empty(3, dtype=torch.float64), features)
    assert len({*features.mask.any(-1).sum(-1).tolist()}) > 1 or items < 10, "rows should differ in their real items"
    for row in range(3):
        for number, slot in enumerate(plain(features, row)):
            assert_holds(state, row, number, slot, features)


def test_similarity_kept_up_to_date_is_similarity_computed_anew(stream):
    bank = MemoryBank(slots=S, ring=R, tokens=P, width=D, key_width=K)
    state = bank.write(bank.empty(3), stream(3, 50, P, D, K, padding=0.3))
    keys = bank.keys(state)
    anew = torch.einsum("bik,bjk->bij", keys, keys)
    for row in range(3):
        for i in range(S):
            for j in range(S):
                mergeable = i != j and min(i, j) >= R and state.modality[row, i] == state.modality[row, j]
                expected = anew[row, i, j].item() if mergeable else -math.inf
                assert state.similarity[row, i, j].item() == pytest.approx(expected, abs=1e-6)
