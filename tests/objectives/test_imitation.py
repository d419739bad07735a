import math

import pytest
import torch

from mm_memgpt.objectives.imitation import (
    TeacherConfig,
    TransferConfig,
    aligned,
    attention_loss,
    key_loss,
    matched,
    share_loss,
    soft_loss,
)


def test_what_is_said_costs_the_divergence_by_hand():
    student, teacher, temperature = torch.tensor([[0.0, 1.0, 3.0], [2.0, 2.0, 0.0]]), torch.randn(2, 3), 2.5
    total = 0.0
    for row in range(2):
        p, q = ([math.exp(x / temperature) for x in each[row].tolist()] for each in (teacher, student))
        p, q = ([x / sum(each) for x in each] for each in (p, q))
        total += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    assert soft_loss(student, teacher, temperature).item() == pytest.approx(temperature**2 * total / 2, abs=1e-5)


def test_nothing_to_imitate_costs_nothing_and_has_a_gradient():
    student = torch.randn(3, 5, requires_grad=True)
    loss = soft_loss(student[:0], torch.randn(0, 5), 2.0) + share_loss(student[:0], torch.randn(0, 5))
    loss.backward()
    assert loss.item() == 0
    assert student.grad.abs().sum() == 0


def test_states_at_the_teachers_mean_miss_all_of_its_variance():
    teacher = torch.randn(7, 3)
    assert share_loss(teacher, teacher).item() == 0
    assert share_loss(teacher.mean(0).expand(7, 3), teacher).item() == pytest.approx(1.0, abs=1e-5)


def test_padding_looks_at_nothing_that_counts():
    student, teacher = (torch.rand(2, 4, 5, 5).softmax(-1) for _ in range(2))
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    other = student.clone()
    other[1, :, 3:] = 1 / 5
    assert attention_loss(other, teacher, mask) == attention_loss(student, teacher, mask) > 0


def test_heads_meet_in_their_mean_where_one_has_more():
    student, teacher = torch.rand(2, 2, 5, 5).softmax(-1), torch.rand(2, 3, 5, 5).softmax(-1)
    mask = torch.ones(2, 5, dtype=torch.bool)
    by_mean = attention_loss(student.mean(1, keepdim=True), teacher.mean(1, keepdim=True), mask)
    assert attention_loss(student, teacher, mask).item() == pytest.approx(by_mean.item())


def test_keys_of_one_direction_are_the_same():
    keys = torch.randn(3, 6)
    assert key_loss(2 * keys, keys).item() == pytest.approx(0, abs=1e-6)
    assert key_loss(-keys, keys).item() == pytest.approx(2, abs=1e-6)


def test_layers_meet_evenly_and_the_last_the_last():
    assert matched(2, 6) == [3, 6]
    assert matched(3, 6) == [2, 4, 6]
    assert matched(4, 6) == [2, 3, 5, 6]
    assert matched(3, 1) == [1, 1, 1]


def read(part, offsets):
    """A batch of one row and one window."""
    real = torch.tensor([[[1] * len(part)]])
    return {"part": torch.tensor([[part]]), "offsets": torch.tensor([[offsets]]), "attention_mask": real}


def test_a_token_meets_the_one_that_holds_its_character():
    pieces = read([-1, 0, 0, 0, -1], [(0, 0), (0, 1), (1, 3), (4, 6), (0, 0)])
    words = read([-1, 0, 0, -1], [(0, 0), (0, 3), (4, 6), (0, 0)])
    assert aligned(pieces, words).tolist() == [[0, 1, 1, 2, -1]]
    assert aligned(words, pieces).tolist() == [[0, 1, 3, -1]]
    assert aligned(words, pieces, last=True).tolist() == [[0, 2, 3, -1]]


def test_a_token_of_the_question_meets_none_of_the_passage():
    one = read([0, 1], [(0, 2), (0, 2)])
    other = read([1], [(0, 2)])
    assert aligned(one, other).tolist() == [[-1, 0]]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"temperature": 0.0}, "teacher.temperature 0.0 must be above 0"),
        ({"hidden": -1.0}, "teacher.hidden -1.0 must be at least 0"),
        ({"logits": 0.0}, "teaches nothing"),
    ],
)
def test_a_teacher_that_cannot_be_is_one_line(given, message):
    with pytest.raises(ValueError, match=message):
        TeacherConfig(model="runs/a", **given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"most": 0}, "teacher.transfer.most 0 must be at least 1"),
        ({"share": 1.5}, "teacher.transfer.share 1.5 must be above 0 and at most 1"),
        ({"words": (9, 4)}, r"teacher.transfer.words \[9, 4\] must be the fewest and the most"),
        ({"words": (4,)}, r"teacher.transfer.words \[4\] must be the fewest and the most"),
    ],
)
def test_a_transfer_set_that_cannot_be_is_one_line(given, message):
    with pytest.raises(ValueError, match=message):
        TransferConfig(path="reviews.csv", **given)
