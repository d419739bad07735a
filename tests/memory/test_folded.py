"""What is left when items are taken out is, to the bit, what would be there had they never come.

p tokens per item   s slots   r ring   d width   k key width
"""

from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple
from uuid import UUID

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.memory.folded import Folded, features_of
from mm_memgpt.memory.item import Item, Stored
from mm_memgpt.types import MIXED_SOURCE, MODALITIES, MemoryState

P, D, K = 3, 2, 4


def assert_same_bits(one: MemoryState, other: MemoryState) -> None:
    for name, tensor in one._asdict().items():
        assert tensor.dtype == getattr(other, name).dtype, name
        assert tensor.contiguous().numpy().tobytes() == getattr(other, name).contiguous().numpy().tobytes(), name


def rows_of(seed: int, count: int, *, kinds: int = 3, sources: int = 4, padding: float = 0.0) -> list[Stored]:
    """Items with any finite half-precision numbers in their tokens, in orders with gaps."""
    random = np.random.default_rng(seed)
    rows, order = [], -1
    for number in range(count):
        bits = random.integers(0, 2**16, (P, D), dtype=np.uint16)
        key = random.normal(size=K)
        mask = random.random(P) < 0.6
        mask[number % P] = True
        start = 1.79e9 + float(random.random()) * 9
        order += 1 + int(random.integers(3))
        item = Item(
            id=UUID(int=int(random.integers(2**62)) << 8).hex,
            source=f"/photos/{random.integers(sources)}.jpg",
            modality=MODALITIES[random.integers(kinds)],
            start=start,
            end=start + float(random.random()),
            created=1.79e9,
            key=(key / np.linalg.norm(key)).astype(np.float16),
            tokens=np.nan_to_num(bits.view(np.float16), nan=1.0),
            mask=mask & (random.random() >= padding),
            text="",
            preview=b"",
            digest="",
        )
        rows.append(Stored(order, item))
    return rows


class Case(NamedTuple):
    bank: MemoryBank
    rows: list[Stored]
    gone: set[int]

    def folded(self) -> Folded:
        folded = Folded(self.bank)
        folded.fold(self.rows)
        return folded

    def remaining(self) -> list[Stored]:
        return [row for number, row in enumerate(self.rows) if number not in self.gone]

    def taken(self) -> list[Item]:
        return [row.item for number, row in enumerate(self.rows) if number in self.gone]


@st.composite
def cases(draw) -> Case:
    count, ring = draw(st.integers(0, 30)), draw(st.integers(1, 3))
    bank = MemoryBank(slots=ring + draw(st.integers(3, 5)), ring=ring, tokens=P, width=D, key_width=K)
    rows = rows_of(
        draw(st.integers(0, 9999)), count, kinds=draw(st.integers(1, 3)), padding=draw(st.sampled_from([0, 0.3]))
    )
    return Case(bank, rows, draw(st.sets(st.integers(0, max(0, count - 1)), max_size=count)))


@settings(max_examples=60, deadline=None)
@given(case=cases())
def test_subtracting_is_replaying_the_recorded_assignment_without_the_items(case):
    folded, replayed = case.folded(), case.folded()
    before = replayed.ledger
    touched = folded.take_out(case.taken())
    struck = replayed.strike(item.id for item in case.taken())
    assert_same_bits(folded.state, replayed.replay(case.rows))
    assert_same_bits(folded.state, replayed.replay(case.remaining()))
    assert touched == struck == tuple(sorted({before.slot_of(i.id) for i in case.taken()} - {None}))
    assert folded.ledger.ids() == replayed.ledger.ids() == [row.item.id for row in case.remaining()]
    assert list(folded.names) == list(replayed.names)


@settings(max_examples=40, deadline=None)
@given(case=cases())
def test_every_slot_is_what_its_remaining_items_come_to(case):
    """Members are read off the ledger before anything is taken out; the rest is arithmetic in fractions."""
    folded = case.folded()
    place = {row.item.id: folded.ledger.slot_of(row.item.id) for row in case.rows}
    arrivals = {row.item.id: n for n, row in enumerate(r for r in case.rows if r.item.mask.any())}
    folded.take_out(case.taken())
    state = folded.state
    for slot in range(case.bank.capacity):
        items = [row.item for row in case.remaining() if place[row.item.id] == slot]
        assert folded.ledger.members(slot) == [item.id for item in items]
        assert state.items[0, slot] == len(items)
        assert exact(state.sums[0, slot]) == total([i.tokens * i.mask[:, None] for i in items], P * D)
        assert exact(state.key_sums[0, slot]) == total([i.key for i in items], K)
        assert state.count[0, slot].tolist() == np.sum([i.mask for i in items] or [[0] * P], axis=0).tolist()
        assert state.time[0, slot].tolist() == [
            min((i.start for i in items), default=0),
            max((i.end for i in items), default=0),
        ]
        assert state.modality[0, slot] == (MODALITIES.index(items[0].modality) if items else -1)
        assert state.arrival[0, slot] == max((arrivals[i.id] for i in items), default=-1)
        sources = {i.source for i in items}
        number = int(state.source[0, slot])
        assert folded.names.name(number) == (sources.pop() if len(sources) == 1 else None)
        if not items:
            assert number == MIXED_SOURCE
            assert (state.similarity[0, slot] == -torch.inf).all()


