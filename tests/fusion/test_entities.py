"""Vectors of entities join the tokens of what is linked to them, and leave all others as they are."""

import pytest
import torch

from mm_memgpt.fusion.entities import EntityProjection
from mm_memgpt.fusion.fuser import MultimodalFuser, of_slots
from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.types import Features

B, S, P, D, E = 2, 5, 3, 8, 4
N, K = 7, 6


@pytest.fixture
def projection() -> EntityProjection:
    torch.manual_seed(0)
    module = EntityProjection(D, E)
    torch.nn.init.normal_(module.projection.weight)
    return module


@pytest.fixture
def slots():
    torch.manual_seed(1)
    entities = torch.randn(B, S, E)
    entities[0, 2] = entities[1, 0] = 0
    mask = torch.rand(B, S, P) > 0.3
    return torch.randn(B, S, P, D) * mask.unsqueeze(-1), mask, entities


def test_it_begins_as_identity(slots):
    assert torch.equal(EntityProjection(D, E)(*slots), slots[0])


def test_real_tokens_of_linked_slots_are_concatenated_and_projected(projection, slots):
    tokens, mask, entities = slots
    found = projection(*slots)
    for b, s, p in torch.cartesian_prod(torch.arange(B), torch.arange(S), torch.arange(P)).tolist():
        due = tokens[b, s, p]
        if mask[b, s, p] and (b, s) not in ((0, 2), (1, 0)):
            due = due + projection.projection.weight @ torch.cat([due, entities[b, s]])
        torch.testing.assert_close(found[b, s, p], due)
    assert torch.equal(found[0, 2], tokens[0, 2])


def test_vectors_of_other_sizes_are_refused(projection, slots):
    tokens, mask, entities = slots
    with pytest.raises(ValueError, match=r"entities \(2, 5, 3\) must be \(batch, slots, entity width\) = \(2, 5, 4\)"):
        projection(tokens, mask, entities[..., :3])


def items(count: int = N) -> Features:
    torch.manual_seed(3)
    time = torch.arange(count, dtype=torch.float64)
    return Features(
        tokens=torch.randn(B, count, P, D),
        mask=torch.ones(B, count, P, dtype=torch.bool),
        key=torch.nn.functional.normalize(torch.randn(B, count, K), dim=-1),
        time=torch.stack([time, time + 1], -1).expand(B, -1, -1),
        modality=torch.zeros(B, count, dtype=torch.int64),
        source=torch.arange(count).expand(B, -1),
    )


def bank(slots: int) -> MemoryBank:
    return MemoryBank(slots=slots, ring=2, tokens=P, width=D, key_width=K)


def test_what_is_known_of_items_is_that_of_the_slots_that_hold_them():
    roomy, known = bank(9), torch.arange(1, N + 1).expand(B, -1)
    features = items()
    features = features._replace(mask=features.mask & (torch.arange(N) < 6).view(1, N, 1))  # the last is padding
    state = roomy.write(roomy.empty(B), features)
    found = of_slots(state, known)
    for b in range(B):
        assert sorted(found[b].tolist()) == [0, 0, 0, 1, 2, 3, 4, 5, 6]
        for slot in found[b].nonzero().flatten().tolist():
            assert state.source[b, slot] == found[b, slot] - 1


def test_a_slot_of_several_items_has_what_is_known_of_its_newest():
    small = bank(5)
    state = small.write(small.empty(B), items())
    found = of_slots(state, torch.arange(N).expand(B, -1))
    assert (state.items > 1).any()
    assert torch.equal(found, state.arrival)


def fuser(entity_width: int = E) -> MultimodalFuser:
    torch.manual_seed(4)
    module = MultimodalFuser(D, 2, entity_width=entity_width)
    if module.entities is not None:
        torch.nn.init.normal_(module.entities.projection.weight)
    return module


def test_vectors_follow_their_slots_wherever_they_lie():
    module, roomy = fuser(), bank(9)
    state = roomy.write(roomy.empty(B), items())
    entities = torch.randn(B, 9, E)
    order = torch.randperm(9).tolist()
    *parts, similarity = state
    moved = type(state)(*(part[:, order] for part in parts), similarity[:, order][:, :, order])
    one, other = module(state, entities=entities), module(moved, entities=entities[:, order])
    torch.testing.assert_close(one.tokens, other.tokens)
    assert not torch.equal(one.tokens, module(state).tokens)


def test_without_a_vector_or_before_training_nothing_changes_and_all_else_begins_alike():
    roomy = bank(9)
    state = roomy.write(roomy.empty(B), items())
    assert torch.equal(fuser()(state, entities=torch.zeros(B, 9, E)).tokens, fuser(0)(state).tokens)


def test_vectors_for_a_fuser_that_reads_none_or_beside_tokens_are_refused():
    state, some = bank(9).empty(B), torch.randn(B, 9, E)
    for module, memory in ((fuser(0), state), (fuser(), {"image": torch.randn(B, 9, D)})):
        with pytest.raises(ValueError, match="by a fuser with an entity_width; leave them out"):
            module(memory, entities=some)
