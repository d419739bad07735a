"""A slot is told its place in line and how long ago it was; nothing else counts, and at first nothing is told."""

import pytest
import torch

from mm_memgpt.fusion.fuser import MultimodalFuser
from mm_memgpt.fusion.order import WAVES, OrderEmbedding, _places, order_features
from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.types import Features, MemoryState

MODALITY = [0, 1, 1, 0, 1]
SOURCE = [0, 1, 1, 2, 3]
TIME = [[0.0, 0.0], [1.0, 2.0], [2.0, 3.0], [4.0, 4.0], [5.0, 5.5]]


def memory(tokens: torch.Tensor | None = None, later: float = 0.0) -> MemoryState:
    """A photo, a sound of two pieces, another photo and another sound, in a bank with room for them and two more."""
    draw = torch.Generator().manual_seed(1)
    drawn = torch.randn(1, 5, 2, 8, generator=draw)
    features = Features(
        tokens=drawn if tokens is None else tokens,
        mask=torch.ones(1, 5, 2, dtype=torch.bool),
        key=torch.nn.functional.normalize(torch.randn(1, 5, 3, generator=draw), dim=-1),
        time=torch.tensor([TIME], dtype=torch.float64) + later,
        modality=torch.tensor([MODALITY]),
        source=torch.tensor([SOURCE]),
    )
    bank = MemoryBank(slots=7, ring=2, tokens=2, width=8, key_width=3)
    return bank.write(bank.empty(), features)


def moved(state: MemoryState, order: list[int]) -> MemoryState:
    *parts, similarity = state
    return MemoryState(*(part[:, order] for part in parts), similarity[:, order][:, :, order])


def by_arrival(state: MemoryState, values: torch.Tensor) -> list:
    return values[0, state.arrival[0].argsort()][-int((state.items > 0).sum()) :].tolist()


def test_places_are_counted_from_both_ends_and_a_sound_of_two_pieces_is_one():
    state = memory()
    after, sources_after, sources_before = _places(state, state.items > 0).unbind(-1)
    assert by_arrival(state, after) == [4, 3, 2, 1, 0]
    assert by_arrival(state, sources_after) == [1, 1, 1, 0, 0]  # photos 0 and 2, sounds 1 and 3
    assert by_arrival(state, sources_before) == [0, 0, 0, 1, 1]


def test_seconds_are_counted_back_from_the_newest_whatever_the_clock_says():
    state, today = memory(), memory(later=1.79e9)
    since, lasted = order_features(state)[..., -2:].expm1().unbind(-1)
    assert by_arrival(state, since) == pytest.approx([5.5, 3.5, 2.5, 1.5, 0.0], abs=1e-5)
    assert by_arrival(state, lasted) == pytest.approx([0.0, 1.0, 1.0, 0.0, 0.5], abs=1e-5)
    torch.testing.assert_close(order_features(today), order_features(state))


def test_two_places_never_look_the_same():
    state = memory()
    waves = order_features(state)[0, :, : 2 * WAVES]
    told = waves[state.items[0] > 0]
    assert torch.cdist(told, told).fill_diagonal_(9).min() > 0.5


def fuser(order: bool) -> MultimodalFuser:
    torch.manual_seed(0)
    made = MultimodalFuser(8, 2, order=order)
    draw = torch.Generator().manual_seed(3)
    for name, parameter in made.named_parameters():
        if not parameter.any() and not name.startswith("order."):
            torch.nn.init.normal_(parameter, std=0.5, generator=draw)
    return made


def test_of_one_seed_it_begins_as_the_fuser_without_it():
    state = memory()
    assert fuser(order=False).order is None
    for one, other in zip(fuser(order=True)(state)[:3], fuser(order=False)(state)[:3], strict=True):
        assert torch.equal(one, other)


def test_where_the_bank_put_a_slot_changes_nothing():
    told = fuser(order=True)
    torch.nn.init.normal_(told.order.output.weight)
    state = memory()
    one, other = told(state), told(moved(state, [4, 6, 2, 0, 1, 5, 3]))
    torch.testing.assert_close(one.tokens, other.tokens)
    torch.testing.assert_close(one.readout, other.readout)


def test_items_that_are_the_same_but_for_their_places_can_be_told_apart():
    state = memory(tokens=torch.ones(1, 5, 2, 8))
    order = OrderEmbedding(8)
    torch.nn.init.normal_(order.output.weight)
    mask = state.count > 0
    told = order(state.sums, mask, state)
    assert torch.equal(told[~mask], state.sums[~mask])  # empty slots are told nothing
    first, last = (state.arrival[0] == arrival for arrival in (0, 3))  # both photos
    assert (told[0, first] - told[0, last]).abs().max() > 0.1


def test_tokens_from_elsewhere_have_no_order():
    told = fuser(order=True)
    torch.nn.init.normal_(told.order.output.weight)
    tokens = {"image": torch.randn(2, 3, 8), "audio": torch.randn(2, 4, 8)}
    plain = fuser(order=False)
    assert torch.equal(told(tokens).tokens, plain(tokens).tokens)


def test_every_parameter_learns_once_something_is_told():
    order = OrderEmbedding(8)
    torch.nn.init.normal_(order.output.weight)
    state = memory()
    order(state.sums, state.count > 0, state).square().sum().backward()
    assert [name for name, weight in order.named_parameters() if not weight.grad.any()] == []
