"""The caption that needs no language model: nearest photos, and the sentence their captions agree on."""

import numpy as np
import pytest

CAPTIONS = [
    ["a brown dog runs", "a brown dog runs fast", "something else entirely"],
    ["a red kite flies", "a red kite flies high"],
    ["people eat cake", "people eat a cake"],
]


def maps_of(rows: np.ndarray) -> np.ndarray:
    """(n, c) as maps (n, c, 2, 3) whose mean over the cells they are."""
    spread = np.array([-1.0, 0, 1, 1, 0, -1]).reshape(2, 3)
    return (rows[:, :, None, None] + spread).astype(np.float16)


@pytest.fixture
def neighbours():
    from benchmarks.neighbours import Neighbours

    return Neighbours(maps_of(np.eye(3, 4)), CAPTIONS)


@pytest.mark.parametrize("row", [0, 1, 2])
def test_the_photo_itself_is_the_nearest_and_its_captions_agree(neighbours, row):
    said = neighbours.caption(maps_of(np.eye(3, 4))[row], k=1)
    assert said in CAPTIONS[row]
    assert said != "something else entirely"


def test_more_neighbours_outvote_the_nearest():
    from benchmarks.neighbours import Neighbours

    odd = [["a lone goat"], *([["two dogs play", "two dogs play ball"]] * 2), *([["rare words here"]] * 3)]
    keys = np.array([[1, 0, 0], [0.9, 0.1, 0], [0.9, 0, 0.1], [-1, 0, 0], [-1, 0.1, 0], [-1, 0, 0.1]])
    both = Neighbours(maps_of(keys), odd)
    assert both.caption(maps_of(keys)[0], k=1) == "a lone goat"
    assert both.caption(maps_of(keys)[0], k=3).startswith("two dogs play")


def test_the_agreement_is_the_mean_cosine_of_each_order_s_vectors(neighbours):
    first, second = neighbours.vectors[0][:2]
    product = sum(weight * second.get(run, 0) for run, weight in first.items())
    cosines = []
    for order in (1, 2, 3, 4):
        a, b = ({run: w for run, w in each.items() if len(run) == order} for each in (first, second))
        length = np.linalg.norm(list(a.values())) * np.linalg.norm(list(b.values()))
        cosines.append(sum(w * b.get(run, 0) for run, w in a.items()) / length)
    assert product == pytest.approx(np.mean(cosines))
    assert 0 < product < 1


def test_a_word_in_every_photo_s_captions_weighs_nothing():
    from benchmarks.neighbours import Neighbours

    vectors = Neighbours(maps_of(np.eye(2, 4)), [["the dog"], ["the cat"]]).vectors
    assert ("the",) not in vectors[0][0]
    assert ("dog",) in vectors[0][0]
