"""Recalling: keys learn what keeps a slot, banks in training are drawn, and the answer's loss reaches what is read."""

import torch
from torch.nn.functional import normalize

from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.objectives.recalling import SPARE, drawn_bank, key_loss

SCALE = torch.tensor(10.0)


def spread(keys: torch.Tensor) -> torch.Tensor:
    return normalize(keys, dim=-1)


def loss(key, real=None, asked=None, owner=(0, 0), place=(1, 3)):
    owner, place = torch.tensor(owner), torch.tensor(place)
    real = torch.ones(key.shape[:2], dtype=torch.bool) if real is None else real
    asked = key[owner, place] if asked is None else asked
    return key_loss(key, real, asked, owner, place, SCALE)


def test_keys_lose_nothing_where_filler_lies_together_and_each_fact_alone():
    filler, first, second = torch.eye(5)[:3]
    good = torch.stack([filler, first, filler, second]).unsqueeze(0)
    near = torch.stack([filler, first, filler, spread(first + 0.2 * second)]).unsqueeze(0)
    wide = torch.stack([filler, first, torch.eye(5)[4], second]).unsqueeze(0)
    assert loss(good) < 1e-3
    assert loss(near) > loss(good) + 0.5
    assert loss(wide) > loss(good) + 0.1


def test_padding_changes_no_loss_of_keys():
    key = spread(torch.randn(2, 5, 7))
    real = torch.ones(2, 5, dtype=torch.bool)
    real[1, 4] = False
    other = key.clone()
    other[1, 4] = spread(torch.randn(7))
    given = {"owner": (0, 1), "place": (2, 0)}
    assert torch.equal(loss(key, real, **given), loss(other, real, **given))


def test_gradients_of_the_key_loss_move_a_fact_away_from_its_neighbour():
    key = spread(torch.randn(1, 6, 4)).requires_grad_()
    loss(key).backward()
    assert key.grad.abs().sum(-1).min() > 0


def test_a_drawn_bank_has_room_for_every_fact_and_no_more_slots_than_asked():
    bank = MemoryBank(slots=40, ring=3, tokens=5, width=8, key_width=4)
    sizes = {drawn_bank(bank, facts=2, most=20).capacity for _ in range(200)}
    assert min(sizes) == 3 + 2 + SPARE
    assert max(sizes) == 20
    assert drawn_bank(bank, facts=30, most=20).capacity == 3 + 30 + SPARE
