"""What holds for any bank and any stream: who is where can be read off the sums, and everything else follows from it.

Notable: item i's tokens are the i-th unit vector, so the sums are a table of members and no test trusts the bank's own
account of what merged; the sizes of the bank are drawn too, down to a ring of one; tokens and keys are exact in half
precision and sums in float64, so equal means equal to the bit.

b batch   n items   p tokens per item   s slots   r ring   k key width
"""

import math
from collections.abc import Iterable
from fractions import Fraction
from itertools import combinations, pairwise
from typing import NamedTuple

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize, one_hot, pad

from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.types import MIXED_SOURCE, MODALITIES, Features, MemoryState

B, P, K, MOST = 2, 3, 4, 24


class Case(NamedTuple):
    """A bank and a stream of tagged items for it."""

    bank: MemoryBank
    features: Features

    def write(self, *cuts: int) -> MemoryState:
        """The stream written at once, or in the parts that `cuts` make of it."""
        state = self.bank.empty(B, dtype=torch.float64)
        for start, end in pairwise([0, *sorted(cuts), self.features.key.shape[1]]):
            state = self.bank.write(state, Features(*(field[:, start:end] for field in self.features)))
        return state


@st.composite
def cases(draw) -> Case:
    """Keys are random, or three directions of one modality, fewer than the pool holds, so that most merges are ties."""
    n, ring, tied = draw(st.integers(0, MOST)), draw(st.integers(1, 3)), draw(st.booleans())
    slots = ring + draw(st.integers(len(MODALITIES), 5))
    random = torch.Generator().manual_seed(draw(st.integers(0, 9999)))
    directions = one_hot(torch.randint(0, 3, (B, n), generator=random), K).double()
    spread = normalize(torch.randn(B, n, K, generator=random), dim=-1).half().double()
    mask = torch.rand(B, n, P, generator=random) < 0.6
    mask[..., 1] = True
    mask &= torch.rand(B, n, 1, generator=random) >= draw(st.sampled_from([0.0, 0.3]))
    start = 1.79e9 + 9 * torch.rand(B, n, generator=random, dtype=torch.float64)  # in no order
    features = Features(
        tokens=torch.eye(MOST, dtype=torch.float64)[:n].view(1, n, 1, MOST).expand(B, n, P, MOST),
        mask=mask,
        key=directions if tied else spread,
        time=torch.stack((start, start + torch.rand(B, n, generator=random)), dim=-1),
        modality=torch.randint(0, 1 if tied else len(MODALITIES), (B, n), generator=random),
        source=torch.randint(0, 3, (B, n), generator=random),
    )
    return Case(MemoryBank(slots=slots, ring=ring, tokens=P, width=MOST, key_width=K), features)


def members(state: MemoryState, row: int) -> list[set[int]]:
    """The items of each slot, read off its sums."""
    return [set(slot.sum(0).nonzero()[:, 0].tolist()) for slot in state.sums[row]]


def real_items(features: Features, row: int) -> list[int]:
    return features.mask[row].any(-1).nonzero()[:, 0].tolist()


def assert_equal(one: MemoryState, other: MemoryState) -> None:
    for name, tensor in one._asdict().items():
        assert torch.equal(tensor, getattr(other, name)), name


@settings(max_examples=50, deadline=None)
@given(case=cases())
def test_every_item_is_in_one_slot_and_a_slot_says_what_its_items_are(case):
    state, features = case.write(), case.features
    for row in range(B):
        groups, real = members(state, row), real_items(features, row)
        assert sorted(item for group in groups for item in group) == real
        assert sum(map(bool, groups)) == min(len(real), case.bank.capacity)
        for slot, group in enumerate(map(sorted, groups)):
            assert state.items[row, slot] == len(group)
            assert torch.equal(state.count[row, slot], features.mask[row, group].sum(0))
            assert torch.equal(state.key_sums[row, slot], features.key[row, group].sum(0))
            if group:
                start, end = features.time[row, group].unbind(-1)
                assert state.time[row, slot].tolist() == [start.min(), end.max()]
                assert {*features.modality[row, group].tolist()} == {state.modality[row, slot].item()}
                sources = {*features.source[row, group].tolist()}
                assert state.source[row, slot] == (sources.pop() if len(sources) == 1 else MIXED_SOURCE)
                assert state.arrival[row, slot] == real.index(group[-1])


