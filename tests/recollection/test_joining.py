"""What is found joins a copy; leaving it out again is exact, and what is left is what the rest of the fold makes."""

import pytest
import torch

from mm_memgpt import Text
from mm_memgpt.recollection.joining import alone, join, without


@pytest.fixture
def state_of(memory, photo):
    """The bank of so many photos and a note, its ledger, its names and its items."""

    def fill(photos: int):
        memory.add([*(photo(seed) for seed in range(photos)), Text("a dog")])
        items = [row.item for row in memory.store.archive.since()]
        return memory.store.state(), memory.store.ledger, memory.store.names, items

    return fill


def test_what_has_a_slot_of_its_own_gets_no_other(state_of):
    state, ledger, names, items = state_of(3)
    joined = join(state, ledger, names, items[:2])
    assert joined.state.items[0].tolist() == [1, 1, 1, 1]
    assert joined.share == (None, None)
    assert len(set(joined.own)) == 2


def test_what_has_merged_gets_a_slot_of_its_own_and_can_be_left_out_of_both(state_of, memory, model):
    state, ledger, names, items = state_of(model.bank.capacity + 9)
    merged = next(item for item in items if int(state.items[0, ledger.slot_of(item.id)]) > 1)
    before = [field.clone() for field in state]
    joined = join(state, ledger, names, [merged])
    used = int((state.items > 0).sum())
    assert joined.own == (used,)
    assert torch.equal(joined.state.sums[0, used][merged.mask], torch.tensor(merged.tokens[merged.mask]).double())
    blank = model.bank.empty(dtype=torch.float64)
    full, less = (rows for rows in _rows(without(joined, [merged], [[], [0]], blank)))
    assert full.items.sum() - less.items.sum() == 2
    memory.forget([merged.id])
    rest = memory.store.state()
    slots = (state.items[0] > 0).nonzero()[:, 0]
    assert torch.equal(less.sums[0, :used], rest.sums[0, slots])
    assert torch.equal(less.count[0, :used], rest.count[0, slots])
    for field, was in zip(state, before, strict=True):
        assert torch.equal(field, was)


def _rows(state):
    return (type(state)(*(field[row : row + 1] for field in state)) for row in range(len(state.items)))


def test_groups_alone_hold_nothing_else(state_of, model):
    *_, items = state_of(3)
    state = alone(model.bank, [items[:1], items[1:]])
    assert state.items.sum(-1).tolist() == [1, 3]
    assert torch.equal(state.sums[0].sum(0)[items[0].mask], torch.tensor(items[0].tokens[items[0].mask]).double())
