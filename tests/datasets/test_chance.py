"""Draws follow their weights and stay the same for ever; exactly a fifth of any list is set aside."""

from collections import Counter
from random import Random

import pytest

from mm_memgpt.datasets.chance import SET_ASIDE, between, draw, happens, set_aside


def test_draws_follow_their_weights():
    generator = Random("weights")
    found = Counter(draw(generator, "abcd", [1.0, 0.0, 3.0, 4.0]) for _ in range(8000))
    assert found["b"] == 0
    assert [round(found[letter] / 1000) for letter in "acd"] == [1, 3, 4]


def test_draws_without_weights_are_all_alike():
    generator = Random("alike")
    found = Counter(draw(generator, range(5)) for _ in range(5000))
    assert sorted(found) == list(range(5))
    assert max(found.values()) < 1.15 * min(found.values())


def test_draws_are_the_same_for_ever():
    generator = Random("for ever")
    drawn = [draw(generator, "abcdefgh") for _ in range(12)]
    assert "".join(drawn) == "dcgdddchhehd"
    assert (round(between(generator, -1, 3), 9), happens(generator, 0.0), happens(generator, 1.0)) == (
        1.283186263,
        False,
        True,
    )


def test_nothing_to_draw_from_is_an_error():
    with pytest.raises(ValueError, match="nothing to draw from"):
        draw(Random(0), [])


def test_one_of_any_five_in_a_row_is_set_aside_and_which_depends_on_what_is_asked():
    kept = {asked: [set_aside(asked, number) for number in range(50)] for asked in map(str, range(200))}
    for flags in kept.values():
        assert all(sum(flags[start : start + SET_ASIDE]) == 1 for start in range(46))
    offsets = Counter(flags.index(True) for flags in kept.values())
    assert sorted(offsets) == list(range(SET_ASIDE))
    assert min(offsets.values()) > 20