@settings(max_examples=50, deadline=None)
@given(case=cases())
def test_items_are_where_the_plain_rule_puts_them_and_ties_go_to_the_lowest_slots(case):
    state = case.write()
    for row in range(B):
        assert members(state, row) == plain(case, row)


def plain(case: Case, row: int) -> list[set[int]]:
    """The rule with sets: an item takes the ring's next place, and whatever was there moves to the pool."""
    size = case.bank.geometry
    ring: list[set[int]] = [set() for _ in range(size.ring)]
    pool: list[set[int]] = []
    for order, item in enumerate(real_items(case.features, row)):
        leaving, ring[order % size.ring] = ring[order % size.ring], {item}
        pool += [leaving] if leaving else []
        if len(pool) > size.slots - size.ring:
            kept, gone = most_similar(pool, case.features, row)
            pool[kept] |= pool[gone]
            pool[gone] = pool[-1]
            pool.pop()
    return [*ring, *pool, *[set() for _ in range(size.slots - size.ring - len(pool))]]


def most_similar(groups: list[set[int]], features: Features, row: int) -> tuple[int, int]:
    """The two groups of one modality whose summed keys have the largest cosine; of equals the first."""
    keys = [features.key[row, sorted(group)].sum(0).tolist() for group in groups]
    kinds = [features.modality[row, min(group)] for group in groups]

    def cosine(pair: tuple[int, int]) -> float:
        one, other = keys[pair[0]], keys[pair[1]]
        return sum(a * b for a, b in zip(one, other, strict=True)) / (math.hypot(*one) * math.hypot(*other))

    alike = [pair for pair in combinations(range(len(groups)), 2) if kinds[pair[0]] == kinds[pair[1]]]
    return max(alike, key=cosine)  # max takes the first of equals, and combinations come lowest first


@settings(max_examples=20, deadline=None)
@given(case=cases(), cut=st.integers(0, MOST))
def test_what_has_merged_stays_together_and_spans_only_grow(case, cut):
    first = Case(case.bank, Features(*(field[:, :cut] for field in case.features)))
    before, after = first.write(), case.write()
    for row in range(B):
        later = members(after, row)
        for slot, group in enumerate(members(before, row)):
            if group:
                [now] = [place for place, others in enumerate(later) if group & others]
                assert group <= later[now]
                assert after.time[row, now, 0] <= before.time[row, slot, 0]
                assert after.time[row, now, 1] >= before.time[row, slot, 1]
                assert after.arrival[row, now] >= before.arrival[row, slot]


@settings(max_examples=20, deadline=None)
@given(case=cases(), cuts=st.lists(st.integers(0, MOST), max_size=5))
def test_however_a_stream_is_cut_it_makes_the_same_memory_to_the_bit(case, cuts):
    items = case.features.key.shape[1]
    assert_equal(case.write(*(min(cut, items) for cut in cuts)), case.write())


@settings(max_examples=15, deadline=None)
@given(case=cases())
def test_rows_in_another_order_are_the_same_memories_in_that_order(case):
    turned = Case(case.bank, Features(*(field.flip(0) for field in case.features)))
    assert_equal(turned.write(), MemoryState(*(field.flip(0) for field in case.write())))


@settings(max_examples=15, deadline=None)
@given(case=cases())
def test_positions_that_no_item_uses_change_nothing(case):
    sizes = {**vars(case.bank.geometry), "tokens": P + 2}
    wider = case.features._replace(
        tokens=pad(case.features.tokens, (0, 0, 1, 1), value=torch.nan), mask=pad(case.features.mask, (1, 1))
    )
    state, padded = case.write(), Case(MemoryBank(**sizes), wider).write()
    assert_equal(padded._replace(sums=padded.sums[:, :, 1:-1], count=padded.count[:, :, 1:-1]), state)
    assert not padded.sums[:, :, [0, -1]].any()
    assert not padded.count[:, :, [0, -1]].any()


