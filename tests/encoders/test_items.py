"""Items of several encoders stand in one row: filled up without a change, and in the order of their ends."""

import pytest
import torch

from mm_memgpt.encoders.items import by_time, join, reorder
from mm_memgpt.types import Features


def features(n: int, p: int, ends: list[list[float]], modality: int, width: int = 4, key: int = 3) -> Features:
    return Features(
        tokens=torch.randn(2, n, p, width),
        mask=torch.ones(2, n, p, dtype=torch.bool),
        key=torch.randn(2, n, key),
        time=torch.tensor(ends, dtype=torch.float64).unsqueeze(-1).expand(2, n, 2),
        modality=torch.full((2, n), modality),
        source=torch.arange(n).expand(2, n),
    )


SEEN = features(2, 5, [[1.0, 4.0], [3.0, 2.0]], modality=0)
HEARD = features(3, 2, [[0.9, 1.8, 4.0], [2.0, 3.0, 1.0]], modality=1)


def test_joined_items_are_filled_up_and_masked():
    joined = join([SEEN, HEARD])
    assert joined.tokens.shape == (2, 5, 5, 4)
    assert joined.mask[0].sum(-1).tolist() == [5, 5, 2, 2, 2]
    assert torch.equal(joined.tokens[:, 2:, :2], HEARD.tokens)
    assert not joined.tokens[~joined.mask].any()
    assert join([SEEN]) is SEEN


def test_items_come_by_their_ends_and_those_that_end_together_as_they_came():
    ordered = by_time(join([SEEN, HEARD]))
    assert ordered.time[0, :, 1].tolist() == [0.9, 1.0, 1.8, 4.0, 4.0]
    assert ordered.modality.tolist() == [[1, 0, 1, 0, 1], [1, 0, 1, 0, 1]]
    assert ordered.source.tolist() == [[0, 0, 1, 1, 2], [2, 1, 0, 0, 1]]
    assert torch.equal(ordered.key[0, 1], SEEN.key[0, 0])
    assert torch.equal(ordered.tokens[1, 1], SEEN.tokens[1, 1])


def test_items_are_taken_by_place():
    taken = reorder(HEARD, torch.tensor([[2], [0]]))
    assert torch.equal(taken.key, torch.stack([HEARD.key[0, 2:], HEARD.key[1, :1]]))


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"tokens are \[4, 6\] wide, part by part; build all encoders of one width"):
        join([SEEN, features(1, 2, [[0.0], [0.0]], 1, width=6)])
    with pytest.raises(ValueError, match=r"keys are \[3, 5\] wide"):
        join([SEEN, features(1, 2, [[0.0], [0.0]], 1, key=5)])
    with pytest.raises(ValueError, match="no items to join; give at least one part"):
        join([])
