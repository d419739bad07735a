"""The loss of walks is low where the mass ends at an answer, or walked the known path."""

from math import log

import pytest
import torch

from mm_memgpt.objectives.walking import answer_loss, path_loss


def test_any_of_the_answers_will_do():
    share = torch.tensor([0.25, 0.25, 0.5, 1.0])
    answers, owner = torch.tensor([True, True, False, True]), torch.tensor([0, 0, 0, 1])
    assert answer_loss(share, answers, owner, 2).item() == pytest.approx(log(2) / 2)


def test_an_answer_that_no_walk_reaches_is_a_finite_loss():
    loss = answer_loss(torch.tensor([1.0, 0.0]), torch.tensor([False, True]), torch.tensor([0, 0]), 1)
    assert torch.isfinite(loss)


def test_a_known_path_has_the_weight_of_its_relations():
    weights = torch.tensor([[[0.5, 0.5], [0.2, 0.8]]] * 2)
    length = torch.tensor([[0.1, 0.9]] * 2)
    path, total = torch.tensor([[0, 1], [-1, -1]]), torch.tensor([0.72, 1.0])
    assert path_loss(weights, length, path, total).item() == pytest.approx(-log(0.5 * 0.8 * 0.9 / 0.72))


def test_a_relation_that_is_not_there_spoils_no_gradient():
    scores = torch.tensor([[[0.0, 1.0, -torch.inf]]], requires_grad=True)
    path_loss(scores.softmax(-1), torch.ones(1, 1), torch.tensor([[0]]), torch.ones(1)).backward()
    assert torch.isfinite(scores.grad).all()
