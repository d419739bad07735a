"""What is asked finds what is right; only what is wrong counts against it."""

import pytest
import torch
from torch.nn import functional

from mm_memgpt.objectives.contrastive import contrastive_loss
from mm_memgpt.objectives.retrieval import retrieval_loss

B, C, K = 3, 5, 7


@pytest.fixture
def keys():
    return functional.normalize(torch.randn(B, K), dim=-1), functional.normalize(torch.randn(C, K), dim=-1)


def test_loss_is_the_naive_sum(keys):
    asked, found = keys
    right, counts = torch.tensor([4, 0, 2]), torch.ones(B, C, dtype=torch.bool)
    counts[0, 1] = counts[2, 3] = False
    naive = 0.0
    for row in range(B):
        terms = [(20 * asked[row] @ found[j]).exp() for j in range(C) if counts[row, j]]
        naive -= ((20 * asked[row] @ found[right[row]]).exp() / sum(terms)).log() / B
    assert retrieval_loss(asked, found, right, counts, 20).item() == pytest.approx(naive.item(), rel=1e-5)


def test_in_both_directions_it_is_that_of_photos_with_one_sentence_each(keys):
    asked, found = keys[0], keys[1][:B]
    both = retrieval_loss(asked, found, torch.arange(B), torch.ones(B, B, dtype=torch.bool), 20, symmetric=True)
    torch.testing.assert_close(both, contrastive_loss(asked, found, 20))


def test_what_does_not_count_pushes_nothing_away(keys):
    asked, found = keys
    found.requires_grad_()
    counts = torch.ones(B, C, dtype=torch.bool)
    counts[:, 3] = False
    retrieval_loss(asked, found, torch.tensor([0, 1, 2]), counts, 20, symmetric=True).backward()
    assert found.grad[3].abs().max() == 0
    assert found.grad[4].abs().max() > 0


def test_the_right_one_counts_though_the_mask_leaves_it_out(keys):
    counts = torch.zeros(B, C, dtype=torch.bool)
    assert retrieval_loss(*keys, torch.tensor([0, 1, 2]), counts, 20).item() == 0


def test_two_who_look_for_the_same_do_not_compete_for_it(keys):
    asked, found = keys
    asked.requires_grad_()
    loss = retrieval_loss(
        asked[:2], found[:1], torch.tensor([0, 0]), torch.ones(2, 1, dtype=torch.bool), 20, symmetric=True
    )
    loss.backward()
    assert loss.item() == 0
    assert asked.grad.abs().max() == 0