@settings(max_examples=15, deadline=None)
@given(case=cases())
def test_similarity_is_that_of_the_key_sums_computed_anew(case):
    state, ring = case.write(), case.bank.geometry.ring
    anew = normalize(state.key_sums, dim=-1) @ normalize(state.key_sums, dim=-1).mT
    pool = torch.arange(case.bank.capacity) >= ring
    may_merge = (state.modality.unsqueeze(1) == state.modality.unsqueeze(2)) & (state.items > 0).unsqueeze(1)
    may_merge &= pool & pool.unsqueeze(-1) & ~torch.eye(len(pool), dtype=torch.bool)
    torch.testing.assert_close(state.similarity, anew.masked_fill(~may_merge, -torch.inf), atol=1e-12, rtol=0)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999), items=st.integers(8, 30))
def test_items_of_5_and_of_16_tokens_merge_to_the_mean_of_what_is_there(seed, items):
    random = torch.Generator().manual_seed(seed)
    lengths = torch.tensor([5, 16])[torch.randint(0, 2, (1, items), generator=random)]
    bank = MemoryBank(slots=5, ring=2, tokens=16, width=items, key_width=K)
    features = Features(
        tokens=torch.eye(items).view(1, items, 1, items).expand(1, items, 16, items),
        mask=torch.arange(16) < lengths.unsqueeze(-1),
        key=normalize(torch.randn(1, items, K, generator=random), dim=-1),
        time=torch.zeros(1, items, 2, dtype=torch.float64),
        modality=torch.zeros(1, items, dtype=torch.long),
        source=torch.zeros(1, items, dtype=torch.long),
    )
    state = bank.write(bank.empty(), features)
    tokens, mask = (part.unflatten(1, (5, 16))[0] for part in bank.tokens(state))
    for slot, group in enumerate(members(state, 0)):
        for position in (0, 4, 5, 15):
            there = [item for item in group if lengths[0, item] > position]
            expected = torch.zeros(items).index_fill(0, torch.tensor(there, dtype=torch.long), 1 / max(1, len(there)))
            torch.testing.assert_close(tokens[slot, position], expected)
            assert mask[slot, position] == bool(there)


@settings(max_examples=10, deadline=None)
@given(case=cases(), seed=st.integers(0, 999))
def test_sums_of_any_half_precision_numbers_are_exact_so_an_item_can_be_taken_out_again(case, seed):
    """A finite float16 is a multiple of 2^-24 below 2^16, and float64 has the bits for thousands of them."""
    n = case.features.key.shape[1]
    bits = torch.randint(-(2**15), 2**15, (B, n, P, 2), generator=torch.Generator().manual_seed(seed))
    tokens = bits.to(torch.int16).view(torch.float16).nan_to_num(nan=1.0)  # the largest and the smallest among them
    bank = MemoryBank(**{**vars(case.bank.geometry), "width": 2})
    state = Case(bank, case.features._replace(tokens=tokens)).write()
    written = tokens.double().masked_fill(~case.features.mask.unsqueeze(-1), 0)
    for row in range(B):
        for slot, group in enumerate(map(sorted, members(case.write(), row))):
            assert exactly([state.sums[row, slot]]) == exactly(written[row, group])
            if group:
                assert exactly([state.sums[row, slot] - written[row, group[0]]]) == exactly(written[row, group[1:]])


def exactly(tensors: Iterable[Tensor]) -> list[Fraction]:
    """The sum of tensors (p, d) in fractions, which do not round."""
    numbers = [[Fraction(number) for number in tensor.flatten().tolist()] for tensor in tensors]
    return [sum(column, Fraction()) for column in zip(*numbers, strict=True)] or [Fraction()] * P * 2


@settings(max_examples=5, deadline=None)
@given(case=cases(), seed=st.integers(0, 999))
def test_a_saved_memory_comes_back_to_the_bit_whatever_the_bits(tmp_path_factory, case, seed):
    state = case.write()
    bits = torch.randint(-(2**63), 2**63 - 1, state.sums.shape, generator=torch.Generator().manual_seed(seed))
    state = state._replace(sums=bits.view(torch.float64))
    path = tmp_path_factory.mktemp("memory") / "state"
    case.bank.save(state, path)
    back = case.bank.load(path)
    assert torch.equal(back.sums.view(torch.int64), bits)
    assert_equal(back._replace(sums=bits), state._replace(sums=bits))