def exact(tensor: torch.Tensor) -> list[Fraction]:
    return [Fraction(number) for number in tensor.flatten().tolist()]


def total(arrays: list[np.ndarray], size: int) -> list[Fraction]:
    rows = [[Fraction(float(number)) for number in array.ravel()] for array in arrays]
    return [sum(column, Fraction()) for column in zip(*rows, strict=True)] or [Fraction()] * size


@settings(max_examples=25, deadline=None)
@given(case=cases())
def test_folding_keeps_what_writing_keeps_and_replay_is_the_fold(case):
    folded = case.folded()
    assert_same_bits(folded.replay(case.rows), folded.state)
    if case.rows:
        items = [row.item for row in case.rows]
        features = features_of(items, [folded.names.number(item.source) for item in items])
        assert_same_bits(case.bank.write(case.bank.empty(dtype=torch.float64), features), folded.state)


@settings(max_examples=25, deadline=None)
@given(case=cases(), cuts=st.lists(st.integers(0, 30), max_size=4), more=st.integers(0, 12))
def test_however_the_rows_come_and_whatever_was_taken_out_the_fold_goes_on_alike(case, cuts, more):
    at = sorted({0, len(case.rows), *(min(cut, len(case.rows)) for cut in cuts)})
    parts = Folded(case.bank)
    for start, end in pairwise(at):
        parts.fold(case.rows[start:end])
    whole = case.folded()
    assert_same_bits(parts.state, whole.state)
    parts.take_out(case.taken())
    whole.strike(item.id for item in case.taken())
    whole.state = whole.replay(case.rows)
    tail = [Stored(1000 + row.order, row.item) for row in rows_of(77, more)]
    for row in tail:
        parts.fold([row])
    whole.fold(tail)
    assert_same_bits(parts.state, whole.state)
    assert parts.ledger.slots().tolist() == whole.ledger.slots().tolist()
    assert int(parts.state.items.sum()) == sum(bool(row.item.mask.any()) for row in [*case.remaining(), *tail])


def test_wide_keys_and_many_slots_make_the_same_state_however_they_are_cut():
    bank = MemoryBank(slots=24, ring=4, tokens=1, width=1, key_width=257)
    random = np.random.default_rng(5)
    rows = []
    for row in rows_of(3, 90, kinds=2):
        key = random.normal(size=257)
        key = (key / np.linalg.norm(key)).astype(np.float16)
        rows.append(
            Stored(
                row.order,
                Item(**{**vars(row.item), "key": key, "tokens": np.ones((1, 1), np.float16), "mask": np.ones(1, bool)}),
            )
        )
    once, each = Folded(bank), Folded(bank)
    once.fold(rows)
    for row in rows:
        each.fold([row])
    assert_same_bits(once.state, each.state)
    each.take_out([row.item for row in rows[::3]])
    once.strike(row.item.id for row in rows[::3])
    assert_same_bits(each.state, once.replay(rows))


def test_a_forgotten_name_leaves_the_table_and_numbers_stay():
    case = Case(MemoryBank(slots=5, ring=2, tokens=P, width=D, key_width=K), rows_of(1, 12), set())
    folded = case.folded()
    names = list(folded.names)
    gone = names[1]
    folded.take_out([row.item for row in case.rows if row.item.source == gone])
    assert gone not in list(folded.names)
    assert [folded.names.name(n) for n in range(len(names)) if n != 1] == [name for name in names if name != gone]
    assert folded.names.number(gone) == len(names), "one that comes again is another"


def test_an_item_that_does_not_fit_is_refused_before_anything_is_written():
    folded = Folded(MemoryBank(slots=5, ring=2, tokens=P, width=D, key_width=K))
    folded.fold(rows_of(1, 4))
    before, [row] = folded.state, rows_of(2, 1)
    bad = Item(**{**vars(row.item), "key": np.full(K, np.nan, np.float16)})
    with pytest.raises(ValueError, match="holds NaN or infinity in its tokens or key"):
        folded.fold([Stored(99, bad)])
    assert folded.state is before
    assert len(folded.ledger) == 4


def test_replay_names_what_is_missing():
    case = Case(MemoryBank(slots=5, ring=2, tokens=P, width=D, key_width=K), rows_of(1, 12), {3})
    with pytest.raises(ValueError, match="1 of 12 items of the ledger are not in the archive; fold it anew"):
        case.folded().replay(case.remaining())
