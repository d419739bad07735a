"""Gradients run through a memory: into the state it was, through merges, and back to the first of many items.

b batch   n items   p tokens per item   s slots   d width   k key width
"""

import torch
from torch import Tensor
from torch.autograd import gradcheck

from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.types import Features, MemoryState

S, P, D, K = 5, 2, 2, 3
BANK = MemoryBank(slots=S, ring=1, tokens=P, width=D, key_width=K)


def read(state: MemoryState) -> tuple[Tensor, ...]:
    return state.sums, state.key_sums, BANK.tokens(state)[0], BANK.keys(state)


def test_from_all_that_is_read_to_the_items_and_to_the_state_they_merge_into(stream):
    full = BANK.write(BANK.empty(2, dtype=torch.float64), stream(2, 9, P, D, K, dtype=torch.float64, padding=0.0))
    assert (full.items > 0).all()
    features = stream(2, 5, P, D, K, seed=1, dtype=torch.float64, padding=0.3)
    leaves = [full.sums, full.key_sums, features.tokens, features.key]

    def write(sums: Tensor, key_sums: Tensor, tokens: Tensor, key: Tensor) -> Tensor:
        state = BANK.write(full._replace(sums=sums, key_sums=key_sums), features._replace(tokens=tokens, key=key))
        return torch.cat([part.flatten() for part in read(state)])  # gradcheck passes over an output without gradient

    assert gradcheck(write, tuple(leaf.detach().clone().requires_grad_() for leaf in leaves))


def one_by_one(features: Features) -> MemoryState:
    state = BANK.empty(len(features.key), dtype=torch.float64)
    for item in range(features.key.shape[1]):
        state = BANK.write(state, Features(*(field[:, item : item + 1] for field in features)))
    return state


def test_through_a_long_chain_of_writes_as_through_one(stream):
    gradients = []
    for write in (one_by_one, lambda features: BANK.write(BANK.empty(2, dtype=torch.float64), features)):
        features = stream(2, 300, P, D, K, dtype=torch.float64)
        features.tokens.requires_grad_()
        features.key.requires_grad_()
        sums, key_sums, tokens, keys = read(write(features))
        (sums.sin().sum() + key_sums.cos().sum() + tokens.square().sum() + keys.pow(3).sum()).backward()
        gradients.append((features.tokens.grad, features.key.grad))
    for chained, at_once in zip(*gradients, strict=True):
        torch.testing.assert_close(chained, at_once)
    assert torch.equal(gradients[0][0].abs().amax(-1) > 0, features.mask)
    assert torch.equal(gradients[0][1].abs().amax(-1) > 0, features.mask.any(-1))


def test_an_items_gradient_through_a_mean_is_its_share_of_the_slot(stream):
    features = stream(2, 40, P, D, K, dtype=torch.float64)
    features.tokens.requires_grad_()
    state = one_by_one(features)
    BANK.tokens(state)[0].sum().backward()
    # every item of a slot gets 1 / count, so a slot's items together get 1 at each position that holds any
    torch.testing.assert_close(features.tokens.grad.sum((1, 2, 3)), (state.count > 0).sum((1, 2)).double() * D)
    shares = {round(1 / share.item()) for share in features.tokens.grad[features.mask].flatten()}
    assert shares == {*state.count[state.count > 0].tolist()}
    assert not features.tokens.grad[~features.mask].any()
